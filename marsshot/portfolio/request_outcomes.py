"""What a request of the owner's makes of the book: carried out and answered in one step, and so once.

Pure: a book in, a new book out. Never opens a file, asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from marsshot.core.domain import Book
from marsshot.core.reasons import OrderReason
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.portfolio.ledger import with_position

ANSWER_KEPT_MS = 3_600_000  # for the command that waits; longer only while the request's file is there


def with_request_carried_out(book: Book, request: OwnerRequest, now_ms: int, there: Collection[str]) -> Book:
    """Return the book with the request carried out and answered.

    there: ids of the requests whose files are there. Answers to others are dropped when nobody waits for them any more.
    """
    changed, outcome = _carried_out(book, request)
    kept = {
        one: answer
        for one, answer in book.answered_requests.items()
        if one in there or 0 <= now_ms - answer.time_ms < ANSWER_KEPT_MS
    }
    answer = RequestAnswer(outcome=outcome, time_ms=now_ms)
    return replace(changed, answered_requests=kept | {request.request_id: answer})


def _carried_out(book: Book, request: OwnerRequest) -> tuple[Book, RequestOutcome]:
    match request.kind:
        case RequestKind.SELL:
            return _with_sale_marked(book, request.symbol)
        case RequestKind.EXCLUDE:
            return _with_exclusions(book, book.excluded | {request.symbol})
        case RequestKind.INCLUDE:
            return _with_exclusions(book, book.excluded - {request.symbol})


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
