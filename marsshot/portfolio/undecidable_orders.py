"""Orders in doubt that no question to the exchange decides: the owner is told, and decides by `resume`. Pure.

Of a pair that the exchange does not know any more: what the account holds counts then. Where an order that shows no id
may be the bot's or the owner's: it is the owner's then, and the bot's was never taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.catalog import LocalizedText
from marsshot.core.orders import Fill, Intent, Side
from marsshot.core.reasons import DifferenceKind
from marsshot.core.trading_rules import Account
from marsshot.portfolio.ledger import with_absence, with_fill, with_position, without_intent
from marsshot.portfolio.reconciliation import Difference
from marsshot.portfolio.serialization import decimal_text

Undecidable = Mapping[str, DifferenceKind]  # by client order id: why no question decides it


def undecidable_topics(book: Book, undecidable: Undecidable) -> set[DifferenceTopic]:
    """Return what there is to tell of, or was told of, as long as such an order is in doubt."""
    return {topic for _, topic in _in_doubt(book, undecidable)}


def undecidable_order_differences(book: Book, undecidable: Undecidable, account: Account) -> list[Difference]:
    """Return what is to be told of these orders; of those whose balance cannot be read, nothing yet."""
    return [
        Difference(
            topic=topic,
            sentence=_sentence(book, intent, topic.kind, account),
            pauses=True,
            exchange_quantity=account.total(intent.base_asset),
        )
        for intent, topic in _in_doubt(book, undecidable)
        if not {intent.base_asset, book.quote_asset} & account.unreadable
    ]


def _in_doubt(book: Book, undecidable: Undecidable) -> list[tuple[Intent, DifferenceTopic]]:
    # After a start it takes a while until the lists are asked again: what was told holds meanwhile.
    told = {topic.detail: topic.kind for topic in book.differences if topic.kind is DifferenceKind.NAMELESS_ORDER}
    kinds = {**told, **undecidable}
    return [
        (intent, DifferenceTopic(kinds[name], intent.symbol, name))
        for name, intent in book.intents.items()
        if name in kinds
    ]


def _sentence(book: Book, intent: Intent, kind: DifferenceKind, account: Account) -> LocalizedText:
    amount = Decimal(decimal_text(intent.quote_amount or intent.quantity or ZERO))
    if kind is DifferenceKind.NAMELESS_ORDER:
        asset = intent.base_asset if intent.quote_amount is None else book.quote_asset
        facts = {"symbol": intent.symbol, "pair": intent.pair, "order": intent.client_order_id}
        return LocalizedText("difference.nameless_told", amount=amount, asset=asset, **facts)
    return LocalizedText(
        f"difference.gone_{intent.side.lower()}",
        symbol=intent.symbol,
        pair=intent.pair,
        order=intent.client_order_id,
        asset=intent.base_asset,
        counted=Decimal(decimal_text(_counted(book, intent))),
        there=Decimal(decimal_text(account.total(intent.base_asset))),
        amount=amount,
        quote=book.quote_asset,
    )


def with_undecidable_orders_decided(book: Book, topics: Collection[DifferenceTopic], account: Account) -> Book:
    """Decide these orders as the owner was told: by what the account holds, or as never taken."""
    kinds = {topic.detail: topic.kind for topic in topics}
    for name, intent in list(book.intents.items()):
        if kinds.get(name) is DifferenceKind.NAMELESS_ORDER:
            book = with_absence(book, intent)
        elif name in kinds:
            decide = _with_purchase_decided if intent.side is Side.BUY else _with_sale_decided
            book = decide(book, intent, account)
            # Of money that has gone nothing is left to spend; of money that came, deposit tells.
            book = replace(book, capital=min(book.capital, account.total(book.quote_asset)))
    return book


def _counted(book: Book, intent: Intent) -> Decimal:
    held = book.positions.get(intent.symbol)
    return (held.qty if held else ZERO) + book.dust.get(intent.base_asset, ZERO)


def _with_purchase_decided(book: Book, intent: Intent, account: Account) -> Book:
    bought = account.total(intent.base_asset) - _counted(book, intent)
    if bought <= 0 or bought < intent.lot_step:
        return without_intent(book, intent)
    fill = Fill(
        client_order_id=intent.client_order_id,
        order_id=0,
        status="FILLED",
        base=bought,
        quote=min(intent.quote_amount or ZERO, book.capital),
        fees={},
        time_ms=intent.created_ms,
    )
    return with_fill(book, intent, fill) if fill.quote > 0 else without_intent(book, intent)


def _with_sale_decided(book: Book, intent: Intent, account: Account) -> Book:
    book = without_intent(book, intent)
    held, there = book.positions.get(intent.symbol), account.total(intent.base_asset)
    if held is None or there >= held.qty:
        return book
    if there <= 0 or there < intent.lot_step:
        return with_position(book, intent.symbol, None)
    return with_position(book, intent.symbol, replace(held, qty=there, cost=held.cost * there / held.qty))
