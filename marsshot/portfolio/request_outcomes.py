"""What a request of the owner's makes of the book: carried out and answered in one step, and so once.

Pure: a book in, a new book out. Never opens a file, asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book
from marsshot.core.reasons import OrderReason
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.performance import free_capital, with_cash_flow

ANSWER_KEPT_MS = 3_600_000  # for the command that waits; longer only while the request's file is there


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyFacts:
    """What a deposit or withdrawal goes by, in quote asset.

    worth: of everything now. most_to_deposit: what the account has free beyond the book; None where it is the book.
    """

    worth: Decimal = ZERO
    most_to_deposit: Decimal | None = None


NO_MONEY_FACTS = MoneyFacts()


def with_request_carried_out(
    book: Book, request: OwnerRequest, now: datetime, there: Collection[str], money: MoneyFacts = NO_MONEY_FACTS
) -> Book:
    """Return the book with the request carried out and answered.

    there: ids of the requests whose files are there. Answers to others are dropped when nobody waits for them any more.
    money: what a deposit or withdrawal goes by.
    """
    now_ms = int(now.timestamp() * 1000)
    changed, outcome, amount = _carried_out(book, request, now, money)
    kept = {
        one: answer
        for one, answer in book.answered_requests.items()
        if one in there or 0 <= now_ms - answer.time_ms < ANSWER_KEPT_MS
    }
    answer = RequestAnswer(outcome=outcome, time_ms=now_ms, amount=amount)
    return replace(changed, answered_requests=kept | {request.request_id: answer})


def _carried_out(
    book: Book, request: OwnerRequest, now: datetime, money: MoneyFacts
) -> tuple[Book, RequestOutcome, Decimal | None]:
    match request.kind:
        case RequestKind.SELL:
            return *_with_sale_marked(book, request.symbol), None
        case RequestKind.EXCLUDE:
            return *_with_exclusions(book, book.excluded | {request.symbol}), None
        case RequestKind.INCLUDE:
            return *_with_exclusions(book, book.excluded - {request.symbol}), None
        case RequestKind.DEPOSIT | RequestKind.WITHDRAW:
            return _with_money_moved(book, request, now, money)


def _with_sale_marked(book: Book, symbol: str) -> tuple[Book, RequestOutcome]:
    """Mark a position for a full sale at the next check; one that is being sold already keeps its reason."""
    held = book.positions.get(symbol)
    if held is None:
        return book, RequestOutcome.NOT_HELD
    marked = replace(held, exit_pending=held.exit_pending or OrderReason.SELL_TOKEN)
    return with_position(book, symbol, marked), RequestOutcome.DONE


def _with_exclusions(book: Book, excluded: frozenset[str]) -> tuple[Book, RequestOutcome]:
    if excluded == book.excluded:
        return book, RequestOutcome.NO_CHANGE
    return replace(book, excluded=excluded), RequestOutcome.DONE


def _with_money_moved(
    book: Book, request: OwnerRequest, now: datetime, money: MoneyFacts
) -> tuple[Book, RequestOutcome, Decimal]:
    is_deposit, amount = request.kind is RequestKind.DEPOSIT, request.amount or ZERO
    most = money.most_to_deposit if is_deposit else free_capital(book)
    if most is not None and amount > most:
        return book, RequestOutcome.TOO_MUCH, most
    changed = with_cash_flow(book, amount if is_deposit else -amount, money.worth, now)
    return changed, RequestOutcome.DONE, changed.capital
