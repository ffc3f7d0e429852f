"""From scores to a plan in the book: what the day's daily update is going to sell and buy, before its first order.

What the plan says is strategy/daily_plan.py's; what holds purchases back besides is strategy/levers.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.messages import (
    log_decisions,
    no_probability_text,
)
from marsshot.bot.journal import Journal
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.reconciler import Reconciler, log_not_compared
from marsshot.config.settings import Settings
from marsshot.core.amounts import ONE
from marsshot.core.catalog import LocalizedText, catalog_of
from marsshot.core.decisions import Action
from marsshot.core.errors import (
    AccountTroubleError,
    MarsShotError,
    TemporaryError,
)
from marsshot.core.moments import utc_text
from marsshot.core.reasons import DecisionReason
from marsshot.core.scores import Score, Scoring
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_warning
from marsshot.portfolio.ledger import with_plan
from marsshot.portfolio.worth import next_worth_top, worth_of
from marsshot.strategy.daily_plan import (
    Blocker,
    decide_daily_plan,
    sanitized,
    without_other_coins,
)
from marsshot.strategy.levers import LeverFacts, blocked_by_lever
from marsshot.strategy.wrong_clock import refuse_wrong_clock
from positions_store import Store
from trade_executor import TradeExecutor


class NoScoresError(MarsShotError):
    """Not one token has a probability: the daily update is not done, and is tried again."""


class PlanMaker:
    """Makes the plans of one bot. scores: begins to score, and returns the scores once they are there."""

    def __init__(
        self,
        scores: Callable[[Collection[str]], Scoring | None],
        store: Store,
        clock: Clock,
        price_check: PriceCheck,
        control: ControlFiles,
        reconciler: Reconciler,
        journal: Journal | None = None,
    ) -> None:
        self.rate_to: Callable[[str], Decimal | None] = lambda _currency: ONE
        """Of the currency that the exchange's prices are in; None where it cannot be had now."""
        self._store = store
        self._clock = clock
        self._scores = scores
        self._price_check = price_check
        self._control = control
        self._reconciler = reconciler
        self._journal = journal
        self._begun_on: date | None = None

    @property
    def is_scoring(self) -> bool:
        """True while the scores of a date are being made; its update goes on past midnight."""
        return self._begun_on is not None

    def give_up_scoring(self) -> None:
        """Take no scores for the date any more on which they were begun."""
        self._begun_on = None

    def make(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Put today's plan into the book; False while the scores are not there."""
        symbols = list(dict.fromkeys((*self._store.book.positions, *settings.tokens_daily)))
        scoring = self._scoring(symbols, executor)
        if scoring is None:
            return False
        executor.load_rules(symbols)
        self._compare_first(settings, executor)
        at_exchange = executor.last_prices(symbols)
        held = list(self._store.book.positions)
        prices = self._price_check.usable_prices(held) if held else {}
        confirmed = [symbol for symbol in held if self._price_check.price_feed.venues_agree(symbol)]
        scores = self._without_other_coins(scoring.scores, at_exchange, settings, confirmed)
        facts = self._lever_facts(scoring, {**at_exchange, **prices}, settings)
        plan = decide_daily_plan(
            scoring.day,
            settings.tokens_daily,
            self._store.book.positions,
            {score.symbol: score for score in scores},
            prices,
            {symbol: why for symbol in symbols if (why := self._blocker(symbol, facts, settings, executor))},
            settings.daily_rules,
            hit_bands=scoring.hit_bands,
        )
        plan = replace(plan, decided_at=utc_text(self._clock.now()))
        skipped = frozenset(one.symbol for one in plan.decisions if one.action is Action.SKIP_SALE)
        top = facts.worth_top
        if top is not None and top.is_paused and not self._control.paused():  # not written: the next plan tries again
            top = replace(top, is_paused=False)
        self._store.save(replace(with_plan(self._store.book, plan, skipped), worth_top=top))
        log_decisions(plan.decisions, settings.daily_rules)
        if self._journal is not None:
            self._journal.note_decisions(plan, settings)
        return True

    def _without_other_coins(
        self,
        scores: Sequence[Score],
        prices: Mapping[str, Decimal],
        settings: Settings,
        confirmed: Collection[str],
    ) -> Sequence[Score]:
        """Compare last closes with the exchange's prices, both in the currency of the closes.

        Where these cannot be converted now, that is said, and the tokens are traded as if they fitted.
        """
        rate = ONE if settings.bars_are_in_its_currency else self.rate_to(settings.bars_currency)
        if rate is None:
            pair = {"currency": settings.exchange_facts.currency, "other": settings.bars_currency}
            log_warning("daily.not_compared", LocalizedText("log.no_rate", **pair))
            return scores
        if self._journal is not None:
            self._journal.note_bars_rate(rate)
        converted = {symbol: price * rate for symbol, price in prices.items()}
        return without_other_coins(scores, converted, settings.daily_rules.max_history_divergence, confirmed)

    def _scoring(self, symbols: Collection[str], executor: TradeExecutor) -> Scoring | None:
        """Return the scores to plan by; None while they are not there, or where they came too late for their date."""
        if self._begun_on is None:
            refuse_wrong_clock(self._clock.now(), executor.exchange.server_ms())
            self._begun_on = self._clock.now().date()
        try:
            scoring = self._scores(symbols)
        except TemporaryError as error:
            raise NoScoresError(error.message) from None
        if scoring is None:
            return None
        begun_on, self._begun_on = self._begun_on, None
        for line in scoring.notes:
            log_file_only("source.note", line)
        if max(scoring.day, scoring.last_answer_day or scoring.day) != begun_on:
            log_warning("daily.too_late", LocalizedText("log.scores_too_late", day=begun_on))
            return None
        if all(score.probability is None for score in scoring.scores):
            raise NoScoresError(no_probability_text(scoring))
        if self._journal is not None:
            self._journal.note_drift(scoring.drift)
        return scoring

    def _compare_first(self, settings: Settings, executor: TradeExecutor) -> None:
        """Compare book and exchange before the plan; where that fails its sales go on, and its purchases wait."""
        self._reconciler.is_due = True
        try:
            self._reconciler.reconcile(settings, executor)
        except (TemporaryError, AccountTroubleError) as error:
            log_not_compared(error)

    def _lever_facts(self, scoring: Scoring, prices: Mapping[str, Decimal], settings: Settings) -> LeverFacts:
        """Return what the levers go by now. Pauses buying where worth has fallen too far under its top.

        The file that pauses is made before the book knows of it: a death in between tells twice, and buys nothing.
        """
        book, fall = self._store.book, settings.lever_rules.max_drawdown_fall
        worth = worth_of(book, prices)
        top = next_worth_top(book.worth_top, worth, fall, is_buying_paused=bool(self._control.paused()))
        if top is not None and top.is_paused and not (book.worth_top and book.worth_top.is_paused):
            why = LocalizedText("pause.drawdown", worth=worth, top=top.amount, quote=book.quote_asset, fall=fall)
            try:
                self._control.pause(catalog_of(settings.language).render(why))
            except TemporaryError as error:  # the day's sales wait for no file; this plan buys nothing all the same
                log_warning("levers.not_paused", error.message)
            log_error("levers.drawdown", why)
        if len(scoring.btc_closes) < (days := settings.lever_rules.btc_trend_days):
            told = LocalizedText("lever.btc_bars", there=len(scoring.btc_closes), days=days)
            log_warning("levers.btc_bars", LocalizedText("log.btc_bars", told=told))
        return LeverFacts(
            day=scoring.day,
            worth=worth,
            worth_top=top,
            btc_closes=scoring.btc_closes,
            stop_losses=book.stop_losses,
        )

    def _blocker(self, symbol: str, facts: LeverFacts, settings: Settings, executor: TradeExecutor) -> Blocker | None:
        if why := blocked_by_lever(symbol, facts, settings.lever_rules):
            return why
        if self._control.paused():
            return DecisionReason.PAUSED, sanitized(self._control.reason())
        if (reason := self._own_blocker(symbol)) is not None:
            return reason, ""
        rules = executor.rules_of(symbol)
        if rules is None:
            return DecisionReason.UNKNOWN_PAIR, ""
        return None if rules.tradable else (DecisionReason.NOT_TRADED, sanitized(rules.unavailable_reason))

    def _own_blocker(self, symbol: str) -> DecisionReason | None:
        """Return why a token is not bought by what the bot itself knows."""
        if symbol in self._store.book.excluded:
            return DecisionReason.EXCLUDED
        if not self._store.has_room:
            return DecisionReason.DISK_FULL
        return DecisionReason.ORDER_IN_DOUBT if self._store.book.has_pending_order(symbol) else None
