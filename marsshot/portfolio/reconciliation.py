"""The book against the exchange: what differs, and whether money could be at stake. Pure.

Coins that the bot did not buy are the owner's: more on the exchange than in the book is no difference, only a place
to look for an order that the book does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import STANDSTILL, Book, DifferenceTopic, Position
from marsshot.core.catalog import LocalizedText
from marsshot.core.moments import utc_text
from marsshot.core.orders import ExecutedOrder, Side
from marsshot.core.reasons import DifferenceKind
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.serialization import decimal_text

# Orders are looked for from a little before the last comparison on: clocks differ, and answers lag.
MARGIN_MS = 60_000
SECOND_READING_AFTER_MS = 60_000  # one reading of an account may be old: two that agree are believed
NOTED_FOR_MS = 12 * 3_600_000  # so that a command that finds nothing to do leaves the book as it is
SURPLUS = "surplus"  # in what was said of a position
_CENT = Decimal("0.01")
_SMALLEST_BALANCE = Decimal("1e-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which book and exchange differ."""

    topic: DifferenceTopic
    sentence: str  # for people
    pauses: bool  # money could be at stake: no purchases until the owner has looked
    exchange_quantity: Decimal | None = None  # base asset that is really there, where it is less than the book counts
    capital_change: Decimal = ZERO  # of an unknown order: what it did to the money that the book counts

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
    free = account.free.get(book.quote_asset, ZERO)
    is_known = book.quote_asset not in account.unreadable
    if is_known and not book.intents and book.capital - free >= _CENT:
        text = LocalizedText("log.differs.capital", counted=book.capital, quote=book.quote_asset, there=free)
        topic = DifferenceTopic(DifferenceKind.CAPITAL, detail=decimal_text(free))
        found.append(Difference(topic=topic, sentence=text, pauses=False))
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
    if rules.base_asset in account.unreadable:
        return found
    there, lent = account.total(rules.base_asset), account.lent.get(rules.base_asset, ZERO)
    if lent > 0 and _is_short(held.qty - there, rules):
        text = LocalizedText("log.differs.lent", symbol=symbol, counted=_plain(held.qty), lent=_plain(lent))
        found.append(Difference(topic=DifferenceTopic(DifferenceKind.LENT, symbol), sentence=text, pauses=True))
    exchange_quantity = there + lent
    if _is_short(held.qty - exchange_quantity, rules):
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


def _is_short(missing: Decimal, rules: TradingRules) -> bool:
    return missing > 0 and missing >= rules.lot_step


def surpluses(book: Book, account: Account, rules: Mapping[str, TradingRules | None]) -> list[str]:
    """Return the held tokens of which the account has more than the book counts: the owner's, and not told yet."""

    def has_more(symbol: str, held: Position) -> bool:
        known = rules.get(symbol)
        if known is None or SURPLUS in held.said or book.has_pending_order(symbol):
            return False
        counted = held.qty + book.dust.get(known.base_asset, ZERO)
        return _is_short(account.total(known.base_asset) - counted, known)

    return [symbol for symbol, held in book.positions.items() if has_more(symbol, held)]


def symbols_to_check(
    book: Book, account: Account, rules: Mapping[str, TradingRules | None], symbols: Collection[str]
) -> list[str]:
    """Return the tokens of which the account has more, or less, than the book says, by a lot step or more."""

    def differs(symbol: str) -> bool:
        known = rules.get(symbol)
        if known is None or book.has_pending_order(symbol) or known.base_asset in account.unreadable:
            return False
        held = book.positions.get(symbol)
        counted = (held.qty if held else ZERO) + book.dust.get(known.base_asset, ZERO)
        difference = abs(account.total(known.base_asset) - counted)
        return difference > 0 and difference >= known.lot_step

    return [symbol for symbol in symbols if differs(symbol)]


