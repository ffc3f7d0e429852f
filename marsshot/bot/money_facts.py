"""What a deposit or a withdrawal goes by: what everything is worth now, and how much the account has free.

Asks prices and account; changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.bot.journal import LastSeen, positions_worth
from marsshot.core.amounts import ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.requests import RequestKind
from marsshot.exchange.base import Exchange
from marsshot.portfolio.request_outcomes import MoneyFacts

MAX_AGE_FOR_WORTH = timedelta(minutes=15)


def money_facts(kind: RequestKind, book: Book, exchange: Exchange, worth: Decimal) -> MoneyFacts:
    """Return what a request about money goes by. Raises TemporaryError or AccountTroubleError."""
    if kind is RequestKind.WITHDRAW or book.mode == "paper":  # there the book is the account
        return MoneyFacts(worth=worth)
    if book.intents:  # what they have brought in would be counted twice
        raise TemporaryError(LocalizedText("request.in_doubt"))
    account = exchange.account()
    if book.quote_asset in account.unreadable:
        raise TemporaryError(LocalizedText("fault.exchange.odd_balance", asset=book.quote_asset))
    beyond = account.free.get(book.quote_asset, ZERO) - book.capital
    return MoneyFacts(worth=worth, most_to_deposit=max(beyond, ZERO))


def worth_now(
    book: Book, seen: LastSeen, now: datetime, ask_prices: Callable[[Collection[str]], Mapping[str, Decimal]]
) -> Decimal:
    """Return what everything is worth, by the last prices; those of a run long ago are asked for anew."""
    old = [
        symbol
        for symbol in book.positions
        if symbol not in seen.prices or now - seen.prices[symbol][1] > MAX_AGE_FOR_WORTH
    ]
    anew = {symbol: (price, now) for symbol, price in ask_prices(old).items()} if old else {}
    return book.capital + positions_worth(book, replace(seen, prices={**seen.prices, **anew}))
