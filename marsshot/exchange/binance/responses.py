"""What Binance answers, read into values, and what it is asked, written out. Pure; knows no connection.

An answer in another form than Binance's is told as such, never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from marsshot.core.catalog import LocalizedText
from marsshot.core.domain import (
    ZERO,
    Account,
    ExecutedOrder,
    Intent,
    OrderReport,
    PartFill,
    TradingRules,
    fees_by_asset,
    is_usable_price,
)
from marsshot.core.errors import TemporaryError
from marsshot.exchange.binance.trading_rules import trading_rules_of
from marsshot.portfolio.serialization import decimal_text

# What reading an answer of another form raises.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, InvalidOperation)

_LENT = "LD"
_COINS_LIKE_LENT = {"LDO"}  # a coin of its own; lent it is LDLDO


def pair_list(pairs: list[str]) -> str:
    """Return pairs as Binance takes a list of them."""
    return json.dumps(pairs, separators=(",", ":"), ensure_ascii=False)


def read_account(answer: Any) -> Account:
    """Read balances and permissions. Raises TemporaryError."""
    try:
        free = {row["asset"]: Decimal(row["free"]) for row in answer["balances"]}
        locked = {row["asset"]: amount for row in answer["balances"] if (amount := Decimal(row.get("locked", 0)))}
        permissions = frozenset(answer.get("permissions") or ())
        return Account(free, answer.get("canTrade", True) is True, permissions, locked, _lent(free))
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.binance.odd_account")) from None


def _lent(free: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the coins in Simple Earn: Binance shows them as balances of LD and the coin's name."""
    return {
        asset.removeprefix(_LENT): amount
        for asset, amount in free.items()
        if amount > 0 and len(asset) > len(_LENT) and asset.startswith(_LENT) and asset not in _COINS_LIKE_LENT
    }


def read_rules(answer: Any, pairs: Collection[str]) -> dict[str, TradingRules]:
    """Read exchangeInfo. Raises TemporaryError."""
    try:
        return {row["symbol"]: trading_rules_of(row) for row in answer["symbols"] if row["symbol"] in pairs}
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.binance.odd_rules")) from None


def read_prices(rows: Any) -> dict[str, Decimal]:
    """Read a ticker list; rows without a price above zero are left out. Raises TemporaryError if it is none."""
    if not isinstance(rows, list):
        raise TemporaryError(LocalizedText("fault.binance.odd_prices"))
    prices: dict[str, Decimal] = {}
    for row in rows:
        try:
            pair, price = row["symbol"], Decimal(row["price"])
        except UNREADABLE:
            continue
        if is_usable_price(price):
            prices[pair] = price
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
        executed = Decimal(answer["executedQty"])
        if not executed.is_finite() or executed < 0:
            return None
        fills = answer.get("fills")
        parts = tuple(read_part_fill(row) for row in fills) if isinstance(fills, list) else ()
        complete = executed == sum((part.quantity for part in parts), ZERO)
        return OrderReport(
            client_order_id=intent.client_order_id,
            order_id=int(answer["orderId"]),
            status=str(answer["status"]),
            executed_base=executed,
            executed_quote=quote if (quote := Decimal(answer["cummulativeQuoteQty"])) > 0 else None,
            transact_ms=int(answer.get("transactTime") or answer.get("updateTime") or answer["time"]),
            parts=parts if complete and executed > 0 else None,
        )
    except UNREADABLE:
        return None


def read_order_ids(rows: Any, since_ms: int) -> list[int]:
    """Return the ids of the orders behind a list of trades from a moment on, oldest first. Raises TemporaryError."""
    try:
        return list(dict.fromkeys(int(row["orderId"]) for row in rows if int(row["time"]) >= since_ms))
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.binance.odd_trades")) from None


def read_executed_order(answer: Any, trades: Any) -> ExecutedOrder:
    """Read an order that was asked for by Binance's own id; its trades are among these. Raises TemporaryError."""
    try:
        parts = [read_part_fill(row) for row in trades if row["orderId"] == answer["orderId"]]
        return ExecutedOrder(
            client_order_id=str(answer["clientOrderId"]),
            pair=str(answer["symbol"]),
            side=str(answer["side"]),
            executed_base=Decimal(answer["executedQty"]),
            time_ms=int(answer["time"]),
            quote=quote
            if (quote := Decimal(answer.get("cummulativeQuoteQty", 0))) > 0
            else sum((part.quote for part in parts), ZERO),
            fees=fees_by_asset(parts),
        )
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.binance.odd_seen_order")) from None


def read_part_fill(row: Mapping[str, Any]) -> PartFill:
    """Read one trade of an order. Raises one of UNREADABLE."""
    price, quantity = Decimal(row["price"]), Decimal(row["qty"])
    return PartFill(
        price=price,
        quantity=quantity,
        quote=Decimal(row["quoteQty"]) if "quoteQty" in row else price * quantity,
        commission=Decimal(row["commission"]),
        commission_asset=str(row["commissionAsset"]),
    )
