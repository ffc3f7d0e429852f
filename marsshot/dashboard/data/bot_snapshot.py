"""All that the pages show, from the bot's files; what cannot be read is told, and the rest shown. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_candles import Candle, DailyClose, bitcoin_closes, daily_candles
from marsshot.bot.journal import LastSeen, PerformancePoint, read_equity, read_last_seen, read_performance
from marsshot.commands.running import HEARTBEAT_TIMEOUT, waiting_requests
from marsshot.commands.status import quiet_facts, status_facts, trouble_facts
from marsshot.config.bot_files import (
    BOOK,
    CASH_FLOWS,
    DECISIONS,
    EQUITY,
    HEARTBEAT,
    LAST_SEEN,
    REPLY,
    TRADES,
)
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.book import Book, CashFlow
from marsshot.core.catalog import Catalog
from marsshot.core.errors import InputError
from marsshot.core.reasons import UnsoldReason
from marsshot.core.requests import RequestKind
from marsshot.dashboard.data.asked_requests import AskedRequests, RequestEnd
from marsshot.dashboard.data.equity_curve import Curve, build_equity_curve, buy_and_hold
from marsshot.dashboard.data.file_cache import FileCache, read_or_empty
from marsshot.dashboard.data.model_card import ModelCard, model_facts_path, read_model_card
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import CsvLineError
from marsshot.infra.fingerprints import content_digest, file_fingerprint
from marsshot.monitoring.bot_state import read_state
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.trades_file import Trade, read_trades, with_trades_of_book
from marsshot.reporting.decision_records import DecisionRow, parse_decisions, unreadable_line
from marsshot.reporting.score_report import score_lines
from positions_store import load_state

SnapshotPart = Literal["facts", "trades", "decisions", "equity", "card"]
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSnapshot:
    """The bot at one moment.

    facts: as `main.py status` has them; None without a book, or where a file that they need cannot be read. unsold:
    what a sale of everything has left, by token, and why. is_silent: no bot seems to run. last_heartbeat: when
    it last gave one. running: of a running bot its lasting troubles, a ban's end, settings that it does not take from
    the file. waiting: what is asked for and not taken note of yet; both as `main.py status` has them. ended: how ended
    what was asked for here. faults: one line for each file that could not be read.
    """

    settings: Settings
    book: Book | None
    seen: LastSeen
    facts: Mapping[str, Any] | None
    running: Mapping[str, Any]
    waiting: list[dict[str, str]]
    ended: tuple[RequestEnd, ...]
    cash_flows: tuple[CashFlow, ...]
    trades: tuple[Trade, ...]
    decisions: tuple[DecisionRow, ...]
    equity: list[tuple[datetime, Decimal]]
    performance: list[PerformancePoint]
    card: ModelCard | None
    paused: str
    pause_reason: str
    sell_all_pending: bool  # asked for, and the bot has not taken note yet
    unsold: Mapping[str, tuple[UnsoldReason, str]]
    is_silent: bool
    last_heartbeat: datetime | None
    faults: tuple[str, ...]


class BotFiles:
    """The bot's files of one mode, in the working directory."""

    def __init__(self, config: Path, settings: Settings, now: Callable[[], datetime]) -> None:
        self._config = config
        self._settings = settings
        self._now = now
        self.asked = AskedRequests()
        self._files = FileCache()
        self._scores: tuple[object, list[str]] | None = None

    @property
    def settings(self) -> Settings:
        """The settings as last looked at; the mode that is shown stays when config.yaml changes it."""
        return self._settings

    def snapshot(self, *wanted: SnapshotPart) -> BotSnapshot:
        """Return the bot's state as its files tell it now; of the parts that take time to read, those wanted."""
        faults: list[str] = []
        settings = self._read(faults, self._config, self._reload_settings, self._settings)
        self._settings = settings
        book = self._read(faults, settings.file(BOOK), self._read_book, None)
        seen = read_last_seen(settings.file(LAST_SEEN), Disk())
        control = ControlFiles(settings)
        answer = control.read_reply()
        last_heartbeat = self._read(faults, settings.file(HEARTBEAT), _read_last_heartbeat, None)

        def part(name: SnapshotPart, file: Path, parse: Callable[[Path], Content], default: Content) -> Content:
            return self._read(faults, file, parse, default) if name in wanted else default

        is_silent = self._is_silent(settings, last_heartbeat)
        waiting = waiting_requests(control, book) if book else []
        is_sale_waiting = control.is_sell_all_requested() or any(one["kind"] == RequestKind.SELL for one in waiting)
        written: tuple[Trade, ...] = part("trades", settings.file(TRADES), _read_trades, ())
        return BotSnapshot(
            settings=settings,
            book=book,
            seen=seen,
            facts=self._facts(book, settings, control, seen) if "facts" in wanted else None,
            running=self._running(book, settings, seen, is_silent=is_silent),
            waiting=waiting,
            ended=self.asked.ended(book),
            cash_flows=tuple(read_cash_flows(settings.file(CASH_FLOWS), Disk(), book.unwritten_cash_flows))
            if book
            else (),
            trades=tuple(with_trades_of_book(written, book)) if "trades" in wanted else (),
            decisions=part("decisions", settings.file(DECISIONS), _read_decisions, ()),
            equity=part("equity", settings.file(EQUITY), _read_equity, []),
            performance=read_performance(settings.file(EQUITY), Disk(), book.capital_started)
            if book and "equity" in wanted
            else [],
            card=part("card", model_facts_path(settings), read_model_card, None),
            pause_reason=control.reason(),
            paused=control.paused(),
            sell_all_pending=control.is_sell_all_requested(),
            # While a sale is asked for, an answer is one to an earlier request, which this user may not take away.
            unsold=answer.left if answer and answer.sold_all and not is_sale_waiting else {},
            is_silent=is_silent,
            last_heartbeat=last_heartbeat,
            faults=tuple(faults),
        )

    def _is_silent(self, settings: Settings, last_heartbeat: datetime | None) -> bool:
        return settings.mode != "demo" and (last_heartbeat is None or self._now() - last_heartbeat > HEARTBEAT_TIMEOUT)

    def version(self) -> str:
        """Return what is another text when any of the files has changed."""
        settings = self._settings
        names = (BOOK, TRADES, CASH_FLOWS, DECISIONS, EQUITY, LAST_SEEN, REPLY, HEARTBEAT, settings.logging.file)
        requests = ControlFiles(settings).paths
        paths = [self._config, *requests, model_facts_path(settings), *(settings.file(name) for name in names)]
        return content_digest(repr([file_fingerprint(path) for path in paths]).encode())[:20]

    def closes(self) -> tuple[DailyClose, ...]:
        """Return BTC's closes on this disk."""
        return bitcoin_closes(self._settings)

    def candles(self, symbol: str) -> tuple[Candle, ...]:
        """Return a token's closed days on this disk; in the demo those that are over at the demo's moment."""
        candles = daily_candles(self._settings, symbol)
        seen = read_last_seen(self._settings.file(LAST_SEEN), Disk()).time
        if self._settings.mode != "demo" or seen is None:
            return candles
        return tuple(one for one in candles if one.day + timedelta(days=1) <= seen)

    def score_lines(self, catalog: Catalog) -> list[str]:
        """Return what became of the model's scores; made anew when a pass has written, or what counts has changed."""
        settings = self._settings
        seen = read_last_seen(settings.file(LAST_SEEN), Disk()).time if settings.mode == "demo" else None
        today = (seen or self._now()).date()
        stamp = (file_fingerprint(settings.file(DECISIONS)), today, catalog.language, settings)
        if self._scores is None or self._scores[0] != stamp:
            self._scores = (stamp, score_lines(settings, today, catalog))
        return self._scores[1]

    def _read(self, faults: list[str], path: Path, parse: Callable[[Path], Content], default: Content) -> Content:
        try:
            return self._files.get(path, parse)
        except InputError as error:
            faults.extend(error.faults)
        except OSError as error:
            faults.append(f"{path}: cannot be read ({error.strerror})")
        return default

    def _reload_settings(self, path: Path) -> Settings:
        """Return the settings as they are now, in the mode that is shown."""
        changed = read_settings(path)
        return changed if changed.mode == self._settings.mode else self._settings

    def _read_book(self, path: Path) -> Book | None:
        return load_state(path, self._settings.mode, Disk())

    def _running(self, book: Book | None, settings: Settings, seen: LastSeen, *, is_silent: bool) -> Mapping[str, Any]:
        """Return what there is to tell of a running bot; whether one runs this user cannot ask the book's lock."""
        if book is None:
            return {}
        told = None if is_silent or settings.mode == "demo" else read_state(settings.file(HEARTBEAT))
        return quiet_facts(book, self._moment(settings, seen)) | trouble_facts(told, settings)

    def _moment(self, settings: Settings, seen: LastSeen) -> datetime:
        """Return the present moment; the demo has a time of its own."""
        return (seen.time if settings.mode == "demo" else None) or self._now()

    def _facts(
        self, book: Book | None, settings: Settings, control: ControlFiles, seen: LastSeen
    ) -> Mapping[str, Any] | None:
        """Return what `main.py status` says; a file that it cannot read has been told of already."""
        if book is None:
            return None
        try:
            facts = status_facts(book, settings, control.paused(), self._moment(settings, seen), seen)
        except (InputError, OSError):
            return None
        return facts | {"pause_reason": control.reason()}


