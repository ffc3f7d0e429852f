"""The stand-in exchange's account on disk: balances, orders with their trades, and the market's time.

JSON with a version, amounts as text, replaced in one step, readable by its owner only. A broken file is an error,
it never means an empty account.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from embedded_market.exchange.orders import Fill, MarketOrder, Order

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedded_market.exchange.matching import Exchange

VERSION = 1


class AccountFileError(ValueError):
    """The account file cannot be read or is of another version."""


def save_account(exchange: Exchange, now: float, path: Path) -> None:
    """Replace the file whole: a crash leaves the old account or the new one."""
    content = {
        "time": now,
        "free": {asset: str(amount) for asset, amount in exchange.free.items()},
        "locked": {asset: str(amount) for asset, amount in exchange.locked.items()},
        "next_trade_id": exchange.next_trade_id,
        "update_time_ms": exchange.update_time_ms,
        "orders": [_order_to_json(order) for order in exchange.orders.values()],
    }
    write_content(content, path)


def write_content(content: Mapping[str, Any], path: Path) -> None:
    """Replace an account file whole."""
    scratch = path.with_name(path.name + ".tmp")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"version": VERSION, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load_account(exchange: Exchange, path: Path) -> None:
    """Give the exchange the balances and orders of the file. Raises AccountFileError."""
    content = read_content(path)
    if "venue" in content:
        raise AccountFileError(f"{path}: the account of another exchange")
    try:
        free = {str(asset): Decimal(amount) for asset, amount in content["free"].items()}
        locked = {str(asset): Decimal(amount) for asset, amount in content["locked"].items()}
        orders = [_order_from_json(order) for order in content["orders"]]
        next_trade_id, updated = int(content["next_trade_id"]), int(content["update_time_ms"])
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise AccountFileError(f"{path}: {error!r}") from error
    for known, loaded in ((exchange.free, free), (exchange.locked, locked)):
        known.update(dict.fromkeys(known, Decimal(0)) | loaded)
    exchange.next_trade_id, exchange.update_time_ms = next_trade_id, updated
    for order in orders:
        exchange.record_order(order)


def saved_time(path: Path) -> float | None:
    """Return the market's time of the file (unix seconds), or None where there is no file yet."""
    if not path.exists():
        return None
    try:
        return float(read_content(path)["time"])
    except (KeyError, TypeError, ValueError) as error:
        raise AccountFileError(f"{path}: {error!r}") from error


def read_content(path: Path) -> dict[str, Any]:
    """Return what an account file holds. Raises AccountFileError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AccountFileError(f"{path}: {error}") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise AccountFileError(f"{path}: not an account of version {VERSION}")
    return content


def _order_to_json(order: Order) -> dict[str, Any]:
    request = order.request
    return {
        "symbol": request.symbol,
        "is_buy": request.is_buy,
        "quantity": _optional_text(request.quantity),
        "quote_quantity": _optional_text(request.quote_quantity),
        "asked_client_order_id": request.client_order_id,
        "client_order_id": order.client_order_id,
        "order_id": order.order_id,
        "time_ms": order.time_ms,
        "executed_quantity": str(order.executed_quantity),
        "executed_quote": str(order.executed_quote),
        "status": order.status,
        "fills": [
            [str(f.price), str(f.quantity), str(f.commission), f.commission_asset, f.trade_id] for f in order.fills
        ],
    }


def _order_from_json(row: dict[str, Any]) -> Order:
    request = MarketOrder(
        symbol=row["symbol"],
        is_buy=row["is_buy"],
        quantity=_optional_amount(row["quantity"]),
        quote_quantity=_optional_amount(row["quote_quantity"]),
        client_order_id=row["asked_client_order_id"],
    )
    return Order(
        request=request,
        order_id=int(row["order_id"]),
        client_order_id=row["client_order_id"],
        time_ms=int(row["time_ms"]),
        executed_quantity=Decimal(row["executed_quantity"]),
        executed_quote=Decimal(row["executed_quote"]),
        status=row["status"],
        fills=tuple(Fill(Decimal(p), Decimal(q), Decimal(c), asset, int(i)) for p, q, c, asset, i in row["fills"]),
    )


def _optional_text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _optional_amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
