"""What differs between book and exchange, in the owner's language. The book and bot.log keep the English sentence.

Values in, texts out.
"""

from __future__ import annotations

from decimal import Decimal

from marsshot.core.catalog import Words
from marsshot.core.domain import Book


def difference_in_words(topic: str, sentence: str, book: Book, words: Words) -> str:
    """Return a difference as a sentence for people; one of a kind that has no words as it is.

    topic: as reconciliation.py names them, kind.token.detail.
    """
    kind, _, rest = topic.partition(".")
    symbol, _, rest = rest.partition(".")
    held = book.positions.get(symbol)
    if kind == "short" and held is not None:
        return words.say("difference.short", symbol=symbol, counted=held.qty, there=Decimal(rest))
    if kind in {"pair", "closed"}:
        return words.say(f"difference.{kind}", symbol=symbol)
    if kind in {"sale", "purchase"}:
        return words.say(f"difference.{kind}", symbol=symbol, order=rest)
    return words.say("difference.capital", quote=book.quote_asset) if kind == "capital" else sentence
