"""The book that follows from this bot's orders as the exchange remembers them. Pure: orders in, a book out.

Each order is booked as the ledger would have booked it, oldest first. What no order tells (tops, skipped sales, the
owner's words) is not guessed here. Asks nobody, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from marsshot.core.amounts import EXACT, ZERO, floor_to_step
from marsshot.core.book import Book, Position
from marsshot.core.orders import Intent, OwnOrder, Side
from marsshot.core.reasons import OrderReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.portfolio.ledger import with_fill, with_position

_CENT = Decimal("0.01")


class Misfit(StrEnum):
    """What does not fit, and is left out. The catalogue has its words under recover.misfit."""

    UNKNOWN_PURCHASE = "unknown_purchase"  # a sale of coins that no known order has bought
    ALL_MISSING = "all_missing"  # the account has nothing of a position
    PART_MISSING = "part_missing"  # the account has less than a position counts
    LENT = "lent"  # coins of a position lie in an earn product
    CAPITAL_SPENT = "capital_spent"  # the orders spent more than there was
    CAPITAL_NOT_THERE = "capital_not_there"  # the account has less money free than the orders leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not fit: amounts in base asset of the token, or in quote asset."""

    misfit: Misfit
    symbol: str = ""
    counted: Decimal = ZERO
    there: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredOrder:
    """An order that the book did not know, and how it is booked. is_presumed: its reason is told by its amount only."""

    order: OwnOrder
    symbol: str
    reason: OrderReason
    is_presumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The book as it follows, the orders that made it, and what does not fit."""

    book: Book
    orders: tuple[RecoveredOrder, ...] = ()
    findings: tuple[Finding, ...] = ()


def orders_unknown_to(book: Book, orders: Iterable[OwnOrder], since_ms: int) -> list[OwnOrder]:
    """Return the orders that executed and that this book has not booked, oldest first.

    since_ms: exchange time of the last comparison: what is older was compared. An order that was proven never taken,
    and a purchase that `resume` has left to the owner, are unknown however old they are.
    """
    not_booked = book.intents.keys() | book.absent_orders.keys() | book.left_out_purchases.keys()

    def is_unknown(order: OwnOrder) -> bool:
        name = order.fill.client_order_id
        if order.fill.base <= 0 or name in book.booked_orders:
            return False
        return order.fill.time_ms >= since_ms or name in not_booked

    return sorted(filter(is_unknown, orders), key=lambda one: (one.fill.time_ms, one.fill.order_id))


def replayed(
    book: Book,
    orders: Sequence[OwnOrder],
    rules: Mapping[str, TradingRules],
    reasons: Mapping[str, OrderReason],
    partial_share: Decimal,
) -> Recovery:
    """Book these orders, oldest first. rules: by token, of every pair that has orders.

    reasons: by client order id, of orders that trades.csv knows; where neither that nor the id tells the reason of a
    sale, its amount does. partial_share: of the quantity held, what the partial take-profit sells.
    """
    symbol_of = {known.pair: symbol for symbol, known in rules.items()}
    done, findings = list[RecoveredOrder](), list[Finding]()
    for order in orders:
        symbol = symbol_of[order.pair]
        held, known = book.positions.get(symbol), rules[symbol]
        name = order.fill.client_order_id
        certain = order.reason or reasons.get(name)
        intent = book.intents.get(name) or _intent(
            order, symbol, known, certain or _presumed_reason(order, held, known, partial_share)
        )
        if order.side is Side.SELL and held is None:
            findings.append(Finding(misfit=Misfit.UNKNOWN_PURCHASE, symbol=symbol, counted=order.fill.base))
        book = _with_partial_sale_begun(_without_left_out(book, name), intent, known, partial_share)
        book = with_fill(book, intent, order.fill)
        book = replace(book, order_serial=max(book.order_serial, order.serial))
        is_presumed = certain is None and order.side is Side.SELL
        done.append(RecoveredOrder(order=order, symbol=symbol, reason=intent.reason, is_presumed=is_presumed))
    return Recovery(book=book, orders=tuple(done), findings=tuple(findings))


def _without_left_out(book: Book, name: str) -> Book:
    """Undo what `resume` did to the money for a purchase that it left out."""
    if name not in book.left_out_purchases:
        return book
    left = {key: amount for key, amount in book.left_out_purchases.items() if key != name}
    return replace(book, capital=book.capital + book.left_out_purchases[name], left_out_purchases=left)


def _intent(order: OwnOrder, symbol: str, rules: TradingRules, reason: OrderReason) -> Intent:
    quantity = order.quantity if order.quote_amount is None else None
    return Intent(
        client_order_id=order.fill.client_order_id,
        symbol=symbol,
        pair=order.pair,
        base_asset=rules.base_asset,
        lot_step=rules.lot_step,
        side=order.side,
        reason=reason,
        created_ms=order.fill.time_ms,
        quantity=quantity or (None if order.quote_amount else order.fill.base),
        quote_amount=order.quote_amount,
    )


def _presumed_reason(order: OwnOrder, held: Position | None, rules: TradingRules, share: Decimal) -> OrderReason:
    """Return what an order's amount says of its reason: a sale of all, or of a piece of all, was no partial one."""
    if order.side is Side.BUY:
        return OrderReason.DAILY_BUY
    asked = order.quantity or order.fill.base
    if held is None or held.partial_sold or asked >= floor_to_step(held.qty, rules.lot_step):
        return OrderReason.RECOVERED
    if asked != _piece(_partial_quantity(held, rules, share), rules) and asked == _piece(held.qty, rules):
        return OrderReason.RECOVERED
    return OrderReason.PARTIAL_TAKE_PROFIT


