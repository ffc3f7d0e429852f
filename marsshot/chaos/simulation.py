"""One run: a machine, an exchange, a market, an owner, and a bot that dies and comes back until its days are over.

The bot is put together as `wiring.py` does it, with this world's wire, disk and clock.
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
from marsshot.bot.bootstrap import BOOK, open_store
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import Control
from marsshot.bot.journal import Diary
from marsshot.bot.loop import loop
from marsshot.bot.price_feed import PriceDesk
from marsshot.chaos.delayed_responses import Later, SimulatedBinance, SimulatedInbox
from marsshot.chaos.fault_schedule import Death, Fate
from marsshot.chaos.filesystem import SimulatedSystem
from marsshot.chaos.network import Wire
from marsshot.chaos.skewed_clock import StrayingClock
from marsshot.chaos.spot_prices import SimulatedCoinbase
from marsshot.config.loader import check_settings
from marsshot.config.settings import Settings
from marsshot.core.domain import Score, Scoring
from marsshot.core.errors import StopRequested, TemporaryError
from marsshot.infra.atomic_files import Disk

TOKENS = ("ADA", "DOT", "LINK", "LTC")
BEGIN = datetime(2021, 2, 15, 21, 0, tzinfo=UTC)
CALM = timedelta(hours=3)  # at the end nothing goes wrong any more, and all must come right
CAPITAL = Decimal(1000)
OWNERS_USDT = Decimal(500)
KEY, SECRET = "k" * 64, "s" * 64
URL = "http://127.0.0.1:9"
MOVES = (Decimal("0.45"), Decimal("0.7"), Decimal("0.9"), Decimal("1.02"), Decimal("1.3"), Decimal("2.1"), Decimal(3))
HIGHEST, LOWEST = Decimal(30), Decimal("0.02")


class World:
    """Everything around the bot, made from one seed."""

    def __init__(self, seed: int) -> None:
        self.fate = Fate(seed)
        self.system = SimulatedSystem(self.fate)
        self.disk = Disk(self.system)
        self.board = PriceBoard(load_bundled_history(), 0, 0)
        self.end = BEGIN + timedelta(hours=self.fate.choose((8, 20, 30, 54)))
        self.exchange = Exchange(self._rules(), {"USDT": CAPITAL + OWNERS_USDT})
        self._give_the_owner_coins()
        self.owned_before = dict(self.exchange.free)
        self.clock = StrayingClock(BEGIN, self.fate, self._time_has_passed)
        api = BinanceApi(self.board, self.exchange, (KEY, SECRET))
        self.wire = Wire(api, self.exchange, self.clock, self.fate)
        self.coinbase_api = CoinbaseApi(self.board, frozenset(self.fate.choose(((), ("LTC",)))))
        self.scores: dict[date, dict[str, str | None]] = {}
        self._gone: dict[str, list[tuple[datetime, Decimal]]] = {}  # prices of before, and until when they stood
        self.highest: dict[str, Decimal] = {}  # the true price of each token, ever
        self.told_to_sell_all = False
        self.was_ever_paused = False
        self.lives = 0
        self.unreadable_book = ""
        self.later = Later(self.clock, self.fate)
        self._next_move = BEGIN
        for token in TOKENS:
            self._set_price(token, Decimal(1))

    # ------------------------------------------------------------------ living

    def live(self, after_death: Callable[[], None]) -> None:
        """Let the bot live and die until its days are over and a calm has passed. Raises MarsShotError if it cannot."""
        while self.clock.true_now < self.end + CALM:
            self.lives += 1
            try:
                self._one_life()
            except Death:
                power_cut = self.fate.chance(0.4)
                self.fate.note("power cut" if power_cut else "kill", f"{self.clock.true_now:%d %H:%M:%S}")
                self.fate.is_dead = False
                self.system.reboot(power_cut=power_cut)
                self.wire.new_life()
                after_death()
                self.clock.pass_time(self.fate.choose((1, 5, 40, 400)))
            except TemporaryError:  # no book could be begun yet
                self.clock.pass_time(60)

    def _one_life(self) -> None:
        store = open_store(self.settings, self.clock, Path(BOOK), self.disk)
        self.later = later = Later(self.clock, self.fate)
        exchange = SimulatedBinance(api_key=KEY, api_secret=SECRET, base_url=URL, clock=self.clock, transport=self.wire)
        exchange.later = later
        bot = Bot(
            settings=self.settings,
            clock=self.clock,
            store=store,
            exchange=exchange,
            coinbase=SimulatedCoinbase(self.coinbase_api, self.board, self.clock, self.fate, later),
            scores=self.score,
            control=Control(self.settings, self.disk),
            diary=Diary(self.settings, self.disk),
        )
        bot.price_desk = PriceDesk(store, self.clock, new_inbox=lambda: SimulatedInbox(later))
        self.clock.start_again()
        faults = self.fate.happened["disk fault"]
        with suppress(StopRequested):
            bot.start()
        loop(bot, lambda: None, after_cycle=self._goes_on)
        if self.fate.happened["disk fault"] > faults:
            self.wire.new_life()  # a disk that refused may have kept the silence from the next process

    def _goes_on(self) -> bool:
        return self.clock.true_now < self.end + CALM

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
            "check_interval_seconds": self.fate.choose((1800, 3600)),
            "daily_update_hour_utc": self.fate.choose((0, 0, 4)),
        }
        services = {"coinbase": {"base_url": URL}, "lunarcrush": {"api_key": "lunar", "base_url": URL}}
        keys = {"api_key": KEY, "api_secret": SECRET, "base_url": URL}
        content = {"mode": "live", "tokens_daily": list(TOKENS), "strategy": strategy, "binance_api": keys}
        return check_settings(content | services, Path("config.yaml"), {})

    # ------------------------------------------------------------------ scores

    def score(self, symbols: Collection[str], _settings: Settings) -> Scoring | None:
        """Say what the model says of each token, unless LunarCrush has a bad moment."""
        if self.fate.chance(self.fate.wire_trouble / 2):
            self.fate.note("score fault", "LunarCrush is down")
            raise TemporaryError("LunarCrush answered 502")
        if self.fate.chance(0.05):
            return None
        day = self.clock.now().date()
        known = self.scores_of(day)
        return Scoring(day, tuple(_score(symbol, known.get(symbol)) for symbol in symbols))

    def scores_of(self, day: date) -> dict[str, str | None]:
        """Return a day's scores by token; None where there is none."""
        if day not in self.scores:
            options = ("0.10", "0.29", "0.30", "0.50", "0.69", "0.70", "0.90", "0.95", None)
            self.scores[day] = {token: self.fate.choose(options) for token in TOKENS}
            if not any(self.scores[day].values()):  # no pass would be done, and rightly so
                self.scores[day]["ADA"] = "0.70"
        return self.scores[day]

    # ------------------------------------------------------------------ what happens as time passes

    def _time_has_passed(self, now: datetime) -> None:
        self.wire.execute_what_is_late(now)
        while self._next_move <= now:
            self._next_move += timedelta(hours=1)
            self._an_hour_passes(now)

    def _an_hour_passes(self, now: datetime) -> None:
        if now >= self.end and not self.fate.is_calm:
            self.fate.end()
            self.clock.come_right()
        for token in TOKENS:
            if self.fate.chance(0.5):
                price = self.board.price(token, 0) * self.fate.choose(MOVES)
                self._set_price(token, min(max(price, LOWEST), HIGHEST))
        if self.fate.chance(0.01):
            self.fate.note("owner", "asks to sell all")
            self.told_to_sell_all = True
            self.system.put(Path("SELL_ALL"), b"")
        if self.fate.chance(0.03):
            self._pause_or_resume()
        if self.fate.chance(0.03):
            self.fate.note("owner", "asks for today's pass")
            self.system.put(Path("DAILY"), b"")

    def _pause_or_resume(self) -> None:
        if self.system.exists(Path("PAUSE")):
            self.system.take(Path("PAUSE"))
        else:
            self.was_ever_paused = True
            self.system.put(Path("PAUSE"), b"")

    def prices_to_go_by(self, token: str) -> list[Decimal]:
        """Return the true prices of a token since the bot has last asked for it."""
        asked = self.later.asked(token)
        gone = [price for until, price in self._gone.get(token, ()) if asked is not None and until > asked]
        return [*gone, self.board.price(token, 0)]

    def _set_price(self, token: str, price: Decimal) -> None:
        price = price.quantize(Decimal("0.0001"))
        if token in self.highest:
            self._gone.setdefault(token, []).append((self.clock.true_now, self.board.price(token, 0)))
        self.board.set_price(token, format(price, "f"))
        self.highest[token] = max(self.highest.get(token, price), price)

    # ------------------------------------------------------------------ the exchange

    def _rules(self) -> list[PairRules]:
        coins = (*TOKENS, "BNB")
        return [self._rules_of(coin) for coin in coins]

    def _rules_of(self, coin: str) -> PairRules:
        step = self.fate.choose((Decimal(1), Decimal("0.01"), Decimal("0.001")))
        return PairRules(
            symbol=f"{coin}USDT",
            base=coin,
            quote="USDT",
            tick=Decimal("0.0001"),
            lot_step=step,
            max_quantity=step * 900_000_000,
            max_market_quantity=Decimal(self.fate.choose((150, 3_000_000, 3_000_000))),
            min_notional=Decimal(self.fate.choose((5, 10))),
            legacy_notional=self.fate.choose((True, False)),
        )

    def _give_the_owner_coins(self) -> None:
        if self.fate.choose((True, False)):
            self.exchange.free["ADA"] = Decimal("77.7")
        if self.fate.choose((True, False, False)):
            self.exchange.pay_fees_in_bnb = True
            self.exchange.free["BNB"] = self.fate.choose((Decimal("0.003"), Decimal(5)))


def _score(symbol: str, probability: str | None) -> Score:
    if probability is None:
        return Score(symbol, None, "no bar of yesterday")
    return Score(symbol, Decimal(probability))
