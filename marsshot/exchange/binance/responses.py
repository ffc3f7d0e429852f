"""What Binance answers, read into values, and what it is asked, written out. Pure; knows no connection.

An answer in another form than Binance's is told as such, never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from marsshot.core.amounts import ZERO, is_usable_price
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import OddAnswerError, TemporaryError
from marsshot.core.orders import ExecutedOrder, Intent, OrderReport, PartFill, fees_by_asset, is_our_order
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.binance.trading_rules import OddRuleError, trading_rules_of, unreadable_rules
from marsshot.exchange.numbers import UNREADABLE, read_amount, read_decimal, read_time_ms
from marsshot.portfolio.serialization import decimal_text

_MAX_EXCESS = Decimal("1.01")  # of what a purchase spends over what was ordered: nothing that an exchange may do

_LENT = "LD"
_COINS_LIKE_LENT = {"LDO"}  # a coin of its own; lent it is LDLDO


def pair_list(pairs: list[str]) -> str:
    """Return pairs as Binance takes a list of them."""
    return json.dumps(pairs, separators=(",", ":"), ensure_ascii=False)


def read_account(answer: Any) -> Account:
    """Read balances and permissions; a balance that is none is noted as unreadable. Raises TemporaryError."""
    if not isinstance(answer, dict) or not isinstance(rows := answer.get("balances"), list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_account"))
    free, locked, unreadable = dict[str, Decimal](), dict[str, Decimal](), set[str]()
    for row in rows:
        asset = row.get("asset") if isinstance(row, dict) else None
        if not isinstance(asset, str):
            continue
        try:
            free[asset], in_orders = read_amount(row["free"]), read_amount(row.get("locked", 0))
        except UNREADABLE:
            unreadable.add(asset)
            continue
        if in_orders:
            locked[asset] = in_orders
    permissions = answer.get("permissions")
    names = frozenset(map(str, permissions)) if isinstance(permissions, list) else frozenset[str]()
    return Account(free, answer.get("canTrade", True) is True, names, locked, _lent(free), frozenset(unreadable))


def _lent(free: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the coins in Simple Earn: Binance shows them as balances of LD and the coin's name."""
    return {
        asset.removeprefix(_LENT): amount
        for asset, amount in free.items()
        if amount > 0 and len(asset) > len(_LENT) and asset.startswith(_LENT) and asset not in _COINS_LIKE_LENT
    }


