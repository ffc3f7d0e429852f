"""What the bot writes down for its owner to look up, and never needs itself: decisions.csv, equity.csv, seen.json.

Losing them harms nothing, so no trouble with them ever reaches a daily update or a check: it is told, once, and that is
all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from marsshot.config.bot_files import DECISIONS, EQUITY, LAST_SEEN
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO, is_usable_price
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText, catalog_of
from marsshot.core.decisions import DailyPlan, Decision
from marsshot.core.moments import parse_moment, utc_text
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import CsvLineError, csv_bytes, read_lines
from marsshot.infra.event_log import log_warning
from marsshot.portfolio.performance import DrawdownMeter, index_at, profit_at
from marsshot.portfolio.serialization import decimal_text
from marsshot.strategy.daily_plan import settled_decisions
from marsshot.strategy.decision_reasons import COLUMNS, by_score, csv_row
from marsshot.strategy.second_look import LastLook

EQUITY_COLUMNS = ("time", "capital", "positions", "equity", "profit", "index")
_COLUMNS_BEFORE = EQUITY_COLUMNS[:4]  # of a file that was begun before there were deposits and withdrawals
EQUITY_ROW_INTERVAL = timedelta(hours=1)
_TAIL_BYTES = 1_000_000  # of a file, to be looked at: a day's rows are far fewer
_LINE_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The last price of each held token, when it was seen; why today's daily update is postponed, and until when."""

    prices: Mapping[str, tuple[Decimal, datetime]] = field(default_factory=dict)
    owners_shares: Mapping[str, Decimal] = field(default_factory=dict)  # of the account's balance: not the bot's
    halted: frozenset[str] = frozenset()  # tokens whose pair was not traded at some time since
    put_off: str = ""
    put_off_until: datetime | None = None
    time: datetime | None = None  # of the last check
    drift: Mapping[str, float] = field(default_factory=dict)  # as the last scoring has it
    bars_rate: Decimal | None = None  # of the last daily update: a unit of the exchange's currency in the daily bars'