def _partial_quantity(held: Position, rules: TradingRules, share: Decimal) -> Decimal:
    return floor_to_step(held.partial_left or EXACT.multiply(held.qty, share), rules.lot_step)


def _piece(quantity: Decimal, rules: TradingRules) -> Decimal:
    """Return the first order of a sale of this quantity: all of it, or a part above the pair's largest order."""
    wanted, largest = floor_to_step(quantity, rules.lot_step), rules.max_market_quantity
    if largest is None or wanted <= largest:
        return wanted
    pieces = (wanted / floor_to_step(largest, rules.lot_step)).to_integral_value(ROUND_CEILING)
    return floor_to_step(wanted / pieces, rules.lot_step)


def _with_partial_sale_begun(book: Book, intent: Intent, rules: TradingRules, share: Decimal) -> Book:
    """Note, as before its first order, how much a partial sale is to sell where that takes several orders."""
    held = book.positions.get(intent.symbol)
    if intent.reason is not OrderReason.PARTIAL_TAKE_PROFIT or held is None or held.partial_left is not None:
        return book
    wanted = _partial_quantity(held, rules, share)
    if _piece(wanted, rules) == wanted:
        return book
    return with_position(book, intent.symbol, replace(held, partial_left=wanted))


def fitted_to_account(recovery: Recovery, account: Account, rules: Mapping[str, TradingRules]) -> Recovery:
    """Leave out what the account does not have: coins of positions, and money."""
    book, findings = recovery.book, list(recovery.findings)
    for symbol, held in recovery.book.positions.items():
        if symbol in rules:
            fitting, finding = _fitted_position(symbol, held, account, rules[symbol])
            book = with_position(book, symbol, fitting)
            findings += [finding] if finding else []
    if book.capital < 0:
        findings.append(Finding(misfit=Misfit.CAPITAL_SPENT, counted=book.capital))
        book = replace(book, capital=ZERO)
    free = account.free.get(book.quote_asset, ZERO)
    if book.capital - free >= _CENT:
        findings.append(Finding(misfit=Misfit.CAPITAL_NOT_THERE, counted=book.capital, there=free))
        book = replace(book, capital=free)
    return replace(recovery, book=book, findings=tuple(findings))


def _fitted_position(
    symbol: str, held: Position, account: Account, rules: TradingRules
) -> tuple[Position | None, Finding | None]:
    there, lent = account.total(rules.base_asset), account.lent.get(rules.base_asset, ZERO)
    missing = held.qty - there
    if missing <= 0 or missing < rules.lot_step:
        return held, None
    if lent >= missing:
        return held, Finding(misfit=Misfit.LENT, symbol=symbol, counted=held.qty, there=lent)
    left = there + lent
    if left <= 0 or left < rules.lot_step:
        return None, Finding(misfit=Misfit.ALL_MISSING, symbol=symbol, counted=held.qty, there=left)
    finding = Finding(misfit=Misfit.PART_MISSING, symbol=symbol, counted=held.qty, there=left)
    return replace(held, qty=left, cost=held.cost * left / held.qty), finding
