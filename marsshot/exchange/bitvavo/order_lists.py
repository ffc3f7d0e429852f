"""Bitvavo's lists of orders and trades: what proves that an order was never taken, and what this bot has sent.

A list tells of one market and of at most 24 hours at a time, newest first. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import NamelessOrderError, OddAnswerError, TemporaryError
from marsshot.core.orders import ExecutedOrder, Intent, OwnOrder
from marsshot.exchange.bitvavo.connection import BitvavoConnection, Query
from marsshot.exchange.bitvavo.order_ids import is_uuid
from marsshot.exchange.bitvavo.responses import (
    Row,
    is_sent_by,
    may_be_hidden,
    read_executed_order,
    read_own_order,
    read_parts,
)
from marsshot.exchange.numbers import UNREADABLE, read_amount, read_time_ms

ROWS_PER_PAGE = 1000
DAY_MS = 86_400_000
LONGEST_LOOK_BACK_DAYS = 30
_AHEAD_MS = 60_000  # the last window reaches a little into the future: clocks differ


def listed_order_id(connection: BitvavoConnection, intent: Intent, since_ms: int, operator_id: int) -> str | None:
    """Return Bitvavo's own id of an order that one of the three lists knows; None where all three do not.

    Raises NamelessOrderError where a row without an id may be this order; TemporaryError or AccountTroubleError where
    one list could not be had: then nothing is proven.
    """
    rows = list(_open_orders(connection, intent.pair))
    rows += _rows(connection, "orders", intent.pair, since_ms)
    trades = list(_rows(connection, "trades", intent.pair, since_ms))
    for row in (*rows, *trades):
        if row.get("clientOrderId") == intent.client_order_id:
            if not (order_id := row.get("orderId")):
                raise OddAnswerError(LocalizedText("fault.exchange.odd_seen_order"))
            return str(order_id)
    if any(may_be_hidden(row, intent, operator_id) for row in rows):
        raise NamelessOrderError(LocalizedText("fault.exchange.hidden_id", market=intent.pair))
    return None


def executed_orders(connection: BitvavoConnection, pair: str, moment_ms: int, operator_id: int) -> list[ExecutedOrder]:
    """Return the account's orders of a market that executed from that exchange time on, oldest first."""
    earliest_ms = max(moment_ms, connection.now_ms() - LONGEST_LOOK_BACK_DAYS * DAY_MS)
    rows = reversed(list(_rows(connection, "orders", pair, earliest_ms)))
    found = [read_executed_order(row, operator_id) for row in rows]
    return sorted((one for one in found if one.executed_base > 0), key=lambda one: one.time_ms)


def own_orders(connection: BitvavoConnection, pair: str, moment_ms: int, operator_id: int) -> list[OwnOrder]:
    """Return this bot's orders of a market that executed anything or still may, oldest first.

    operator_id 0: those that any program sent, by their UUIDs. moment_ms 0: as far back as is looked at all.
    Raises TemporaryError or AccountTroubleError.
    """
    earliest_ms = connection.now_ms() - LONGEST_LOOK_BACK_DAYS * DAY_MS
    try:
        orders = [
            read_own_order(_with_all_trades(connection, row))
            for row in reversed(list(_rows(connection, "orders", pair, moment_ms or earliest_ms, in_no_hurry=True)))
            if _is_wanted(row, operator_id)
        ]
    except OddAnswerError:
        raise
    except UNREADABLE:
        raise TemporaryError(LocalizedText("fault.exchange.odd_seen_order")) from None
    executed = [one for one in orders if one.fill.base > 0 or not one.is_final]
    return sorted(executed, key=lambda one: one.fill.time_ms)


def _is_wanted(row: Row, operator_id: int) -> bool:
    if operator_id:
        return is_sent_by(row, operator_id)
    name = row.get("clientOrderId")
    return isinstance(name, str) and is_uuid(name) and bool(row.get("operatorId"))


def _with_all_trades(connection: BitvavoConnection, row: Row) -> Row:
    """Return the row, or the order asked for alone where the list does not tell all its trades."""
    executed = read_amount(row["filledAmount"])
    if executed == 0 or read_parts(row, executed) is not None:
        return row
    return fetch_order(connection, str(row["market"]), str(row["orderId"]))


def fetch_order(connection: BitvavoConnection, pair: str, order_id: str) -> Row:
    """Return an order by Bitvavo's own id. Raises TemporaryError or AccountTroubleError."""
    answer = connection.signed("order", {"market": pair, "orderId": order_id})
    if not isinstance(answer, dict):
        raise TemporaryError(LocalizedText("fault.exchange.odd_order"))
    return answer


def _open_orders(connection: BitvavoConnection, pair: str) -> list[Row]:
    return _checked(connection.signed("ordersOpen", {"market": pair}))


def _rows(
    connection: BitvavoConnection, name: str, pair: str, since_ms: int, *, in_no_hurry: bool = False
) -> Iterator[Row]:
    """Yield the rows of a list from that exchange time on, in windows of a day.

    in_no_hurry: what is asked for minutes on end waits for the next minute, where a check of prices does not.
    """
    end_ms = connection.now_ms() + _AHEAD_MS
    start_ms = since_ms
    while start_ms < end_ms:
        if in_no_hurry:
            connection.wait_for_weight()
        else:
            connection.refuse_without_weight()
        yield from _window(connection, name, pair, start_ms, min(start_ms + DAY_MS - 1, end_ms))
        start_ms += DAY_MS


def _window(connection: BitvavoConnection, name: str, pair: str, start_ms: int, end_ms: int) -> Iterator[Row]:
    moment = "timestamp" if name == "trades" else "created"
    seen: set[str] = set()
    while True:
        query: Query = {"market": pair, "start": start_ms, "end": end_ms, "limit": ROWS_PER_PAGE}
        page = _checked(connection.signed(name, query))
        try:
            new = [row for row in page if _id_of(row) not in seen]
            yield from new
            if len(page) < ROWS_PER_PAGE:
                return
            seen |= {_id_of(row) for row in new}
            oldest_ms = min(read_time_ms(row[moment]) for row in page)
        except UNREADABLE:
            raise OddAnswerError(LocalizedText("fault.exchange.odd_seen_order")) from None
        if not new or oldest_ms < start_ms:
            raise TemporaryError(LocalizedText("fault.exchange.odd_order_of_rows"))
        end_ms = oldest_ms


def _id_of(row: Row) -> str:
    return str(row.get("id") or row["orderId"])


def _checked(answer: Any) -> list[Row]:
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise TemporaryError(LocalizedText("fault.exchange.odd_seen_order"))
    return answer
