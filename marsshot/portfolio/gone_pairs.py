"""Orders in doubt of a pair that the exchange does not know any more: decided by the account's balances. Pure.

The exchange cannot be asked about them: the owner is told, and decides by `resume`. Then what the account holds counts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.catalog import LocalizedText
from marsshot.core.orders import Fill, Intent, Side
from marsshot.core.reasons import DifferenceKind
from marsshot.core.trading_rules import Account
from marsshot.portfolio.ledger import with_fill, with_position, without_intent
from marsshot.portfolio.reconciliation import Difference
from marsshot.portfolio.serialization import decimal_text


def gone_order_differences(book: Book, order_ids: Collection[str], account: Account) -> list[Difference]:
    """Return what is to be told of these orders; of those whose balance cannot be read, nothing yet."""
    intents = [intent for name, intent in book.intents.items() if name in order_ids]
    return [
        Difference(
            topic=gone_topic(intent),
            sentence=_sentence(book, intent, account),
            pauses=True,
            exchange_quantity=account.total(intent.base_asset),
        )
        for intent in intents
        if not {intent.base_asset, book.quote_asset} & account.unreadable
    ]


def gone_topic(intent: Intent) -> DifferenceTopic:
    """Return the topic of the difference about an order."""
    return DifferenceTopic(DifferenceKind.GONE_ORDER, intent.symbol, intent.client_order_id)


def _sentence(book: Book, intent: Intent, account: Account) -> LocalizedText:
    return LocalizedText(
        f"difference.gone_{intent.side.lower()}",
        symbol=intent.symbol,
        pair=intent.pair,
        order=intent.client_order_id,
        asset=intent.base_asset,
        counted=Decimal(decimal_text(_counted(book, intent))),
        there=Decimal(decimal_text(account.total(intent.base_asset))),
        amount=Decimal(decimal_text(intent.quote_amount or intent.quantity or ZERO)),
        quote=book.quote_asset,
    )


def with_gone_orders_decided(book: Book, topics: Collection[DifferenceTopic], account: Account) -> Book:
    """Take for each of these orders what the account holds as what came of it."""
    for intent in list(book.intents.values()):
        if gone_topic(intent) in topics:
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
