"""What Bitvavo answers, read into values, and what it is asked, written out. Pure; knows no connection.

An answer in another form than Bitvavo's is told as such, never guessed at. Fees are what the fills say, never computed:
Bitvavo rounds each fill to the cent, and its fee absorbs the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from marsshot.core.amounts import ZERO, is_usable_price
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import OddAnswerError, TemporaryError
from marsshot.core.orders import ExecutedOrder, Fill, Intent, OrderReport, OwnOrder, PartFill, Side, fees_by_asset
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.bitvavo.order_ids import is_uuid, read_order_id
from marsshot.exchange.bitvavo.trading_rules import OddRuleError, trading_rules_of, unreadable_rules
from marsshot.exchange.numbers import UNREADABLE, read_amount, read_decimal, read_time_ms
from marsshot.portfolio.serialization import decimal_text

Row = Mapping[str, Any]

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_ACTIVE = {"new", "awaitingTrigger", "partiallyFilled"}
_MAX_EXCESS = Decimal("1.01")  # of what a purchase spends over what was ordered: nothing that an exchange may do


def read_account(answer: Any) -> Account:
    """Read the balances; one that is none is noted as unreadable. Raises TemporaryError.

    An asset that is not told is not there: rows of which none has a name tell nothing, and are no empty account.
    """
    if not isinstance(answer, list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_account"))
    named = [row for row in answer if isinstance(row, dict) and isinstance(row.get("symbol"), str)]
    if answer and not named:
        raise TemporaryError(LocalizedText("fault.exchange.odd_account"))
    free, locked, unreadable = dict[str, Decimal](), dict[str, Decimal](), set[str]()
    for row in named:
        asset = row["symbol"]
        try:
            free[asset], in_orders = read_amount(row["available"]), read_amount(row.get("inOrder", 0))
        except UNREADABLE:
            unreadable.add(asset)
            continue
        if in_orders:
            locked[asset] = in_orders
    return Account(free, locked=locked, unreadable=frozenset(unreadable))


def read_staked(answer: Any) -> dict[str, Decimal]:
    """Read the coins that are bound, by asset. Raises TemporaryError.

    Bitvavo's own description does not show the row: whatever amounts it has are taken together.
    """
    if not isinstance(answer, list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_account"))
    staked: dict[str, Decimal] = {}
    for row in answer:
        with suppress(*UNREADABLE):
            amount = sum((read_amount(row[name]) for name in ("amount", "available", "inOrder") if name in row), ZERO)
            if amount > 0:
                staked[str(row["symbol"])] = amount
    return staked


def read_capabilities(answer: Any) -> frozenset[str]:
    """Read what the key, or its account, may do. Raises TemporaryError where that is not told."""
    names = answer.get("capabilities") if isinstance(answer, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TemporaryError(LocalizedText("fault.exchange.no_rights"))
    return frozenset(names)


def read_rules(answer: Any, pairs: Collection[str] | None = None) -> dict[str, TradingRules]:
    """Read the markets, or these of them; one whose row is half is not tradable. Raises TemporaryError."""
    rows = [answer] if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or (rows and not any(isinstance(row, dict) for row in rows)):
        raise TemporaryError(LocalizedText("fault.exchange.odd_rules"))
    rules: dict[str, TradingRules] = {}
    for row in rows:
        market = row.get("market") if isinstance(row, dict) else None
        if not isinstance(market, str) or (pairs is not None and market not in pairs):
            continue
        try:
            rules[market] = trading_rules_of(row)
        except OddRuleError as error:
            rules[market] = unreadable_rules(row, str(error))
        except UNREADABLE as error:
            rules[market] = unreadable_rules(row, type(error).__name__)
    return rules


def read_prices(answer: Any) -> dict[str, Decimal]:
    """Read the last prices; rows without a price above zero are left out. Raises TemporaryError."""
    if not isinstance(answer, list):
        raise TemporaryError(LocalizedText("fault.exchange.odd_prices"))
    prices: dict[str, Decimal] = {}
    for row in answer:
        with suppress(*UNREADABLE):
            if is_usable_price(price := read_decimal(row["price"])):
                prices[str(row["market"])] = price
    return prices


def order_body(intent: Intent, operator_id: int) -> dict[str, str | int]:
    """Return a market order: a purchase by what it may cost with its fee, a sale by its quantity."""
    body: dict[str, str | int] = {
        "market": intent.pair,
        "side": intent.side.lower(),
        "orderType": "market",
        "operatorId": operator_id,  # a number, not a text
        "clientOrderId": intent.client_order_id,
    }
    if intent.quantity is not None:
        return body | {"amount": decimal_text(intent.quantity)}
    return body | {"amountQuote": decimal_text(intent.quote_amount or ZERO)}


def read_report(answer: Any, intent: Intent) -> OrderReport | None:
    """Read an order's answer, placed or looked up; None where it does not say what became of our order."""
    try:
        if answer["clientOrderId"] != intent.client_order_id or answer["market"] != intent.pair:
            return None
        executed, quote = read_amount(answer["filledAmount"]), read_amount(answer["filledAmountQuote"])
        if _SIDES[answer["side"]] is not intent.side or not _fits(intent, answer, executed, quote):
            return None
        return OrderReport(
            client_order_id=intent.client_order_id,
            order_id=str(answer["orderId"]),
            status=_status(answer),
            executed_base=executed,
            executed_quote=quote if quote > 0 else None,
            transact_ms=_moment(answer),
            parts=read_parts(answer, executed),
        )
    except UNREADABLE:
        return None


