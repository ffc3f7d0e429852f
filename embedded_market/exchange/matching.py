"""The stand-in exchange: one account, market orders, fills, fees. Decimal only.

Knows no HTTP and no clock; time and last price come with every call as a Moment. An order that may not be
placed raises OrderRejectedError and changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from embedded_market.exchange.order_book import DEFAULT_DEPTH, Level, levels
from embedded_market.exchange.orders import Fill, MarketOrder, Moment, Order, OrderRejectedError
from embedded_market.exchange.pair_rules import PairRules, floor_to_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FEE_RATE = Decimal("0.001")
BNB_FEE_RATE = Decimal("0.00075")
_FEE_UNIT = Decimal("0.00000001")
_REJECTED = -2010
_FILTERED = -1013


@dataclass(slots=True)
class Pair:
    """One pair and what may be turned: status, permission, depth (quote asset), width of the order book, rules."""

    rules: PairRules
    status: str = "TRADING"
    permitted: bool = True
    depth: Decimal = DEFAULT_DEPTH
    width: int = 1


class Exchange:
    """Balances, pairs and orders of one account."""

    def __init__(self, rules: Iterable[PairRules], balances: Mapping[str, Decimal]) -> None:
        self.pairs = {r.symbol: Pair(r) for r in rules}
        self.free: dict[str, Decimal] = {}
        self.locked: dict[str, Decimal] = {}
        for asset in sorted({a for pair in self.pairs.values() for a in (pair.rules.base, pair.rules.quote)}):
            self.free[asset] = self.locked[asset] = Decimal(0)
        self.free.update(balances)
        self.locked.update(dict.fromkeys(balances.keys() - self.locked.keys(), Decimal(0)))
        self.can_trade = True
        self.fee_rate = FEE_RATE
        self.pay_fees_in_bnb = False
        self.open_client_order_ids: set[str] = set()
        """Ids held by orders still open. Market orders end at once, so only a test ever adds one."""
        self.orders: dict[int, Order] = {}
        self.next_trade_id = 1
        self.update_time_ms = 0
        self._latest_by_client_id: dict[tuple[str, str], Order] = {}

    def place(self, request: MarketOrder, moment: Moment) -> Order:
        """Fill a market order at once and return its record. Raises OrderRejectedError."""
        fills, expired = self.match(request, moment)
        order_id = len(self.orders) + 1
        quantity, quote = (sum((f.quantity for f in fills), Decimal(0)), sum((f.value for f in fills), Decimal(0)))
        order = Order(
            request=request,
            order_id=order_id,
            client_order_id=request.client_order_id or _generated_id(order_id, moment.time_ms),
            time_ms=moment.time_ms,
            executed_quantity=quantity,
            executed_quote=quote,
            status="EXPIRED" if expired else "FILLED",
            fills=tuple(self._settle(request, level, moment) for level in fills),
        )
        self.record_order(order)
        self.update_time_ms = moment.time_ms
        return order

    def match(self, request: MarketOrder, moment: Moment) -> tuple[list[Fill], bool]:
        """Return the fills an order would get, without fees, and whether it runs dry. Raises OrderRejectedError."""
        pair = self.pairs[request.symbol]
        self._check_state(pair, request, moment)
        check_filters(pair.rules, request, moment)
        met = levels(
            pair.rules,
            moment.price,
            is_buy=request.is_buy,
            time_ms=moment.time_ms,
            depth=pair.depth,
            width=pair.width,
        )
        fills, expired = _walk_book(request, pair.rules, met)
        if request.quote_quantity is not None and not fills:
            raise OrderRejectedError(_REJECTED, "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.")
        self._check_balance(pair.rules, request, fills)
        return fills, expired

    def record_order(self, order: Order) -> None:
        """Keep an order; a client order id used again finds the latest one."""
        self.orders[order.order_id] = order
        self._latest_by_client_id[order.request.symbol, order.client_order_id] = order

    def find(self, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """Return an order of the pair by its id, else by its client order id."""
        if order_id is None:
            return self._latest_by_client_id.get((symbol, client_order_id or ""))
        order = self.orders.get(order_id)
        return order if order and order.request.symbol == symbol else None

    def move_to_earn(self, asset: str, amount: Decimal) -> None:
        """Lend coins to Simple Earn: the account then shows them as LD and the coin's name. Under 0: take them back."""
        lent = f"LD{asset}"
        self.free[asset] -= amount
        self.free[lent] = self.free.get(lent, Decimal(0)) + amount
        self.locked.setdefault(lent, Decimal(0))

    def _check_state(self, pair: Pair, request: MarketOrder, moment: Moment) -> None:
        if not self.can_trade:
            raise OrderRejectedError(_REJECTED, "This account may not place or cancel orders.")
        if pair.status != "TRADING" or moment.has_ended:
            # Both codes are seen in the wild for this text; a client has to read the text.
            raise OrderRejectedError(_REJECTED if pair.status == "HALT" else _FILTERED, "Market is closed.")
        if not pair.permitted:
            raise OrderRejectedError(_REJECTED, "This symbol is not permitted for this account.")
        if request.client_order_id in self.open_client_order_ids:
            raise OrderRejectedError(_REJECTED, "Duplicate order sent.")

    def _check_balance(self, rules: PairRules, request: MarketOrder, fills: list[Fill]) -> None:
        if request.is_buy:
            needed = request.quote_quantity or sum((f.value for f in fills), Decimal(0))
            asset = rules.quote
        else:
            needed = request.quantity or sum((f.quantity for f in fills), Decimal(0))
            asset = rules.base
        if needed > self.free[asset]:
            raise OrderRejectedError(_REJECTED, "Account has insufficient balance for requested action.")

    def _settle(self, request: MarketOrder, fill: Fill, moment: Moment) -> Fill:
        rules = self.pairs[request.symbol].rules
        paid, got = ((rules.quote, fill.value), (rules.base, fill.quantity))
        if not request.is_buy:
            paid, got = got, paid
        self.free[paid[0]] -= paid[1]
        self.free[got[0]] += got[1]
        fee, asset = self._fee(got, fill.value, moment)
        self.free[asset] -= fee
        trade_id = self.next_trade_id
        self.next_trade_id += 1
        return Fill(fill.price, fill.quantity, fee, asset, trade_id)

    def _fee(self, got: tuple[str, Decimal], value: Decimal, moment: Moment) -> tuple[Decimal, str]:
        """Return fee and asset: BNB if switched on and there is enough for the whole fee, else what was received."""
        if self.pay_fees_in_bnb and moment.bnb_price:
            fee = _fee_amount(value / moment.bnb_price * BNB_FEE_RATE)
            if fee <= self.free.get("BNB", Decimal(0)):
                return fee, "BNB"
        return _fee_amount(got[1] * self.fee_rate), got[0]


