"""The backtest engine: runs the bot over a recorded span, put together as `bootstrap.py` does it, in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from marsshot.backtesting.history.market_history import MARKET, Dataset
from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.simulation.check_skipping import CheckSkipper
from marsshot.backtesting.simulation.in_memory_storage import HeldBack, InMemoryDisk, InMemoryStore
from marsshot.backtesting.simulation.simulated_market import (
    RecordedCoinbase,
    RecordedExchange,
    RecordedPairRules,
    RecordedPrices,
    new_matching_engine,
)
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.loop import loop
from marsshot.config import bot_files
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.infra import event_log
from marsshot.infra.clock import VirtualClock
from marsshot.infra.event_log import log_warning
from marsshot.portfolio.ledger import new_book
from marsshot.portfolio.trades_file import Trade, csv_rows, parse_trades

START_OF_DAY = time(0, 5)  # as the demo does
BOOK, TRADES = Path(bot_files.BOOK), Path(bot_files.TRADES)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
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
class SkippedSale:
    """A daily sale that the big-gain exception left out: what was held then, and the price it was not sold at."""

    moment: datetime
    symbol: str
    qty: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run. points: the start, then one a day after the daily pass, then the end."""

    trades_csv: bytes
    points: tuple[EquityPoint, ...]
    skipped_sales: tuple[SkippedSale, ...]
    book: Book
    held_past_record_end: frozenset[str]  # held at the end though their record has ended: counted at its last price
    paused: str  # why buying was paused, if it was
    alarms: tuple[str, ...]  # what the bot would have called its owner for
    held_back: tuple[HeldBack, ...] = ()  # purchases that levers left out or cut

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The rows of trades.csv."""
        return tuple(parse_trades(self.trades_csv, strict=True))


def run(
    settings: Settings,
    dataset: Dataset,
    scores: DailyScores,
    first: date,
    last: date,
    rules: RecordedPairRules | None = None,
    *,
    skip_unchanged_checks: bool = True,
    on_day: Callable[[date], None] = lambda _day: None,
) -> RunResult:
    """Let the bot live from the first to the last day. Raises InputError.

    skip_unchanged_checks: leave out the checks that surely change nothing; what comes of it is the same.
    on_day: hears of each day as it begins.
    """
    disk, board = InMemoryDisk(), RecordedPrices(dataset)
    clock = VirtualClock(datetime.combine(first, START_OF_DAY, UTC))
    end = datetime.combine(last + timedelta(days=1), time(0), UTC)
    store, bot = _bot_in_memory(settings, dataset, scores, rules or RecordedPairRules(), disk, board, clock)
    recorder, skipper = _RunRecorder(bot, board, end, on_day), CheckSkipper(bot, board, end)

    def after_cycle() -> bool:
        goes_on = recorder.after_cycle()
        if skip_unchanged_checks:
            skipper.skip()
        return goes_on

    with collected_alarms() as alarms:
        bot.start()
        loop(bot, lambda: None, after_cycle)
    trades_csv = bytes(disk.files.get(TRADES) or csv_rows((), header=True))
    return recorder.run_result(trades_csv, store.held_back, tuple(alarms))


def _bot_in_memory(
    settings: Settings,
    dataset: Dataset,
    scores: DailyScores,
    rules: RecordedPairRules,
    disk: InMemoryDisk,
    board: RecordedPrices,
    clock: VirtualClock,
) -> tuple[InMemoryStore, Bot]:
    """Return a bot that starts now in the recorded market, and its book."""
    taker_fee = settings.exchange_facts.taker_fee
    # Recorded prices are in dollars and pairs in Binance's form; where the owner counts in euros they pass for euros.
    settings = settings.model_copy(update={"mode": "demo", "exchange": "binance"})
    capital, quote, begin = settings.strategy.capital_initial, settings.quote_asset, clock.now()
    matching = new_matching_engine(dataset, quote, capital, begin.date(), rules)
    matching.fee_rate = taker_fee
    store = InMemoryStore(new_book("demo", quote, capital, begin), BOOK, TRADES, disk, _warn_not_written)
    bot = Bot(
        settings=settings,
        clock=clock,
        store=store,
        exchange=RecordedExchange(board, matching, clock, dataset),
        coinbase=RecordedCoinbase(board, clock),
        scores=scores.scorer_at(clock, dataset.bars.get(MARKET[0])),
        control=ControlFiles(settings, disk),
    )
    return store, bot


def _warn_not_written(text: str) -> None:
    log_warning("trades.not_written", text)


@contextmanager
def collected_alarms() -> Iterator[list[str]]:
    """Keep the bot silent within the block, but for its alarms: they are collected. What it did not foresee is raised.

    Live, the loop logs a surprise and goes on; here it is a fault of the program that must not pass unseen.
    """
    collector = _AlarmCollector()
    before, propagates = event_log.log.level, event_log.log.propagate
    event_log.log.addHandler(collector)
    event_log.log.setLevel(logging.ERROR)
    event_log.log.propagate = False
    try:
        yield collector.alarms
    finally:
        event_log.log.removeHandler(collector)
        event_log.log.setLevel(before)
        event_log.log.propagate = propagates


class _AlarmCollector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            raise record.exc_info[1]
        self.alarms.append(record.msg if isinstance(record.msg, LocalizedText) else record.getMessage())


class _RunRecorder:
    """Records a run: one equity point a day, after the daily pass, and the sales that were left out."""

    def __init__(self, bot: Bot, board: RecordedPrices, end: datetime, on_day: Callable[[date], None]) -> None:
        self._bot = bot
        self._board = board
        self._end = end
        self._on_day = on_day
        now = bot.clock.now()
        self._points = [self._point(now, now.timestamp())]
        self._last_recorded_day = now.date()  # the first day's point is the one of the start
        self._skipped_sales: dict[tuple[str, str], SkippedSale] = {}

    def after_cycle(self) -> bool:
        """Look at the bot after a cycle; return False when the span is over."""
        now, strategy = self._bot.clock.now(), self._bot.settings.strategy
        due = (now.hour, now.minute) >= (strategy.daily_update_hour_utc, strategy.daily_update_minute_utc)
        if due and self._last_recorded_day != now.date():
            self._last_recorded_day = now.date()
            self._on_day(now.date())
            self._points.append(self._point(now, now.timestamp()))
        self._record_skipped_sales(now)
        return self._bot.next_due() < self._end

    def _point(self, moment: datetime, at: float) -> EquityPoint:
        book, settings = self._bot.store.book, self._bot.settings
        prices = {
            token: self._price(token, at)
            for token in dict.fromkeys((*settings.tokens_daily, "BTC", *book.positions))
            if self._board.is_listed(settings.binance_asset(token), at)
        }
        held = sum((one.qty * prices[symbol] for symbol, one in book.positions.items()), Decimal(0))
        told = {token: float(price) for token, price in prices.items()}
        return EquityPoint(moment=moment, capital=float(book.capital), held=float(held), prices=told)

    def _price(self, token: str, at: float) -> Decimal:
        return self._board.price(self._bot.settings.binance_asset(token), at)

    def _record_skipped_sales(self, now: datetime) -> None:
        for symbol, held in self._bot.store.book.positions.items():
            if held.did_skip_sell_once and (symbol, held.opened_at) not in self._skipped_sales:
                price = float(self._price(symbol, now.timestamp()))
                skip = SkippedSale(moment=now, symbol=symbol, qty=float(held.qty), price=price)
                self._skipped_sales[symbol, held.opened_at] = skip

    def run_result(self, trades_csv: bytes, held_back: tuple[HeldBack, ...], alarms: tuple[str, ...]) -> RunResult:
        """Return what came of the run."""
        at_the_end = self._end.timestamp() - 1
        book, settings = self._bot.store.book, self._bot.settings
        over = (one for one in book.positions if self._board.has_ended(settings.binance_asset(one), at_the_end))
        return RunResult(
            trades_csv=trades_csv,
            points=(*(one for one in self._points if one.moment < self._end), self._point(self._end, at_the_end)),
            skipped_sales=tuple(self._skipped_sales.values()),
            book=book,
            held_past_record_end=frozenset(over),
            paused=self._bot.control.paused(),
            alarms=alarms,
            held_back=held_back,
        )
