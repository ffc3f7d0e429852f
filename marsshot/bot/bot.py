"""The bot: what happens in one cycle, in which order. Exits go first, then the orders in doubt, then the daily update.

The same cycle serves live, paper and demo; only exchange, clock, disk and scoring process differ. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from marsshot.bot.command_inbox import CommandInbox
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.updater import DailyUpdater, Progress
from marsshot.bot.journal import Journal, LastSeen
from marsshot.bot.money_facts import money_facts, worth_now
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.price_feed import PriceFeed
from marsshot.bot.price_judge import last_looks_of
from marsshot.bot.reconciler import Reconciler, log_not_compared
from marsshot.bot.request_taker import RequestTaker
from marsshot.bot.trouble_tracker import Trouble, Troubles, troubles_of, updated
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText, catalog_of
from marsshot.core.errors import AccountTroubleError, MarsShotError, TemporaryError
from marsshot.core.reasons import OrderReason, QuietReason, UnsoldReason
from marsshot.core.requests import OF_MONEY, RequestKind
from marsshot.core.scores import Scoring
from marsshot.exchange.base import Exchange
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_info, log_warning
from marsshot.market_data.coinbase import SpotPrices
from marsshot.market_data.price_aggregator import PriceSource
from marsshot.portfolio.ledger import with_everything_for_sale
from marsshot.portfolio.request_outcomes import MoneyFacts
from marsshot.portfolio.undecidable_orders import undecidable_topics
from marsshot.strategy.daily_plan import is_daily_update_done, is_daily_update_due, may_plan_go_on
from marsshot.strategy.wrong_clock import WrongClockError, refuse_wrong_clock
from positions_store import Store
from trade_executor import TradeExecutor

Scores = Callable[[Collection[str], Settings], Scoring | None]


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
        control: ControlFiles,
        journal: Journal | None = None,
    ) -> None:
        self.settings = settings
        self.awaiting_restart: tuple[str, ...] = ()  # keys that config.yaml has changed and this bot does not go by
        self.clock = clock
        self.store = store
        self.control = control
        exchange.keep_quiet_until(store.book.exchange_quiet_until_ms, store.book.exchange_quiet_reason)
        self.executor = TradeExecutor(exchange, store, clock, self._pair)
        last_looks = last_looks_of(journal.seen) if journal else None
        self.price_check = PriceCheck(
            settings=lambda: self.settings,
            clock=clock,
            store=store,
            executor=self.executor,
            # The demo's time stands still while prices are fetched, and a demo is to be repeatable.
            price_feed=PriceFeed(store, clock, all_at_once=settings.mode == "demo", last_looks=last_looks),
            coinbase=coinbase,
            journal=journal,
        )
        self.reconciler = Reconciler(store, control, clock)
        self.daily_updater = DailyUpdater(
            store=store,
            clock=clock,
            scores=lambda symbols: scores(symbols, self.settings),
            price_check=self.price_check,
            control=control,
            reconciler=self.reconciler,
            journal=journal,
        )
        self._journal = journal
        self._had_room = True
        self.troubles = Troubles()
        self._command_inbox = CommandInbox(control)
        self._request_taker = RequestTaker(store, control, clock, self._money_facts)

    def _pair(self, symbol: str) -> str:
        return self.settings.pair(symbol)

    @property
    def price_feed(self) -> PriceFeed:
        """The prices that the bot goes by."""
        return self.price_check.price_feed

    # ------------------------------------------------------------------ the cycle

    def start(self) -> None:
        """Find out what became of the last orders, and whether book and exchange agree. A cycle does the same."""
        self.executor.resolve_unknown()
        self.price_check.keep_owners_shares()
        self.reconcile()
        self._compare_clocks()

    def _compare_clocks(self) -> None:
        """Tell of a clock that is wrong; exits go on by it, the daily update does not."""
        try:
            refuse_wrong_clock(self.clock.now(), self.executor.exchange.server_ms())
        except WrongClockError as error:
            log_error("clock.wrong", error.message)
        except (TemporaryError, AccountTroubleError) as error:
            log_file_only("clock.not_compared", error.message)

    def cycle(self) -> None:
        """Do what is due now, and return."""
        if self._command_inbox.poll():
            self.daily_updater.not_before = None  # the owner asks for the daily update, and does not want to wait
        self._resave_if_uncertain()
        self._keep_room()
        self.store.write_trades()
        self.store.write_cash_flows()
        if self.reconciler.awaits_second_reading or self.control.is_resume_requested():
            self.reconcile()
        sell_all_requested = self._is_sell_all_to_be_done()
        wants_sale = self._request_taker.carry_out(frozenset(RequestKind) - OF_MONEY)
        # An order in doubt holds back its own token alone: no other exit waits for its look-up.
        is_due = wants_sale or self.price_check.is_due(self.quiet_seconds_left())
        was_checked = self._carry_out_exits(sell_all_requested, is_due=is_due)
        self._watch_absent()
        if self._resolve_unknown():
            is_due = was_checked or bool(self.unsold())  # a sale of everything waits for no check
            self._carry_out_exits(sell_all_requested, is_due=is_due)
        self._request_taker.carry_out(OF_MONEY)  # these ask the account and prices: no exit waits for that
        if self.daily_is_due() and not self.clock.stopping:
            self.daily_update()
        self.save_quiet_period()
        self._tell_lasting_troubles()
        self._acknowledge_commands(sold_all=sell_all_requested or wants_sale)

    def _tell_lasting_troubles(self) -> None:
        """Tell once of what has kept a position blind or tied for a quarter of an hour, and once that it is over."""
        self.troubles = updated(self.troubles, self._troubles_now(), self.clock.now())
        for trouble in self.troubles.to_tell:
            log_error("trouble.lasts", LocalizedText(trouble.text_key, subject=trouble.subject), topic=str(trouble))
        for trouble in self.troubles.over:
            log_info("trouble.over", LocalizedText("trouble.over", subject=trouble.subject), subject=trouble.subject)

    def _troubles_now(self) -> list[Trouble]:
        name = self.settings.exchange_facts.name
        feed, silent = self.price_feed, {PriceSource.COINBASE: "Coinbase", PriceSource.EXCHANGE: name}
        return troubles_of(
            self.store.book,
            feed.last_quotes,
            unsold=self.executor.last_errors,
            refusing=[name] if self.quiet_seconds_left() > 0 else [],
            silent=[silent[venue] for venue in feed.silent_venues],
        )

    def _keep_room(self) -> None:
        """Keep room on the disk for the book, and tell once that there is none, and once that there is again."""
        self.store.keep_reserve()
        if self.store.has_room is self._had_room:
            return
        self._had_room = self.store.has_room
        if self._had_room:
            log_info("disk.room", LocalizedText("log.disk_has_room"))
        else:
            log_error("disk.full", LocalizedText("log.disk_full"))

    def _carry_out_exits(self, sell_all_requested: bool, *, is_due: bool) -> bool:
        """Sell what is to be sold; return whether all prices were looked at."""
        if sell_all_requested:
            self.sell_all()
        elif is_due:
            self.intraday_check()
        elif doubted := self.price_feed.doubted():
            self.price_check.look_again(doubted)
        return sell_all_requested or is_due

    def _resolve_unknown(self) -> bool:
        """Look up the orders in doubt; return whether one was decided, so that its token can be traded again."""
        before = self.store.book.intents.keys()
        if not before:
            return False
        self.executor.resolve_unknown()
        topics = undecidable_topics(self.store.book, self.executor.orders.undecidable)
        is_told = topics <= self.store.book.differences.keys()
        if topics and (not is_told or not self.control.paused()):  # to be told, or decided by the owner's resume
            self.reconcile()
        return bool(before - self.store.book.intents.keys())

    def _watch_absent(self) -> None:
        """Ask for orders proven never taken; buying pauses where one executed besides the one in its place."""
        if not self.store.book.absent_orders:
            return
        orders = self.executor.orders
        try:
            orders.watch_absent()
            for name, sentence in list(orders.doubled.items()):
                log_error("order.doubled", sentence, client_order_id=name)
                self.control.pause(self._rendered(sentence), by_difference=True)
                orders.note_double_told(name)
        except (TemporaryError, AccountTroubleError) as error:
            log_file_only("order.not_watched", error.message)

    def _resave_if_uncertain(self) -> None:
        try:
            self.store.resave_if_uncertain()
        except TemporaryError as error:
            log_warning("book.not_saved", error.message)

    def next_due(self) -> datetime:
        """Return when the loop should look again at the latest."""
        now = self.clock.now()
        moments = [now + timedelta(seconds=self.settings.strategy.check_interval_seconds)]
        if (last_check := self.price_check.last_at) is not None:
            moments.append(last_check + timedelta(seconds=self.settings.strategy.check_interval_seconds))
        if self.daily_is_due():
            moments.append(self.daily_updater.not_before or now + timedelta(seconds=10))
        else:
            moments.append(self.next_daily())
        is_worth_asking_for = not self.store.book.intents.keys() <= self.executor.orders.undecidable.keys()
        if is_worth_asking_for or self.reconciler.awaits_second_reading:
            moments.append(now + timedelta(seconds=10))
        if (second_look := self.price_feed.second_look_at) is not None:
            moments.append(second_look)
        if self._request_taker.errors:
            moments.append(now + timedelta(seconds=10))
        if 0 < (silence := self.quiet_seconds_left()) < self.settings.strategy.check_interval_seconds:
            moments.append(now + timedelta(seconds=silence))
        return max(now, min(moments))

    # ------------------------------------------------------------------ the daily update

    def daily_is_due(self) -> bool:
        """Return whether today's pass is to be made or gone on with: by the clock, as begun, or as asked for."""
        if self.daily_is_done():
            return False
        strategy, now, book = self.settings.strategy, self.clock.now(), self.store.book
        hour, minute = strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
        is_begun = book.plan is not None and may_plan_go_on(book.plan.day, now, hour, minute)
        is_due = is_daily_update_due(now, book.last_daily_update, hour, minute)
        return (
            is_due
            or is_begun
            or self.daily_updater.is_scoring
            or self.control.is_daily_update_requested_for(now.date())
        )

    def daily_is_done(self) -> bool:
        """Return whether today's daily update is done."""
        return is_daily_update_done(self.clock.now().date(), self.store.book.last_daily_update)

    def next_daily(self) -> datetime:
        """Return the moment of the next daily update that is not done."""
        now = self.clock.now()
        strategy = self.settings.strategy
        today = now.replace(
            hour=strategy.daily_update_hour_utc, minute=strategy.daily_update_minute_utc, second=0, microsecond=0
        )
        return today if today > now and not self.daily_is_done() else today + timedelta(days=1)

    def daily_update(self) -> Progress:
        """Begin or continue today's daily update, whatever the hour."""
        progress = self.daily_updater.daily_update(self.settings, self.executor)
        if self._journal is not None:
            self._journal.note_postponement(
                self._rendered(self.daily_updater.postponed_reason), self.daily_updater.not_before
            )
            if progress is Progress.DONE:
                self._journal.note_equity(self.store.book, self.clock.now())
        return progress

    # ------------------------------------------------------------------ the five-minute check

    def intraday_check(self) -> bool:
        """Price every position and apply the exit rules; return False if anything has to be tried again."""
        return self.price_check.check_all()

    def sell_all(self) -> bool:
        """Mark every position for sale, in the book, and sell; what cannot be sold now goes at the next checks.

        Returns False if anything has to be tried again.
        """
        before = self.store.book
        self.store.change(with_everything_for_sale)
        if self.store.book is not before:
            log_info("control.sell_all", LocalizedText("log.selling_all"))
        if not self.store.book.intents:  # a purchase in doubt may turn out to be one more position to sell
            self._acknowledge_sell_all()
        return self.intraday_check()

    def _is_sell_all_to_be_done(self) -> bool:
        """Return whether the sale of everything is asked for; a request that is carried out and stays is none."""
        made_ns = self.control.sell_all_made_ns()
        if made_ns == 0 or made_ns != self.store.book.sell_all_done_ns:
            return made_ns > 0
        with suppress(TemporaryError):
            self.control.acknowledge_sell_all()
        return False

    def _acknowledge_sell_all(self) -> None:
        """Take the request away; where that fails, note in the book that it is carried out, so that it is once."""
        made_ns = self.control.sell_all_made_ns()
        try:
            self.control.acknowledge_sell_all()
        except TemporaryError as error:
            self.store.change(lambda book: replace(book, sell_all_done_ns=made_ns))
            log_warning("control.sell_all_stays", error.message)

    # ------------------------------------------------------------------ the owner's commands

    def has_pending_command(self) -> bool:
        """Return whether the owner has given a command that no cycle has read yet. Never raises."""
        return self._command_inbox.has_pending_command()

    def carry_out_requests(self) -> bool:
        """Carry out what the owner has asked for besides; return whether a position is to be sold now."""
        return self._request_taker.carry_out()

    def request_error(self, request_id: str) -> MarsShotError | None:
        """Return what is in the way of a request that waits; None where nothing is."""
        return self._request_taker.errors.get(request_id)

    def _money_facts(self, kind: RequestKind) -> MoneyFacts:
        """Return what a deposit or withdrawal goes by. Raises TemporaryError or AccountTroubleError."""
        seen = self._journal.seen if self._journal else LastSeen()
        worth = worth_now(self.store.book, seen, self.clock.now(), self.price_check.usable_prices)
        return money_facts(kind, self.store.book, self.executor.exchange, worth)

    def unsold(self) -> dict[str, tuple[UnsoldReason, str]]:
        """Return of what the owner wanted sold the rest, by token, and why: the reason, and what was said."""
        wanted = {OrderReason.SELL_ALL, OrderReason.SELL_TOKEN}
        held = self.store.book.positions
        return {symbol: self._why_unsold(symbol) for symbol in held if held[symbol].exit_pending in wanted}

    def _why_unsold(self, symbol: str) -> tuple[UnsoldReason, str]:
        book, quote = self.store.book, self.price_feed.last_quotes.get(symbol)
        if book.has_pending_order(symbol):
            return UnsoldReason.IN_DOUBT, ""
        if book.is_disputed(symbol):
            return UnsoldReason.DISPUTED, ""
        if f"too_small.{book.positions[symbol].exit_pending}" in book.positions[symbol].said:
            return UnsoldReason.TOO_SMALL, ""
        if self.quiet_seconds_left() > 0:
            return UnsoldReason.SILENCED, ""
        if quote is not None and quote.price is None:
            return UnsoldReason.NO_PRICE, quote.note
        return UnsoldReason.REFUSED, self.executor.last_errors.get(symbol, "")

    def _rendered(self, text: str) -> str:
        """Return a text for the owner to read, in his language; where there is none, no catalogue is loaded for it."""
        return catalog_of(self.settings.language).render(text) if text else ""

    def quiet_seconds_left(self) -> float:
        """Return for how long the exchange still wants no requests; below 0: since when it does not any more."""
        return self.executor.exchange.quiet_until_ms / 1000 - self.clock.now().timestamp()

    def _acknowledge_commands(self, *, sold_all: bool) -> None:
        """Let the commands that wait know: of today's daily update, of pausing, of what could not be sold."""
        is_wanted = self.control.is_daily_update_requested_for(self.clock.now().date())
        is_settled = self.daily_is_done() or self.daily_updater.not_before is not None or not is_wanted
        self._command_inbox.acknowledge_daily_update(is_settled=is_settled)
        left = {symbol: (reason, self._rendered(said)) for symbol, (reason, said) in self.unsold().items()}
        self._command_inbox.write_reply(left, sold_all=sold_all)

    # ------------------------------------------------------------------ what outlives the process

    def reconcile(self) -> None:
        """Compare book and exchange, as every start does; where that fails it is told, and done before buying."""
        try:
            self.reconciler.reconcile(self.settings, self.executor)
        except (TemporaryError, AccountTroubleError) as error:
            log_not_compared(error)

    def save_quiet_period(self) -> None:
        """Keep in the book until when the exchange wants no requests, for the next start; its troubles pass."""
        moment_ms, reason = self.executor.exchange.quiet_until_ms, self.executor.exchange.quiet_reason
        if moment_ms > self.store.book.exchange_quiet_until_ms and reason is not QuietReason.TROUBLE:
            self.store.change(
                lambda book: replace(book, exchange_quiet_until_ms=moment_ms, exchange_quiet_reason=reason)
            )