def check_filters(rules: PairRules, request: MarketOrder, moment: Moment) -> None:
    """Raise OrderRejectedError for the first filter the order fails: lot size, market lot size, notional."""
    quantity = request.quantity
    if quantity is not None:
        if quantity == 0:
            raise OrderRejectedError(_FILTERED, "Invalid quantity.")
        too_odd = quantity % rules.lot_step != 0
        if too_odd or not rules.min_quantity <= quantity <= rules.max_quantity:
            raise OrderRejectedError(_FILTERED, "Filter failure: LOT_SIZE")
        notional = quantity * moment.average
    else:
        notional = request.quote_quantity or Decimal(0)
        quantity = notional / moment.price
    if quantity > rules.max_market_quantity:
        raise OrderRejectedError(_FILTERED, "Filter failure: MARKET_LOT_SIZE")
    if notional < rules.min_notional:
        raise OrderRejectedError(_FILTERED, f"Filter failure: {rules.notional_filter}")


def _walk_book(request: MarketOrder, rules: PairRules, met: Iterable[Level]) -> tuple[list[Fill], bool]:
    """Return the fills along the levels, and True if the book ended before the order was done."""
    rest = request.quantity if request.quantity is not None else request.quote_quantity or Decimal(0)
    fills: list[Fill] = []
    for level in met:
        wanted = rest if request.quantity is not None else floor_to_step(rest / level.price, rules.lot_step)
        quantity = min(wanted, level.quantity)
        if quantity > 0:
            fills.append(Fill(level.price, quantity, Decimal(0), "", 0))
        rest -= quantity if request.quantity is not None else quantity * level.price
        if quantity == wanted:
            return fills, False
    return fills, True


def _fee_amount(amount: Decimal) -> Decimal:
    return amount.quantize(_FEE_UNIT, ROUND_DOWN)


def _generated_id(order_id: int, time_ms: int) -> str:
    return hashlib.blake2b(f"{order_id}:{time_ms}".encode(), digest_size=11).hexdigest()
