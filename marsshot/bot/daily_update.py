"""The daily pass: scores, a plan on disk before its first order, then the plan worked off. Once per UTC date.

May stop at any line: what is planned is in the book, what is done is marked in the same step that booked it, and the
next call does what is left. Rules are daily_plan.py's, orders trade_executor.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from marsshot.bot.control_files import Control
from marsshot.bot.daily_update_messages import no_probability, steps_of, tell_decisions, tell_unknown, what_was_done
from marsshot.bot.journal import Diary
from marsshot.bot.reconciler import Reconciler, tell_not_compared
from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence
from marsshot.core.decisions import Action, Why
from marsshot.core.domain import (
    ZERO,
    Account,
    Book,
    DailyPlan,
    PlannedBuy,
    Reason,
    Scoring,
    TradingRules,
    utc_text,
)
from marsshot.core.errors import (
    AccountTroubleError,
    InsufficientBalanceError,
    MarsShotError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import alarm, note, say, warn
from marsshot.portfolio.ledger import with_buy_outcome, with_pass_done, with_plan, with_sell_outcome
from marsshot.strategy.daily_plan import NotNow, as_told, decide_daily_plan, left_undone, share_out, without_other_coins
from positions_store import Store
from trade_executor import TradeExecutor

RETRY_WITHOUT_SCORES = timedelta(minutes=10)
RETRY_ORDERS = timedelta(minutes=1)


class Progress(Enum):
    """Where the pass of today stands after a call."""

    DONE = "done"
    WAITING = "waiting"  # for scores under way, or for an order whose outcome is being looked up
    LATER = "later"  # not possible now; `not_before` says when to try again


class DailyPass:
    """The pass of one bot. Call `daily_update` every cycle while it is due; it returns at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scores: Callable[[Collection[str]], Scoring | None],
        prices: Callable[[Collection[str]], Mapping[str, Decimal]],
        control: Control,
        reconciler: Reconciler,
        diary: Diary | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._scores = scores
        self._prices = prices
        self._control = control
        self._reconciler = reconciler
        self._diary = diary
        self.not_before: datetime | None = None
        self.put_off_for = ""

    def daily_update(self, settings: Settings, executor: TradeExecutor) -> Progress:
        """Begin today's pass, or do what is left of it."""
        if self.not_before is not None and self._clock.now() < self.not_before:
            return Progress.LATER
        self.not_before = None
        try:
            self._drop_old_plan()
            if self._store.book.plan is None and not self._make_plan(settings, executor):
                return Progress.WAITING
            return self._work_off(settings, executor)
        except StopRequested:
            raise
        except AccountTroubleError as error:
            return self._later(RETRY_WITHOUT_SCORES, error.said, alarm)
        except TemporaryError as error:
            return self._later(RETRY_ORDERS, error.said, warn)
        except MarsShotError as error:
            return self._later(RETRY_WITHOUT_SCORES, error.said, alarm)

    def draft(self, settings: Settings, executor: TradeExecutor) -> DailyPlan | None:
        """Return today's plan as far as it is to do, without sending an order; None while the scores are not there.

        Sales that are still to do count with what they are worth. Raises MarsShotError where there can be no plan now.
        """
        self._drop_old_plan()
        if self._store.book.plan is None and not self._make_plan(settings, executor):
            return None
        if not self._plan().shared_out:
            to_do = {sell.symbol for sell in self._plan().sells if not sell.outcome}
            expected = (one.quote or ZERO for one in self._plan().decisions if one.symbol in to_do)
            found = self._binance_prices([buy.symbol for buy in self._plan().buys], executor)
            self._share_out(found, executor, sum(expected, ZERO))
        return self._plan()

    def _later(self, wait: timedelta, why: str, tell: Callable[..., None]) -> Progress:
        self.not_before = self._clock.now() + wait
        # The same trouble comes back every few minutes: the owner hears of it once, the log each time.
        sentence = Sentence("log.put_off", until=f"{self.not_before:%H:%M}", why=why)
        (note if why == self.put_off_for else tell)("daily.later", sentence)
        self.put_off_for = why
        return Progress.LATER

    # ------------------------------------------------------------------ the plan

    def _drop_old_plan(self) -> None:
        plan = self._store.book.plan
        if plan is None or plan.day == self._clock.now().date():
            return
        left = tuple(step.symbol for step in steps_of(plan) if not step.outcome) or (Sentence("log.nothing"),)
        self._store.change(lambda book: replace(book, plan=None))
        warn("daily.dropped", Sentence("log.plan_dropped", day=plan.day, symbols=left))

    def _make_plan(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Put today's plan into the book; False while the scores are not there."""
        book = self._store.book
        symbols = list(dict.fromkeys((*book.positions, *settings.tokens_daily)))
        try:
            scoring = self._scores(symbols)
        except TemporaryError as error:
            raise NoScoresError(error.said) from None
        if scoring is None:
            return False
        for line in scoring.notes:
            note("lunarcrush.note", line)
        if scoring.day != self._clock.now().date():
            return False  # midnight has passed meanwhile: those were yesterday's scores
        if all(score.probability is None for score in scoring.scores):
            raise NoScoresError(no_probability(scoring))
        executor.load_rules(symbols)
        self._compare_first(settings, executor)
        binance = executor.exchange.prices([settings.pair(symbol) for symbol in symbols])
        by_symbol = {symbol: binance[settings.pair(symbol)] for symbol in symbols if settings.pair(symbol) in binance}
        rules = settings.daily_rules
        scores = without_other_coins(scoring.scores, by_symbol, rules.max_history_divergence)
        plan = decide_daily_plan(
            scoring.day,
            settings.tokens_daily,
            book.positions,
            {score.symbol: score for score in scores},
            self._prices(list(book.positions)) if book.positions else {},
            {symbol: why for symbol in symbols if (why := self._not_for_sale(symbol, executor))},
            rules,
            hit_bands=scoring.hit_bands,
        )
        plan = replace(plan, decided_at=utc_text(self._clock.now()))
        skipped = frozenset(one.symbol for one in plan.decisions if one.action is Action.SKIP_SALE)
        self._store.save(with_plan(self._store.book, plan, skipped))
        tell_decisions(plan.decisions, rules)
        self._note_decisions(settings)
        return True

    def _note_decisions(self, settings: Settings) -> None:
        if self._diary is not None:
            self._diary.note_decisions(self._plan(), settings)

    def _compare_first(self, settings: Settings, executor: TradeExecutor) -> None:
        """Compare book and exchange before the plan; where that fails its sales go on, and its purchases wait."""
        self._reconciler.is_due = True
        try:
            self._reconciler.reconcile(settings, executor)
        except (TemporaryError, AccountTroubleError) as error:
            tell_not_compared(error)

    def _not_for_sale(self, symbol: str, executor: TradeExecutor) -> NotNow | None:
        if self._control.paused():
            return Why.PAUSED, as_told(self._control.reason())
        if self._store.book.undecided(symbol):
            return Why.ORDER_IN_DOUBT, ""
        rules = executor.rules_of(symbol)
        if rules is None:
            return Why.UNKNOWN_PAIR, ""
        return (Why.NOT_TRADED, as_told(rules.why_not)) if rules.why_not else None

    # ------------------------------------------------------------------ working it off

    def _work_off(self, settings: Settings, executor: TradeExecutor) -> Progress:
        to_sell = [step.symbol for step in self._plan().sells if not step.outcome]
        prices = self._prices(to_sell) if to_sell else {}
        _one_after_another(to_sell, lambda symbol: self._sell(symbol, prices, executor))
        if any(not sell.outcome for sell in self._plan().sells):
            return Progress.WAITING
        to_buy = [step.symbol for step in self._plan().buys if not step.outcome]
        if to_buy and self._reconciler.is_due:
            self._reconciler.reconcile(settings, executor)
        found = self._binance_prices(to_buy, executor) if to_buy else {}
        if not self._plan().shared_out:
            self._share_out(found, executor)
        _one_after_another(to_buy, lambda symbol: self._buy(symbol, found, executor))
        if any(not buy.outcome for buy in self._plan().buys):
            return Progress.WAITING
        self._finish(settings)
        return Progress.DONE

    def _plan(self) -> DailyPlan:
        plan = self._store.book.plan
        if plan is None:
            raise AssertionError("the plan is in the book while it is worked off")
        return plan

    def _binance_prices(self, symbols: Collection[str], executor: TradeExecutor) -> Mapping[str, Decimal]:
        pairs = {symbol: executor.pair_of(symbol) for symbol in symbols}
        found = executor.exchange.prices(pairs.values())
        return {symbol: found[pair] for symbol, pair in pairs.items() if pair in found}

    def _sell(self, symbol: str, prices: Mapping[str, Decimal], executor: TradeExecutor) -> None:
        position = self._store.book.positions.get(symbol)
        if self._store.book.undecided(symbol):
            return
        if position is None:
            self._store.change(lambda book: with_sell_outcome(book, symbol, "sold"))
            return
        if self._store.book.is_disputed(symbol):
            why = Sentence("outcome.disputed")
            self._store.change(lambda book: with_sell_outcome(book, symbol, left_undone(why)))
            return
        try:
            if (price := prices.get(symbol)) is None:
                raise RefusedOrderError(Sentence("fault.order.no_price"))
            outcome = executor.sell(symbol, position.qty, Reason.DAILY_SELL, price)
        except UnknownOutcomeError as error:
            tell_unknown("log.sale_unknown", symbol, error)
            return
        except RefusedOrderError as error:
            warn("order.refused", Sentence("log.not_sold_today", symbol=symbol, why=error.said), symbol=symbol)
            outcome = left_undone(error.said)
        self._store.change(lambda book: with_sell_outcome(book, symbol, outcome))

    def _share_out(self, prices: Mapping[str, Decimal], executor: TradeExecutor, expected: Decimal = ZERO) -> None:
        """Fix the amounts: from here on they stay, whatever happens. expected: what sales will still bring in."""
        if not any(not buy.outcome for buy in self._plan().buys):
            self._store.change(lambda book: replace(book, plan=replace(self._plan(), shared_out=True)))
            return
        account = executor.exchange.account()
        if not account.can_trade:
            raise AccountTroubleError(Sentence("fault.binance.may_not_trade"))
        book = self._store.book
        smallest = {}
        for buy in self._plan().buys:
            rules = executor.rules_of(buy.symbol)
            if why := _why_not(rules, account):
                book = with_buy_outcome(book, buy.symbol, left_undone(why))
            elif rules is not None:
                smallest[buy.symbol] = rules.smallest_order(prices.get(buy.symbol))
        # What an order in doubt may have spent is not split a second time.
        in_doubt = sum((intent.quote_amount or ZERO for intent in book.intents.values()), ZERO)
        free = account.free.get(book.quote_asset, ZERO)
        capital = min(book.capital - in_doubt, free) + expected
        if free < book.capital:
            facts = {"free": free, "quote": book.quote_asset, "counted": book.capital}
            warn("daily.free_balance", Sentence("log.free_balance", **facts))
        self._store.save(replace(book, plan=share_out(book.plan or self._plan(), capital, smallest)))

    def _buy(self, symbol: str, prices: Mapping[str, Decimal], executor: TradeExecutor) -> None:
        buy = next(step for step in self._plan().buys if step.symbol == symbol)
        if buy.outcome or self._store.book.undecided(symbol):
            return
        try:
            outcome = self._buy_outcome(buy, prices, executor)
        except UnknownOutcomeError as error:
            tell_unknown("log.purchase_unknown", symbol, error)
            return
        except InsufficientBalanceError as error:
            self._leave_all(error.said)
            return
        except RefusedOrderError as error:
            warn("order.refused", Sentence("log.not_bought", symbol=symbol, why=error.said), symbol=symbol)
            outcome = left_undone(error.said)
        self._store.change(lambda book: with_buy_outcome(book, symbol, outcome))

    def _buy_outcome(self, buy: PlannedBuy, prices: Mapping[str, Decimal], executor: TradeExecutor) -> str:
        left = buy.left or ZERO
        if why := self._control.paused():
            return Sentence("outcome.paused", why=why)
        if (price := prices.get(buy.symbol)) is None:
            raise RefusedOrderError(Sentence("fault.order.no_price"))
        rules = executor.rules_of(buy.symbol)
        if left != buy.amount and rules is not None and left < rules.smallest_order(price):
            return "bought"  # what is left of an amount that took several orders
        return executor.buy(buy.symbol, left, price)

    def _leave_all(self, why: str) -> None:
        """Buy nothing more today, and say why."""
        alarm("daily.no_more_buys", Sentence("log.no_more_buys", why=why))

        def without_buys(book: Book) -> Book:
            for buy in self._plan().buys:
                if not buy.outcome and not book.undecided(buy.symbol):
                    book = with_buy_outcome(book, buy.symbol, left_undone(why))
            return replace(book, plan=replace(book.plan, shared_out=True)) if book.plan else book

        self._store.change(without_buys)

    def _finish(self, settings: Settings) -> None:
        plan = self._plan()
        self._note_decisions(settings)
        self._store.save(with_pass_done(self._store.book, plan.day))
        self.put_off_for = ""
        book = self._store.book
        facts = {"capital": book.capital, "quote": book.quote_asset, "count": len(book.positions)}
        say(
            "daily.done",
            Sentence("log.pass_done", day=plan.day, done=what_was_done(plan), **facts),
            day=plan.day,
            capital=book.capital,
            asset=book.quote_asset,
            positions=len(book.positions),
        )


def _one_after_another(symbols: Collection[str], work: Callable[[str], None]) -> None:
    """Do the work for each token; what is in one's way now does not stop the others, and is raised at the end."""
    in_the_way: TemporaryError | None = None
    for symbol in symbols:
        try:
            work(symbol)
        except TemporaryError as error:
            in_the_way = in_the_way or error
    if in_the_way is not None:
        raise in_the_way


def _why_not(rules: TradingRules | None, account: Account) -> str:
    if rules is None:
        return Sentence("fault.binance.no_pair")
    if not rules.tradable:
        return rules.why_not
    return "" if rules.permitted(account) else Sentence("pair.not_permitted")


class NoScoresError(MarsShotError):
    """Not one token has a probability: the pass is not done, and is tried again."""
