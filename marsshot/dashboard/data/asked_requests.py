"""What the owner has asked for by the buttons, and how it ended, as far as the book still knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from marsshot.bot.request_taker import answer_text
from marsshot.core.book import Book
from marsshot.core.requests import OwnerRequest, RequestOutcome

MAX_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """How a request ended. sentence: a LocalizedText. is_refused: nothing was done."""

    request: OwnerRequest
    time: datetime
    sentence: str
    is_refused: bool


class AskedRequests:
    """The last requests that were made here."""

    def __init__(self) -> None:
        self._requests: tuple[OwnerRequest, ...] = ()

    def remember(self, request: OwnerRequest) -> None:
        """Look for its answer from now on."""
        self._requests = (*self._requests[1 - MAX_REMEMBERED :], request)

    def ended(self, book: Book | None) -> tuple[RequestEnd, ...]:
        """Return those that the book has an answer to, the newest first; it keeps each for an hour."""
        if book is None:
            return ()
        return tuple(
            RequestEnd(
                request=request,
                time=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=answer.time_ms),
                sentence=answer_text(request, answer, book.quote_asset),
                is_refused=answer.outcome in {RequestOutcome.NOT_HELD, RequestOutcome.TOO_MUCH},
            )
            for request in reversed(self._requests)
            if (answer := book.answered_requests.get(request.request_id)) is not None
        )
