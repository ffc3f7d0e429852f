"""A harness for trading: embedded market on loopback, the real python-binance client, a book on disk, virtual time.

crash_injection.py's can end its process between any two steps: objects stay as they are, `open` builds new ones.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from embedded_market import EmbeddedMarket, MarketServer
from embedded_market.exchange.orders import Order
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import Journal
from marsshot.bot.price_feed import PriceFeed
from marsshot.bot.price_judge import last_looks_of
from marsshot.config.loader import check_settings
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.book import Book, Position
from marsshot.core.decisions import DailyPlan
from marsshot.core.scores import Score, Scoring
from marsshot.infra import event_log
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.coinbase import Coinbase
from marsshot.portfolio.ledger import new_book, with_position
from marsshot.portfolio.trades_file import Trade, read_trades
from positions_store import Store, load_state
from tests.helpers.crash_injection import CrashingDisk, CrashingExchange, CrashInjector
from trade_executor import TradeExecutor

NOON = datetime(2021, 2, 15, 12, 0, tzinfo=UTC)
NEW_ORDER, QUERY_ORDER, TRADES = "POST /api/v3/order", "GET /api/v3/order", "GET /api/v3/myTrades"
NO_SUCH_ORDER = '{"code":-2013,"msg":"Order does not exist."}'


class StubScores:
    """A model of the test's making: what it says of each token, when it has said it, how often it was asked."""

    def __init__(self, clock: VirtualClock, **probabilities: str | None) -> None:
        self._clock = clock
        self.probabilities = probabilities
        self.last_closes: dict[str, str] = {}
        self.pending_answers = 0  # so many more calls are answered with "not there yet"
        self.error: Exception | None = None
        self.asked: list[datetime] = []
        self.btc_closes: tuple[Decimal, ...] = ()

    def __call__(self, symbols: Collection[str], _settings: Settings) -> Scoring | None:
        """Return a score for every symbol, without a probability where the test gave none."""
        self.asked.append(self._clock.now())
        if self.error is not None:
            raise self.error
        if self.pending_answers > 0:
            self.pending_answers -= 1
            return None
        scores = tuple(self._score(symbol) for symbol in symbols)
        return Scoring(self._clock.now().date(), scores, btc_closes=self.btc_closes)

    def _score(self, symbol: str) -> Score:
        probability, close = self.probabilities.get(symbol), self.last_closes.get(symbol)
        return Score(
            symbol,
            None if probability is None else Decimal(probability),
            "no bar of yesterday" if probability is None else "",
            None if close is None else Decimal(close),
        )


