"""One run of the bot over a recorded span: put together as `wiring.py` does it, in memory, and what came of it."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from marsshot.backtesting.history.market_history import Recording
from marsshot.backtesting.scoring.daily_scores import ScoreBook
from marsshot.backtesting.simulation.check_skipping import LeapingClock
from marsshot.backtesting.simulation.in_memory_storage import MemoryDisk, MemoryStore
from marsshot.backtesting.simulation.simulated_market import (
    RecordedBoard,
    RecordedCoinbase,
    RecordedExchange,
    RecordedRules,
    new_matching,
)
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import Control
from marsshot.bot.loop import loop
from marsshot.config.settings import Settings
from marsshot.core.domain import Book
from marsshot.infra import event_log
from marsshot.infra.clock import VirtualClock
from marsshot.infra.event_log import warn
from marsshot.portfolio.ledger import new_book

BEGIN = time(0, 5)  # as the demo does
BOOK, TRADES = Path("bot_state.json"), Path("trades.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What everything was worth at one moment, in quote asset; prices of the tokens that were listed by then."""

    moment: datetime
    capital: float
    held: float
    prices: Mapping[str, float]

    @property
    def equity(self) -> float:
        """Capital and positions together."""
        return self.capital + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A daily sale that the big-gain exception left out: what was held then, and the price it was not sold at."""

    moment: datetime
    symbol: str
    qty: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run. points: the start, then one a day after the daily pass, then the end."""

    trades_csv: bytes
    points: tuple[Point, ...]
    skips: tuple[Skip, ...]
    book: Book
    ended: frozenset[str]  # held at the end though their record has ended: counted at its last price
    paused: str  # why buying was paused, if it was
    alarms: tuple[str, ...]  # what the bot would have called its owner for

    @property
    def trades(self) -> list[dict[str, str]]:
        """The rows of trades.csv."""
        return list(csv.DictReader(io.StringIO(self.trades_csv.decode())))


def run(
    settings: Settings,
    recording: Recording,
    scores: ScoreBook,
    first: date,
    last: date,
    rules: RecordedRules | None = None,
    *,
    leaps: bool = True,
) -> Outcome:
    """Let the bot live from the first to the last day. Raises InputError.

    leaps: leave out the checks that surely change nothing; what comes of it is the same.
    """
    settings = settings.model_copy(update={"mode": "demo"})
    begin, end = datetime.combine(first, BEGIN, UTC), datetime.combine(last + timedelta(days=1), time(0), UTC)
    clock = LeapingClock(begin, end) if leaps else VirtualClock(begin)
    capital, quote = settings.strategy.capital_initial, settings.quote_asset
    board = RecordedBoard(recording)
    matching = new_matching(recording, quote, capital, first, rules or RecordedRules())
    disk = MemoryDisk()
    bot = Bot(
        settings=settings,
        clock=clock,
        store=MemoryStore(new_book("demo", quote, capital, begin), BOOK, TRADES, disk, _trouble),
        exchange=RecordedExchange(board, matching, clock, recording),
        coinbase=RecordedCoinbase(board, clock),
        scores=scores.on(clock),
        control=Control(settings, disk),
    )
    if isinstance(clock, LeapingClock):
        clock.watch(bot, board)
    journey = _Journey(bot, board, end)
    with heard_alarms() as alarms:
        bot.start()
        loop(bot, lambda: None, journey.after_cycle)
    return journey.outcome(bytes(disk.files.get(TRADES, b"")), tuple(alarms))


def _trouble(text: str) -> None:
    warn("trades.not_written", text)


@contextmanager
def heard_alarms() -> Iterator[list[str]]:
    """Keep the bot silent within the block, but for its alarms: they are collected. What it did not foresee is raised.

    Live, the loop logs a surprise and goes on; here it is a fault of the program that must not pass unseen.
    """
    ears = _Ears()
    before, propagates = event_log.log.level, event_log.log.propagate
    event_log.log.addHandler(ears)
    event_log.log.setLevel(logging.ERROR)
    event_log.log.propagate = False
    try:
        yield ears.alarms
    finally:
        event_log.log.removeHandler(ears)
        event_log.log.setLevel(before)
        event_log.log.propagate = propagates


class _Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            raise record.exc_info[1]
        self.alarms.append(record.getMessage())


class _Journey:
    """Looks over the bot's shoulder: one point a day, after the daily pass, and the sales that were left out."""

    def __init__(self, bot: Bot, board: RecordedBoard, end: datetime) -> None:
        self._bot = bot
        self._board = board
        self._end = end
        now = bot.clock.now()
        self._points = [self._point(now, now.timestamp())]
        self._noted = now.date()  # the first day's point is the one of the start
        self._skips: dict[tuple[str, str], Skip] = {}

    def after_cycle(self) -> bool:
        """Look at the bot after a cycle; return False when the span is over."""
        now, strategy = self._bot.clock.now(), self._bot.settings.strategy
        due = (now.hour, now.minute) >= (strategy.daily_update_hour_utc, strategy.daily_update_minute_utc)
        if due and self._noted != now.date():
            self._noted = now.date()
            self._points.append(self._point(now, now.timestamp()))
        self._note_skips(now)
        return self._bot.next_due() < self._end

    def _point(self, moment: datetime, at: float) -> Point:
        book, settings = self._bot.store.book, self._bot.settings
        prices = {
            token: self._price(token, at)
            for token in dict.fromkeys((*settings.tokens_daily, "BTC", *book.positions))
            if self._board.is_listed(settings.binance_asset(token), at)
        }
        held = sum((one.qty * prices[symbol] for symbol, one in book.positions.items()), Decimal(0))
        told = {token: float(price) for token, price in prices.items()}
        return Point(moment=moment, capital=float(book.capital), held=float(held), prices=told)

    def _price(self, token: str, at: float) -> Decimal:
        return self._board.price(self._bot.settings.binance_asset(token), at)

    def _note_skips(self, now: datetime) -> None:
        for symbol, held in self._bot.store.book.positions.items():
            if held.did_skip_sell_once and (symbol, held.opened_at) not in self._skips:
                price = float(self._price(symbol, now.timestamp()))
                skip = Skip(moment=now, symbol=symbol, qty=float(held.qty), price=price)
                self._skips[symbol, held.opened_at] = skip

    def outcome(self, trades_csv: bytes, alarms: tuple[str, ...]) -> Outcome:
        """Return what came of the run."""
        at_the_end = self._end.timestamp() - 1
        book, settings = self._bot.store.book, self._bot.settings
        over = (one for one in book.positions if self._board.is_over(settings.binance_asset(one), at_the_end))
        return Outcome(
            trades_csv=trades_csv,
            points=(*self._points, self._point(self._end, at_the_end)),
            skips=tuple(self._skips.values()),
            book=book,
            ended=frozenset(over),
            paused=self._bot.control.paused(),
            alarms=alarms,
        )
