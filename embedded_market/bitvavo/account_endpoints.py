"""The signed endpoints: balances, placing and reading orders, lists. Security was checked before they are called.

Turns parameters into orders of the engine and its records into Bitvavo's JSON, as far as these have become visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_market.bitvavo.engine import TAKER_FEE, BitvavoEngine, OrderFill, OrderRecord
from embedded_market.bitvavo.errors import BitvavoError
from embedded_market.bitvavo.markets import QUOTE, Market
from embedded_market.bitvavo.request_checks import Query, invalid, read_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from decimal import Decimal

    Row = dict[str, object]

_DAY_MS = 86_400_000
_MAX_ROWS, _DEFAULT_ROWS = 1000, 500
_NOT_FOUND = "No order found. Please be aware that simultaneously updating the same order may return this error."
_CAPABILITIES = {
    "view": [],
    "trade": ["buy", "sell"],
    "withdraw": ["withdrawCrypto", "withdrawFiat"],
}


class AccountEndpoints:
    """One account's endpoints."""

    def __init__(
        self,
        engine: BitvavoEngine,
        price_of: Callable[[Market, float], Decimal],
        market_at: Callable[[str, float], Market],
    ) -> None:
        self._engine = engine
        self._price_of = price_of
        self._market_at = market_at
        self.on_order: Callable[[], None] | None = None
        """Called after every order that was taken, before it is answered."""

    def account(self, rights: Collection[str]) -> object:
        """Return fees and what may be done."""
        capabilities = [name for right in ("view", "trade", "withdraw") if right in rights for name in _names(right)]
        fees = {"taker": str(TAKER_FEE), "maker": "0.0015", "volume": "0.00"}
        return {"fees": fees, "capabilities": [*capabilities, "depositCrypto", "depositFiat"]}

    def balance(self, query: Query, _now: float) -> object:
        """Return GET balance: what is not zero."""
        engine, wanted = self._engine, query.text("symbol")
        return [
            {"symbol": asset, "available": f"{amount:f}", "inOrder": f"{engine.in_order.get(asset, 0):f}"}
            for asset, amount in engine.free.items()
            if (amount or engine.in_order.get(asset)) and wanted in (None, asset)
        ]

    def staking_balance(self, query: Query, _now: float) -> object:
        """Return GET stakingBalance: coins that are bound for a time."""
        wanted = query.text("symbol")
        return [
            {"symbol": asset, "amount": f"{amount:f}"}
            for asset, amount in self._engine.staked.items()
            if amount and wanted in (None, asset)
        ]

    def place_order(self, body: bytes, now: float) -> object:
        """Return POST order."""
        request = read_order(body)
        market = self._market_at(request.market, now)
        order = self._engine.place(request, self._price_of(market, now), round(now * 1000))
        if self.on_order is not None:
            self.on_order()
        return self._order_row(order, now, with_id=True)

    def order(self, query: Query, now: float) -> object:
        """Return GET order; 240 where none is known, or not yet."""
        market = self._market_at(query.required("market"), now)
        order_id, client_id = query.text("orderId"), query.text("clientOrderId")
        if order_id is None and client_id is None:
            raise BitvavoError(400, 203, "orderId or clientOrderId parameter is required.")
        order = self._engine.find(market.name, order_id, client_id)
        if order is None or now * 1000 < order.created_ms + self._engine.look_up_lag_ms:
            raise BitvavoError(404, 240, _NOT_FOUND)
        return self._order_row(order, now, with_id=client_id is not None)

    def open_orders(self, query: Query, now: float) -> object:
        """Return GET ordersOpen: orders that are told as new."""
        name = query.text("market")
        market = self._market_at(name, now) if name is not None else None
        return [
            self._order_row(order, now)
            for order in reversed(self._engine.orders)
            if (market is None or order.request.market == market.name) and self._is_new(order, now)
        ]

    def orders(self, query: Query, now: float) -> object:
        """Return GET orders, newest first."""
        return [self._order_row(order, now) for order in self._listed(query, now)][: _limit(query)]

    def trades(self, query: Query, now: float) -> object:
        """Return GET trades, newest first."""
        rows = [
            self._trade_row(order, fill, now)
            for order in self._listed(query, now)
            if not self._is_new(order, now)
            for fill in reversed(order.fills)
        ]
        return rows[: _limit(query)]

    def _listed(self, query: Query, now: float) -> Iterator[OrderRecord]:
        market = self._market_at(query.required("market"), now)
        end = query.integer("end", round(now * 1000))
        start = query.integer("start", end - _DAY_MS)
        if start > end or end - start > _DAY_MS:
            raise invalid("start")
        visible_until = now * 1000 - self._engine.list_lag_ms
        for order in reversed(self._engine.orders):
            moment = order.created_ms
            if order.request.market == market.name and start <= moment <= min(end, visible_until):
                yield order

    def _is_new(self, order: OrderRecord, now: float) -> bool:
        return now * 1000 < order.created_ms + self._engine.fill_lag_ms

    def _order_row(self, order: OrderRecord, now: float, *, with_id: bool | None = None) -> Row:
        """Return an order. with_id: tell its client order id; None: where the lists would."""
        request, is_new = order.request, self._is_new(order, now)
        shows_id = self._engine.shows_client_order_id(order) if with_id is None else with_id
        fills = () if is_new else order.fills
        row: Row = {
            "orderId": order.order_id,
            "clientOrderId": request.client_order_id if shows_id else None,
            "market": request.market,
            "created": order.created_ms,
            "updated": order.created_ms,
            "status": "new" if is_new else order.status,
            "side": "buy" if request.is_buy else "sell",
            "orderType": "market",
        }
        row |= _amounts(order, is_new=is_new)
        if order.restatement and not is_new:
            row |= {"restatementReason": order.restatement}
        row |= {"feeCurrency": QUOTE, "fills": [self._fill_row(order, fill, now) for fill in fills]}
        return row | {"selfTradePrevention": "decrementAndCancel", "visible": False, "operatorId": request.operator_id}

    def _fill_row(self, order: OrderRecord, fill: OrderFill, now: float) -> Row:
        row: Row = {"id": fill.trade_id, "timestamp": order.created_ms, "amount": f"{fill.amount:f}"}
        row |= {"price": f"{fill.price:f}", "taker": True, "fee": f"{fill.fee:f}", "feeCurrency": QUOTE}
        is_settled = now * 1000 >= order.created_ms + self._engine.settling_ms
        if not is_settled:
            del row["fee"]
        return row | {"settled": is_settled}

    def _trade_row(self, order: OrderRecord, fill: OrderFill, now: float) -> Row:
        shows_id = self._engine.shows_client_order_id(order)
        row: Row = {"orderId": order.order_id, "market": order.request.market}
        row |= {"clientOrderId": order.request.client_order_id if shows_id else None}
        row |= {"side": "buy" if order.request.is_buy else "sell"}
        return self._fill_row(order, fill, now) | row


def _names(right: str) -> list[str]:
    return list(_CAPABILITIES[right])


def _limit(query: Query) -> int:
    limit = query.integer("limit", _DEFAULT_ROWS)
    if not 1 <= limit <= _MAX_ROWS:
        raise invalid("limit")
    return limit


def _amounts(order: OrderRecord, *, is_new: bool) -> Row:
    request = order.request
    filled, quote, fee = (0, 0, 0) if is_new else (order.filled, order.filled_quote, order.fee)
    asked: Row
    if request.amount is not None:
        asked = {"amount": f"{request.amount:f}", "amountRemaining": f"{request.amount - filled:f}"}
    else:
        spent = request.amount_quote or 0
        asked = {"amountQuote": f"{spent:f}", "amountQuoteRemaining": f"{max(spent - quote - fee, 0):f}"}
    return asked | {
        "onHold": "0",
        "onHoldCurrency": QUOTE if request.is_buy else request.market.removesuffix(f"-{QUOTE}"),
        "filledAmount": f"{filled:f}",
        "filledAmountQuote": f"{quote:f}",
        "feePaid": f"{fee:f}",
    }
