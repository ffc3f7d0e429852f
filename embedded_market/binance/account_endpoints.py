"""The signed endpoints: account, placing and reading orders, trades. Security was checked before they are called.

Turns parameters into orders of the stand-in exchange and its records into Binance's JSON; decides nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_market.binance.request_checks import CLIENT_ORDER_ID, SYMBOL, BinanceError
from embedded_market.exchange.matching import FEE_RATE
from embedded_market.exchange.orders import Fill, MarketOrder, Moment, Order

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from embedded_market.binance.request_checks import Parameters
    from embedded_market.exchange.matching import Exchange, Pair
    from embedded_market.market_data.price_board import PriceBoard

    Row = dict[str, object]

_SIDES = ("BUY", "SELL")
_TYPES = ("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER")
_NOT_FOR_MARKET = ("timeInForce", "price", "stopPrice", "icebergQty", "trailingDelta")
_RESPONSES = ("ACK", "RESULT", "FULL")
_BAD_COMBINATION = "Combination of optional parameters invalid."
_DAY_MS = 86_400_000
_MAX_TRADES, _DEFAULT_TRADES = 1000, 500


class AccountEndpoints:
    """One account's endpoints."""

    def __init__(self, board: PriceBoard, exchange: Exchange) -> None:
        self._board = board
        self._exchange = exchange
        self.on_order: Callable[[], None] | None = None
        """Called after every order that was taken, before it is answered."""

    def pair(self, symbol: str, now: float) -> Pair:
        """Return a listed pair, else -1121."""
        pair = self._exchange.pairs.get(symbol)
        if pair is None or not self._board.is_listed(pair.rules.base, now):
            raise BinanceError(-1121, "Invalid symbol.")
        return pair

    def account(self, parameters: Parameters, _now: float) -> object:
        """Return GET account."""
        parameters.check_all_known()
        exchange, omit_zero = self._exchange, parameters.flag("omitZeroBalances", default=False)
        fee, none = _text(FEE_RATE), "0.00000000"
        balances = [
            {"asset": asset, "free": _text(free), "locked": _text(exchange.locked[asset])}
            for asset, free in exchange.free.items()
            if not omit_zero or free or exchange.locked[asset]
        ]
        row: Row = {"makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0}
        row |= {"commissionRates": {"maker": fee, "taker": fee, "buyer": none, "seller": none}}
        row |= {"canTrade": exchange.can_trade, "canWithdraw": True, "canDeposit": True, "brokered": False}
        row |= {"requireSelfTradePrevention": False, "preventSor": False, "updateTime": exchange.update_time_ms}
        row |= {"accountType": "SPOT", "balances": balances, "permissions": ["SPOT"], "uid": 100_000_001}
        return row

    def place_order(self, parameters: Parameters, now: float) -> object:
        """Return POST order: the order is filled and kept before the answer is made."""
        request, moment, detail = self._read_order(parameters, now)
        order = self._exchange.place(request, moment)
        if self.on_order is not None:
            self.on_order()
        row: Row = {"symbol": order.symbol, "orderId": order.order_id, "orderListId": -1}
        row |= {"clientOrderId": order.client_order_id, "transactTime": order.time_ms}
        if detail == "ACK":
            return row
        row |= _amounts(order) | {"workingTime": order.time_ms, "selfTradePreventionMode": "EXPIRE_MAKER"}
        if order.status == "EXPIRED":
            row |= {"expiryReason": "INSUFFICIENT_LIQUIDITY"}
        return row if detail == "RESULT" else row | {"fills": [_fill_row(fill) for fill in order.fills]}

    def check_order(self, parameters: Parameters, now: float) -> object:
        """Return POST order/test: every check, no trade."""
        with_rates = parameters.flag("computeCommissionRates", default=False)
        request, moment, _detail = self._read_order(parameters, now)
        self._exchange.match(request, moment)
        if not with_rates:
            return {}
        rates, none = {"maker": _text(FEE_RATE), "taker": _text(FEE_RATE)}, {"maker": _ZERO, "taker": _ZERO}
        discount: Row = {"enabledForAccount": self._exchange.pay_fees_in_bnb, "enabledForSymbol": True}
        discount |= {"discountAsset": "BNB", "discount": "0.25000000"}
        names = ("standard", "special", "tax")
        commissions = {f"{name}CommissionForOrder": rates if name == "standard" else none for name in names}
        return commissions | {"discount": discount}

    def order(self, parameters: Parameters, now: float) -> object:
        """Return GET order. A client order id that was used again finds the latest order."""
        pair = self.pair(parameters.required("symbol", SYMBOL), now)
        order_id, client_id = parameters.integer("orderId"), parameters.text("origClientOrderId")
        parameters.check_all_known()
        if order_id is None and client_id is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise BinanceError(-1102, text)
        order = self._exchange.find(pair.rules.symbol, order_id, client_id)
        if order is None:
            raise BinanceError(-2013, "Order does not exist.")
        if client_id is not None and client_id != order.client_order_id:
            raise BinanceError(-2039, "Client order ID is not correct for this order ID.")
        return _order_row(order)

    def orders(self, parameters: Parameters, now: float) -> object:
        """Return GET allOrders, oldest first: from an order id on, or of a span of time, or the latest."""
        pair = self.pair(parameters.required("symbol", SYMBOL), now)
        from_id, since, until = (parameters.integer(name) for name in ("orderId", "startTime", "endTime"))
        limit = min(parameters.integer("limit") or _DEFAULT_TRADES, _MAX_TRADES)
        parameters.check_all_known()
        if since is not None and until is not None and until - since > _DAY_MS:
            raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
        rows = [
            _order_row(order)
            for order in self._exchange.orders.values()
            if order.symbol == pair.rules.symbol
            and order.order_id >= (from_id or 0)
            and (since or 0) <= order.time_ms <= (until or order.time_ms)
        ]
        return rows[:limit] if from_id is not None or since is not None else rows[-limit:]

    def trades(self, parameters: Parameters, now: float) -> object:
        """Return GET myTrades, oldest first."""
        pair = self.pair(parameters.required("symbol", SYMBOL), now)
        order_id, from_id = parameters.integer("orderId"), parameters.integer("fromId")
        since, until = parameters.integer("startTime"), parameters.integer("endTime")
        limit = min(parameters.integer("limit") or _DEFAULT_TRADES, _MAX_TRADES)
        parameters.check_all_known()
        if (since is not None or until is not None) and (order_id is not None or from_id is not None):
            raise BinanceError(-1128, _BAD_COMBINATION)
        if since is not None and until is not None and until - since > _DAY_MS:
            raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
        rows = [
            _trade_row(order, fill)
            for order in self._exchange.orders.values()
            if order.symbol == pair.rules.symbol
            and order_id in (None, order.order_id)
            and (since or 0) <= order.time_ms <= (until or order.time_ms)
            for fill in order.fills
            if fill.trade_id >= (from_id or 0)
        ]
        from_start = from_id is not None or since is not None
        return rows[:limit] if from_start else rows[-limit:]

    def _read_order(self, parameters: Parameters, now: float) -> tuple[MarketOrder, Moment, str]:
        symbol = parameters.required("symbol", SYMBOL)
        side, kind = parameters.required("side"), parameters.required("type")
        if side not in _SIDES:
            raise BinanceError(-1117, "Invalid side.")
        if kind not in _TYPES:
            raise BinanceError(-1116, "Invalid orderType.")
        if kind != "MARKET":
            raise BinanceError(-2010, "Unsupported order combination")
        for name in _NOT_FOR_MARKET:
            if parameters.text(name) is not None:
                raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
        quantity, quote = self._amounts_asked(parameters)
        client_id = parameters.text("newClientOrderId", CLIENT_ORDER_ID)
        detail = parameters.text("newOrderRespType") or "FULL"
        if detail not in _RESPONSES:
            raise BinanceError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
        parameters.check_all_known()
        pair = self.pair(symbol, now)
        return MarketOrder(symbol, side == "BUY", quantity, quote, client_id), self._moment(pair, now), detail

    @staticmethod
    def _amounts_asked(parameters: Parameters) -> tuple[Decimal | None, Decimal | None]:
        quantity, quote = parameters.amount("quantity"), parameters.amount("quoteOrderQty")
        if quantity is None and quote is None:
            text = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
            raise BinanceError(-1102, text)
        if quantity is not None and quote is not None:
            raise BinanceError(-1128, _BAD_COMBINATION)
        return quantity, quote

    def _moment(self, pair: Pair, now: float) -> Moment:
        board, base = self._board, pair.rules.base
        return Moment(
            time_ms=round(now * 1000),
            price=board.price(base, now),
            average=board.average(base, now),
            bnb_price=board.price("BNB", now) if board.is_listed("BNB", now) else None,
            has_ended=board.has_ended(base, now),
        )


_ZERO = "0.00000000"


def _text(amount: Decimal) -> str:
    return f"{amount:.8f}"


def _amounts(order: Order) -> Row:
    return {
        "price": _ZERO,
        "origQty": _text(order.original_quantity),
        "executedQty": _text(order.executed_quantity),
        "origQuoteOrderQty": _text(order.request.quote_quantity) if order.request.quote_quantity else _ZERO,
        "cummulativeQuoteQty": _text(order.executed_quote),
        "status": order.status,
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": "BUY" if order.request.is_buy else "SELL",
    }


def _order_row(order: Order) -> Row:
    row: Row = {"symbol": order.symbol, "orderId": order.order_id, "orderListId": -1}
    row |= {"clientOrderId": order.client_order_id} | _amounts(order)
    row |= {"stopPrice": _ZERO, "icebergQty": _ZERO, "time": order.time_ms, "updateTime": order.time_ms}
    return row | {"isWorking": True, "workingTime": order.time_ms, "selfTradePreventionMode": "EXPIRE_MAKER"}


def _fill_row(fill: Fill) -> Row:
    row: Row = {"price": _text(fill.price), "qty": _text(fill.quantity), "commission": _text(fill.commission)}
    return row | {"commissionAsset": fill.commission_asset, "tradeId": fill.trade_id}


def _trade_row(order: Order, fill: Fill) -> Row:
    row: Row = {"symbol": order.symbol, "id": fill.trade_id, "orderId": order.order_id, "orderListId": -1}
    row |= {"price": _text(fill.price), "qty": _text(fill.quantity), "quoteQty": _text(fill.value)}
    row |= {"commission": _text(fill.commission), "commissionAsset": fill.commission_asset, "time": order.time_ms}
    return row | {"isBuyer": order.request.is_buy, "isMaker": False, "isBestMatch": True}
