"""The daily update: scores, a plan on disk before its first order, then the plan worked off. Once per UTC date.

May stop at any line: what is planned is in the book, what is done is marked in the same step that booked it, and the
next call does what is left. Rules are daily_plan.py's, orders trade_executor.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update_messages import (
    describe_outcome,
    log_decisions,
    log_unknown_outcome,
    no_probability_text,
    plan_steps,
)
from marsshot.bot.journal import Journal
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.reconciler import Reconciler, log_not_compared
from marsshot.config.settings import Settings
from marsshot.core.amounts import ONE, ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText, catalog_of
from marsshot.core.decisions import BOUGHT, SOLD, Action, DailyPlan, PlannedBuy, StepOutcome, left_undone
from marsshot.core.errors import (
    AccountTroubleError,
    InsufficientBalanceError,
    MarketClosedError,
    MarsShotError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.moments import parse_moment, utc_text
from marsshot.core.reasons import DecisionReason, OrderReason, SkipReason
from marsshot.core.scores import Score, Scoring
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_info, log_warning
from marsshot.portfolio.ledger import with_buy_outcome, with_daily_update_done, with_plan, with_sell_outcome
from marsshot.portfolio.worth import next_worth_top, worth_of
from marsshot.strategy.daily_plan import (
    Blocker,
    allocate_capital,
    decide_daily_plan,
    may_plan_go_on,
    sanitized,
    without_other_coins,
)
from marsshot.strategy.levers import LeverFacts, blocked_by_lever, most_for_one_token
from positions_store import Store
from trade_executor import TradeExecutor

SCORES_RETRY_INTERVAL = timedelta(minutes=10)
ORDERS_RETRY_INTERVAL = timedelta(minutes=1)
CLOSED_MARKET_RETRY_INTERVAL = timedelta(minutes=10)
CLOSED_MARKET_PATIENCE = timedelta(hours=1)  # then a sale is left undone for its date: a delisted pair never opens
FINEST_SHARE = 8  # decimals of a share of the capital, where the exchange takes them
MAX_CLOCK_ERROR = timedelta(seconds=60)


class Progress(Enum):
    """Where today's daily update stands after a call."""

    DONE = "done"
    WAITING = "waiting"  # for scores under way, or for an order whose outcome is being looked up
    LATER = "later"  # not possible now; `not_before` says when to try again