def unknown_orders(
    book: Book, seen: Mapping[str, Sequence[ExecutedOrder]], covered: Collection[str] = ()
) -> list[Difference]:
    """Return the orders that this bot has sent, by their ids, but the book neither booked nor waits for.

    seen: by token. covered: the tokens of which the account has all that the book counts; of the others a sale leaves
    what it did not sell, and the coins beyond that are the owner's.
    """
    found = []
    for symbol, orders in seen.items():
        held = book.positions.get(symbol)
        left, bought = held.qty if held else ZERO, ZERO
        for order in orders:
            if not _is_unknown(order, book):
                continue
            kind, taken = _kind(order, is_covered=symbol in covered), ZERO
            if kind is DifferenceKind.UNKNOWN_PURCHASE:
                bought += order.executed_base
            elif kind is DifferenceKind.UNKNOWN_SALE:
                taken = min(left + bought, order.executed_base)
                left, bought = max(left - taken, ZERO), max(bought - max(taken - left, ZERO), ZERO)
            found.append(
                Difference(
                    topic=DifferenceTopic(kind, symbol, order.client_order_id),
                    sentence=_unknown_order_text(order, symbol, kind),
                    pauses=True,
                    exchange_quantity=left if held and kind is DifferenceKind.UNKNOWN_SALE else None,
                    capital_change=_capital_change(order, taken, book.quote_asset),
                )
            )
    return found


def _kind(order: ExecutedOrder, *, is_covered: bool) -> DifferenceKind:
    if order.side != Side.SELL:
        return DifferenceKind.UNKNOWN_PURCHASE
    return DifferenceKind.COVERED_SALE if is_covered else DifferenceKind.UNKNOWN_SALE


def _capital_change(order: ExecutedOrder, taken: Decimal, quote_asset: str) -> Decimal:
    """Return what an order did to the book's money: of a sale, what the position's own coins brought."""
    fee = order.fees.get(quote_asset, ZERO)
    if order.side != Side.SELL:
        return -(order.quote + fee)
    return (order.quote - fee) * taken / order.executed_base


def _is_unknown(order: ExecutedOrder, book: Book) -> bool:
    name = order.client_order_id
    # One that was taken for absent is watched by its id, and booked by that when it turns up: not twice.
    known = (book.intents, book.booked_orders, book.absent_orders, book.left_out_purchases)
    return order.is_own and not any(name in names for names in known)


def _unknown_order_text(order: ExecutedOrder, symbol: str, kind: DifferenceKind) -> str:
    when = utc_text(datetime.fromtimestamp(order.time_ms / 1000, UTC))
    amount = f"{order.side} {decimal_text(order.executed_base)} {order.pair}"
    facts = {"amount": amount, "when": when, "order": order.client_order_id}
    return LocalizedText(f"log.differs.{kind}", symbol=symbol, **facts)


def _plain(amount: Decimal) -> Decimal:
    return Decimal(decimal_text(amount))


def without_explained(differences: Sequence[Difference]) -> list[Difference]:
    """Leave out shortfalls that an unknown sale of the same token explains."""
    sold = {one.symbol for one in differences if one.topic.kind is DifferenceKind.UNKNOWN_SALE}
    return [one for one in differences if not (one.topic.kind is DifferenceKind.SHORTFALL and one.symbol in sold)]


def since_ms(book: Book, now_ms: int) -> int:
    """Return the exchange time from which on orders are looked for."""
    return (book.reconciled_ms or now_ms) - MARGIN_MS


@dataclass(frozen=True, slots=True)
class Reading:
    """What one comparison makes of the differences it finds."""

    confirmed: Sequence[Difference]  # to be told, or told before
    suspected: Mapping[DifferenceTopic, int]  # seen for the first time, at this exchange time: a second reading tells
    waits: bool  # for a second reading, without an order under way


