"""The paper exchange: orders are filled here, at a real last price less slippage, under the pair's real rules.

Prices, trading rules and time come from the market it is given; nothing is ever sent to it. Keeps no account of its
own: what is free is what the book says, and an order is executed while it is being sent or never.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import ROUND_DOWN, Decimal

from marsshot.core.amounts import ZERO, floor_to_step
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InsufficientBalanceError, RefusedOrderError, TemporaryError
from marsshot.core.orders import ExecutedOrder, Intent, OrderId, OrderReport, OwnOrder, PartFill, Side
from marsshot.core.reasons import OrderReason, QuietReason, RefusalReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import Exchange, PricesCallback

SLIPPAGE = Decimal("0.0005")  # half the spread and the depth of a small order, as a fraction of the price
_MIN_UNIT = Decimal("0.00000001")


class PaperExchange:
    """An Exchange that simulates its fills."""

    def __init__(
        self, market: Exchange, book: Callable[[], Book], taker_fee: Decimal, *, takes_fee_in_quote: bool
    ) -> None:
        self._market = market
        self._book = book
        self._taker_fee = taker_fee
        self._takes_fee_in_quote = takes_fee_in_quote  # out of the amount of a purchase; else in the asset received
        self.absence_proof = market.absence_proof

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a client order id in the market's form."""
        return self._market.new_order_id(serial, reason)

    def now_ms(self) -> int:
        """Return the market's time."""
        return self._market.now_ms()

    def server_ms(self) -> int:
        """Ask the market for its time."""
        return self._market.server_ms()

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the market's last prices."""
        return self._market.prices(pairs)

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask the market for its last prices."""
        self._market.request_prices(pairs, callback)

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the pairs' real rules."""
        return self._market.trading_rules(pairs)

    def account(self) -> Account:
        """Return the book's capital as the free balance."""
        book = self._book()
        return Account({book.quote_asset: book.capital})

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Fill the order at once. Raises TemporaryError without a price, RefusedOrderError by the pair's rules."""
        rules = self.trading_rules([intent.pair]).get(intent.pair)
        price = self.prices([intent.pair]).get(intent.pair)
        if rules is None or not rules.tradable:
            raise RefusedOrderError(
                rules.unavailable_reason if rules else LocalizedText("check.unknown_pair", pair=intent.pair)
            )
        if price is None:
            raise TemporaryError(LocalizedText("fault.exchange.no_price", pair=intent.pair))
        part = self._bought(intent, rules, price) if intent.side is Side.BUY else self._sold(intent, rules, price)
        _refuse_small(intent, part, price, rules)
        if intent.side is Side.BUY and (intent.quote_amount or part.quote) > self._book().capital:
            raise InsufficientBalanceError(LocalizedText("fault.order.paper_too_little"))
        return OrderReport(
            client_order_id=intent.client_order_id,
            order_id=self._book().order_serial,
            status="FILLED",
            executed_base=part.quantity,
            executed_quote=part.quote,
            transact_ms=self.now_ms(),
            parts=(part,),
        )

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Return None: an order whose answer was not booked was never executed."""
        return None

    def find_in_lists(self, intent: Intent, since_ms: int) -> OrderReport | None:
        """Return None: there is no list but the book."""
        return None

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Return nothing: every answer carries its fills."""
        return ()

    def orders_since(self, pair: str, moment_ms: int) -> list[ExecutedOrder]:
        """Return nothing: there is no account but the book."""
        return []

    def own_orders(self, pair: str, moment_ms: int = 0) -> list[OwnOrder]:
        """Return nothing: no order is kept anywhere but in the book."""
        return []

    def _bought(self, intent: Intent, rules: TradingRules, price: Decimal) -> PartFill:
        paid = (price * (1 + SLIPPAGE)).quantize(_MIN_UNIT)
        amount = intent.quote_amount or ZERO
        if self._takes_fee_in_quote:
            amount /= 1 + self._taker_fee
        quantity = intent.quantity or floor_to_step(amount / paid, rules.lot_step)
        quote = (quantity * paid).quantize(_MIN_UNIT)
        if self._takes_fee_in_quote:
            fee = (quote * self._taker_fee).quantize(_MIN_UNIT, ROUND_DOWN)
            return PartFill(paid, quantity, quote, fee, rules.quote_asset)
        fee = (quantity * self._taker_fee).quantize(_MIN_UNIT)
        return PartFill(paid, quantity, quote, fee, rules.base_asset)

    def _sold(self, intent: Intent, rules: TradingRules, price: Decimal) -> PartFill:
        got = (price * (1 - SLIPPAGE)).quantize(_MIN_UNIT)
        quantity = intent.quantity or ZERO
        quote = (quantity * got).quantize(_MIN_UNIT)
        return PartFill(got, quantity, quote, (quote * self._taker_fee).quantize(_MIN_UNIT), rules.quote_asset)

    @property
    def quiet_until_ms(self) -> int:
        """Until when, by our clock, the market has asked for no requests."""
        return self._market.quiet_until_ms

    @property
    def quiet_reason(self) -> QuietReason:
        """Why it has asked for that."""
        return self._market.quiet_reason

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> None:
        """Ask it nothing before that moment of our clock."""
        self._market.keep_quiet_until(moment_ms, reason)


def _refuse_small(intent: Intent, part: PartFill, price: Decimal, rules: TradingRules) -> None:
    if (
        part.quantity < rules.min_quantity
        or part.quantity <= 0
        or part.quantity != floor_to_step(part.quantity, rules.lot_step)
    ):
        raise RefusedOrderError(LocalizedText("fault.order.paper_lot"))
    if rules.max_market_quantity is not None and part.quantity > rules.max_market_quantity:
        raise RefusedOrderError(LocalizedText("fault.order.paper_too_large"))
    if (intent.quote_amount or part.quantity * price) < rules.min_notional:
        raise RefusedOrderError(LocalizedText("fault.order.paper_too_small"), RefusalReason.BELOW_MINIMUM)
