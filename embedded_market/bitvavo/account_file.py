"""The stand-in Bitvavo's account on disk: balances, orders with their fills, and the market's time.

JSON with a version, amounts as text, replaced in one step, readable by its owner only.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from embedded_market.bitvavo.engine import OrderFill, OrderRecord, OrderRequest
from embedded_market.exchange.account_file import AccountFileError, read_content, write_content

if TYPE_CHECKING:
    from pathlib import Path

    from embedded_market.bitvavo.engine import BitvavoEngine

VENUE = "bitvavo"


def save_account(engine: BitvavoEngine, now: float, path: Path) -> None:
    """Replace the file whole: a crash leaves the old account or the new one."""
    content = {
        "venue": VENUE,
        "time": now,
        "free": {asset: str(amount) for asset, amount in engine.free.items()},
        "orders": [_order_to_json(order) for order in engine.orders],
    }
    write_content(content, path)


def load_account(engine: BitvavoEngine, path: Path) -> None:
    """Give the engine the balances and orders of the file. Raises AccountFileError."""
    content = read_content(path)
    if content.get("venue") != VENUE:
        raise AccountFileError(f"{path}: the account of another exchange")
    try:
        engine.free = {str(asset): Decimal(amount) for asset, amount in content["free"].items()}
        engine.orders = [_order_from_json(row) for row in content["orders"]]
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise AccountFileError(f"{path}: {error!r}") from error


def _order_to_json(order: OrderRecord) -> dict[str, Any]:
    request = order.request
    return {
        "market": request.market,
        "is_buy": request.is_buy,
        "operator_id": request.operator_id,
        "client_order_id": request.client_order_id,
        "amount": None if request.amount is None else str(request.amount),
        "amount_quote": None if request.amount_quote is None else str(request.amount_quote),
        "order_id": order.order_id,
        "created_ms": order.created_ms,
        "status": order.status,
        "restatement": order.restatement,
        "fills": [[fill.trade_id, str(fill.price), str(fill.amount), str(fill.fee)] for fill in order.fills],
    }


def _order_from_json(row: dict[str, Any]) -> OrderRecord:
    request = OrderRequest(
        market=row["market"],
        is_buy=row["is_buy"],
        operator_id=int(row["operator_id"]),
        client_order_id=row["client_order_id"],
        amount=None if row["amount"] is None else Decimal(row["amount"]),
        amount_quote=None if row["amount_quote"] is None else Decimal(row["amount_quote"]),
    )
    return OrderRecord(
        request=request,
        order_id=row["order_id"],
        created_ms=int(row["created_ms"]),
        status=row["status"],
        fills=tuple(OrderFill(name, Decimal(p), Decimal(a), Decimal(f)) for name, p, a, f in row["fills"]),
        restatement=row["restatement"],
    )