def read_rules(answer: Any, pairs: Collection[str]) -> dict[str, TradingRules]:
    """Read exchangeInfo; a pair whose row is half is not tradable. Raises TemporaryError."""
    if not isinstance(answer, dict) or not isinstance(rows := answer.get("symbols"), list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_rules"))
    if rows and not any(isinstance(row, dict) for row in rows):
        raise TemporaryError(LocalizedText("fault.exchange.odd_rules"))
    rules: dict[str, TradingRules] = {}
    for row in rows:
        pair = row.get("symbol") if isinstance(row, dict) else None
        if not isinstance(pair, str) or pair not in pairs:
            continue
        try:
            rules[pair] = trading_rules_of(row)
        except OddRuleError as error:
            rules[pair] = unreadable_rules(row, str(error))
        except UNREADABLE as error:
            rules[pair] = unreadable_rules(row, type(error).__name__)
    return rules


def read_prices(rows: Any) -> dict[str, Decimal]:
    """Read a ticker list; rows without a price above zero are left out. Raises TemporaryError if it is none."""
    if not isinstance(rows, list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_prices"))
    prices: dict[str, Decimal] = {}
    for row in rows:
        with suppress(*UNREADABLE):
            if is_usable_price(price := read_decimal(row["price"])):
                prices[str(row["symbol"])] = price
    return prices


def order_parameters(intent: Intent) -> dict[str, str]:
    """Return the parameters of a MARKET order; the client order id is always ours."""
    parameters = {
        "symbol": intent.pair,
        "side": intent.side.value,
        "type": "MARKET",
        "newClientOrderId": intent.client_order_id,
        "newOrderRespType": "FULL",
    }
    if intent.quantity is not None:
        return {**parameters, "quantity": decimal_text(intent.quantity)}
    return {**parameters, "quoteOrderQty": decimal_text(intent.quote_amount or ZERO)}


def read_report(answer: Any, intent: Intent) -> OrderReport | None:
    """Read an order's answer, placed or looked up; None where it does not say what became of our order."""
    try:
        if answer["clientOrderId"] != intent.client_order_id or answer["symbol"] != intent.pair:
            return None
        executed, quote = read_amount(answer["executedQty"]), read_decimal(answer["cummulativeQuoteQty"])
        if not _fits(intent, executed, quote):
            return None
        return OrderReport(
            client_order_id=intent.client_order_id,
            order_id=int(answer["orderId"]),
            status=str(answer["status"]),
            executed_base=executed,
            executed_quote=quote if quote > 0 else None,
            transact_ms=read_time_ms(answer.get("transactTime") or answer.get("updateTime") or answer["time"]),
            parts=_parts_of(answer.get("fills"), executed),
        )
    except UNREADABLE:
        return None


def _fits(intent: Intent, executed: Decimal, quote: Decimal) -> bool:
    """Return whether an order can have executed this much: not more than was ordered."""
    if intent.quantity is not None:
        return executed <= intent.quantity
    return quote <= (intent.quote_amount or ZERO) * _MAX_EXCESS


def _parts_of(fills: object, executed: Decimal) -> tuple[PartFill, ...] | None:
    """Return an order's trades, or None where they are not all there and whole: they are asked for again then."""
    try:
        parts = tuple(map(read_part_fill, fills)) if isinstance(fills, list) else ()
    except UNREADABLE:
        return None
    return parts if executed > 0 and executed == sum((part.quantity for part in parts), ZERO) else None


def unexecuted_report(intent: Intent) -> OrderReport:
    """Return the end of an order that Binance has put away as one that executed nothing."""
    return OrderReport(
        client_order_id=intent.client_order_id,
        order_id=0,
        status="EXPIRED",
        executed_base=ZERO,
        executed_quote=None,
        transact_ms=intent.created_ms,
        parts=None,
    )


def read_order_ids(rows: Any, since_ms: int) -> list[int]:
    """Return the ids of the orders behind a list of trades from a moment on, oldest first. Raises OddAnswerError."""
    try:
        return list(dict.fromkeys(int(row["orderId"]) for row in rows if read_time_ms(row["time"]) >= since_ms))
    except UNREADABLE:
        raise OddAnswerError(LocalizedText("fault.exchange.odd_trades")) from None


def read_executed_order(answer: Any, trades: Any) -> ExecutedOrder:
    """Read an order that was asked for by Binance's own id; its trades are among these.

    Raises OddAnswerError; TemporaryError where the order does not know yet of what it has traded.
    """
    try:
        executed = read_amount(answer["executedQty"])
        parts = [read_part_fill(row) for row in trades if int(row["orderId"]) == int(answer["orderId"])]
        quote = read_decimal(answer.get("cummulativeQuoteQty", 0))
        if executed == 0:
            raise TemporaryError(LocalizedText("fault.order.look_up_lags"))
        return ExecutedOrder(
            client_order_id=str(answer["clientOrderId"]),
            pair=str(answer["symbol"]),
            side=str(answer["side"]),
            executed_base=executed,
            time_ms=read_time_ms(answer["time"]),
            is_own=is_our_order(str(answer["clientOrderId"])),
            quote=quote if quote > 0 else sum((part.quote for part in parts), ZERO),
            fees=fees_by_asset(parts),
        )
    except UNREADABLE:
        raise OddAnswerError(LocalizedText("fault.exchange.odd_seen_order")) from None


def read_part_fill(row: Mapping[str, Any]) -> PartFill:
    """Read one trade of an order. Raises one of UNREADABLE."""
    price, quantity = read_amount(row["price"]), read_amount(row["qty"])
    if price == 0 or quantity == 0:
        raise ValueError("a trade of nothing")
    return PartFill(
        price=price,
        quantity=quantity,
        quote=read_amount(row["quoteQty"]) if "quoteQty" in row else price * quantity,
        commission=read_amount(row["commission"]),
        commission_asset=str(row["commissionAsset"]).replace("+", "_"),  # which joins the assets in trades.csv
    )
