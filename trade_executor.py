"""Sales and purchases as orders that the exchange takes: lot steps, smallest and largest orders, what is really there.

The order itself is tracked by exchange/order_tracker.py. Decides nothing about what to trade.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from marsshot.core.amounts import ZERO, floor_to_step
from marsshot.core.book import Book, Position
from marsshot.core.catalog import LocalizedText
from marsshot.core.decisions import BOUGHT, BOUGHT_IN_PART, SOLD, SOLD_IN_PART, StepOutcome, StepResult, left_undone
from marsshot.core.errors import (
    UNFORESEEN,
    AccountTroubleError,
    InsufficientBalanceError,
    MarsShotError,
    NotTradableNowError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.orders import Fill, Side
from marsshot.core.reasons import OrderReason, RefusalReason, SkipReason
from marsshot.core.trading_rules import TradingRules
from marsshot.exchange.base import Exchange
from marsshot.exchange.order_tracker import OrderTracker
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_warning
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.serialization import decimal_text
from positions_store import Store
from risk_manager import ExitDecision

PRICE_HEADROOM = Decimal("1.02")
NOTIONAL_HEADROOM = Decimal("1.05")  # above the minimum, once the exchange has refused an order as too small
REFUSED_AS_SMALL = "refused_as_small"


class TradeExecutor:
    """Carries decisions out at one exchange, with one book."""

    def __init__(self, exchange: Exchange, store: Store, clock: Clock, pair_of: Callable[[str], str]) -> None:
        self.orders = OrderTracker(exchange, store, clock)
        self._store = store
        self.pair_of = pair_of
        self._rules: dict[str, TradingRules] = {}
        self.last_errors: dict[str, str] = {}  # what the last try to sell a token met with, in words
        self._absent: frozenset[str] = frozenset()  # pairs unknown to the exchange when it was last asked for all

    @property
    def exchange(self) -> Exchange:
        """The exchange that orders go to."""
        return self.orders.exchange

    def resolve_unknown(self) -> None:
        """Look up every order whose outcome is not known."""
        self.orders.resolve_unknown()

    @property
    def book(self) -> Book:
        """The book as it stands on disk."""
        return self._store.book

    def last_prices(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Return the exchange's last price of each of these tokens that it has one of. Raises TemporaryError."""
        pairs = {symbol: self.pair_of(symbol) for symbol in symbols}
        found = self.exchange.prices(pairs.values())
        return {symbol: found[pair] for symbol, pair in pairs.items() if pair in found}

    # ------------------------------------------------------------------ trading rules

    def load_rules(self, symbols: Collection[str]) -> None:
        """Fetch the trading rules of these tokens anew. Raises TemporaryError."""
        pairs = {self.pair_of(symbol) for symbol in symbols}
        found = self.exchange.trading_rules(pairs)
        self._rules |= found
        self._absent = self._absent - pairs | (pairs - found.keys())

    def ensure_rules(self, symbols: Collection[str]) -> None:
        """Fetch, in one request, the trading rules that are not known yet. Raises TemporaryError."""
        pairs = {self.pair_of(symbol) for symbol in symbols} - self._rules.keys() - self._absent
        found = self.exchange.trading_rules(pairs) if pairs else {}
        self._rules |= found
        self._absent |= frozenset(pairs - found.keys())

    def rules_of(self, symbol: str) -> TradingRules | None:
        """Return the rules of a token's pair, fetched if need be; None where the exchange does not know it."""
        pair = self.pair_of(symbol)
        if pair not in self._rules and pair not in self._absent:
            self._rules |= self.exchange.trading_rules([pair])
        return self._rules.get(pair)

    def _tradable_rules(self, symbol: str) -> TradingRules:
        self._absent -= {self.pair_of(symbol)}  # it may have come back, and a stop-loss wants to know
        rules = self.rules_of(symbol)
        if rules is not None and not rules.tradable:  # as of an earlier look
            del self._rules[rules.pair]
            rules = self.rules_of(symbol)
        if rules is None:
            raise RefusedOrderError(LocalizedText("fault.order.no_pair", pair=self.pair_of(symbol)))
        if not rules.tradable:
            raise NotTradableNowError(rules.unavailable_reason)
        return rules

    def _order(self, symbol: str, side: Side, reason: OrderReason, rules: TradingRules, **amount: Decimal) -> Fill:
        try:
            return self.orders.place(symbol, side, reason, rules, **amount)
        except (RefusedOrderError, NotTradableNowError):
            self._rules.pop(rules.pair, None)  # the filters may have changed
            raise

    # ------------------------------------------------------------------ what risk_manager needs

    def positions(self) -> Mapping[str, Position]:
        """Return the positions as the book has them now."""
        return self.book.positions

    def may_trade(self, symbol: str) -> bool:
        """Return False while an order of this token may be on its way, or one was executed that the book does not know.

        What is there may be the owner's then.
        """
        return not self.book.has_pending_order(symbol) and not self.book.is_disputed(symbol)

    def exit(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        """Sell what the check decided; return False if it has to be tried again. Troubles end with this token."""
        if decision.reason is None:
            return True
        try:
            outcome = self.sell(symbol, decision.quantity, decision.reason, price)
        except StopRequested:
            raise
        except MarsShotError as error:
            is_news = self.last_errors.get(symbol) != error.message
            self.last_errors[symbol] = error.message
            self._log_not_sold(symbol, error, log_warning if is_news else log_file_only)
            return False
        self.last_errors.pop(symbol, None)
        return not decision.is_full or outcome.result is not StepResult.SOLD_IN_PART

    def _log_not_sold(self, symbol: str, error: MarsShotError, log_it: Callable[..., None]) -> None:
        """Tell why a token was not sold. log_it: the file alone where the same was told at the last check."""
        match error:
            case UnknownOutcomeError():
                log_warning("order.unknown", LocalizedText("log.sale_unknown", symbol=symbol, why=error.message))
            case AccountTroubleError():
                text = LocalizedText("log.account_trouble", symbol=symbol, why=error.message)
                log_error("order.account_trouble", text, symbol=symbol)
            case InsufficientBalanceError():
                self._log_missing(symbol, error.message)
            case _ if self.book.has_pending_order(symbol):
                # A disk that refuses after the exchange has taken the order leaves the intent: it is not resent.
                text = LocalizedText("log.sale_looked_up", symbol=symbol, why=error.message)
                log_it("order.not_sold", text, symbol=symbol)
            case _:
                text = LocalizedText("log.not_sold_now", symbol=symbol, why=error.message)
                log_it("order.not_sold", text, symbol=symbol)

    def _log_missing(self, symbol: str, why: str) -> None:
        try:
            self._log_once(symbol, "not_there", LocalizedText("log.not_there", symbol=symbol, why=why))
        except TemporaryError as error:
            log_warning("book.not_saved", error.message, symbol=symbol)

    def would_sell(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        """Return whether this decision makes an order at this price, as far as is known: not where it is too small."""
        rules = self._rules.get(self.pair_of(symbol))
        if decision.reason is None or rules is None:
            return decision.reason is not None
        wanted = floor_to_step(decision.quantity, rules.lot_step)
        return self._is_worth_a_try(symbol, wanted, decision.reason, price, rules)

    @contextmanager
    def _contained(self, symbol: str) -> Iterator[None]:
        """Turn what nobody has foreseen into the trouble of this one token."""
        try:
            yield
        except UNFORESEEN as error:
            told = LocalizedText("fault.order.unforeseen", why=repr(error))
            pending = self.book.has_pending_order(symbol)
            raise (UnknownOutcomeError(told) if pending else RefusedOrderError(told)) from error

    # ------------------------------------------------------------------ selling

    def sell(self, symbol: str, quantity: Decimal, reason: OrderReason, price: Decimal) -> StepOutcome:
        """Sell this much of a position, rounded down to the lot step, in as many orders as the pair's largest asks.

        Returns how it ended. Raises by what to do next; what was sold before that is in the book.
        """
        with self._contained(symbol):
            return self._sell(symbol, quantity, reason, price)

    def _sell(self, symbol: str, quantity: Decimal, reason: OrderReason, price: Decimal) -> StepOutcome:
        rules = self._tradable_rules(symbol)
        wanted = floor_to_step(quantity, rules.lot_step)
        if not self._is_worth_a_try(symbol, wanted, reason, price, rules):
            return self._leave_small(symbol, wanted, reason, price, rules)
        if reason is OrderReason.PARTIAL_TAKE_PROFIT:
            held = self.book.positions[symbol]
            if held.partial_left is None and _orders_needed(wanted, rules) > 1:
                self._store.save(with_position(self.book, symbol, replace(held, partial_left=wanted)))
        sold = ZERO
        while (rest := wanted - sold) > 0 and _is_large_enough(rest, price, rules):
            lot = floor_to_step(rest / _orders_needed(rest, rules), rules.lot_step)
            fill = self._place_sale(symbol, lot, reason, rules)
            sold += fill.base
            if fill.status != "FILLED" or fill.base < lot or symbol not in self.book.positions:
                break
        if symbol not in self.book.positions or sold == wanted:
            return SOLD
        if reason is not OrderReason.PARTIAL_TAKE_PROFIT:
            text = LocalizedText("log.sold_in_part", symbol=symbol, sold=_plain(sold), rest=_plain(wanted - sold))
            log_warning("order.sold_in_part", text, symbol=symbol)
        return SOLD_IN_PART

    def _is_worth_a_try(
        self, symbol: str, wanted: Decimal, reason: OrderReason, price: Decimal, rules: TradingRules
    ) -> bool:
        """Return whether a sale is large enough. Only a partial one may wait for headroom; a full one is tried."""
        waits = reason is OrderReason.PARTIAL_TAKE_PROFIT and REFUSED_AS_SMALL in self.book.positions[symbol].said
        return _is_large_enough(wanted, price / NOTIONAL_HEADROOM if waits else price, rules)

    def _place_sale(self, symbol: str, quantity: Decimal, reason: OrderReason, rules: TradingRules) -> Fill:
        """Sell this much, or what the account still has of it: the owner may have moved coins."""
        try:
            return self._order(symbol, Side.SELL, reason, rules, quantity=quantity)
        except InsufficientBalanceError as error:
            account = self.exchange.account()
            if rules.base_asset in account.unreadable:
                raise
            free = account.free.get(rules.base_asset, ZERO)
            there = floor_to_step(min(free, quantity), rules.lot_step)
            if there == quantity:
                raise
            amounts = {"counted": _plain(quantity), "free": _plain(free)}
            if there <= 0:
                raise InsufficientBalanceError(LocalizedText("fault.order.moved", **amounts)) from None
            self._log_once(symbol, "short", LocalizedText("log.short", symbol=symbol, why=error.message, **amounts))
            return self._order(symbol, Side.SELL, reason, rules, quantity=there)
        except RefusedOrderError as error:
            self._remember_small(symbol, error)
            raise

    def _log_once(self, symbol: str, topic: str, sentence: str) -> None:
        """Alarm the owner the first time, and only the log from then on: the same trouble comes back every check."""
        held = self.book.positions[symbol]
        if topic in held.said:
            log_file_only(f"order.{topic}", sentence, symbol=symbol)
            return
        log_error(f"order.{topic}", sentence, symbol=symbol)
        self._store.save(with_position(self.book, symbol, replace(held, said=held.said | {topic})))

    def _remember_small(self, symbol: str, error: RefusedOrderError) -> None:
        """Keep in mind that the exchange, which goes by an average price, found an order too small."""
        held = self.book.positions.get(symbol)
        if held is not None and error.reason is RefusalReason.BELOW_MINIMUM:
            self._store.save(with_position(self.book, symbol, replace(held, said=held.said | {REFUSED_AS_SMALL})))

    def _leave_small(
        self, symbol: str, wanted: Decimal, reason: OrderReason, price: Decimal, rules: TradingRules
    ) -> StepOutcome:
        """Say once that this is under the smallest order that the exchange takes; the position stays."""
        held = self.book.positions[symbol]
        topic = f"too_small.{reason}"
        if topic not in held.said:
            log_warning(
                "order.too_small",
                LocalizedText(
                    "log.too_small",
                    symbol=symbol,
                    quantity=_plain(wanted),
                    worth=(wanted * price).quantize(Decimal("0.01")),
                    smallest=rules.smallest_order(price).normalize(),
                    quote=rules.quote_asset,
                ),
                symbol=symbol,
                reason=reason,
            )
            self._store.save(with_position(self.book, symbol, replace(held, said=held.said | {topic})))
        return left_undone(SkipReason.TOO_SMALL)

    # ------------------------------------------------------------------ buying

    def buy(self, symbol: str, amount: Decimal, price: Decimal) -> StepOutcome:
        """Spend this much quote asset of a daily plan, in as many orders as the pair's largest asks.

        Returns how it ended. Raises by what to do next; what was bought before that is in book and plan.
        """
        with self._contained(symbol):
            return self._buy(symbol, amount, price)

    def _buy(self, symbol: str, amount: Decimal, price: Decimal) -> StepOutcome:
        rules = self._tradable_rules(symbol)
        left = amount
        while left > 0 and (left == amount or left >= rules.smallest_order(price)):
            # A little more than the price says: it may fall before the order arrives, and each order stay too large.
            pieces = _orders_needed(left / price * PRICE_HEADROOM, rules)
            piece = floor_to_step(left / pieces, Decimal(1).scaleb(-rules.quote_precision))
            fill = self._order(symbol, Side.BUY, OrderReason.DAILY_BUY, rules, quote_amount=piece)
            if fill.status != "FILLED":
                return BOUGHT_IN_PART
            left -= piece
        return BOUGHT


def _plain(amount: Decimal) -> Decimal:
    return Decimal(decimal_text(amount))


def _is_large_enough(quantity: Decimal, price: Decimal, rules: TradingRules) -> bool:
    return quantity > 0 and quantity >= rules.min_quantity and quantity * price >= rules.min_notional


def _orders_needed(quantity: Decimal, rules: TradingRules) -> int:
    """Return how many orders of at most the pair's largest this quantity makes."""
    largest = rules.max_market_quantity
    if largest is None or quantity <= largest:
        return 1
    return int((quantity / floor_to_step(largest, rules.lot_step)).to_integral_value(ROUND_CEILING))
