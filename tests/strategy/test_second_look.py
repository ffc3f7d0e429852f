"""When one look is not enough, and when a coin is no longer the one that was bought: each rule on both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.strategy.second_look import (
    Balance,
    Doubt,
    Effect,
    LastLook,
    Look,
    Standstill,
    is_exchange_of_coins,
    judge,
    wants_balance,
)
from tests.helpers.builders import NOW, D

AS_IT_WAS = Balance(expected=D(10), held=D(10))
LAST = LastLook(D(3), NOW - timedelta(minutes=5))


def sells_under(level: str) -> object:
    return lambda price: price <= D(level)


def verdict(price: str, *, level: str = "1.5", last: LastLook | None = LAST, **changes: object) -> object:
    look = replace(Look(D(price), NOW, vouched=True), **changes)  # type: ignore[arg-type]
    return judge(look, last, sells_under(level))  # type: ignore[arg-type]


# --------------------------------------------------------------------------- contradiction


def test_two_venues_that_agree_are_acted_on_at_once() -> None:
    assert verdict("1.5") is None


def test_where_only_one_of_two_prices_would_sell_a_second_look_is_taken() -> None:
    assert verdict("1.5", vouched=False, other_price=D("2.9")) is Doubt.CONTRADICTION


def test_where_both_would_sell_it_is_acted_on_at_once() -> None:
    assert verdict("1.4", vouched=False, other_price=D("1.5")) is None


def test_a_contradiction_about_a_price_that_sells_nothing_needs_no_second_look() -> None:
    assert verdict("1.6", vouched=False, other_price=D("1.0")) is None


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Effect.NOTHING, Doubt.CONTRADICTION),
        (Effect.NEW_TOP, Doubt.CONTRADICTION),
        (Effect.PARTIAL_SALE, Doubt.CONTRADICTION),
        (Effect.FULL_SALE, None),
    ],
)
def test_a_wick_sells_nothing_whole_because_the_true_price_asks_for_less(other: Effect, expected: object) -> None:
    look = Look(D("0.4"), NOW, vouched=False, other_price=D(3))
    assert judge(look, LAST, lambda price: Effect.FULL_SALE if price < 1 else other) is expected


@pytest.mark.parametrize("other", [Effect.PARTIAL_SALE, Effect.NEW_TOP, Effect.FULL_SALE])
def test_a_new_top_that_the_venues_contradict_each_other_about_waits(other: Effect) -> None:
    look = Look(D("9.9"), NOW, vouched=False, other_price=D("2.7"))
    assert judge(look, LAST, lambda price: Effect.NEW_TOP if price > 9 else other) is Doubt.CONTRADICTION
    assert judge(replace(look, is_second=True), LAST, lambda _: Effect.NEW_TOP) is None


def test_a_partial_sale_that_both_prices_ask_for_is_made_at_once() -> None:
    look = Look(D("2.4"), NOW, vouched=False, other_price=D("2.1"))
    assert judge(look, LAST, lambda _: Effect.PARTIAL_SALE) is None


def test_the_second_look_is_acted_on_contradiction_or_not() -> None:
    assert verdict("1.5", vouched=False, other_price=D("2.9"), is_second=True) is None


# --------------------------------------------------------------------------- one venue alone


@pytest.mark.parametrize(("price", "doubted"), [("2.1", False), ("2.09", True), ("3.9", False), ("3.91", True)])
def test_one_venue_alone_is_believed_within_thirty_percent_of_the_last_price(price: str, doubted: bool) -> None:
    found = judge(Look(D(price), NOW, vouched=False), LAST, lambda _: Effect.FULL_SALE)
    assert found == (Doubt.LONE_VENUE if doubted else None)


@pytest.mark.parametrize(("minutes", "doubted"), [(59, True), (60, False)])
def test_a_last_price_of_an_hour_ago_says_nothing(minutes: int, doubted: bool) -> None:
    last = LastLook(D(3), NOW - timedelta(minutes=minutes))
    assert verdict("1.0", vouched=False, last=last) == (Doubt.LONE_VENUE if doubted else None)


def test_a_last_price_of_a_time_to_come_counts() -> None:
    """The clock was ahead, and has been set back since."""
    assert verdict("1.0", vouched=False, last=LastLook(D(3), NOW + timedelta(hours=2))) is Doubt.LONE_VENUE


def test_without_a_last_price_one_venue_alone_is_acted_on() -> None:
    assert verdict("0.2", vouched=False, last=None) is None


def test_one_venue_far_off_needs_no_second_look_where_nothing_would_be_done() -> None:
    assert verdict("1.6", vouched=False) is None


def test_the_wick_of_the_start_waits() -> None:
    """Binance prints 0.2 for one look, Coinbase is silent, 3.0 was seen before."""
    assert verdict("0.2", vouched=False, balance=AS_IT_WAS) is Doubt.BEYOND_BELIEF
    assert verdict("0.31", vouched=False) is Doubt.LONE_VENUE


# --------------------------------------------------------------------------- crash, or another coin


@pytest.mark.parametrize(("price", "expected"), [("0.3", None), ("0.29", Doubt.CRASH)])
def test_a_fall_under_a_tenth_that_both_tell_of_is_looked_at_twice(price: str, expected: Doubt | None) -> None:
    assert verdict(price, balance=AS_IT_WAS) is expected


def test_a_crash_is_acted_on_at_the_second_look() -> None:
    assert verdict("0.29", balance=AS_IT_WAS, is_second=True) is None


def test_a_fall_that_one_venue_alone_tells_of_is_another_coin() -> None:
    assert verdict("0.29", balance=AS_IT_WAS, vouched=False, is_second=True) is Standstill.REPLACED


def test_a_fall_whose_balance_is_not_known_is_doubted_for_as_long() -> None:
    assert verdict("0.29") is Doubt.BEYOND_BELIEF
    assert verdict("0.29", is_second=True) is Doubt.BEYOND_BELIEF


@pytest.mark.parametrize(("price", "expected"), [("30", None), ("30.1", Standstill.REPLACED)])
def test_a_rise_of_more_than_ten_times_is_another_coin_even_if_both_tell_of_it(
    price: str, expected: Standstill | None
) -> None:
    assert verdict(price, balance=AS_IT_WAS, is_second=True) is expected


def test_a_jump_that_is_gone_at_the_second_look_is_forgotten() -> None:
    assert verdict("3000", vouched=False, balance=AS_IT_WAS) is Doubt.BEYOND_BELIEF
    assert verdict("3.0", is_second=True) is None


@pytest.mark.parametrize(
    ("price", "expected"), [("30", None), ("30.1", Doubt.BEYOND_BELIEF), ("0.29", Doubt.BEYOND_BELIEF)]
)
def test_a_jump_of_whatever_time_waits_for_an_account_that_does_not_answer(price: str, expected: Doubt | None) -> None:
    last = LastLook(D(3), NOW - timedelta(days=2))
    for is_second in (False, True):
        look = Look(D(price), NOW, vouched=True, is_second=is_second, is_blind=True)
        assert judge(look, last, lambda _: Effect.NOTHING) is expected


def test_ten_times_in_more_than_an_hour_is_a_good_week() -> None:
    assert verdict("40", last=LastLook(D(3), NOW - timedelta(days=7)), balance=AS_IT_WAS) is None


# --------------------------------------------------------------------------- redenomination


def test_ten_old_at_a_hundred_become_a_thousand_new_at_one() -> None:
    last = LastLook(D(100), NOW - timedelta(days=2))
    balance = Balance(expected=D(10), held=D(1000))
    assert verdict("1.0", last=last, balance=balance) is Doubt.BEYOND_BELIEF
    assert verdict("1.0", last=last, balance=balance, is_second=True) is Standstill.REPLACED


@pytest.mark.parametrize(
    ("held", "price", "replaced"),
    [
        ("20", "1.5", True),  # 1 for 2, price halved
        ("20", "1.87", True),  # and a quarter more worth
        ("20", "1.88", False),
        ("20", "1.12", False),
        ("20", "1.13", True),
        ("12", "2.5", False),  # a fifth more: the owner's own coins
        ("12.1", "2.5", True),
        ("5", "6", True),  # 2 for 1
        ("10", "1.5", False),
        ("0", "1.5", False),
    ],
)
def test_a_balance_changed_by_the_inverse_of_the_price_is_an_exchange(held: str, price: str, replaced: bool) -> None:
    look = Look(D(price), NOW, vouched=True, balance=Balance(expected=D(10), held=D(held)))
    assert is_exchange_of_coins(look, LAST) is replaced


@pytest.mark.parametrize(("price", "replaced"), [("9", False), ("9.01", True), ("1", False), ("0.99", True)])
def test_a_pair_that_was_halted_comes_back_within_three_times(price: str, replaced: bool) -> None:
    last = LastLook(D(3), NOW - timedelta(days=9), was_halted=True)
    found = verdict(price, last=last, level="0", balance=AS_IT_WAS, is_second=True)
    assert found == (Standstill.REPLACED if replaced else None)


@pytest.mark.parametrize(
    ("held", "price", "expected"), [("9", "30.1", True), ("10", "30.1", False), ("9", "30", False)]
)
def test_less_than_the_book_at_over_ten_times_may_be_a_namesake(held: str, price: str, expected: bool) -> None:
    last = LastLook(D(3), NOW - timedelta(days=3))
    balance = Balance(expected=D(10), held=D(held))
    assert verdict(price, last=last, balance=balance, level="0") == (Standstill.NAMESAKE if expected else None)


@pytest.mark.parametrize(("price", "asked"), [("3.75", False), ("3.76", True), ("2.4", False), ("2.39", True)])
def test_the_account_is_asked_where_the_price_has_moved_by_a_quarter(price: str, asked: bool) -> None:
    assert wants_balance(Look(D(price), NOW, vouched=True), LAST) is asked


# --------------------------------------------------------------------------- what holds for all


prices = st.decimals("0.0001", "10000", places=4)


@given(price=prices, before=prices, minutes=st.integers(0, 200))
def test_a_price_that_both_venues_tell_of_and_that_is_no_jump_is_never_held_back(
    price: Decimal, before: Decimal, minutes: int
) -> None:
    last = LastLook(before, NOW - timedelta(minutes=minutes))
    found = judge(Look(price, NOW, vouched=True, balance=AS_IT_WAS), last, lambda _: Effect.FULL_SALE)
    within = price <= 10 * before and before <= 10 * price
    assert found is None or not within


@given(price=prices, other=prices, before=prices)
def test_a_second_look_never_asks_for_a_third(price: Decimal, other: Decimal, before: Decimal) -> None:
    last = LastLook(before, NOW - timedelta(minutes=5))
    look = Look(price, NOW, vouched=False, other_price=other, balance=AS_IT_WAS, is_second=True)
    assert not isinstance(judge(look, last, lambda _: Effect.FULL_SALE), Doubt)
