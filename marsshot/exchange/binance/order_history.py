"""This bot's orders as Binance remembers them: GET allOrders and GET myTrades, page by page. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from marsshot.core.amounts import ZERO
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.orders import Fill, OwnOrder, Side, fees_by_asset, is_our_order, reason_in_id, serial_in_id
from marsshot.exchange.binance.connection import BinanceConnection
from marsshot.exchange.binance.responses import read_part_fill
from marsshot.exchange.numbers import UNREADABLE, read_amount, read_decimal, read_time_ms

ROWS_PER_PAGE = 1000
_FINAL = {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}

Row = dict[str, Any]


def own_orders(connection: BinanceConnection, pair: str, moment_ms: int) -> list[OwnOrder]:
    """Return this bot's orders of a pair made from that exchange time on that executed anything or still may.

    Oldest first. All pages are read: a page that begins in the middle could hide the first purchase of a position.
    Raises TemporaryError or AccountTroubleError.
    """
    client = connection.client
    fetch_orders = partial(connection.signed, client.get_all_orders, symbol=pair, limit=ROWS_PER_PAGE)
    try:
        rows = [row for row in _pages(fetch_orders, "orderId", "orderId") if _is_wanted(row, moment_ms)]
        if not rows:
            return []
        fetch_trades = partial(connection.signed, client.get_my_trades, symbol=pair, limit=ROWS_PER_PAGE)
        wanted = {row["orderId"] for row in rows}
        trades: dict[int, list[Row]] = {order_id: [] for order_id in wanted}
        for trade in _pages(fetch_trades, "fromId", "id"):
            if trade["orderId"] in wanted:
                trades[trade["orderId"]].append(trade)
        return [_own_order(row, trades[row["orderId"]]) for row in rows]
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.exchange.odd_seen_order")) from None


def _pages(fetch_page: Callable[..., list[Row]], parameter: str, id_name: str) -> Iterator[Row]:
    """Yield all rows, oldest first. parameter: what names the first id of a page."""
    next_id = 0
    while True:
        page = fetch_page(**{parameter: next_id})
        yield from page
        if len(page) < ROWS_PER_PAGE:
            return
        last_id = max(int(row[id_name]) for row in page)
        if last_id < next_id:
            raise TemporaryError(LocalizedText("fault.exchange.odd_order_of_trades"))
        next_id = last_id + 1


def _is_wanted(row: Row, moment_ms: int) -> bool:
    has_executed = read_amount(row["executedQty"]) > 0
    return (
        is_our_order(row["clientOrderId"])
        and read_time_ms(row["time"]) >= moment_ms
        and (has_executed or row["status"] not in _FINAL)
    )


def _own_order(row: Row, trades: list[Row]) -> OwnOrder:
    parts = tuple(read_part_fill(trade) for trade in trades)
    executed = read_amount(row["executedQty"])
    if sum((part.quantity for part in parts), ZERO) != executed:
        raise TemporaryError(LocalizedText("fault.order.odd_trades"))
    quote = read_decimal(row["cummulativeQuoteQty"])
    quote_amount = read_amount(row.get("origQuoteOrderQty") or 0)
    fill = Fill(
        client_order_id=str(row["clientOrderId"]),
        order_id=int(row["orderId"]),
        status=str(row["status"]),
        base=executed,
        quote=quote if quote > 0 else sum((part.quote for part in parts), ZERO),
        fees=fees_by_asset(parts),
        time_ms=read_time_ms(row.get("updateTime") or row["time"]),
    )
    return OwnOrder(
        pair=str(row["symbol"]),
        side=Side(row["side"]),
        fill=fill,
        quantity=None if quote_amount > 0 else read_amount(row["origQty"]),
        quote_amount=quote_amount if quote_amount > 0 else None,
        is_final=row["status"] in _FINAL,
        reason=reason_in_id(row["clientOrderId"]),
        serial=serial_in_id(row["clientOrderId"]),
    )