def _fits(intent: Intent, answer: Row, executed: Decimal, quote: Decimal) -> bool:
    """Return whether an order can have executed this much: not more than was ordered."""
    if intent.quantity is not None:
        return executed <= intent.quantity
    return quote + read_amount(answer.get("feePaid", 0)) <= (intent.quote_amount or ZERO) * _MAX_EXCESS


def _status(answer: Row) -> str:
    """Return how an order stands, in the words of OrderReport; what ends an order is told apart in many words."""
    status = answer["status"]
    if not isinstance(status, str) or not status:
        raise ValueError("no status")
    if status in _ACTIVE:
        return status.upper()
    if status.startswith(("canceled", "cancelled")):
        return "CANCELED"
    return {"filled": "FILLED", "expired": "EXPIRED", "rejected": "REJECTED"}.get(status, status.upper())


def _moment(answer: Row) -> int:
    return read_time_ms(answer.get("updated") or answer["created"])


def read_parts(answer: Row, executed: Decimal) -> tuple[PartFill, ...] | None:
    """Return an order's trades, or None where they are not all there and settled: they are asked for again then."""
    try:
        fills = answer.get("fills")
        parts = tuple(map(_part_fill, fills)) if isinstance(fills, list) else ()
    except UNREADABLE:
        return None
    return parts if executed > 0 and executed == sum((part.quantity for part in parts), ZERO) else None


def _part_fill(row: Row) -> PartFill:
    price, quantity = read_amount(row["price"]), read_amount(row["amount"])
    if price == 0 or quantity == 0 or row.get("settled") is False:
        raise ValueError("no trade, or not settled")
    return PartFill(
        price=price,
        quantity=quantity,
        quote=price * quantity,
        commission=read_decimal(row["fee"]),  # a maker's may be under 0
        commission_asset=str(row["feeCurrency"]),
    )


# --------------------------------------------------------------------------- rows of the lists


def is_sent_by(row: Row, operator_id: int) -> bool:
    """Return whether an order is one of this bot's: a UUID under its operator id."""
    name, sender = row.get("clientOrderId"), row.get("operatorId")
    if not isinstance(name, str) or not is_uuid(name):
        return False
    return sender == operator_id if sender is not None else read_order_id(name, operator_id) is not None


def read_executed_order(row: Row, operator_id: int) -> ExecutedOrder:
    """Read a row of the orders. Raises OddAnswerError."""
    try:
        parts = read_parts(row, executed := read_amount(row["filledAmount"])) or ()
        return ExecutedOrder(
            client_order_id=str(row.get("clientOrderId") or ""),
            pair=str(row["market"]),
            side=_SIDES[row["side"]].value,
            executed_base=executed,
            time_ms=_moment(row),
            is_own=is_sent_by(row, operator_id),
            quote=read_amount(row["filledAmountQuote"]),
            fees=fees_by_asset(parts),
        )
    except UNREADABLE:
        raise OddAnswerError(LocalizedText("fault.exchange.odd_seen_order")) from None


def read_own_order(row: Row) -> OwnOrder:
    """Read an order of this bot's. Raises one of UNREADABLE; OddAnswerError where its trades are not all told."""
    executed = read_amount(row["filledAmount"])
    parts = read_parts(row, executed)
    if executed > 0 and parts is None:
        raise OddAnswerError(LocalizedText("fault.order.odd_trades"))
    told = read_order_id(str(row["clientOrderId"]), int(row.get("operatorId") or 0))
    status = _status(row)
    fill = Fill(
        client_order_id=str(row["clientOrderId"]),
        order_id=str(row["orderId"]),
        status=status,
        base=executed,
        quote=read_amount(row["filledAmountQuote"]),
        fees=fees_by_asset(parts or ()),
        time_ms=_moment(row),
    )
    quote_amount = read_amount(row.get("amountQuote") or 0)
    return OwnOrder(
        pair=str(row["market"]),
        side=_SIDES[row["side"]],
        fill=fill,
        quantity=None if quote_amount > 0 else read_amount(row.get("amount") or 0) or None,
        quote_amount=quote_amount if quote_amount > 0 else None,
        is_final=row["status"] not in _ACTIVE,
        reason=told.reason if told else None,
        serial=told.serial if told else 0,
        sender=int(row.get("operatorId") or 0),
    )


def may_be_hidden(row: Row, intent: Intent, operator_id: int) -> bool:
    """Return whether a row without a client order id may be this order: the list shows the id on the newest only.

    operator_id: this bot's, 0 where it is not known; a row that tells another's is the owner's own, however alike.
    """
    if row.get("clientOrderId") is not None or row.get("side") != intent.side.lower():
        return False
    sender = row.get("operatorId")
    if operator_id and isinstance(sender, int) and sender != operator_id:
        return False
    asked = row.get("amount") if intent.quantity is not None else row.get("amountQuote")
    if asked is None:  # an order of another kind, such as a limit order for a quantity
        return False
    with suppress(*UNREADABLE):
        if read_time_ms(row["created"]) < intent.created_ms - _CLOCK_MARGIN_MS:
            return False
        return read_amount(asked) == (intent.quantity or intent.quote_amount)
    return True


_CLOCK_MARGIN_MS = 5_000