class DailyUpdater:
    """The daily update of one bot. Call `daily_update` every cycle while it is due; it returns at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scores: Callable[[Collection[str]], Scoring | None],
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
        self.not_before: datetime | None = None
        self.postponed_reason = ""
        self._begun_on: date | None = None

    def daily_update(self, settings: Settings, executor: TradeExecutor) -> Progress:
        """Begin today's daily update, or do what is left of it."""
        if self.not_before is not None and self._clock.now() < self.not_before:
            return Progress.LATER
        self.not_before = None
        try:
            self._drop_old_plan(settings)
            if self._store.book.plan is None and not self._make_plan(settings, executor):
                return Progress.WAITING
            return self._execute_plan(settings, executor)
        except StopRequested:
            raise
        except MarketClosedError as error:
            return self._postpone(CLOSED_MARKET_RETRY_INTERVAL, error.message, log_warning)
        except TemporaryError as error:
            return self._postpone(ORDERS_RETRY_INTERVAL, error.message, log_warning)
        except MarsShotError as error:
            return self._postpone(SCORES_RETRY_INTERVAL, error.message, log_error)

    def draft(self, settings: Settings, executor: TradeExecutor) -> DailyPlan | None:
        """Return today's plan as far as it is to do, without sending an order; None while the scores are not there.

        Sales that are still to do count with what they are worth. Raises MarsShotError where there can be no plan now.
        """
        self._drop_old_plan(settings)
        if self._store.book.plan is None and not self._make_plan(settings, executor):
            return None
        if not self._plan().shared_out:
            to_do = {sell.symbol for sell in self._plan().sells if not sell.outcome}
            expected = (one.quote or ZERO for one in self._plan().decisions if one.symbol in to_do)
            wanted = [*(buy.symbol for buy in self._plan().buys), *self._store.book.positions]
            found = self._binance_prices(wanted, executor)
            self._allocate_capital(found, settings, executor, sum(expected, ZERO))
        return self._plan()

    @property
    def is_scoring(self) -> bool:
        """True while the scores of a date are being made; its update goes on past midnight."""
        return self._begun_on is not None

    def _postpone(self, wait: timedelta, why: str, log: Callable[..., None]) -> Progress:
        self.not_before = self._clock.now() + wait
        self._begun_on = None
        # The same trouble comes back every few minutes: the owner is told once, the log each time.
        sentence = LocalizedText("log.put_off", until=f"{self.not_before:%H:%M}", why=why)
        (log_file_only if why == self.postponed_reason else log)("daily.later", sentence)
        self.postponed_reason = why
        return Progress.LATER

    # ------------------------------------------------------------------ the plan

    def _drop_old_plan(self, settings: Settings) -> None:
        plan, strategy = self._store.book.plan, settings.strategy
        hour, minute = strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
        if plan is None or may_plan_go_on(plan.day, self._clock.now(), hour, minute):
            return
        left = tuple(step.symbol for step in plan_steps(plan) if not step.outcome) or (LocalizedText("log.nothing"),)
        self._store.change(lambda book: replace(book, plan=None))
        log_warning("daily.dropped", LocalizedText("log.plan_dropped", day=plan.day, symbols=left))

    def _make_plan(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Put today's plan into the book; False while the scores are not there."""
        book = self._store.book
        symbols = list(dict.fromkeys((*book.positions, *settings.tokens_daily)))
        scoring = self._scoring(symbols, executor)
        if scoring is None:
            return False
        executor.load_rules(symbols)
        self._compare_first(settings, executor)
        binance = executor.exchange.prices([settings.pair(symbol) for symbol in symbols])
        by_symbol = {symbol: binance[settings.pair(symbol)] for symbol in symbols if settings.pair(symbol) in binance}
        rules = settings.daily_rules
        prices = self._price_check.usable_prices(list(book.positions)) if book.positions else {}
        confirmed = [symbol for symbol in book.positions if self._price_check.price_feed.venues_agree(symbol)]
        scores = self._without_other_coins(scoring.scores, by_symbol, settings, confirmed)
        facts = self._lever_facts(scoring, {**by_symbol, **prices}, settings)
        plan = decide_daily_plan(
            scoring.day,
            settings.tokens_daily,
            book.positions,
            {score.symbol: score for score in scores},
            prices,
            {symbol: why for symbol in symbols if (why := self._blocker(symbol, facts, settings, executor))},
            rules,
            hit_bands=scoring.hit_bands,
        )
        plan = replace(plan, decided_at=utc_text(self._clock.now()))
        skipped = frozenset(one.symbol for one in plan.decisions if one.action is Action.SKIP_SALE)
        top = facts.worth_top
        if top is not None and top.is_paused and not self._control.paused():  # not written: the next plan tries again
            top = replace(top, is_paused=False)
        self._store.save(replace(with_plan(self._store.book, plan, skipped), worth_top=top))
        log_decisions(plan.decisions, rules)
        self._note_decisions(settings)
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

    def _note_decisions(self, settings: Settings) -> None:
        if self._journal is not None:
            self._journal.note_decisions(self._plan(), settings)

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

    # ------------------------------------------------------------------ working it off

    def _execute_plan(self, settings: Settings, executor: TradeExecutor) -> Progress:
        to_sell = [step.symbol for step in self._plan().sells if not step.outcome]
        prices = self._price_check.usable_prices(to_sell) if to_sell else {}
        closed = _for_each_symbol(to_sell, lambda symbol: self._sell(symbol, prices, executor))
        if any(not sell.outcome and sell.symbol not in closed for sell in self._plan().sells):
            return Progress.WAITING
        to_buy = [step.symbol for step in self._plan().buys if not step.outcome]
        if to_buy and self._reconciler.is_due:
            self._reconciler.reconcile(settings, executor)
            if self._reconciler.is_due:  # a second reading of the account has to show a difference first
                return Progress.WAITING
        # What is held counts for the share that one token may have.
        found = self._binance_prices([*to_buy, *self._store.book.positions], executor) if to_buy else {}
        if not self._plan().shared_out:
            self._allocate_capital(found, settings, executor)
        _for_each_symbol(to_buy, lambda symbol: self._buy(symbol, found, executor))
        if any(not buy.outcome for buy in self._plan().buys):
            return Progress.WAITING
        if closed:  # the rest of the plan is done
            why = next(iter(closed.values())).message
            raise MarketClosedError(LocalizedText("log.about", subject=tuple(closed), told=why))
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
                raise RefusedOrderError(LocalizedText("fault.order.no_price"))
            outcome = executor.sell(symbol, position.qty, OrderReason.DAILY_SELL, price)
        except UnknownOutcomeError as error:
            log_unknown_outcome("log.sale_unknown", symbol, error)
            return
        except (RefusedOrderError, MarketClosedError) as error:
            if isinstance(error, MarketClosedError) and self._may_wait_for_markets():
                raise
            log_warning(
                "order.refused", LocalizedText("log.not_sold_today", symbol=symbol, why=error.message), symbol=symbol
            )
            outcome = left_undone(SkipReason.REFUSED, error.message)
        self._store.change(lambda book: with_sell_outcome(book, symbol, outcome))

    def _may_wait_for_markets(self) -> bool:
        """Return whether the plan is still young enough to wait for a market that is closed."""
        try:
            decided_at = parse_moment(self._plan().decided_at)
        except ValueError:  # a plan of an older version has no moment
            return False
        return self._clock.now() - decided_at < CLOSED_MARKET_PATIENCE

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
        except (RefusedOrderError, MarketClosedError) as error:
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
        self._note_decisions(settings)
        self._store.save(with_daily_update_done(self._store.book, plan.day))
        self.postponed_reason = ""
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


def _for_each_symbol(symbols: Collection[str], work: Callable[[str], None]) -> dict[str, MarketClosedError]:
    """Do the work for each token; what is in one's way now does not stop the others, and is raised at the end.

    Returns the tokens whose pair takes no orders now: nothing else waits for these.
    """
    in_the_way: TemporaryError | None = None
    closed: dict[str, MarketClosedError] = {}
    for symbol in symbols:
        try:
            work(symbol)
        except MarketClosedError as error:
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


def refuse_wrong_clock(now: datetime, exchange_ms: int) -> None:
    """Raise WrongClockError where this machine's clock and the exchange's are more than a minute apart."""
    ahead = now - datetime.fromtimestamp(exchange_ms / 1000, UTC)
    if abs(ahead) > MAX_CLOCK_ERROR:
        key = "fault.clock.ahead" if ahead > timedelta(0) else "fault.clock.behind"
        raise WrongClockError(LocalizedText(key, span=abs(ahead)))


class WrongClockError(MarsShotError):
    """By a clock that is wrong a running day could pass for closed: no daily update, until it is set."""


class NoScoresError(MarsShotError):
    """Not one token has a probability: the daily update is not done, and is tried again."""