def equity_curve(state: BotSnapshot) -> Curve | None:
    """Return the line of what the capital became; None where there is nothing to draw."""
    if state.book is None:
        return None
    curve = build_equity_curve(state.equity, state.trades, state.book)
    return curve if len(curve.moments) > 1 else None


def index_curve(state: BotSnapshot, curve: Curve) -> Curve:
    """Return the time-weighted index, for what is shown in percent; where nothing was noted down, the curve itself."""
    if not state.performance:
        return curve
    moments, indices = zip(*((one.moment, float(one.index)) for one in state.performance), strict=True)
    return Curve(moments, indices, includes_open_positions=True)


def bitcoin_curve(state: BotSnapshot, curve: Curve, closes: tuple[DailyClose, ...]) -> Curve | None:
    """Return what the starting capital would be in BTC over the same time."""
    capital = float(state.book.capital_started) if state.book else 0.0
    return buy_and_hold(closes, curve.moments[0], curve.moments[-1], capital)


def _read_trades(path: Path) -> tuple[Trade, ...]:
    try:
        return tuple(read_trades(path))
    except CsvLineError as error:
        raise unreadable_line(str(path), error.line) from None


def _read_decisions(path: Path) -> tuple[DecisionRow, ...]:
    return parse_decisions(read_or_empty(path), str(path))


def _read_equity(path: Path) -> list[tuple[datetime, Decimal]]:
    return read_equity(path, Disk())


def _read_last_heartbeat(path: Path) -> datetime | None:
    """Return when the bot has given its last sign of life; None where it has given none that can be read."""
    try:
        return datetime.fromisoformat(json.loads(read_or_empty(path))["time"])
    except (ValueError, LookupError, TypeError):
        return None
