"""The bot: what happens in one cycle, in which order. What is unknown is looked up first; exits go before entries.

The same cycle serves live, paper and demo; only exchange, clock, disk and scorer differ. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.bot.command_inbox import Hearing
from marsshot.bot.control_files import Control
from marsshot.bot.daily_update import DailyPass, Progress
from marsshot.bot.journal import Diary
from marsshot.bot.price_feed import PriceDesk
from marsshot.bot.reconciler import Reconciler, tell_not_compared
from marsshot.config.settings import Settings
from marsshot.core.catalog import words_of
from marsshot.core.domain import Reason, Scoring
from marsshot.core.errors import AccountTroubleError, TemporaryError
from marsshot.exchange.base import Exchange
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import say, warn
from marsshot.market_data.coinbase import SpotPrices
from marsshot.portfolio.ledger import with_everything_for_sale
from marsshot.strategy.daily_plan import is_daily_update_done, is_daily_update_due
from positions_store import Store
from risk_manager import update_positions_in_intraday
from trade_executor import TradeExecutor

PRICE_LASTS = timedelta(seconds=60)  # sales take time; a token whose turn comes later gets a new price first

Scores = Callable[[Collection[str], Settings], Scoring | None]


class _Turn:
    """Tells which tokens get their turn while the prices are fresh; the others are `late`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked = clock.now()
        self.late: list[str] = []

    def comes_in_time(self, symbol: str) -> bool:
        """Return whether the token's price is still fresh."""
        if abs(self._clock.now() - self._asked) <= PRICE_LASTS:
            return True
        self.late.append(symbol)
        return False