class LogCapture(logging.Handler):
    """What the bot has said: (level, event, sentence), oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append((record.levelname, getattr(record, "event", ""), record.getMessage()))

    def of(self, event: str) -> list[str]:
        """Return the sentences of one kind of event."""
        return [sentence for _, name, sentence in self.lines if name == event]


class TradingHarness:
    """Market, time, folder, and the objects of the process that runs now: store, exchange, executor."""

    def __init__(
        self, folder: Path, market: EmbeddedMarket, url: str, clock: VirtualClock, captured_log: LogCapture
    ) -> None:
        self.folder, self.market, self.url, self.clock, self.captured_log = folder, market, url, clock, captured_log
        self.book_path, self.trades_path = folder / "bot_state.json", folder / "trades.csv"
        self.clock_ahead_seconds = 0.0  # of Binance's clock, to ours
        self.owner_balances = dict(market.exchange.free)  # what the owner holds besides the bot
        self.capital = Decimal(1000)
        self.owner_balances["USDT"] -= self.capital
        self.settings = some_settings(self)
        self.crash_injector = CrashInjector()
        self.bots: list[Bot] = []
        self.open()

    def open(self) -> None:
        """Begin a process: all that it knows, it reads from disk."""
        self.crash_injector = CrashInjector()
        self.disk = CrashingDisk(self.crash_injector)
        book = load_state(self.book_path, "live", self.disk)
        first = book is None
        book = book or new_book("live", "USDT", self.capital, self.clock.now())
        self.store = Store(
            book,
            self.book_path,
            self.trades_path,
            self.disk,
            lambda text: event_log.log_warning("trades", text),
            cash_flows_path=self.folder / "cash_flows.csv",
        )
        if first:
            self.store.save(book)
        self.store.write_trades()
        self.store.write_cash_flows()
        self.exchange = CrashingExchange(
            api_key=self.market.api_key, api_secret=self.market.api_secret, base_url=self.url, clock=self.clock
        )
        self.exchange.crash_injector = self.crash_injector
        self.executor = TradeExecutor(self.exchange, self.store, self.clock, lambda symbol: f"{symbol}USDT")

    def bot(self, scores: StubScores | None = None, **strategy: object) -> Bot:
        """Return a bot of the process that runs now."""
        self.settings = some_settings(self, **strategy)
        journal = Journal(self.settings, self.disk)
        bot = Bot(
            settings=self.settings,
            clock=self.clock,
            store=self.store,
            exchange=self.exchange,
            coinbase=Coinbase(self.url),
            scores=scores or StubScores(self.clock),
            control=ControlFiles(self.settings),
            journal=journal,
        )
        # Its time is virtual: no venue is slow, and sales go out in the book's order.
        bot.price_check.price_feed = PriceFeed(
            self.store, self.clock, all_at_once=True, last_looks=last_looks_of(journal.seen)
        )
        self.executor = bot.executor
        self.bots.append(bot)
        return bot

    @property
    def book(self) -> Book:
        """The book of the process that runs now."""
        return self.store.book

    @property
    def plan(self) -> DailyPlan:
        """The plan in the book."""
        assert self.book.plan is not None
        return self.book.plan

    @property
    def orders(self) -> list[Order]:
        """Every order that Binance has taken, oldest first."""
        return list(self.market.exchange.orders.values())

    def traded(self) -> list[str]:
        """Return the orders as words: BUY ADA, SELL DOT ..."""
        return [f"{'BUY' if order.request.is_buy else 'SELL'} {order.symbol[:-4]}" for order in self.orders]

    def add_position(self, symbol: str, qty: str, entry_price: str = "1", **changes: Any) -> None:
        """Let the bot hold a position, and the account what belongs to it."""
        quantity, entry = Decimal(qty), Decimal(entry_price)
        position = Position(
            qty=quantity, entry_quote=entry, entry_base=Decimal(1), cost=quantity * entry, max_price=entry
        )
        self.store.save(with_position(self.book, symbol, replace(position, **changes)))
        self.market.exchange.free[symbol] += quantity

    def fault(self, match: str, kind: str, **details: Any) -> None:
        """Script a fault at Binance."""
        self.market.faults.add(service="binance", match=match, kind=kind, **details)

    @contextmanager
    def short_timeouts(self) -> Iterator[None]:
        """Let the client wait for a tenth of a second only, within the block: for requests that hang."""
        client = self.exchange._client
        patient, client._requests_params = client._requests_params, {"timeout": (5, 0.1)}
        try:
            yield
        finally:
            client._requests_params = patient

    def requests(self, match: str) -> int:
        """Return how many requests of this kind have come in so far."""
        return sum(match in f"{seen.method} {seen.path}?{seen.query}" for seen in self.market.request_log)

    def set_rules(self, pair: str, **changes: Any) -> None:
        """Change what Binance accepts for a pair."""
        held = self.market.exchange.pairs[pair]
        held.rules = replace(held.rules, **changes)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)

    def settle(self, seconds: float | None = None) -> None:
        """Let time pass, then look up what is unknown, as the next cycle does; without seconds, until it is decided."""
        self.wait(61 if seconds is None else seconds)
        self.executor.resolve_unknown()
        if self.book.intents and seconds is None:  # one look alone is not believed
            self.wait(2)
            self.executor.resolve_unknown()

    def assert_consistent(self) -> None:
        """Book, trades.csv and exchange tell the same story, to the last digit, and the disk knows all of it."""
        book = self.book
        assert not book.intents
        on_disk = load_state(self.book_path, "live", Disk())
        assert on_disk is not None
        assert replace(on_disk, unwritten_trades=(), unwritten_cash_flows=()) == book
        executed = {order.client_order_id: order for order in self.orders if order.executed_quantity}
        rows = read_trades(self.trades_path)
        assert sorted(row.client_order_id for row in rows) == sorted(executed)
        for row in rows:
            _assert_same_trade(row, executed[row.client_order_id])
        free, bnb_fees = self.market.exchange.free, _fees_in_bnb(self.orders)
        for asset, owned in self.owner_balances.items():
            position = book.positions.get(asset)
            of_the_bot = (position.qty if position else ZERO) + book.dust.get(asset, ZERO)
            of_the_bot += book.capital if asset == "USDT" else ZERO
            assert free[asset] == owned + of_the_bot - (bnb_fees if asset == "BNB" else ZERO), asset


def _assert_same_trade(trade: Trade, order: Order) -> None:
    assert trade.pair == order.symbol
    assert trade.side == ("BUY" if order.request.is_buy else "SELL")
    assert (trade.order_id, trade.status) == (str(order.order_id), order.status)
    assert (trade.qty, trade.quote) == (order.executed_quantity, order.executed_quote)
    fees: dict[str, Decimal] = {}
    for fill in order.fills:
        if fill.commission:
            fees[fill.commission_asset] = fees.get(fill.commission_asset, ZERO) + fill.commission
    assert trade.fees == fees


def _fees_in_bnb(orders: list[Order]) -> Decimal:
    """Return the commissions that the owner's BNB paid for the bot's trades in other coins."""
    return sum(
        (
            fill.commission
            for order in orders
            for fill in order.fills
            if fill.commission_asset == "BNB" != order.symbol[:-4]
        ),
        ZERO,
    )


def some_settings(harness: TradingHarness, **strategy: object) -> Settings:
    """Return the settings of live mode with the seed's numbers, the three services at the harness's market."""
    tokens = strategy.pop("tokens_daily", ["ADA", "DOT", "LINK"])
    content = {
        "mode": "live",
        "tokens_daily": tokens,
        "strategy": {
            "capital_initial": 1000,
            "buy_threshold": Decimal("0.70"),
            "sell_threshold": Decimal("0.30"),
            "stop_loss_pct": Decimal("0.50"),
            "partial_take_profit_pct": 1,
            "trailing_trigger_pct": 3,
            "trailing_pct": Decimal("0.30"),
            "big_gain_exception_pct": 4,
            "check_interval_seconds": 300,
            "daily_update_hour_utc": 0,
            **strategy,
        },
        "lunarcrush": {"api_key": "lunar-key", "base_url": harness.url},
        "coinbase": {"base_url": harness.url},
        "binance_api": {
            "api_key": harness.market.api_key,
            "api_secret": harness.market.api_secret,
            "base_url": harness.url,
        },
    }
    return check_settings(content, Path("config.yaml"), {})


@contextmanager
def open_trading_harness(folder: Path, *, now: datetime = NOON, usdt: str = "10000") -> Iterator[TradingHarness]:
    """Yield a harness: ADA, DOT, LINK and LTC cost 1 USDT each; 1000 USDT of the account are the bot's."""
    captured_log = LogCapture()
    event_log.log.addHandler(captured_log)
    event_log.log.setLevel(logging.INFO)
    clock = VirtualClock(now)
    market = EmbeddedMarket(clock=lambda: clock.now().timestamp(), balances={"USDT": Decimal(usdt)})
    for symbol in ("ADA", "DOT", "LINK", "LTC"):
        market.set_price(symbol, "1")
        for quote in ("USDT", "USDC"):
            pair = market.exchange.pairs[symbol + quote]
            pair.rules = replace(pair.rules, tick=Decimal("0.0001"), lot_step=Decimal("0.01"))
    with MarketServer(market) as server:
        harness = TradingHarness(folder, market, server.url, clock, captured_log)
        market.clock = lambda: clock.now().timestamp() + harness.clock_ahead_seconds
        try:
            yield harness
        finally:
            for bot in harness.bots:
                bot.price_check.coinbase.close()
            event_log.log.removeHandler(captured_log)
