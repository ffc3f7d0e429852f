"""What differs between book and exchange, in the owner's language. The book and bot.log keep the English sentence.

Values in, texts out.
"""

from __future__ import annotations

from decimal import Decimal

from marsshot.core.catalog import Catalog
from marsshot.core.domain import Book


def difference_text(topic: str, sentence: str, book: Book, catalog: Catalog) -> str:
    """Return a difference as a sentence for people; one of a kind that has no words as it is.

    topic: as reconciliation.py names them, kind.token.detail.
    """
    kind, _, rest = topic.partition(".")
    symbol, _, rest = rest.partition(".")
    held = book.positions.get(symbol)
    if kind == "short" and held is not None:
        return catalog.text("difference.short", symbol=symbol, counted=held.qty, there=Decimal(rest))
    if kind in {"pair", "closed"}:
        return catalog.text(f"difference.{kind}", symbol=symbol)
    if kind in {"sale", "purchase"}:
        return catalog.text(f"difference.{kind}", symbol=symbol, order=rest)
    return catalog.text("difference.capital", quote=book.quote_asset) if kind == "capital" else sentence
