"""The book against the exchange: what differs, and whether money could be at stake. Pure.

Coins that the bot did not buy are the owner's: more on the exchange than in the book is no difference, only a place
to look for an order that the book does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from marsshot.core.catalog import LocalizedText
from marsshot.core.domain import (
    ZERO,
    Account,
    Book,
    DifferenceTopic,
    ExecutedOrder,
    Position,
    Side,
    TradingRules,
    is_our_order,
    utc_text,
)
from marsshot.core.reasons import DifferenceKind
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.serialization import decimal_text

# Orders are looked for from a little before the last comparison on: clocks differ, and answers lag.
MARGIN_MS = 60_000
NOTED_FOR_MS = 12 * 3_600_000  # so that a command that finds nothing to do leaves the book as it is
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which book and exchange differ."""

    topic: DifferenceTopic
    sentence: str  # for people
    pauses: bool  # money could be at stake: no purchases until the owner has looked
    exchange_quantity: Decimal | None = None  # base asset that is really there, where it is less than the book counts

    @property
    def symbol(self) -> str:
        """The token that it is about, if it is about one."""
        return self.topic.symbol


def balance_differences(book: Book, account: Account, rules: Mapping[str, TradingRules | None]) -> list[Difference]:
    """Compare positions and capital with the account. rules: of every held token; None where the pair is unknown.

    Tokens with an order on its way are left out: what is theirs is not known yet.
    """
    found = []
    for symbol, held in book.positions.items():
        if not book.has_pending_order(symbol):
            found += _position_differences(symbol, held, account, rules.get(symbol))
    exchange_quantity = account.total(book.quote_asset)
    if not book.intents and book.capital - exchange_quantity >= _CENT:
        text = LocalizedText(
            "log.differs.capital", counted=book.capital, quote=book.quote_asset, there=exchange_quantity
        )
        found.append(Difference(topic=DifferenceTopic(DifferenceKind.CAPITAL), sentence=text, pauses=False))
    return found


def _position_differences(
    symbol: str, held: Position, account: Account, rules: TradingRules | None
) -> list[Difference]:
    if rules is None:
        text = LocalizedText("log.differs.pair", symbol=symbol)
        return [Difference(topic=DifferenceTopic(DifferenceKind.UNKNOWN_PAIR, symbol), sentence=text, pauses=True)]
    found = []
    if not rules.tradable:
        text = LocalizedText("log.differs.closed", symbol=symbol, why=rules.unavailable_reason)
        topic = DifferenceTopic(DifferenceKind.CLOSED_PAIR, symbol)
        found.append(Difference(topic=topic, sentence=text, pauses=False))
    exchange_quantity = account.total(rules.base_asset)
    missing = held.qty - exchange_quantity
    if missing > 0 and missing >= rules.lot_step:
        amounts = {"counted": _plain(held.qty), "there": _plain(exchange_quantity)}
        found.append(
            Difference(
                topic=DifferenceTopic(DifferenceKind.SHORTFALL, symbol, decimal_text(exchange_quantity)),
                sentence=LocalizedText("difference.short", symbol=symbol, **amounts),
                pauses=True,
                exchange_quantity=exchange_quantity,
            )
        )
    return found


def symbols_to_check(
    book: Book, account: Account, rules: Mapping[str, TradingRules | None], symbols: Collection[str]
) -> list[str]:
    """Return the tokens of which the account has more, or less, than the book says, by a lot step or more."""

    def differs(symbol: str) -> bool:
        known = rules.get(symbol)
        if known is None or book.has_pending_order(symbol):
            return False
        held = book.positions.get(symbol)
        counted = (held.qty if held else ZERO) + book.dust.get(known.base_asset, ZERO)
        difference = abs(account.total(known.base_asset) - counted)
        return difference > 0 and difference >= known.lot_step

    return [symbol for symbol in symbols if differs(symbol)]


