"""All that the pages show, from the bot's files; what cannot be read is told, and the rest shown. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar

from marsshot.bot.control_files import HEARD, PAUSE, SELL_ALL, Control
from marsshot.bot.journal import DECISIONS, EQUITY, SEEN, Seen, read_equity, read_seen
from marsshot.commands.status import status_facts
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.domain import Book
from marsshot.core.errors import InputError
from marsshot.dashboard.data.bitcoin_closes import Close, bitcoin_closes
from marsshot.dashboard.data.csv_records import Decision, Trade, decisions_in, trades_in, trades_of
from marsshot.dashboard.data.equity_curve import Curve, curve_of, holding
from marsshot.dashboard.data.file_cache import Files, read_whole, stamp_of
from marsshot.dashboard.data.model_card import Card, card_in, facts_file
from marsshot.infra.atomic_files import Disk
from positions_store import load_state

BOOK, TRADES, HEARTBEAT = "bot_state.json", "trades.csv", "heartbeat.json"
SILENT_AFTER = timedelta(minutes=10)  # a bot that runs beats once a minute
Part = Literal["facts", "trades", "decisions", "equity", "card"]
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The bot at one moment.

    facts: as `main.py status` has them; None without a book, or where a file that they need cannot be read. left: what
    a sale of everything has left, by token, and why. is_silent: no bot seems to run. beat: its last sign of life.
    faults: one line for each file that could not be read.
    """

    settings: Settings
    book: Book | None
    seen: Seen
    facts: Mapping[str, Any] | None
    trades: tuple[Trade, ...]
    decisions: tuple[Decision, ...]
    equity: list[tuple[datetime, Decimal]]
    card: Card | None
    paused: str
    pause_reason: str
    sells_all: bool  # asked for, and the bot has not taken note yet
    left: Mapping[str, tuple[str, str]]
    is_silent: bool
    beat: datetime | None
    faults: tuple[str, ...]


class Sources:
    """The bot's files of one mode, in the working directory."""

    def __init__(self, config: Path, settings: Settings, now: Callable[[], datetime]) -> None:
        self._config = config
        self._settings = settings
        self._now = now
        self._files = Files()

    @property
    def settings(self) -> Settings:
        """The settings as last looked at; the mode that is shown stays when config.yaml changes it."""
        return self._settings

    def look(self, *wanted: Part) -> State:
        """Return the bot's state as its files tell it now; of the parts that take time to read, those wanted."""
        faults: list[str] = []
        settings = self._read(faults, self._config, self._settings_of, self._settings)
        self._settings = settings
        book = self._read(faults, settings.file(BOOK), self._book_of, None)
        seen = read_seen(settings.file(SEEN), Disk())
        control = Control(settings)
        answer = control.answered()
        beat = self._read(faults, settings.file(HEARTBEAT), _beat_of, None)

        def part(name: Part, file: Path, made_by: Callable[[Path], Content], otherwise: Content) -> Content:
            return self._read(faults, file, made_by, otherwise) if name in wanted else otherwise

        written: tuple[Trade, ...] = part("trades", settings.file(TRADES), _trades_of, ())
        return State(
            settings=settings,
            book=book,
            seen=seen,
            facts=self._facts(book, settings, control, seen) if "facts" in wanted else None,
            trades=(*written, *_only_in(book, written)) if "trades" in wanted else (),
            decisions=part("decisions", settings.file(DECISIONS), _decisions_of, ()),
            equity=part("equity", settings.file(EQUITY), _equity_of, []),
            card=part("card", facts_file(settings), card_in, None),
            pause_reason=control.reason(),
            paused=control.paused(),
            sells_all=control.is_to_sell_all(),
            left=answer.left if answer is not None and answer.sold_all else {},
            is_silent=settings.mode != "demo" and (beat is None or self._now() - beat > SILENT_AFTER),
            beat=beat,
            faults=tuple(faults),
        )

    def version(self) -> str:
        """Return what is another text when any of the files has changed."""
        settings = self._settings
        names = (BOOK, TRADES, DECISIONS, EQUITY, SEEN, PAUSE, SELL_ALL, HEARD, HEARTBEAT, settings.logging.file)
        paths = [self._config, Path(PAUSE), facts_file(settings), *(settings.file(name) for name in names)]
        return sha256(repr([stamp_of(path) for path in paths]).encode()).hexdigest()[:20]

    def closes(self) -> tuple[Close, ...]:
        """Return BTC's closes on this disk."""
        return bitcoin_closes(self._settings)

    def _read(self, faults: list[str], path: Path, made_by: Callable[[Path], Content], instead: Content) -> Content:
        try:
            return self._files.get(path, made_by)
        except InputError as error:
            faults.extend(error.faults)
        except OSError as error:
            faults.append(f"{path}: cannot be read ({error.strerror})")
        return instead

    def _settings_of(self, path: Path) -> Settings:
        """Return the settings as they are now, in the mode that is shown."""
        changed = read_settings(path)
        return changed if changed.mode == self._settings.mode else self._settings

    def _book_of(self, path: Path) -> Book | None:
        return load_state(path, self._settings.mode, Disk())

    def _facts(self, book: Book | None, settings: Settings, control: Control, seen: Seen) -> Mapping[str, Any] | None:
        """Return what `main.py status` says; a file that it cannot read has been told of already."""
        if book is None:
            return None
        now = self._now()
        if settings.mode == "demo":
            now = seen.time or now
        try:
            facts = status_facts(book, settings, control.paused(), now, seen)
        except (InputError, OSError):
            return None
        return facts | {"pause_reason": control.reason()}


def _only_in(book: Book | None, written: Sequence[Trade]) -> list[Trade]:
    """Return the trades that the book has and trades.csv has not got yet."""
    known = {trade.client_order_id for trade in written}
    return [one for one in trades_of(book.unwritten_trades if book else ()) if one.client_order_id not in known]


def equity(state: State) -> Curve | None:
    """Return the line of what the capital became; None where there is nothing to draw."""
    if state.book is None:
        return None
    curve = curve_of(state.equity, state.trades, state.book)
    return curve if len(curve.moments) > 1 else None


def bitcoin(state: State, curve: Curve, closes: tuple[Close, ...]) -> Curve | None:
    """Return what the starting capital would be in BTC over the same time."""
    capital = float(state.book.capital_started) if state.book else 0.0
    return holding(closes, curve.moments[0], curve.moments[-1], capital)


def _trades_of(path: Path) -> tuple[Trade, ...]:
    return trades_in(read_whole(path), str(path))


def _decisions_of(path: Path) -> tuple[Decision, ...]:
    return decisions_in(read_whole(path), str(path))


def _equity_of(path: Path) -> list[tuple[datetime, Decimal]]:
    return read_equity(path, Disk())


def _beat_of(path: Path) -> datetime | None:
    """Return when the bot has given its last sign of life; None where it has given none that can be read."""
    try:
        return datetime.fromisoformat(json.loads(read_whole(path))["time"])
    except (ValueError, LookupError, TypeError):
        return None
