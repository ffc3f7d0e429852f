"""A request of the owner's is carried out and answered in one change of the book."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from marsshot.core.reasons import OrderReason
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.portfolio.request_outcomes import ANSWER_KEPT_MS, with_request_carried_out
from marsshot.portfolio.serialization import book_from_json, book_to_json
from tests.helpers.builders import a_book, a_position

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
ID, EARLIER = "a" * 32, "b" * 32


def asked(kind: RequestKind, symbol: str = "ADA") -> OwnerRequest:
    return OwnerRequest(request_id=ID, kind=kind, symbol=symbol)


def test_a_sale_marks_the_whole_position_and_no_other() -> None:
    book = a_book(positions={"ADA": a_position(), "DOT": a_position()})
    after = with_request_carried_out(book, asked(RequestKind.SELL), NOW, [])
    assert after.positions["ADA"].exit_pending is OrderReason.SELL_TOKEN
    assert after.positions["DOT"] == book.positions["DOT"]
    assert after.answered_requests[ID] == RequestAnswer(outcome=RequestOutcome.DONE, time_ms=NOW_MS)
    assert after.capital == book.capital


def test_a_sale_that_goes_on_keeps_its_reason() -> None:
    book = a_book(positions={"ADA": a_position(exit_pending=OrderReason.STOP_LOSS)})
    after = with_request_carried_out(book, asked(RequestKind.SELL), NOW, [])
    assert after.positions == book.positions


def test_what_is_not_held_is_not_sold() -> None:
    after = with_request_carried_out(a_book(), asked(RequestKind.SELL), NOW, [])
    assert after == replace(a_book(), answered_requests=after.answered_requests)
    assert after.answered_requests[ID].outcome is RequestOutcome.NOT_HELD


@pytest.mark.parametrize(
    ("kind", "before", "after", "outcome"),
    [
        (RequestKind.EXCLUDE, set(), {"ADA"}, RequestOutcome.DONE),
        (RequestKind.EXCLUDE, {"ADA", "DOT"}, {"ADA", "DOT"}, RequestOutcome.NO_CHANGE),
        (RequestKind.INCLUDE, {"ADA", "DOT"}, {"DOT"}, RequestOutcome.DONE),
        (RequestKind.INCLUDE, {"DOT"}, {"DOT"}, RequestOutcome.NO_CHANGE),
    ],
)
def test_a_token_is_excluded_until_it_is_included(
    kind: RequestKind, before: set[str], after: set[str], outcome: RequestOutcome
) -> None:
    book = with_request_carried_out(a_book(excluded=frozenset(before)), asked(kind), NOW, [])
    assert (set(book.excluded), book.answered_requests[ID].outcome) == (after, outcome)
    assert book_from_json(book_to_json(book), "book") == book


@pytest.mark.parametrize(
    ("age_ms", "there", "is_kept"),
    [
        (ANSWER_KEPT_MS - 1, [], True),
        (ANSWER_KEPT_MS, [], False),
        (ANSWER_KEPT_MS * 9, [EARLIER], True),
        (-1, [], False),
    ],
)
def test_an_answer_is_kept_for_an_hour_and_as_long_as_its_file_is_there(
    age_ms: int, there: list[str], is_kept: bool
) -> None:
    earlier = RequestAnswer(outcome=RequestOutcome.DONE, time_ms=NOW_MS - age_ms)
    book = a_book(answered_requests={EARLIER: earlier})
    after = with_request_carried_out(book, asked(RequestKind.INCLUDE), NOW, there)
    assert (EARLIER in after.answered_requests) is is_kept
