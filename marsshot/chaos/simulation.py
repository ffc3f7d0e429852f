"""One simulation: a machine, an exchange, a market, an owner, and a bot that crashes and restarts until time is up.

The bot is put together as `wiring.py` does it, with this simulation's transport, file system and clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from embedded_market.coinbase.api import CoinbaseApi
from embedded_market.market_data.history import load_bundled_history
from embedded_market.market_data.price_board import PriceBoard
from marsshot.bot.bootstrap import open_store
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import Journal
from marsshot.bot.loop import loop
from marsshot.bot.price_feed import PriceFeed
from marsshot.bot.price_judge import last_looks_of
from marsshot.chaos.delayed_responses import DelayedResponses, SimulatedInbox
from marsshot.chaos.direct_session import DirectSession
from marsshot.chaos.fault_schedule import FaultSchedule, SimulatedCrash
from marsshot.chaos.filesystem import SimulatedFilesystem
from marsshot.chaos.json_files import parsed
from marsshot.chaos.network import SimulatedTransport
from marsshot.chaos.owner import Owner
from marsshot.chaos.price_lies import PriceLies
from marsshot.chaos.skewed_clock import SkewedClock
from marsshot.chaos.spot_prices import SimulatedCoinbase
from marsshot.chaos.venues import venue_of
from marsshot.chaos.venues.base import URL
from marsshot.config.bot_files import BOOK, CONFIG, LAST_SEEN, RESUME
from marsshot.config.exchanges import ExchangeName
from marsshot.config.loader import check_settings
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import StopRequested, TemporaryError
from marsshot.core.scores import Score, Scoring
from marsshot.exchange.base import Exchange
from marsshot.infra.atomic_files import Disk

TOKENS = ("ADA", "DOT", "LINK", "LTC")
START = datetime(2021, 2, 15, 21, 0, tzinfo=UTC)
RECOVERY_PERIOD = timedelta(hours=3)  # at the end nothing goes wrong any more, and all must come right
CAPITAL = Decimal(1000)
MAX_CLOCK_ERROR = timedelta(seconds=60)  # by a clock that is further off no daily pass is made
PRICE_FACTORS = (
    Decimal("0.45"),
    Decimal("0.7"),
    Decimal("0.9"),
    Decimal("1.02"),
    Decimal("1.3"),
    Decimal("2.1"),
    Decimal(3),
)
STANDSTILL = "standstill.replaced"  # what the book says of a token that may be another coin
REDENOMINATION_RATE = 0.05  # at a restart
EXCHANGE_RATE = 100  # coins of the new kind for one of the old
CLOSING_RATE = 0.02  # of a market, in an hour
LAST_QUIET_HOUR = 20  # of a day: after it the next day's pass is near
HIGHEST, LOWEST = Decimal(30), Decimal("0.02")


class Simulation:
    """Everything around the bot, made from one seed."""

    def __init__(self, seed: int, exchange: ExchangeName) -> None:
        self.fault_schedule = FaultSchedule(seed)
        self.filesystem = SimulatedFilesystem(self.fault_schedule)
        self.disk = Disk(self.filesystem)
        board = PriceBoard(load_bundled_history(), 0, 0)
        self.end = START + timedelta(hours=self.fault_schedule.choose((8, 20, 30, 54)))
        self.venue = venue_of(exchange, board, self.fault_schedule, TOKENS, CAPITAL)
        self.owner = Owner(self.venue, self.filesystem, self.fault_schedule, TOKENS)
        self.clock = SkewedClock(START, self.fault_schedule, self._on_clock_advance)
        self.price_lies = PriceLies()
        self.transport = SimulatedTransport(self.venue, self.clock, self.fault_schedule, self.price_lies)
        self.transport.on_order_vanished = lambda: self.owner.pause(self.clock.true_now)
        self.coinbase_api = CoinbaseApi(board, frozenset(self.fault_schedule.choose(((), ("LTC",)))))
        self.scores: dict[date, dict[str, str | None]] = {}
        self._past_prices: dict[str, list[tuple[datetime, Decimal]]] = {}  # prices of before, and until when they stood
        self.highest_prices: dict[str, Decimal] = {}  # the true price of each token, ever
        self._unnoticed: set[str] = set()  # of these: the bot has not said so yet
        self._resumed: set[str] = set()  # of these: the owner has, and they stand still until the bot has read it
        self.redenominated = self.price_lies.spared  # exchanged for another coin, and the owner has not resumed since
        self._closed: set[str] = set()  # tokens whose market takes no orders now
        self.passes_by_a_wrong_clock = 0
        self._is_scoring = False
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
                # Without seen.json, which a power cut may take, nobody tells an exchange of coins, or whose they are.
                power_cut = self.fault_schedule.chance(0.4) and not self.redenominated
                self.fault_schedule.record_event(
                    "power cut" if power_cut else "kill", f"{self.clock.true_now:%d %H:%M:%S}"
                )
                self.fault_schedule.is_crashed = False
                self.filesystem.reboot(power_cut=power_cut)
                self.transport.start_anew()
                if not power_cut:
                    self._redenominate_sometimes()
                on_crash()
                self.clock.advance(self.fault_schedule.choose((1, 5, 40, 400)))
            except TemporaryError:  # no book could be begun yet
                self.clock.advance(60)

    def _run_process(self) -> None:
        store = open_store(self.settings, self.clock, Path(BOOK), self.disk)
        self.delayed_responses = delayed_responses = DelayedResponses(self.clock, self.fault_schedule)
        exchange = self.new_exchange()
        journal = Journal(self.settings, self.disk)
        bot = Bot(
            settings=self.settings,
            clock=self.clock,
            store=store,
            exchange=exchange,
            coinbase=SimulatedCoinbase(
                self.coinbase_api, self.venue, self.clock, self.fault_schedule, delayed_responses, self.price_lies
            ),
            scores=self.score,
            control=ControlFiles(self.settings, self.disk),
            journal=journal,
        )
        bot.price_check.price_feed = PriceFeed(
            store,
            self.clock,
            make_inbox=lambda: SimulatedInbox(delayed_responses),
            last_looks=last_looks_of(journal.seen),
        )
        self.transport.is_looked_at_again = lambda: bot.price_feed.second_look_at is not None
        self.clock.clear_stop()
        self._is_scoring = False
        faults = self.fault_schedule.event_counts["disk fault"]
        with suppress(StopRequested):
            bot.start()
        loop(bot, lambda: None, after_cycle=self._has_time_left)
        if self.fault_schedule.event_counts["disk fault"] > faults:
            self.transport.start_anew()  # a disk that refused may have kept the silence from the next process

    def new_exchange(self) -> Exchange:
        """Return the exchange as a process of the bot sees it."""
        return self.venue.connect(DirectSession(URL, self.transport.send), self.delayed_responses, self.clock)

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
            "check_interval_seconds": self.fault_schedule.choose((1200, 3000)),
            "daily_update_hour_utc": self.fault_schedule.choose((0, 0, 4)),
        }
        services = {"coinbase": {"base_url": URL}, "lunarcrush": {"api_key": "lunar", "base_url": URL}}
        content = {"mode": "live", "tokens_daily": list(TOKENS), "strategy": strategy}
        return check_settings(content | services | self.venue.settings(), Path(CONFIG), {})

    # ------------------------------------------------------------------ scores

    def score(self, symbols: Collection[str], _settings: Settings) -> Scoring | None:
        """Say what the model says of each token, unless LunarCrush has a bad moment."""
        if not self._is_scoring and abs(self.clock.skew) > MAX_CLOCK_ERROR:
            self.passes_by_a_wrong_clock += 1
        self._is_scoring = False
        if self.fault_schedule.chance(self.fault_schedule.network_fault_rate / 2):
            self.fault_schedule.record_event("score fault", "LunarCrush is down")
            raise TemporaryError("LunarCrush answered 502")
        if self.fault_schedule.chance(0.05):
            self._is_scoring = True
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
            self.owner.settle()
            self.filesystem.fill(None)
        self._answer_standstills(now)
        self._let_orders_turn_up(now)
        for token in TOKENS:
            self._open_or_close(token)
            is_quiet = token in self.redenominated or token in self._closed
            if not is_quiet and self.fault_schedule.chance(0.5):
                self._move_price(token)
        self.owner.act(now)
        if self.filesystem.is_limited and self.fault_schedule.chance(0.5):
            self.filesystem.fill(None)
        elif self.fault_schedule.chance(0.01):
            self.filesystem.fill(self.fault_schedule.choose((0, 2000)))

    def _let_orders_turn_up(self, now: datetime) -> None:
        """Let an order that was proven absent have executed, in the quiet after a day's pass, if none took its place.

        Until the bot asks for it again its book counts money that is spent: a pass in between would spend the owner's.
        """
        book = self._book()
        is_over = book["plan"] is None and book["last_daily_update"] == now.date().isoformat()
        is_quiet = is_over and now.hour < LAST_QUIET_HOUR and not book["intents"] and not self.clock.was_ever_skewed
        if not is_quiet or not self.fault_schedule.chance(0.5):
            return
        for name in [name for name in self.transport.vanished_orders if name in book["absent_orders"]]:
            absent, money = book["absent_orders"][name], self.venue.money
            token, amount = absent["intent"]["symbol"], Decimal(absent["intent"]["quote_amount"] or "Infinity")
            there = min(Decimal(book["capital_usdt"]), self.owner.bots_share(money), self.venue.free[money])
            is_free = token not in self.redenominated | self._closed | book["positions"].keys()
            if is_free and amount <= there and not absent["replaced_by"]:
                self.transport.let_turn_up(name)
                return

    def _open_or_close(self, token: str) -> None:
        """Let a market close now and then, for some hours; it comes back at another price."""
        faults = self.fault_schedule
        if token not in self._closed:
            if faults.chance(CLOSING_RATE):
                self._closed.add(token)
                self.venue.close_market(token)
                faults.record_event("halt", token)
        elif faults.is_fault_free or faults.chance(0.3):
            self._closed.remove(token)
            self.venue.open_market(token)
            if token not in self.redenominated and faults.chance(0.5):
                self._move_price(token)
            faults.record_event("halt", f"{token} is traded again at {self.venue.price(token)}")

    def _move_price(self, token: str) -> None:
        price = self.venue.price(token) * self.fault_schedule.choose(PRICE_FACTORS)
        self._set_price(token, min(max(price, LOWEST), HIGHEST))

    def _book(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return parsed(self.filesystem.read(Path(BOOK)))
        nothing: dict[str, Any] = {"positions": {}, "intents": {}, "dust": {}, "absent_orders": {}}
        return nothing | {"plan": None, "last_daily_update": None}

    def _answer_standstills(self, now: datetime) -> None:
        """Let the owner resume; what is another coin now is traded again from then on."""
        if self.filesystem.exists(Path(RESUME)):
            return
        held = self._book()["positions"]
        standing = self.note_standstills(held)
        seen = standing - self._unnoticed
        if self.may_resume(held) and self.owner.resumes(now, seen):
            self._resumed |= seen

    def may_resume(self, held: Mapping[str, Any]) -> bool:
        """Return whether the owner may: of each token that stands still by this book it is known what of it is his.

        Otherwise the bot would take his coins for its own, where a power cut had taken what was noted of his share.
        """
        standing = {token for token in held if STANDSTILL in held[token]["said"]}
        return not any(self.owner.has_traded(token) and held[token]["owners_share"] is None for token in standing)

    def note_standstills(self, held: Mapping[str, Any]) -> set[str]:
        """Return the tokens that stand still by this book; of the others he has seen what there was to see."""
        standing = {token for token in held if STANDSTILL in held[token]["said"]}
        self._unnoticed -= standing
        # A book that the disk gave up again is no answer of his.
        self.redenominated -= self._resumed - standing
        self._resumed &= standing
        return standing

    def _redenominate_sometimes(self) -> None:
        """Exchange 1 coin for 100 of another under the same ticker, while nothing of it is under way."""
        if not self.fault_schedule.chance(REDENOMINATION_RATE):
            return
        book, last = self._book(), self._last_seen_prices()
        for token in TOKENS:
            if token in last and self._may_be_exchanged(token, book):
                price = (last[token] / EXCHANGE_RATE).quantize(Decimal("0.0001"))
                self.fault_schedule.record_event("redenomination", f"{token}, from now on at {price}")
                self.owner.exchange_coins(token, EXCHANGE_RATE)
                self.venue.set_price(token, price)
                self._past_prices.pop(token, None)
                self.redenominated.add(token)
                self._unnoticed.add(token)
                return

    def _may_be_exchanged(self, token: str, book: dict[str, Any]) -> bool:
        held = book["positions"].get(token)
        under_way = {one["symbol"] for one in book["intents"].values()}
        largest = self.venue.most_at_once(token)
        return (
            held is not None
            and held["exit_pending"] is None
            and held["partial_left"] is None
            and not held["said"].count(STANDSTILL)
            # Once a run: right after `resume` seen.json tells the old price still, from which no new one follows.
            and token not in (under_way | self.owner.avoided | book["dust"].keys())
            and token not in {sell["symbol"] for sell in (book["plan"] or {}).get("sells", ()) if not sell["outcome"]}
            and self._is_owners_share_known(token)
            and not self.venue.lent(token)
            and token not in self._closed
            and Decimal(held["qty"]) * EXCHANGE_RATE < largest
            and Decimal(held["qty"]) == self.owner.bots_share(token)
        )

    def _last_seen_prices(self) -> dict[str, Decimal]:
        return {token: Decimal(one["price"]) for token, one in self._seen().items() if Decimal(one["price"]) > 1}

    def _is_owners_share_known(self, token: str) -> bool:
        noted = self._seen().get(token, {}).get("owners")
        return noted is not None and Decimal(noted) == self.owner.owned.get(token, 0)

    def _seen(self) -> dict[str, dict[str, str]]:
        with suppress(OSError, ValueError):
            return dict(parsed(self.filesystem.read(Path(LAST_SEEN)))["prices"])
        return {}

    def closed_market_texts(self, token: str) -> list[str]:
        """Return what the bot says of a market that takes no orders."""
        pair = self.venue.pair(token)
        return [LocalizedText("pair.status", pair=pair, status=status) for status in self.venue.closed_statuses]

    def acceptable_prices(self, token: str) -> list[Decimal]:
        """Return the true prices of a token since the bot has last asked for it."""
        asked = self.delayed_responses.asked(token)
        gone = [price for until, price in self._past_prices.get(token, ()) if asked is not None and until > asked]
        return [*gone, self.venue.price(token)]

    def _set_price(self, token: str, price: Decimal) -> None:
        price = price.quantize(Decimal("0.0001"))
        if token in self.highest_prices:
            self._past_prices.setdefault(token, []).append((self.clock.true_now, self.venue.price(token)))
        self.venue.set_price(token, price)
        self.highest_prices[token] = max(self.highest_prices.get(token, price), price)


def _score(symbol: str, probability: str | None) -> Score:
    if probability is None:
        return Score(symbol, None, "no bar of yesterday")
    return Score(symbol, Decimal(probability))
