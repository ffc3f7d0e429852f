"""Deposits and withdrawals are no profit: percentages are time-weighted, whatever the owner brings or takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import Book, CashFlow, WorthTop
from marsshot.core.decisions import BOUGHT, PlannedBuy
from marsshot.portfolio.performance import (
    free_capital,
    index_at,
    largest_fall,
    profit_at,
    with_cash_flow,
    with_recorded_flows,
)
from marsshot.portfolio.serialization import book_from_json, book_to_json
from tests.helpers.builders import a_book, a_plan, buy_intent

D = Decimal
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
amounts = st.decimals(min_value=D("0.01"), max_value=D(10) ** 7, places=2)
moves = st.decimals(min_value=D("0.1"), max_value=D(10), places=2)


def flow(book: Book, amount: Decimal, worth: Decimal) -> Book:
    return with_cash_flow(book, amount, worth, NOW)


def test_twice_the_worth_is_a_gain_of_the_whole() -> None:
    book = a_book(capital=D(1000), capital_started=D(1000))
    assert (index_at(D(2000), book), profit_at(D(2000), book)) == (D(2), D(1000))


def test_what_is_gained_after_a_deposit_counts_on_all_of_it() -> None:
    book = flow(a_book(capital=D(1000), capital_started=D(1000)), D(1000), D(1500))  # +50 %, then 2500 to work with
    assert index_at(D(2500), book) == D("1.5")
    assert index_at(D(2000), book) == D("1.2"), "-20 % of what is there"
    assert profit_at(D(2000), book) == 0, "in money nothing is left of the gain"


@given(worth=amounts, amount=amounts)
def test_a_deposit_alone_changes_no_percentage_and_is_no_profit(worth: Decimal, amount: Decimal) -> None:
    before = a_book(capital=D(1000), capital_started=D(1000))
    after = flow(before, amount, worth)
    assert index_at(worth + amount, after) == index_at(worth, before)
    assert profit_at(worth + amount, after) == profit_at(worth, before)
    assert after.capital == before.capital + amount


@given(steps=st.lists(st.tuples(moves, amounts | amounts.map(lambda one: -one)), max_size=8), last=moves)
def test_the_index_is_the_product_of_the_moves_whatever_is_brought_or_taken(
    steps: list[tuple[Decimal, Decimal]], last: Decimal
) -> None:
    worth, product = D(1000), D(1)
    book = a_book(capital=worth, capital_started=worth)
    for move, amount in steps:
        worth, product = worth * move, product * move
        if worth + amount <= 1:
            continue
        book = flow(book, amount, worth)
        worth += amount
    assert float(index_at(worth * last, book)) == pytest.approx(float(product * last), rel=1e-15)


def test_all_taken_and_some_brought_again_goes_on_where_it_was() -> None:
    book = flow(a_book(capital=D(1000), capital_started=D(800)), D(-1000), D(1000))
    assert (index_at(D(0), book), book.capital) == (D("1.25"), D(0))
    book = flow(book, D(500), D(0))
    assert index_at(D(500), book) == D("1.25")
    assert index_at(D(1000), book) == D("2.5")


def test_each_flow_is_owed_to_the_file_with_a_time_of_its_own() -> None:
    book = flow(flow(flow(a_book(), D(5), D(1000)), D(-2), D(1005)), D(5), D(1003))
    assert book.unwritten_cash_flows == (
        CashFlow(time="2026-01-02T03:04:05Z", amount=D(5), capital_after=D(1005)),
        CashFlow(time="2026-01-02T03:04:06Z", amount=D(-2), capital_after=D(1003)),
        CashFlow(time="2026-01-02T03:04:07Z", amount=D(5), capital_after=D(1008)),
    )
    assert book_from_json(book_to_json(book), "book") == book
    later = with_cash_flow(book, D(1), D(1008), NOW + timedelta(hours=1))
    assert later.unwritten_cash_flows[-1].time == "2026-01-02T04:04:05Z"


def test_the_top_of_the_worth_moves_with_what_is_brought() -> None:
    book = a_book(worth_top=WorthTop(amount=D(2000)))
    assert flow(book, D(1000), D(1000)).worth_top == WorthTop(amount=D(4000)), "half the top, before and after"


def test_what_a_plan_has_set_aside_and_an_order_may_have_spent_is_not_free() -> None:
    assert free_capital(a_book(capital=D(1000))) == 1000
    ada = PlannedBuy(symbol="ADA", probability="0.9", amount=D(300), left=D(200))
    dot = PlannedBuy(symbol="DOT", probability="0.9", amount=D(300), left=D(300), outcome=BOUGHT)
    unplanned = PlannedBuy(symbol="SOL", probability="0.9")
    plan = a_plan(ada, dot, unplanned)
    assert free_capital(a_book(capital=D(1000), plan=plan)) == 800
    in_doubt = buy_intent(symbol="ADA", quote_amount=D(150))
    assert free_capital(a_book(capital=D(1000), plan=plan, intents={"ms-1": in_doubt})) == 800, "of the plan's part"
    other = buy_intent(symbol="LINK", quote_amount=D(150))
    assert free_capital(a_book(capital=D(1000), plan=plan, intents={"ms-1": other})) == 650
    assert free_capital(a_book(capital=D(100), plan=plan)) == 0


@given(st.lists(amounts, min_size=1))
def test_the_largest_fall_is_the_largest_between_a_top_and_what_came_after(indices: list[Decimal]) -> None:
    by_hand = max(1 - low / top for n, top in enumerate(indices) for low in indices[n:])
    assert largest_fall(indices) == by_hand


@given(brought=amounts, taken=amounts)
def test_recorded_flows_are_counted_once_and_are_no_profit(brought: Decimal, taken: Decimal) -> None:
    rows = [
        CashFlow(time="2026-01-02T00:00:00Z", amount=brought, capital_after=D(1000) + brought),
        CashFlow(time="2026-01-03T00:00:00Z", amount=-taken, capital_after=D(1000) + brought - taken),
    ]
    book = with_recorded_flows(a_book(capital=D(1000), capital_started=D(1000)), reversed(rows))
    assert book.capital == 1000 + brought - taken
    assert with_recorded_flows(book, rows) == book
    assert profit_at(book.capital, book) == 0
    assert book.capital <= 0 or index_at(book.capital, book) == 1
    assert book.unwritten_cash_flows == ()


def _flow_at(minute: int, amount: int) -> CashFlow:
    return CashFlow(time=f"2026-01-02T00:{minute:02}:00Z", amount=D(amount), capital_after=D(1000 + amount))


def _book_with_flow_at(minute: int, amount: int) -> Book:
    now = datetime(2026, 1, 2, 0, minute, tzinfo=UTC)
    return with_cash_flow(a_book(capital=D(1000), capital_started=D(1000)), D(amount), D(1000), now)


@pytest.mark.parametrize("amount", [30, -30])
def test_a_flow_that_was_carried_out_anew_after_a_refused_save_is_counted_once(amount: int) -> None:
    """The disk refused the first book half-way; it is the backup now, and the file has the second book's row."""
    book = with_recorded_flows(_book_with_flow_at(1, amount), [_flow_at(2, amount)])
    assert book.capital == 1000 + amount
    assert profit_at(book.capital, book) == 0
    assert index_at(book.capital, book) == 1
    assert book.unwritten_cash_flows == (), "nor is it written a second time"


@pytest.mark.parametrize(
    ("rows", "capital", "owed"),
    [
        ([], 1030, 1),
        ([_flow_at(1, 30)], 1030, 1),
        ([_flow_at(0, 30)], 1030, 1),
        ([_flow_at(2, 40)], 1070, 1),
        ([_flow_at(1, 30), _flow_at(2, 30)], 1060, 1),
    ],
    ids=["no file", "its own row", "an earlier one", "another amount", "its own row and a second of the amount"],
)
def test_a_flow_that_the_file_does_not_have_anew_stays(rows: list[CashFlow], capital: int, owed: int) -> None:
    book = with_recorded_flows(_book_with_flow_at(1, 30), rows)
    assert book.capital == capital
    assert len(book.unwritten_cash_flows) == owed
