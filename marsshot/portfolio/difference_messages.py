"""What differs between book and exchange, in the owner's language. The book and bot.log keep the English sentence.

Values in, texts out.
"""

from __future__ import annotations

from decimal import Decimal

from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.catalog import Catalog
from marsshot.core.reasons import DifferenceKind


def difference_text(topic: DifferenceTopic, sentence: str, book: Book, catalog: Catalog) -> str:
    """Return a difference as a sentence for people; one of a kind that has no words as it is."""
    held = book.positions.get(topic.symbol)
    match topic.kind:
        case DifferenceKind.SHORTFALL if held is not None:
            facts = {"symbol": topic.symbol, "counted": held.qty, "there": Decimal(topic.detail)}
        case DifferenceKind.UNKNOWN_PAIR | DifferenceKind.CLOSED_PAIR | DifferenceKind.LENT:
            facts = {"symbol": topic.symbol}
        case (
            DifferenceKind.UNKNOWN_SALE
            | DifferenceKind.COVERED_SALE
            | DifferenceKind.UNKNOWN_PURCHASE
            | DifferenceKind.GONE_ORDER
            | DifferenceKind.NAMELESS_ORDER
        ):
            facts = {"symbol": topic.symbol, "order": topic.detail}
        case DifferenceKind.CAPITAL if topic.detail:
            facts = {"quote": book.quote_asset, "counted": book.capital, "there": Decimal(topic.detail)}
        case _:
            return sentence
    return catalog.text(topic.kind.text_key, **facts)
