"""What everything is worth, and the top that the drawdown pause is counted from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import STANDSTILL, WorthTop
from marsshot.core.reasons import OrderReason
from marsshot.portfolio.ledger import with_fill
from marsshot.portfolio.serialization import book_from_json, book_to_json
from marsshot.portfolio.worth import next_worth_top, with_flow, worth_of
from tests.helpers.builders import D, a_book, a_fill, bought_at, sell_intent

TOP = WorthTop(amount=D(1000))


def test_worth_is_cash_and_positions_and_what_has_no_price_is_worth_nothing() -> None:
    book = a_book(capital=D(50), positions={"FET": bought_at("0.10"), "OP": bought_at("1")})
    assert worth_of(book, {"FET": D("0.20"), "OP": D(2)}) == 50 + 20 + 200
    assert worth_of(book, {"FET": D("0.20")}) == 50 + 20


def test_a_token_that_stands_still_counts_with_its_cost() -> None:
    held = replace(bought_at("0.10"), said=frozenset({STANDSTILL}))
    assert worth_of(a_book(capital=D(50), positions={"FET": held}), {"FET": D(1000)}) == 50 + 10


@pytest.mark.parametrize(("worth", "is_paused"), [("700.01", False), ("700", True), ("1", True), ("1000", False)])
def test_buying_pauses_at_that_fall_from_the_top(worth: str, is_paused: bool) -> None:
    top = next_worth_top(TOP, D(worth), D("0.3"), is_buying_paused=False)
    assert top == WorthTop(amount=D(1000), is_paused=is_paused)


def test_a_higher_worth_is_the_new_top_and_without_the_key_none_is_kept() -> None:
    assert next_worth_top(TOP, D("1000.01"), D("0.3"), is_buying_paused=False) == WorthTop(amount=D("1000.01"))
    assert next_worth_top(None, D(5), D("0.3"), is_buying_paused=False) == WorthTop(amount=D(5))
    assert next_worth_top(TOP, D(1), D(0), is_buying_paused=False) is None


def test_a_pause_lasts_until_the_owner_resumes_and_then_a_new_top_begins() -> None:
    paused = WorthTop(amount=D(1000), is_paused=True)
    assert next_worth_top(paused, D(900), D("0.3"), is_buying_paused=True) == paused
    assert next_worth_top(paused, D(650), D("0.3"), is_buying_paused=False) == WorthTop(amount=D(650))


@given(st.decimals(1, 5000, places=2), st.decimals("0.01", "0.99", places=2), st.decimals(-5000, 5000, places=2))
def test_a_flow_of_money_leaves_the_distance_to_the_top_as_it_was(worth: Decimal, fall: Decimal, flow: Decimal) -> None:
    top = WorthTop(amount=worth / (1 - fall))
    moved = with_flow(top, worth, flow)
    if worth + flow <= 0:
        assert moved is None
    else:
        assert moved is not None
        assert abs((worth + flow) / moved.amount - (1 - fall)) < D("1e-20")


@pytest.mark.parametrize(
    ("reason", "days"), [(OrderReason.STOP_LOSS, {"FET": date(2021, 2, 15)}), (OrderReason.TRAILING_STOP, {})]
)
def test_the_book_keeps_the_date_of_a_stop_loss(reason: OrderReason, days: dict[str, date]) -> None:
    book = with_fill(a_book(positions={"FET": bought_at("0.10")}), sell_intent(reason=reason), a_fill(quote=D(5)))
    assert book.stop_losses == days


def test_a_book_with_a_top_and_stop_losses_is_read_back_as_it_was() -> None:
    book = a_book(stop_losses={"FET": date(2021, 2, 15)}, worth_top=WorthTop(amount=D("1000.5"), is_paused=True))
    assert book_from_json(book_to_json(book), "book") == book
