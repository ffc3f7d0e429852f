"""The day's plan worked off: sales, then the capital split, then purchases, each step marked as it is booked.

May stop at any line: what is done is marked in the same step that booked it, and the next call does what is left.
Orders are trade_executor.py's, the split strategy/daily_plan.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.messages import (
    describe_outcome,
    log_unknown_outcome,
)
from marsshot.bot.journal import Journal
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.reconciler import Reconciler
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.core.decisions import BOUGHT, SOLD, DailyPlan, PlannedBuy, StepOutcome, left_undone
from marsshot.core.errors import (
    AccountTroubleError,
    InsufficientBalanceError,
    NotTradableNowError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.moments import parse_moment
from marsshot.core.reasons import OrderReason, SkipReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_info, log_warning
from marsshot.portfolio.ledger import with_buy_outcome, with_daily_update_done, with_sell_outcome
from marsshot.portfolio.worth import worth_of
from marsshot.strategy.daily_plan import (
    allocate_capital,
)
from marsshot.strategy.levers import most_for_one_token
from positions_store import Store
from trade_executor import TradeExecutor

CLOSED_MARKET_RETRY_INTERVAL = timedelta(minutes=10)
SALE_PATIENCE = timedelta(hours=1)  # then a sale is left undone for its date: a delisted pair never opens
FINEST_SHARE = 8  # decimals of a share of the capital, where the exchange takes them


class PlanExecutor:
    """Works off the plan in one book."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        price_check: PriceCheck,
        control: ControlFiles,
        reconciler: Reconciler,
        journal: Journal | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._price_check = price_check
        self._control = control
        self._reconciler = reconciler
        self._journal = journal
        self._found_closed: dict[str, tuple[datetime, NotTradableNowError]] = {}  # by token: when it was last so

    def work_off(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Do what is left of the plan; False where an order or a second reading of the account is to be waited for."""
        to_sell = [step.symbol for step in self._plan().sells if not step.outcome]
        closed = self._closed_lately(to_sell)
        to_try = [symbol for symbol in to_sell if symbol not in closed]
        prices = self._price_check.usable_prices(to_try) if to_try else {}
        found_closed = _for_each_symbol(to_try, lambda symbol: self._sell(symbol, prices, executor))
        self._found_closed |= {symbol: (self._clock.now(), error) for symbol, error in found_closed.items()}
        closed |= found_closed
        if any(not sell.outcome and sell.symbol not in closed for sell in self._plan().sells):
            return False
        to_buy = [step.symbol for step in self._plan().buys if not step.outcome]
        if to_buy and self._reconciler.is_due:
            self._reconciler.reconcile(settings, executor)
            if self._reconciler.is_due:  # a second reading of the account has to show a difference first
                return False
        # What is held counts for the share that one token may have.
        found = executor.last_prices([*to_buy, *self._store.book.positions]) if to_buy else {}
        if not self._plan().shared_out:
            self._allocate_capital(found, settings, executor)
        _for_each_symbol(to_buy, lambda symbol: self._buy(symbol, found, executor))
        if any(not buy.outcome for buy in self._plan().buys):
            return False
        if closed:  # the rest of the plan is done
            why = next(iter(closed.values())).message
            raise NotTradableNowError(LocalizedText("log.about", subject=tuple(closed), told=why))
        self._finish(settings)
        return True

    def draft(self, settings: Settings, executor: TradeExecutor) -> DailyPlan:
        """Return the plan with its capital split, sales that are still to do counted with what they are worth."""
        if not self._plan().shared_out:
            to_do = {sell.symbol for sell in self._plan().sells if not sell.outcome}
            expected = (one.quote or ZERO for one in self._plan().decisions if one.symbol in to_do)
            wanted = [*(buy.symbol for buy in self._plan().buys), *self._store.book.positions]
            found = executor.last_prices(wanted)
            self._allocate_capital(found, settings, executor, sum(expected, ZERO))
        return self._plan()

    def _plan(self) -> DailyPlan:
        plan = self._store.book.plan
        if plan is None:
            raise AssertionError("the plan is in the book while it is worked off")
        return plan

    def _sell(self, symbol: str, prices: Mapping[str, Decimal], executor: TradeExecutor) -> None:
        position = self._store.book.positions.get(symbol)
        if self._store.book.has_pending_order(symbol):
            return
        if position is None:
            self._store.change(lambda book: with_sell_outcome(book, symbol, SOLD))
            return
        if self._store.book.is_disputed(symbol):
            self._store.change(lambda book: with_sell_outcome(book, symbol, left_undone(SkipReason.DISPUTED)))
            return
        try:
            if (price := prices.get(symbol)) is None:
                raise NotTradableNowError(LocalizedText("fault.order.no_price"))
            outcome = executor.sell(symbol, position.qty, OrderReason.DAILY_SELL, price)
        except UnknownOutcomeError as error:
            log_unknown_outcome("log.sale_unknown", symbol, error)
            return
        except (RefusedOrderError, NotTradableNowError) as error:
            if isinstance(error, NotTradableNowError) and self._may_sale_wait():
                raise
            log_warning(
                "order.refused", LocalizedText("log.not_sold_today", symbol=symbol, why=error.message), symbol=symbol
            )
            outcome = left_undone(SkipReason.REFUSED, error.message)
        self._store.change(lambda book: with_sell_outcome(book, symbol, outcome))

    def _closed_lately(self, symbols: Collection[str]) -> dict[str, NotTradableNowError]:
        """Return the tokens whose market took no orders a moment ago: they have a pace of their own."""
        now, found = self._clock.now(), self._found_closed
        return {
            symbol: found[symbol][1]
            for symbol in symbols
            if symbol in found and abs(now - found[symbol][0]) < CLOSED_MARKET_RETRY_INTERVAL
        }

    def _may_sale_wait(self) -> bool:
        """Return whether the plan is still young enough for a sale to wait for its market, or for a price."""
        try:
            decided_at = parse_moment(self._plan().decided_at)
        except ValueError:  # a plan of an older version has no moment
            return False
        return self._clock.now() - decided_at < SALE_PATIENCE

    def _allocate_capital(
        self, prices: Mapping[str, Decimal], settings: Settings, executor: TradeExecutor, expected: Decimal = ZERO
    ) -> None:
        """Fix the amounts: from here on they stay, whatever happens. expected: what sales will still bring in."""
        if not any(not buy.outcome for buy in self._plan().buys):
            self._store.change(lambda book: replace(book, plan=replace(self._plan(), shared_out=True)))
            return
        account = executor.exchange.account()
        if not account.can_trade:
            raise AccountTroubleError(LocalizedText("fault.exchange.may_not_trade"))
        book = self._store.book
        if book.quote_asset in account.unreadable:
            raise TemporaryError(LocalizedText("fault.exchange.odd_balance", asset=book.quote_asset))
        smallest, precision = {}, FINEST_SHARE
        for buy in self._plan().buys:
            rules = executor.rules_of(buy.symbol)
            if outcome := _left_out(buy.symbol, rules, account, book):
                book = with_buy_outcome(book, buy.symbol, outcome)
            elif rules is not None:
                smallest[buy.symbol] = rules.smallest_order(prices.get(buy.symbol))
                precision = min(precision, rules.quote_precision)
        # What an order in doubt may have spent is not split a second time.
        in_doubt = sum((intent.quote_amount or ZERO for intent in book.intents.values()), ZERO)
        free = account.free.get(book.quote_asset, ZERO)
        capital = min(book.capital - in_doubt, free) + expected
        if free < book.capital:
            facts = {"free": free, "quote": book.quote_asset, "counted": book.capital}
            log_warning("daily.free_balance", LocalizedText("log.free_balance", **facts))
        most = most_for_one_token(worth_of(book, prices), settings.lever_rules)
        plan = allocate_capital(book.plan or self._plan(), capital, smallest, precision, most=most)
        self._store.save(replace(book, plan=plan))

    def _buy(self, symbol: str, prices: Mapping[str, Decimal], executor: TradeExecutor) -> None:
        buy = next(step for step in self._plan().buys if step.symbol == symbol)
        if buy.outcome or self._store.book.has_pending_order(symbol):
            return
        try:
            outcome = self._buy_outcome(buy, prices, executor)
        except UnknownOutcomeError as error:
            log_unknown_outcome("log.purchase_unknown", symbol, error)
            return
        except InsufficientBalanceError as error:
            self._skip_all_buys(error.message)
            return
        except (RefusedOrderError, NotTradableNowError) as error:
            log_warning(
                "order.refused", LocalizedText("log.not_bought", symbol=symbol, why=error.message), symbol=symbol
            )
            outcome = left_undone(SkipReason.REFUSED, error.message)
        self._store.change(lambda book: with_buy_outcome(book, symbol, outcome))

    def _buy_outcome(self, buy: PlannedBuy, prices: Mapping[str, Decimal], executor: TradeExecutor) -> StepOutcome:
        left = buy.left or ZERO
        if why := self._control.paused():
            return left_undone(SkipReason.PAUSED, why)
        if buy.symbol in self._store.book.excluded:
            return left_undone(SkipReason.EXCLUDED)
        if not self._store.has_room:
            return left_undone(SkipReason.DISK_FULL)
        if (price := prices.get(buy.symbol)) is None:
            raise RefusedOrderError(LocalizedText("fault.order.no_price"))
        rules = executor.rules_of(buy.symbol)
        if left != buy.amount and rules is not None and left < rules.smallest_order(price):
            return BOUGHT  # what is left of an amount that took several orders
        return executor.buy(buy.symbol, left, price)

    def _skip_all_buys(self, why: str) -> None:
        """Buy nothing more today, and say why."""
        log_error("daily.no_more_buys", LocalizedText("log.no_more_buys", why=why))

        def without_buys(book: Book) -> Book:
            for buy in self._plan().buys:
                if not buy.outcome and not book.has_pending_order(buy.symbol):
                    book = with_buy_outcome(book, buy.symbol, left_undone(SkipReason.REFUSED, why))
            return replace(book, plan=replace(book.plan, shared_out=True)) if book.plan else book

        self._store.change(without_buys)

    def _finish(self, settings: Settings) -> None:
        plan = self._plan()
        if self._journal is not None:
            self._journal.note_decisions(plan, settings)
        self._store.save(with_daily_update_done(self._store.book, plan.day))
        book = self._store.book
        facts = {"capital": book.capital, "quote": book.quote_asset, "count": len(book.positions)}
        log_info(
            "daily.done",
            LocalizedText("log.pass_done", day=plan.day, done=describe_outcome(plan), **facts),
            day=plan.day,
            capital=book.capital,
            asset=book.quote_asset,
            positions=len(book.positions),
        )


def _for_each_symbol(symbols: Collection[str], work: Callable[[str], None]) -> dict[str, NotTradableNowError]:
    """Do the work for each token; what is in one's way now does not stop the others, and is raised at the end.

    Returns the tokens whose pair takes no orders now: nothing else waits for these.
    """
    in_the_way: TemporaryError | None = None
    closed: dict[str, NotTradableNowError] = {}
    for symbol in symbols:
        try:
            work(symbol)
        except NotTradableNowError as error:
            closed[symbol] = error
        except TemporaryError as error:
            in_the_way = in_the_way or error
    if in_the_way is not None:
        raise in_the_way
    return closed


def _left_out(symbol: str, rules: TradingRules | None, account: Account, book: Book) -> StepOutcome | None:
    """Return how a purchase ends that is left out before the capital is split; None where it takes part."""
    if symbol in book.excluded:
        return left_undone(SkipReason.EXCLUDED)
    why = _unavailable_reason(rules, account)
    return left_undone(SkipReason.REFUSED, why) if why else None


def _unavailable_reason(rules: TradingRules | None, account: Account) -> str:
    if rules is None:
        return LocalizedText("fault.exchange.no_pair")
    if not rules.tradable:
        return rules.unavailable_reason
    return "" if rules.permitted(account) else LocalizedText("pair.not_permitted")