def unknown_orders(book: Book, seen: Mapping[str, Sequence[ExecutedOrder]]) -> list[Difference]:
    """Return the orders that this bot has sent, by their ids, but the book neither booked nor waits for.

    seen: by token. A sale leaves of a position what it did not sell; the coins beyond that are the owner's.
    """
    found = []
    for symbol, orders in seen.items():
        held = book.positions.get(symbol)
        left = held.qty if held else None
        for order in orders:
            if not _is_unknown(order, book):
                continue
            is_sale = order.side == Side.SELL
            kind = DifferenceKind.UNKNOWN_SALE if is_sale else DifferenceKind.UNKNOWN_PURCHASE
            left = max(left - order.executed_base, ZERO) if left is not None and is_sale else left
            found.append(
                Difference(
                    topic=DifferenceTopic(kind, symbol, order.client_order_id),
                    sentence=_unknown_order_text(order, symbol),
                    pauses=True,
                    exchange_quantity=left if is_sale else None,
                )
            )
    return found


def _is_unknown(order: ExecutedOrder, book: Book) -> bool:
    name = order.client_order_id
    return is_our_order(name) and name not in book.intents and name not in book.booked_orders


def _unknown_order_text(order: ExecutedOrder, symbol: str) -> str:
    when = utc_text(datetime.fromtimestamp(order.time_ms / 1000, UTC))
    amount = f"{order.side} {decimal_text(order.executed_base)} {order.pair}"
    facts = {"amount": amount, "when": when, "order": order.client_order_id}
    if order.side == Side.SELL:
        return LocalizedText("log.differs.sale", symbol=symbol, **facts)
    return LocalizedText("log.differs.purchase", **facts)


def _plain(amount: Decimal) -> Decimal:
    return Decimal(decimal_text(amount))


def without_explained(differences: Sequence[Difference]) -> list[Difference]:
    """Leave out shortfalls that an unknown sale of the same token explains."""
    sold = {one.symbol for one in differences if one.topic.kind is DifferenceKind.UNKNOWN_SALE}
    return [one for one in differences if not (one.topic.kind is DifferenceKind.SHORTFALL and one.symbol in sold)]


def since_ms(book: Book, now_ms: int) -> int:
    """Return the exchange time from which on orders are looked for."""
    return (book.reconciled_ms or now_ms) - MARGIN_MS


def with_comparison(book: Book, now_ms: int, differences: Sequence[Difference], *, settled: bool = False) -> Book:
    """Note what is told of a comparison made at this exchange time, and that time if the one noted is hours old.

    settled: the owner has looked at orders that the book does not know; they are not looked for again. Until then
    the time stays as it is, so that they are found.
    """
    told = {one.topic: book.differences.get(one.topic, one.sentence) for one in differences}
    book = replace(book, differences=told)
    waits = any(one.topic.is_unknown_order for one in differences)
    if waits or (not settled and 0 <= now_ms - book.reconciled_ms < NOTED_FOR_MS):
        return book
    kept = {name: moment for name, moment in book.booked_orders.items() if moment >= now_ms - 2 * MARGIN_MS}
    # What the owner has looked at happened up to this very moment: the margin must not bring it back.
    return replace(book, reconciled_ms=now_ms + MARGIN_MS + 1 if settled else now_ms, booked_orders=kept)


def with_exchange_quantity(book: Book, difference: Difference, lot_step: Decimal) -> Book:
    """Let a position count only what the exchange has; less than a lot step closes it. The rest is written off."""
    held, exchange_quantity = book.positions.get(difference.symbol), difference.exchange_quantity
    if held is None or exchange_quantity is None or exchange_quantity >= held.qty:
        return book
    if exchange_quantity <= 0 or exchange_quantity < lot_step:
        return with_position(book, difference.symbol, None)
    said = held.said - {"short", "not_there"}
    return with_position(
        book,
        difference.symbol,
        replace(held, qty=exchange_quantity, cost=held.cost * exchange_quantity / held.qty, said=said),
    )