class Journal:
    """The files of one mode."""

    def __init__(self, settings: Settings, disk: Disk) -> None:
        self._disk = disk
        self._decisions = AppendOnlyCsv(settings.file(DECISIONS), COLUMNS, disk, former=COLUMNS[:-1])
        self._equity = AppendOnlyCsv(settings.file(EQUITY), EQUITY_COLUMNS, disk, durable=False, former=_COLUMNS_BEFORE)
        self._seen_path = settings.file(LAST_SEEN)
        self._seen = self._written = self._begin_with_last_seen()
        self._last_equity = _last_moment(settings.file(EQUITY), disk)
        self.drawdown = DrawdownMeter()  # of the index in the rows of equity.csv that this process wrote
        self._is_demo = settings.mode == "demo"  # where a day takes a moment, a file at each check is too much
        self._in_trouble = set[Path]()
        self.last_decisions: tuple[Decision, ...] = ()

    def _begin_with_last_seen(self) -> LastSeen:
        with suppress(OSError):
            try:
                return _last_seen_from(self._disk.read(self._seen_path))
            except _UNREADABLE:
                log_warning("diary.not_read", LocalizedText("log.diary_not_read", path=self._seen_path))
        return LastSeen()

    def note_decisions(self, plan: DailyPlan, settings: Settings) -> None:
        """Put what the plan decided into decisions.csv, in place of what is there of this day already."""
        if not plan.decisions:
            return
        day, catalog = plan.day.isoformat(), catalog_of(settings.language)
        self.last_decisions = settled_decisions(plan)
        decisions = by_score(self.last_decisions)
        rows = [csv_row(day, plan.decided_at, one, settings.daily_rules, catalog) for one in decisions]
        self._write(self._decisions.path, lambda: self._decisions.append(rows, replacing_prefix=f"{day},"))

    def note_check(
        self, book: Book, prices: Mapping[str, Decimal], now: datetime, looks: Mapping[str, LastLook] | None = None
    ) -> None:
        """Keep the prices of the held tokens, and, once an hour, what everything is worth.

        looks: what else is to be known of the held tokens by the next process.
        """
        known = {**self._seen.prices, **{symbol: (price, now) for symbol, price in prices.items()}}
        held = {symbol: look for symbol, look in (looks or {}).items() if symbol in book.positions}
        seen = replace(
            self._seen,
            prices={one: known[one] for one in book.positions if one in known},
            owners_shares={one: look.owners_share for one, look in held.items() if look.owners_share is not None},
            halted=frozenset(one for one, look in held.items() if look.was_halted),
            time=now,
        )
        if self._is_demo:
            self._seen = seen
        else:
            self._save_last_seen(seen)
        if self.is_equity_due(now):
            self.note_equity(book, now)

    def is_equity_due(self, now: datetime) -> bool:
        """Return whether a check at this moment notes what everything is worth."""
        return self._last_equity is None or abs(now - self._last_equity) >= EQUITY_ROW_INTERVAL

    @property
    def seen(self) -> LastSeen:
        """What the last check saw."""
        return self._seen

    def flush(self, book: Book, now: datetime) -> None:
        """Write what was held back for the sake of speed."""
        if self._is_demo and self._seen.time is not None:
            self.write_last_seen()
            self.note_equity(book, now)

    def note_equity(self, book: Book, now: datetime) -> None:
        """Add a row to equity.csv: a token counts with its last price, or, just bought, with its own."""
        worth = positions_worth(book, self._seen)
        equity = book.capital + worth
        told = (book.capital, worth, equity, profit_at(equity, book), index_at(equity, book))
        amounts = [Decimal(f"{amount:.8f}") for amount in told]
        row = [utc_text(now), *map(decimal_text, amounts)]
        self.drawdown.see(amounts[-1])
        self._write(self._equity.path, lambda: self._equity.append([row]))
        self._last_equity = now

    def note_postponement(self, why: str, until: datetime | None) -> None:
        """Keep why today's daily update is postponed; nothing once it is done."""
        self._save_last_seen(replace(self._seen, put_off=why, put_off_until=until))

    def note_drift(self, drift: Mapping[str, float]) -> None:
        """Keep how far the features have left the training's distribution."""
        self._save_last_seen(replace(self._seen, drift=drift))

    def note_bars_rate(self, rate: Decimal) -> None:
        """Keep what a unit of the exchange's currency is worth in that of the daily bars."""
        self._save_last_seen(replace(self._seen, bars_rate=rate))

    def _save_last_seen(self, seen: LastSeen) -> None:
        self._seen = seen
        self.write_last_seen()

    def write_last_seen(self) -> None:
        """Write what the last check saw, where it is not written yet: a demo's checks hold it back."""
        seen = self._seen
        if seen != self._written:
            self._written = seen
            self._write(self._seen_path, lambda: self._disk.write_unsynced(self._seen_path, _seen_json(seen)))

    def _write(self, path: Path, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if path not in self._in_trouble:
                log_warning("diary.not_written", LocalizedText("log.diary_not_written", path=path, why=error.strerror))
            self._in_trouble.add(path)
        else:
            self._in_trouble.discard(path)


def last_price(symbol: str, book: Book, seen: LastSeen) -> Decimal:
    """Return the last price that is known of a held token: one seen at a check, or the one it was bought at."""
    return seen.prices[symbol][0] if symbol in seen.prices else book.positions[symbol].entry_price


def positions_worth(book: Book, seen: LastSeen) -> Decimal:
    """Return what the positions are worth at their last prices, in quote asset."""
    return sum((held.qty * last_price(symbol, book, seen) for symbol, held in book.positions.items()), ZERO)


def _seen_json(seen: LastSeen) -> bytes:
    content = {
        "time": utc_text(seen.time) if seen.time else None,
        "prices": {symbol: _price_json(symbol, seen) for symbol in seen.prices},
        "put_off": seen.put_off,
        "put_off_until": utc_text(seen.put_off_until) if seen.put_off_until else None,
        "drift": dict(seen.drift),
        "bars_rate": decimal_text(seen.bars_rate) if seen.bars_rate is not None else None,
    }
    return f"{json.dumps(content)}\n".encode()


def _price_json(symbol: str, seen: LastSeen) -> dict[str, str | bool]:
    price, moment = seen.prices[symbol]
    row: dict[str, str | bool] = {"price": decimal_text(price), "time": utc_text(moment)}
    if symbol in seen.owners_shares:
        row["owners"] = decimal_text(seen.owners_shares[symbol])
    return row | {"halted": True} if symbol in seen.halted else row


_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


def read_last_seen(path: Path, disk: Disk) -> LastSeen:
    """Return what the last check saw; nothing where the file is gone or cannot be read."""
    try:
        return _last_seen_from(disk.read(path))
    except (OSError, *_UNREADABLE):
        return LastSeen()


def _last_seen_from(content: bytes) -> LastSeen:
    """Return what the file tells. Raises one of _UNREADABLE."""

    def moment(text: object) -> datetime | None:
        return parse_moment(str(text)) if text else None

    seen = json.loads(content)
    prices = {symbol: (Decimal(one["price"]), parse_moment(one["time"])) for symbol, one in seen["prices"].items()}
    usable = {symbol: one for symbol, one in prices.items() if is_usable_price(one[0])}
    shares = {symbol: _amount_from(seen["prices"][symbol].get("owners")) for symbol in usable}
    return LastSeen(
        usable,
        {symbol: share for symbol, share in shares.items() if share is not None},
        frozenset(symbol for symbol in usable if seen["prices"][symbol].get("halted") is True),
        str(seen["put_off"]),
        moment(seen["put_off_until"]),
        moment(seen["time"]),
        _drift_from(seen.get("drift")),
        _amount_from(seen.get("bars_rate")) or None,
    )


def _drift_from(content: object) -> dict[str, float]:
    """Return the shares that can be read: nothing else hangs on them."""
    shares = content if isinstance(content, dict) else {}
    return {name: float(one) for name, one in shares.items() if isinstance(one, float | int) and 0 <= one <= 1}


def _amount_from(text: object) -> Decimal | None:
    """Return an amount of coins or money; None where it is not there, or is none."""
    with suppress(ArithmeticError):
        amount = Decimal(str(text))
        return amount if amount.is_finite() and amount >= 0 else None
    return None


def decisions_of(path: Path, day: date | None, disk: Disk) -> dict[str, Mapping[str, str]]:
    """Return that day's rows of decisions.csv by token, from the file's end.

    Nothing where the file is gone or cannot be read.
    """
    found: dict[str, Mapping[str, str]] = {}
    with suppress(OSError, CsvLineError):
        end, _ = disk.read_tail(path, _TAIL_BYTES)
        for _, row in read_lines(csv_bytes([COLUMNS]) + end):
            if day is not None and row["day"] == day.isoformat():
                found[str(row["symbol"])] = {key: str(value or "") for key, value in row.items()}
    return found


@dataclass(frozen=True, slots=True)
class PerformancePoint:
    """What was gained by a moment: in quote asset, and as the time-weighted index (1 at the start)."""

    moment: datetime
    profit: Decimal
    index: Decimal


def read_equity(path: Path, disk: Disk) -> list[tuple[datetime, Decimal]]:
    """Return the moments and the equity of equity.csv, oldest first; lines that cannot be read are left out."""
    return [(moment, amounts[2]) for moment, amounts in _equity_rows(path, disk)]


def read_performance(path: Path, disk: Disk, capital_started: Decimal) -> list[PerformancePoint]:
    """Return the profit and the index at each moment of equity.csv, in order of time.

    capital_started: what the rows of a version without deposits and withdrawals count from, which say neither.
    """
    points = []
    for moment, amounts in _equity_rows(path, disk):
        if len(amounts) == len(EQUITY_COLUMNS) - 1:
            points.append(PerformancePoint(moment, amounts[3], amounts[4]))
        elif capital_started > 0:
            points.append(PerformancePoint(moment, amounts[2] - capital_started, amounts[2] / capital_started))
    return sorted(points, key=lambda one: one.moment)


def _equity_rows(path: Path, disk: Disk) -> Iterator[tuple[datetime, list[Decimal]]]:
    """Yield the rows that can be read."""
    with suppress(OSError):
        for line in disk.read(path).decode("utf-8", errors="replace").splitlines():
            with suppress(ValueError, ArithmeticError):
                time, *texts = line.split(",")
                moment, amounts = parse_moment(time), [Decimal(text) for text in texts]
                is_row = len(texts) + 1 in {len(EQUITY_COLUMNS), len(_COLUMNS_BEFORE)}
                if is_row and all(amount.is_finite() for amount in amounts):
                    yield moment, amounts


def _last_moment(path: Path, disk: Disk) -> datetime | None:
    with suppress(OSError):
        end, _ = disk.read_tail(path, _LINE_BYTES)
        for line in reversed(end.decode("utf-8", errors="replace").splitlines()):
            with suppress(ValueError):
                return parse_moment(line.split(",")[0])
    return None


class AppendOnlyCsv:
    """A CSV file that grows at its end."""

    def __init__(
        self, path: Path, columns: Sequence[str], disk: Disk, *, durable: bool = True, former: Sequence[str] = ()
    ) -> None:
        """Write rows of these columns. former: those of an earlier version, whose first line is brought up to date."""
        self.path = path
        self._columns = columns
        self._former = former
        self._disk = disk
        self._add = disk.append if durable else disk.append_unsynced

    def append(self, rows: Iterable[Sequence[str]], *, replacing_prefix: str = "") -> None:
        """Add rows, after mending a last line that a death left unfinished. Raises OSError.

        replacing_prefix: rows at the file's end that begin like this are taken away, unless they are the same as the
        new.
        """
        rows = list(rows)
        if not self._disk.exists(self.path):
            self._add(self.path, csv_bytes([self._columns, *rows]))
            return
        if self._former:
            self._replace_former_header()
        end, before = self._disk.read_tail(self.path, _TAIL_BYTES)
        whole = end.rfind(b"\n") + 1
        kept = _without_last(end[:whole], replacing_prefix.encode()) if replacing_prefix else whole
        if end[kept:] == csv_bytes(rows):
            return
        if kept < len(end):
            self._disk.truncate(self.path, before + kept)
        is_empty = before + kept == 0
        self._add(self.path, csv_bytes([self._columns, *rows] if is_empty else rows))

    def _replace_former_header(self) -> None:
        header, content = csv_bytes([self._former]), self._disk.read(self.path)
        if content.startswith(header):
            self._disk.write_unsynced(self.path, csv_bytes([self._columns]) + content[len(header) :])
        self._former = ()


def _without_last(content: bytes, beginning: bytes) -> int:
    """Return the length of whole lines without those at the end that begin like this."""
    length = len(content)
    for line in reversed(content.splitlines(keepends=True)):
        if not line.startswith(beginning):
            break
        length -= len(line)
    return length
