"""Tables sort by every column that has an order, both ways; rows without a value stand last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.dashboard.presentation.table_order import AS_IT_COMES, TableOrder, ordered, parse_order

COLUMNS = ("name", "profit")


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", AS_IT_COMES),
        ("profit", TableOrder("profit")),
        ("-profit", TableOrder("profit", descending=True)),
        ("--profit", AS_IT_COMES),
        ("price", AS_IT_COMES),
        ("<script>", AS_IT_COMES),
    ],
)
def test_an_order_is_asked_for_by_a_columns_name(text: str, order: TableOrder) -> None:
    assert parse_order(text, COLUMNS) == order


def test_a_click_asks_for_the_largest_first_and_another_for_the_smallest() -> None:
    first = parse_order(AS_IT_COMES.next_for("profit"), COLUMNS)
    second = parse_order(first.next_for("profit"), COLUMNS)
    assert (first.text, second.text, second.next_for("profit")) == ("-profit", "profit", "-profit")
    assert first.next_for("name") == "-name"


def test_a_screen_reader_is_told_the_order() -> None:
    order = TableOrder("profit", descending=True)
    assert [order.aria_of(column) for column in COLUMNS] == ["none", "descending"]
    assert TableOrder("profit").aria_of("profit") == "ascending"


@given(st.lists(st.none() | st.integers(-5, 5)), st.booleans())
def test_rows_without_a_value_stand_last_whichever_way(rows: list[int | None], descending: bool) -> None:
    found = ordered(rows, TableOrder("value", descending), {"value": lambda row: row})
    known = [row for row in rows if row is not None]
    assert found[: len(known)] == sorted(known, reverse=descending)
    assert found[len(known) :] == [None] * (len(rows) - len(known))


def test_without_an_order_rows_stay_as_they_come() -> None:
    assert ordered([3, 1, 2], AS_IT_COMES, {"value": lambda row: row}) == [3, 1, 2]
