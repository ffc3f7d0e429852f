"""`resume` after a redenomination: the account's quantity, for what was paid; entry price and top move together."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import STANDSTILL, Book
from marsshot.portfolio.reconciliation import bots_part, quantity_after_standstill, with_coins_exchanged
from tests.helpers.builders import D, a_book, bought_at


def a_book_with_old() -> Book:
    """10 OLD bought at 100, whose top was 400, and which stand still."""
    said = frozenset({STANDSTILL, "short"})
    held = bought_at("100", qty="10", max_price=D(400), trailing_armed=True, said=said)
    return a_book(positions={"OLD": held})


def test_ten_at_a_hundred_become_a_thousand_at_one() -> None:
    held = with_coins_exchanged(a_book_with_old(), "OLD", D(1000)).positions["OLD"]
    assert (held.qty, held.entry_price, held.cost, held.max_price) == (D(1000), D(1), D(1000), D(4))
    assert held.trailing_armed
    assert held.said == frozenset()


@pytest.mark.parametrize(
    ("there", "counted", "owners", "bots"),
    [
        ("1000", "10", "0", "1000"),
        ("2000", "10", "10", "1000"),
        ("20", "10", "10", "10"),
        ("1", "3", "6", "0.33333333"),
        ("17770", "100", "77.7", "10000"),
    ],
)
def test_of_the_new_coins_the_same_part_is_the_owners(there: str, counted: str, owners: str, bots: str) -> None:
    assert bots_part(D(there), D(counted), D(owners)) == D(bots)


@pytest.mark.parametrize(
    ("there", "owners", "bots"),
    [
        ("100", "0", "100"),
        ("199.9", "0", "100"),  # what came meanwhile is the owner's
        ("200", "0", "200"),  # two for one
        ("80", "0", "100"),  # what is missing is told like anything that is
        ("50.1", "0", "100"),
        ("50", "0", "50"),  # one for two
        ("250", "50", "100"),
        ("300", "50", "200"),  # two for one, a third his
        ("100", "50", "100"),  # he took all his own
        ("75", "50", "50"),  # one for two, a third his
        ("5050", "10000", "50"),  # taken by him, or one for two: nobody knows, and no coin of his may be counted
        ("100", None, "100"),
        ("199.9", None, "100"),
        ("200", None, "200"),
        ("99", None, "100"),
        ("50", None, "50"),
    ],
)
def test_only_coins_that_were_exchanged_change_what_the_bot_counts(there: str, owners: str | None, bots: str) -> None:
    assert quantity_after_standstill(D(there), D(100), None if owners is None else D(owners)) == D(bots)


@given(st.decimals("0", "1e6", places=4), st.decimals("0.0001", "1e4", places=4), st.decimals("0", "1e4", places=4))
def test_of_more_coins_than_before_the_bot_never_counts_the_owners(
    there: Decimal, counted: Decimal, owners: Decimal
) -> None:
    bots = quantity_after_standstill(there, counted, owners)
    assert bots == counted or bots <= there
    assert bots * (counted + owners) <= max(there, counted + owners) * counted + D("0.001")


def test_of_a_partial_sale_under_way_the_same_share_is_left() -> None:
    """Of 10 OLD 2 are still to be sold: a fifth of what is held, in new coins too."""
    book = a_book(positions={"OLD": bought_at("100", qty="10", partial_left=D(2), said=frozenset({STANDSTILL}))})
    assert with_coins_exchanged(book, "OLD", D(1000)).positions["OLD"].partial_left == D(200)


def test_a_position_of_which_nothing_is_left_is_closed() -> None:
    assert "OLD" not in with_coins_exchanged(a_book_with_old(), "OLD", D(0)).positions


def test_the_same_quantity_only_lets_it_go_on() -> None:
    before = a_book_with_old().positions["OLD"]
    held = with_coins_exchanged(a_book_with_old(), "OLD", D(10)).positions["OLD"]
    assert (held.qty, held.entry_price, held.max_price) == (before.qty, before.entry_price, before.max_price)
    assert STANDSTILL not in held.said


@given(st.decimals("0.001", "1000000", places=3))
def test_what_was_paid_stays_and_the_top_keeps_its_distance(quantity: Decimal) -> None:
    before = a_book_with_old().positions["OLD"]
    held = with_coins_exchanged(a_book_with_old(), "OLD", quantity).positions["OLD"]
    assert held.cost == before.cost
    assert held.qty * held.entry_price == pytest.approx(before.cost)
    assert held.max_price / held.entry_price == pytest.approx(before.max_price / before.entry_price)
    assert held.max_price >= held.entry_price
