"""`resume` after a redenomination: the account's quantity, for what was paid; entry price and top move together."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import STANDSTILL, Book
from marsshot.portfolio.reconciliation import bots_part, with_coins_exchanged
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
