"""One simulation: a machine, an exchange, a market, an owner, and a bot that crashes and restarts until time is up.

The bot is put together as `wiring.py` does it, with this simulation's transport, file system and clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from embedded_market.binance.api import BinanceApi
from embedded_market.coinbase.api import CoinbaseApi
from embedded_market.exchange.matching import Exchange
from embedded_market.exchange.pair_rules import PairRules
from embedded_market.market_data.history import load_bundled_history
from embedded_market.market_data.price_board import PriceBoard
from marsshot.bot.bootstrap import open_store
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import Journal
from marsshot.bot.loop import loop
from marsshot.bot.price_feed import PriceFeed
from marsshot.chaos.delayed_responses import DelayedResponses, SimulatedBinance, SimulatedInbox
from marsshot.chaos.fault_schedule import FaultSchedule, SimulatedCrash
from marsshot.chaos.filesystem import SimulatedFilesystem
from marsshot.chaos.network import SimulatedTransport
from marsshot.chaos.skewed_clock import SkewedClock
from marsshot.chaos.spot_prices import SimulatedCoinbase
from marsshot.config.bot_files import BOOK, CONFIG, DAILY, PAUSE, SELL_ALL
from marsshot.config.loader import check_settings
from marsshot.config.settings import Settings
from marsshot.core.domain import Score, Scoring
from marsshot.core.errors import StopRequested, TemporaryError
from marsshot.infra.atomic_files import Disk

TOKENS = ("ADA", "DOT", "LINK", "LTC")
START = datetime(2021, 2, 15, 21, 0, tzinfo=UTC)
RECOVERY_PERIOD = timedelta(hours=3)  # at the end nothing goes wrong any more, and all must come right
CAPITAL = Decimal(1000)
OWNER_USDT = Decimal(500)
KEY, SECRET = "k" * 64, "s" * 64
URL = "http://127.0.0.1:9"
PRICE_FACTORS = (
    Decimal("0.45"),
    Decimal("0.7"),
    Decimal("0.9"),
    Decimal("1.02"),
    Decimal("1.3"),
    Decimal("2.1"),
    Decimal(3),
)
HIGHEST, LOWEST = Decimal(30), Decimal("0.02")


class Simulation:
    """Everything around the bot, made from one seed."""

    def __init__(self, seed: int) -> None:
        self.fault_schedule = FaultSchedule(seed)
        self.filesystem = SimulatedFilesystem(self.fault_schedule)
        self.disk = Disk(self.filesystem)
        self.board = PriceBoard(load_bundled_history(), 0, 0)
        self.end = START + timedelta(hours=self.fault_schedule.choose((8, 20, 30, 54)))
        self.exchange = Exchange(self._rules(), {"USDT": CAPITAL + OWNER_USDT})
        self._add_owner_balances()
        self.initial_balances = dict(self.exchange.free)
        self.clock = SkewedClock(START, self.fault_schedule, self._on_clock_advance)
        api = BinanceApi(self.board, self.exchange, (KEY, SECRET))
        self.transport = SimulatedTransport(api, self.exchange, self.clock, self.fault_schedule)
        self.coinbase_api = CoinbaseApi(self.board, frozenset(self.fault_schedule.choose(((), ("LTC",)))))
        self.scores: dict[date, dict[str, str | None]] = {}
        self._past_prices: dict[str, list[tuple[datetime, Decimal]]] = {}  # prices of before, and until when they stood
        self.highest_prices: dict[str, Decimal] = {}  # the true price of each token, ever
        self.sell_all_was_requested = False
        self.was_ever_paused = False
        self.process_starts = 0
        self.unreadable_book = ""
        self.delayed_responses = DelayedResponses(self.clock, self.fault_schedule)
        self._next_hour = START
        for token in TOKENS:
            self._set_price(token, Decimal(1))

    # ------------------------------------------------------------------ running

    def run(self, on_crash: Callable[[], None]) -> None:
        """Run the bot, through crashes and restarts, to the end. Raises MarsShotError if it cannot."""
        while self.clock.true_now < self.end + RECOVERY_PERIOD:
            self.process_starts += 1
            try:
                self._run_process()
            except SimulatedCrash:
                power_cut = self.fault_schedule.chance(0.4)
                self.fault_schedule.record_event(
                    "power cut" if power_cut else "kill", f"{self.clock.true_now:%d %H:%M:%S}"
                )
                self.fault_schedule.is_crashed = False
                self.filesystem.reboot(power_cut=power_cut)
                self.transport.start_anew()
                on_crash()
                self.clock.advance(self.fault_schedule.choose((1, 5, 40, 400)))
            except TemporaryError:  # no book could be begun yet
                self.clock.advance(60)

    def _run_process(self) -> None:
        store = open_store(self.settings, self.clock, Path(BOOK), self.disk)
        self.delayed_responses = delayed_responses = DelayedResponses(self.clock, self.fault_schedule)
        exchange = SimulatedBinance(
            api_key=KEY, api_secret=SECRET, base_url=URL, clock=self.clock, transport=self.transport
        )
        exchange.delayed_responses = delayed_responses
        bot = Bot(
            settings=self.settings,
            clock=self.clock,
            store=store,
            exchange=exchange,
            coinbase=SimulatedCoinbase(
                self.coinbase_api, self.board, self.clock, self.fault_schedule, delayed_responses
            ),
            scores=self.score,
            control=ControlFiles(self.settings, self.disk),
            journal=Journal(self.settings, self.disk),
        )
        bot.price_feed = PriceFeed(store, self.clock, make_inbox=lambda: SimulatedInbox(delayed_responses))
        self.clock.clear_stop()
        faults = self.fault_schedule.event_counts["disk fault"]
        with suppress(StopRequested):
            bot.start()
        loop(bot, lambda: None, after_cycle=self._has_time_left)
        if self.fault_schedule.event_counts["disk fault"] > faults:
            self.transport.start_anew()  # a disk that refused may have kept the silence from the next process

    def _has_time_left(self) -> bool:
        return self.clock.true_now < self.end + RECOVERY_PERIOD

    @cached_property
    def settings(self) -> Settings:
        """The seed's numbers, in live mode, at this world's addresses."""
        strategy = {
            "capital_initial": CAPITAL,
            "buy_threshold": Decimal("0.70"),
            "sell_threshold": Decimal("0.30"),
            "stop_loss_pct": Decimal("0.50"),
            "partial_take_profit_pct": 1,
            "trailing_trigger_pct": 3,
            "trailing_pct": Decimal("0.30"),
            "big_gain_exception_pct": 4,
            "check_interval_seconds": self.fault_schedule.choose((1800, 3600)),
            "daily_update_hour_utc": self.fault_schedule.choose((0, 0, 4)),
        }
        services = {"coinbase": {"base_url": URL}, "lunarcrush": {"api_key": "lunar", "base_url": URL}}
        keys = {"api_key": KEY, "api_secret": SECRET, "base_url": URL}
        content = {"mode": "live", "tokens_daily": list(TOKENS), "strategy": strategy, "binance_api": keys}
        return check_settings(content | services, Path(CONFIG), {})

    # ------------------------------------------------------------------ scores

    def score(self, symbols: Collection[str], _settings: Settings) -> Scoring | None:
        """Say what the model says of each token, unless LunarCrush has a bad moment."""
        if self.fault_schedule.chance(self.fault_schedule.network_fault_rate / 2):
            self.fault_schedule.record_event("score fault", "LunarCrush is down")
            raise TemporaryError("LunarCrush answered 502")
        if self.fault_schedule.chance(0.05):
            return None
        day = self.clock.now().date()
        known = self.scores_of(day)
        return Scoring(day, tuple(_score(symbol, known.get(symbol)) for symbol in symbols))

    def scores_of(self, day: date) -> dict[str, str | None]:
        """Return a day's scores by token; None where there is none."""
        if day not in self.scores:
            options = ("0.10", "0.29", "0.30", "0.50", "0.69", "0.70", "0.90", "0.95", None)
            self.scores[day] = {token: self.fault_schedule.choose(options) for token in TOKENS}
            if not any(self.scores[day].values()):  # no pass would be done, and rightly so
                self.scores[day]["ADA"] = "0.70"
        return self.scores[day]

    # ------------------------------------------------------------------ what happens as time passes

    def _on_clock_advance(self, now: datetime) -> None:
        self.transport.execute_delayed_orders(now)
        while self._next_hour <= now:
            self._next_hour += timedelta(hours=1)
            self._hourly_events(now)

    def _hourly_events(self, now: datetime) -> None:
        if now >= self.end and not self.fault_schedule.is_fault_free:
            self.fault_schedule.end()
            self.clock.resync()
        for token in TOKENS:
            if self.fault_schedule.chance(0.5):
                price = self.board.price(token, 0) * self.fault_schedule.choose(PRICE_FACTORS)
                self._set_price(token, min(max(price, LOWEST), HIGHEST))
        if self.fault_schedule.chance(0.01):
            self.fault_schedule.record_event("owner", "asks to sell all")
            self.sell_all_was_requested = True
            self.filesystem.put(Path(SELL_ALL), b"")
        if self.fault_schedule.chance(0.03):
            self._pause_or_resume()
        if self.fault_schedule.chance(0.03):
            self.fault_schedule.record_event("owner", "asks for today's pass")
            self.filesystem.put(Path(DAILY), b"")

    def _pause_or_resume(self) -> None:
        if self.filesystem.exists(Path(PAUSE)):
            self.filesystem.take(Path(PAUSE))
        else:
            self.was_ever_paused = True
            self.filesystem.put(Path(PAUSE), b"")

    def acceptable_prices(self, token: str) -> list[Decimal]:
        """Return the true prices of a token since the bot has last asked for it."""
        asked = self.delayed_responses.asked(token)
        gone = [price for until, price in self._past_prices.get(token, ()) if asked is not None and until > asked]
        return [*gone, self.board.price(token, 0)]

    def _set_price(self, token: str, price: Decimal) -> None:
        price = price.quantize(Decimal("0.0001"))
        if token in self.highest_prices:
            self._past_prices.setdefault(token, []).append((self.clock.true_now, self.board.price(token, 0)))
        self.board.set_price(token, format(price, "f"))
        self.highest_prices[token] = max(self.highest_prices.get(token, price), price)

    # ------------------------------------------------------------------ the exchange

    def _rules(self) -> list[PairRules]:
        coins = (*TOKENS, "BNB")
        return [self._rules_of(coin) for coin in coins]

    def _rules_of(self, coin: str) -> PairRules:
        step = self.fault_schedule.choose((Decimal(1), Decimal("0.01"), Decimal("0.001")))
        return PairRules(
            symbol=f"{coin}USDT",
            base=coin,
            quote="USDT",
            tick=Decimal("0.0001"),
            lot_step=step,
            max_quantity=step * 900_000_000,
            max_market_quantity=Decimal(self.fault_schedule.choose((150, 3_000_000, 3_000_000))),
            min_notional=Decimal(self.fault_schedule.choose((5, 10))),
            legacy_notional=self.fault_schedule.choose((True, False)),
        )

    def _add_owner_balances(self) -> None:
        if self.fault_schedule.choose((True, False)):
            self.exchange.free["ADA"] = Decimal("77.7")
        if self.fault_schedule.choose((True, False, False)):
            self.exchange.pay_fees_in_bnb = True
            self.exchange.free["BNB"] = self.fault_schedule.choose((Decimal("0.003"), Decimal(5)))


def _score(symbol: str, probability: str | None) -> Score:
    if probability is None:
        return Score(symbol, None, "no bar of yesterday")
    return Score(symbol, Decimal(probability))
