"""How often a token may be tried: per address, in a crowd, and by a browser that once had it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.dashboard.security.login_throttle import (
    CROWD,
    MAX_ATTEMPTS_IN_A_CROWD,
    MAX_ATTEMPTS_PER_ADDRESS,
    MAX_REMEMBERED_ATTEMPTS,
    THROTTLE_WINDOW,
    LoginThrottle,
    address_group,
    marked_browser,
    new_browser_mark,
)

NOW = datetime(2021, 2, 15, tzinfo=UTC)
NONE = timedelta(0)
TOKEN, OTHER_TOKEN = "x" * 32, "y" * 32


def waits(login_throttle: LoginThrottle, visitor: str, times: int, now: datetime = NOW) -> list[timedelta]:
    return [login_throttle.record_attempt(visitor, now) for _ in range(times)]


def crowded() -> LoginThrottle:
    """Return one that as many have tried as make a crowd, each from an address of his own."""
    login_throttle = LoginThrottle()
    assert [login_throttle.record_attempt(f"one of many {number}", NOW) for number in range(CROWD)] == [NONE] * CROWD
    return login_throttle


def test_five_wrong_tokens_from_one_address_are_enough_for_a_while() -> None:
    login_throttle = LoginThrottle()
    assert waits(login_throttle, "a", MAX_ATTEMPTS_PER_ADDRESS + 1) == [NONE] * MAX_ATTEMPTS_PER_ADDRESS + [
        THROTTLE_WINDOW
    ]
    assert login_throttle.record_attempt("b", NOW) == NONE


def test_the_wait_ends_when_the_oldest_try_is_forgotten() -> None:
    login_throttle = LoginThrottle()
    for second in range(MAX_ATTEMPTS_PER_ADDRESS):
        login_throttle.record_attempt("a", NOW + timedelta(seconds=second))
    almost = NOW + THROTTLE_WINDOW - timedelta(seconds=1)
    assert login_throttle.record_attempt("a", almost) == timedelta(seconds=1)
    assert login_throttle.record_attempt("a", NOW + THROTTLE_WINDOW) == NONE
    assert login_throttle.record_attempt("a", NOW + THROTTLE_WINDOW) == timedelta(seconds=1)


def test_one_less_than_a_crowd_leaves_everybody_five_tries() -> None:
    login_throttle = LoginThrottle()
    for number in range(CROWD - MAX_ATTEMPTS_PER_ADDRESS):
        login_throttle.record_attempt(f"one of many {number}", NOW)
    assert waits(login_throttle, "a", MAX_ATTEMPTS_PER_ADDRESS) == [NONE] * MAX_ATTEMPTS_PER_ADDRESS


def test_in_a_crowd_every_address_has_one_try_and_none_has_no_try() -> None:
    login_throttle = crowded()
    assert waits(login_throttle, "a", 2) == [NONE, THROTTLE_WINDOW]
    assert waits(login_throttle, "b", 2) == [NONE, THROTTLE_WINDOW]


def test_an_address_that_had_the_token_has_five_tries_in_a_crowd_too() -> None:
    login_throttle = crowded()
    login_throttle.reset("a")
    assert waits(login_throttle, "a", MAX_ATTEMPTS_PER_ADDRESS + 1)[-2:] == [NONE, THROTTLE_WINDOW]


def test_so_has_a_browser_that_had_it() -> None:
    login_throttle = crowded()
    tries = [login_throttle.record_attempt("browser", NOW, is_known=True) for _ in range(MAX_ATTEMPTS_PER_ADDRESS + 1)]
    assert tries == [NONE] * MAX_ATTEMPTS_PER_ADDRESS + [THROTTLE_WINDOW]


def test_a_crowd_is_forgotten_after_a_while() -> None:
    later = NOW + THROTTLE_WINDOW
    assert waits(crowded(), "a", MAX_ATTEMPTS_PER_ADDRESS, later) == [NONE] * MAX_ATTEMPTS_PER_ADDRESS


def test_a_flood_of_addresses_takes_no_memory_without_end_and_locks_nobody_out() -> None:
    login_throttle = LoginThrottle()
    for number in range(MAX_REMEMBERED_ATTEMPTS + 10):
        login_throttle._attempts.append((NOW, f"one of many {number}"))
    assert len(login_throttle._attempts) == MAX_REMEMBERED_ATTEMPTS
    assert login_throttle.record_attempt("a", NOW) == NONE


def test_the_token_makes_up_for_the_tries_before_it() -> None:
    login_throttle = LoginThrottle()
    waits(login_throttle, "a", MAX_ATTEMPTS_PER_ADDRESS - 1)
    login_throttle.reset("a")
    assert waits(login_throttle, "a", MAX_ATTEMPTS_PER_ADDRESS) == [NONE] * MAX_ATTEMPTS_PER_ADDRESS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 600)), max_size=150))
def test_never_more_tries_of_one_address_than_the_limit_in_any_while(asked: list[tuple[str, int]]) -> None:
    login_throttle, now, let_in = LoginThrottle(), NOW, list[tuple[datetime, str]]()
    for address, seconds in asked:
        now += timedelta(seconds=seconds)
        lately = [of for then, of in let_in if now - THROTTLE_WINDOW < then]
        wait = login_throttle.record_attempt(address, now)
        most = MAX_ATTEMPTS_IN_A_CROWD if len(lately) >= CROWD else MAX_ATTEMPTS_PER_ADDRESS
        assert (wait == NONE) == (lately.count(address) < most)
        assert wait <= THROTTLE_WINDOW
        if not wait:
            let_in.append((now, address))


# --------------------------------------------------------------------------- who counts as one


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.1", "203.0.113.1", True),
        ("203.0.113.1", "203.0.113.2", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("::1", "::2", False),
        ("unknown", "_hidden", False),
    ],
)
def test_what_one_customer_has_plenty_of_counts_as_one_address(one: str, other: str, is_same: bool) -> None:
    assert (address_group(one) == address_group(other)) == is_same


def test_a_mark_names_its_browser_until_the_token_is_another() -> None:
    one, two = new_browser_mark(TOKEN), new_browser_mark(TOKEN)
    assert marked_browser(one, TOKEN)
    assert marked_browser(one, TOKEN) != marked_browser(two, TOKEN)
    assert marked_browser(one, OTHER_TOKEN) == ""
    assert TOKEN not in one


@given(st.text(max_size=80))
def test_nobody_makes_a_mark_without_the_token(text: str) -> None:
    assert marked_browser(text, TOKEN) == ""
    name = new_browser_mark(TOKEN).partition(".")[0]
    assert marked_browser(f"{name}.{text}", TOKEN) == ""
    assert marked_browser(new_browser_mark(""), "") == ""