def reading_of(book: Book, differences: Sequence[Difference], now_ms: int) -> Reading:
    """Return which differences are certain: those that pause nothing, were told before, or were seen a minute ago."""
    confirmed, suspected = list[Difference](), dict[DifferenceTopic, int]()
    for one in differences:
        first_ms = book.suspected.get(one.topic, now_ms)
        is_seen_twice = not book.intents and now_ms - first_ms >= SECOND_READING_AFTER_MS
        is_of_look_up = one.topic.kind.is_undecidable_order  # no reading of the account shows it
        if not one.pauses or one.topic in book.differences or is_seen_twice or is_of_look_up:
            confirmed.append(one)
        elif not book.intents or one.topic in book.suspected:
            suspected[one.topic] = min(first_ms, now_ms)
    return Reading(confirmed, suspected, waits=len(confirmed) < len(differences))


def with_comparison(
    book: Book,
    now_ms: int,
    differences: Sequence[Difference],
    *,
    suspected: Mapping[DifferenceTopic, int] | None = None,
    settled: bool = False,
) -> Book:
    """Note what is told of a comparison made at this exchange time, and that time if the one noted is hours old.

    suspected: what a second reading has to show first.
    settled: the owner has looked at orders that the book does not know; they are not looked for again. Until then
    the time stays as it is, so that they are found.
    """
    told = {one.topic: book.differences.get(one.topic, one.sentence) for one in differences}
    book = replace(book, differences=told, suspected=suspected or {})
    waits = any(topic.is_unknown_order for topic in (*told, *book.suspected))
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


def bots_part(there: Decimal, counted: Decimal, owners: Decimal) -> Decimal:
    """Return what of an account's coins is the bot's, where it had `counted` and the owner `owners` of the old ones.

    To the eight places of a balance.
    """
    if owners <= 0 or counted <= 0:
        return there
    return (there * counted / (counted + owners)).quantize(_SMALLEST_BALANCE)


def quantity_after_standstill(there: Decimal, counted: Decimal, owners: Decimal | None) -> Decimal:
    """Return what of an account's coins is the bot's, once the owner has looked at a token that stood still.

    counted: what was the bot's before. owners: what was the owner's; None where that is not known. Nobody exchanges one
    coin for less than two, or two for more than one: otherwise what came or went meanwhile is the owner's, and what is
    missing of the bot's is told like anything that is missing.
    """
    before = counted + (owners or ZERO)
    if before < 2 * there < 4 * before:
        return counted
    return bots_part(there, counted, owners or ZERO)


def with_coins_exchanged(book: Book, symbol: str, quantity: Decimal, moment: str = "") -> Book:
    """Let a position count what the account holds of the new coin, for what was paid for the old one.

    The top moves by the same factor as the entry price. Nothing of it there: the position is closed. moment: when the
    owner has looked, UTC.
    """
    held = book.positions[symbol]
    held = replace(held, said=held.said - {STANDSTILL, "short", "not_there"}, owners_share=None, resumed_at=moment)
    if quantity <= 0:
        return with_position(book, symbol, None)
    if quantity == held.qty:
        return with_position(book, symbol, held)
    entry_price = held.cost / quantity
    return with_position(
        book,
        symbol,
        replace(
            held,
            qty=quantity,
            entry_quote=held.cost,
            entry_base=quantity,
            max_price=max(held.max_price * entry_price / held.entry_price, entry_price),
            partial_left=None if held.partial_left is None else held.partial_left * quantity / held.qty,
        ),
    )


def with_order_accepted(book: Book, difference: Difference, now_ms: int) -> Book:
    """Let the money count what an order of ours did to it that the book does not know.

    A purchase stays out of the book, its coins are the owner's; it is noted, so that `recover` can take it in.
    """
    book = replace(book, capital=max(book.capital + difference.capital_change, ZERO))
    if difference.topic.kind is not DifferenceKind.UNKNOWN_PURCHASE:
        # Not to be found again as long as another is still to be told.
        return replace(book, booked_orders={**book.booked_orders, difference.topic.detail: now_ms})
    left_out = {**book.left_out_purchases, difference.topic.detail: -difference.capital_change}
    return replace(book, left_out_purchases=left_out)