class Bot:
    """One book, one exchange, one clock."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        store: Store,
        exchange: Exchange,
        coinbase: SpotPrices,
        scores: Scores,
        control: Control,
        diary: Diary | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = store
        self.coinbase = coinbase
        self.control = control
        exchange.keep_quiet_until(store.book.exchange_quiet_until_ms)
        self.executor = TradeExecutor(exchange, store, clock, self._pair)
        # The demo's time stands still while prices are fetched, and a demo is to be repeatable.
        self.price_desk = PriceDesk(store, clock, all_at_once=settings.mode == "demo")
        self.reconciler = Reconciler(store, control)
        self.daily_pass = DailyPass(
            store=store,
            clock=clock,
            scores=lambda symbols: scores(symbols, self.settings),
            prices=self.usable_prices,
            control=control,
            reconciler=self.reconciler,
            diary=diary,
        )
        self._diary = diary
        self._last_check: datetime | None = None
        self._hearing = Hearing(control)

    def _pair(self, symbol: str) -> str:
        return self.settings.pair(symbol)

    # ------------------------------------------------------------------ the cycle

    def start(self) -> None:
        """Find out what became of the last orders, and whether book and exchange agree. A cycle does the same."""
        self.executor.settle_unknown()
        self.reconcile()

    def cycle(self) -> None:
        """Do what is due now, and return."""
        if self._hearing.listen():
            self.daily_pass.not_before = None  # the owner asks for the pass, and does not want to wait
        self._make_sure()
        self.store.write_trades()
        in_doubt = bool(self.store.book.intents)
        self.executor.settle_unknown()
        is_decided = in_doubt and not self.store.book.intents
        to_sell_all = self.control.is_to_sell_all()
        if to_sell_all:
            self.sell_all()
        elif self._check_is_due() or (is_decided and self.unsold()):  # a sale of everything waits for no check
            self.intraday_check()
        if self.daily_is_due() and not self.clock.stopping:
            self.daily_update()
        self.remember_silence()
        self._answer_the_owner(sold_all=to_sell_all)

    def _make_sure(self) -> None:
        try:
            self.store.make_sure()
        except TemporaryError as error:
            warn("book.not_saved", error.said)

    def next_due(self) -> datetime:
        """Return when the loop should look again at the latest."""
        now = self.clock.now()
        moments = [now + timedelta(seconds=self.settings.strategy.check_interval_seconds)]
        if self._last_check is not None:
            moments.append(self._last_check + timedelta(seconds=self.settings.strategy.check_interval_seconds))
        if self.daily_is_due():
            moments.append(self.daily_pass.not_before or now + timedelta(seconds=10))
        else:
            moments.append(self.next_daily())
        if self.store.book.intents:
            moments.append(now + timedelta(seconds=10))
        if 0 < (silence := self.seconds_of_silence()) < self.settings.strategy.check_interval_seconds:
            moments.append(now + timedelta(seconds=silence))
        return max(now, min(moments))

    # ------------------------------------------------------------------ the daily pass

    def daily_is_due(self) -> bool:
        """Return whether today's pass is to be made or gone on with: by the clock, as begun, or as asked for."""
        if self.daily_is_done():
            return False
        strategy, now, book = self.settings.strategy, self.clock.now(), self.store.book
        is_begun = book.plan is not None and book.plan.day == now.date()
        hour, minute = strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
        is_due = is_daily_update_due(now, book.last_daily_update, hour, minute)
        return is_due or is_begun or self.control.is_daily_wanted(now.date())

    def daily_is_done(self) -> bool:
        """Return whether today's pass is done."""
        return is_daily_update_done(self.clock.now().date(), self.store.book.last_daily_update)

    def next_daily(self) -> datetime:
        """Return the moment of the next daily pass that is not done."""
        now = self.clock.now()
        strategy = self.settings.strategy
        today = now.replace(
            hour=strategy.daily_update_hour_utc, minute=strategy.daily_update_minute_utc, second=0, microsecond=0
        )
        return today if today > now and not self.daily_is_done() else today + timedelta(days=1)

    def daily_update(self) -> Progress:
        """Begin or go on with today's pass, whatever the hour."""
        progress = self.daily_pass.daily_update(self.settings, self.executor)
        if self._diary is not None:
            self._diary.note_put_off(self._told(self.daily_pass.put_off_for), self.daily_pass.not_before)
            if progress is Progress.DONE:
                self._diary.note_equity(self.store.book, self.clock.now())
        return progress

    # ------------------------------------------------------------------ the five-minute check

    def _check_is_due(self) -> bool:
        if self._last_check is None:
            return True
        now = self.clock.now()
        since = (now - self._last_check).total_seconds()
        # A clock that was set back would otherwise keep the stop-loss waiting. And what could not be sold because the
        # exchange had asked for silence is sold when that is over, not minutes later.
        was_silenced = -since < self.seconds_of_silence() <= 0
        return since < 0 or since >= self.settings.strategy.check_interval_seconds or was_silenced

    @property
    def checked_at(self) -> datetime | None:
        """The moment of the last price check."""
        return self._last_check

    def skip_checks(self, before: datetime) -> None:
        """Take the checks that are due before this moment as made: the caller knows that they would change nothing."""
        interval = timedelta(seconds=self.settings.strategy.check_interval_seconds)
        if self._last_check is not None and before > self._last_check:
            self._last_check += interval * ((before - self._last_check - timedelta(microseconds=1)) // interval)

    def intraday_check(self) -> bool:
        """Price every position and apply the exit rules; return False if anything has to be tried again.

        The rules go by each price as soon as it is known; a slow one holds up no other token's sale.
        """
        self._last_check = self.clock.now()
        symbols = list(self.store.book.positions)
        unsold, blind, waiting = list[str](), set[str](), symbols
        seen: dict[str, Decimal] = {}
        while waiting:
            blind |= set(waiting)
            turn, rules = _Turn(self.clock), self.settings.exit_rules
            for prices in self._prices_as_known(waiting):
                seen |= prices
                blind -= prices.keys()
                unsold += update_positions_in_intraday(prices, rules, self.executor, turn.comes_in_time)
            waiting = turn.late
        if self._diary is not None:
            self._diary.note_check(self.store.book, seen, self.clock.now())
        return not unsold and not blind

    def sell_all(self) -> bool:
        """Mark every position for sale, in the book, and sell; what cannot be sold now goes at the next checks.

        Returns False if anything has to be tried again.
        """
        before = self.store.book
        self.store.change(with_everything_for_sale)
        if self.store.book is not before:
            say("control.sell_all", "Every position is to be sold, as asked for")
        if not self.store.book.intents:  # a purchase in doubt may turn out to be one more position to sell
            self.control.sell_all_noted()
        return self.intraday_check()

    def _prices_as_known(self, symbols: Collection[str]) -> Iterator[Mapping[str, Decimal]]:
        return self.price_desk.prices_as_known(symbols, self.settings, self.coinbase, self.executor.exchange)

    def usable_prices(self, symbols: Collection[str]) -> Mapping[str, Decimal]:
        """Return the price to go by of each token that has one, once all are known."""
        return self.price_desk.usable_prices(symbols, self.settings, self.coinbase, self.executor.exchange)

    # ------------------------------------------------------------------ the owner's word

    def is_called(self) -> bool:
        """Return whether the owner has said something that no cycle has heard yet. Never raises."""
        return self._hearing.is_called()

    def unsold(self) -> dict[str, tuple[str, str]]:
        """Return of what was to be sold altogether the rest, by token, and why: a code, and what was said."""
        held = self.store.book.positions
        return {symbol: self._why_unsold(symbol) for symbol in held if held[symbol].exit_pending is Reason.SELL_ALL}

    def _why_unsold(self, symbol: str) -> tuple[str, str]:
        book, quote = self.store.book, self.price_desk.last_quotes.get(symbol)
        if book.undecided(symbol):
            return "in_doubt", ""
        if book.is_disputed(symbol):
            return "disputed", ""
        if f"too_small.{Reason.SELL_ALL}" in book.positions[symbol].said:
            return "too_small", ""
        if self.seconds_of_silence() > 0:
            return "silenced", ""
        if quote is not None and quote.price is None:
            return "no_price", quote.note
        return "refused", self.executor.troubles.get(symbol, "")

    def _told(self, text: str) -> str:
        """Return a text for the owner to read, in his language; where there is none, no catalogue is loaded for it."""
        return words_of(self.settings.language).tell(text) if text else ""

    def seconds_of_silence(self) -> float:
        """Return for how long the exchange still wants to be left alone; below 0: since when it does not any more."""
        return self.executor.exchange.quiet_until_ms / 1000 - self.clock.now().timestamp()

    def _answer_the_owner(self, *, sold_all: bool) -> None:
        """Let the commands that wait know: of today's pass, of pausing, of what could not be sold."""
        is_wanted = self.control.is_daily_wanted(self.clock.now().date())
        is_settled = self.daily_is_done() or self.daily_pass.not_before is not None or not is_wanted
        self._hearing.answer_about_the_pass(is_settled=is_settled)
        left = {symbol: (code, self._told(said)) for symbol, (code, said) in self.unsold().items()}
        self._hearing.answer(left, sold_all=sold_all)

    # ------------------------------------------------------------------ what outlives the process

    def reconcile(self) -> None:
        """Compare book and exchange, as every start does; where that fails it is told, and done before buying."""
        try:
            self.reconciler.reconcile(self.settings, self.executor)
        except (TemporaryError, AccountTroubleError) as error:
            tell_not_compared(error)

    def remember_silence(self) -> None:
        """Keep in the book until when the exchange wants to be left alone, for the next start."""
        moment_ms = self.executor.exchange.quiet_until_ms
        if moment_ms > self.store.book.exchange_quiet_until_ms:
            self.store.change(lambda book: replace(book, exchange_quiet_until_ms=moment_ms))
