"""Every answer class of Bitvavo's: refused, the account's trouble, not now, or not known."""

from __future__ import annotations

import pytest

from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    MarsShotError,
    NotTradableNowError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.reasons import QuietReason, RefusalReason
from marsshot.exchange.bitvavo.errors import Refusal, order_error, read_error
from marsshot.exchange.quiet_period import RateLimitError

REFUSED = [102, *range(200, 207), 210, 211, 213, 215, 219, 230, 231, *range(234, 240), 422, 429]
ACCOUNT = [300, 301, 302, 303, *range(305, 323)]
UNKNOWN = [(503, 108), (503, 109), (503, 419), (500, 101), (500, 400), (400, 400), (400, 220), (502, 0), (500, 0)]
MORE_UNKNOWN = [(599, 7), (400, 999), (404, 240), (404, 0), (403, 0), (301, 0), (403, 999), (409, 999), (503, 205)]
OFF_THE_TABLE = [
    (400, 431),
    (409, 423),
    (503, 425),
    (400, 209),
    (400, 214),
    (400, 218),
    (400, 232),
    (400, 233),
    (400, 421),
]


def refusal(status: int, code: int, seconds: float | None = None) -> Refusal:
    return Refusal(status=status, code=code, text="its words", seconds_to_reset=seconds)


@pytest.mark.parametrize("code", REFUSED)
def test_a_refused_order_has_not_happened(code: int) -> None:
    error = order_error(refusal(400, code))
    assert type(error) is RefusedOrderError
    assert error.reason is RefusalReason.OTHER
    assert "its words" in str(error)


@pytest.mark.parametrize("code", [212, 217])
def test_an_order_under_the_smallest_is_refused_as_such(code: int) -> None:
    error = order_error(refusal(400, code))
    assert isinstance(error, RefusedOrderError)
    assert error.reason is RefusalReason.BELOW_MINIMUM


def test_too_little_money_is_told_apart() -> None:
    assert type(order_error(refusal(400, 216))) is InsufficientBalanceError


@pytest.mark.parametrize(("status", "code"), [(400, 423), (400, 424), (400, 425), (400, 426), (409, 431)])
def test_a_market_that_takes_no_orders_now_may_take_this_one_later(status: int, code: int) -> None:
    error = order_error(refusal(status, code))
    assert type(error) is NotTradableNowError
    assert "its words" in str(error)


@pytest.mark.parametrize("of_answer", [order_error, read_error])
@pytest.mark.parametrize("code", ACCOUNT)
def test_what_key_or_account_may_not_do_is_the_owners_to_mend(code: int, of_answer: object) -> None:
    assert callable(of_answer)
    assert type(of_answer(refusal(403, code))) is AccountTroubleError


@pytest.mark.parametrize("of_answer", [order_error, read_error])
def test_a_refused_clock_is_told_apart(of_answer: object) -> None:
    assert callable(of_answer)
    assert type(of_answer(refusal(403, 304))) is ClockRefusedError


@pytest.mark.parametrize("of_answer", [order_error, read_error])
@pytest.mark.parametrize(("status", "code"), [(429, 105), (429, 110), (429, 0), (403, 105), (400, 103), (429, 999)])
def test_a_rate_limit_waits_for_its_reset_or_a_minute(status: int, code: int, of_answer: object) -> None:
    assert callable(of_answer)
    for given, expected in ((42.0, 42.0), (None, 60.0)):
        error: MarsShotError = of_answer(refusal(status, code, given))
        assert isinstance(error, RateLimitError)
        assert (error.retry_after_seconds, error.reason) == (expected, QuietReason.RATE_LIMIT)


def test_429_as_a_code_means_too_many_decimals_and_no_limit() -> None:
    assert type(order_error(refusal(400, 429))) is RefusedOrderError


@pytest.mark.parametrize("code", [107, 111])
def test_an_engine_that_is_overloaded_has_taken_nothing(code: int) -> None:
    error = order_error(refusal(503, code))
    assert type(error) is TemporaryError
    assert error.retry_after_seconds == 1.0


@pytest.mark.parametrize(("status", "code"), UNKNOWN + MORE_UNKNOWN + OFF_THE_TABLE)
def test_everything_else_may_have_happened(status: int, code: int) -> None:
    assert type(order_error(refusal(status, code))) is UnknownOutcomeError


@pytest.mark.parametrize(("status", "code"), [*UNKNOWN, *MORE_UNKNOWN, (503, 107), (400, 205), (400, 216)])
def test_a_question_may_be_asked_again_later(status: int, code: int) -> None:
    assert type(read_error(refusal(status, code))) is TemporaryError
