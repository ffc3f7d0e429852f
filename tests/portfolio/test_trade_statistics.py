"""What sales brought: every sale stands in one group of each kind, and the groups add up to the whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.portfolio.trade_statistics import (
    Sale,
    by_month,
    by_reason,
    by_token,
    grouped_statistics,
    sales_of,
    statistics_of,
)
from marsshot.portfolio.trades_file import Trade, csv_rows, parse_trades
from tests.helpers.builders import D, a_trade


def trades(*rows: tuple[str, str, str, str | None]) -> list[Trade]:
    """Return trades of: time, token, reason, and the profit, or None for a purchase."""
    written = [
        a_trade(
            f"ms-{number}",
            time=time,
            symbol=symbol,
            reason=reason,
            side="BUY" if profit is None else "SELL",
            profit=profit or "",
        )
        for number, (time, symbol, reason, profit) in enumerate(rows)
    ]
    return list(parse_trades(csv_rows(written, header=True)))


HISTORY = trades(
    ("2021-02-01T00:30:00Z", "FET", "daily_buy", None),
    ("2021-02-03T00:30:00Z", "FET", "partial_take_profit", "20"),
    ("2021-02-28T23:59:59Z", "FET", "trailing_stop", "50"),
    ("2021-03-01T00:00:00Z", "FET", "daily_buy", None),
    ("2021-03-01T06:00:00Z", "FET", "stop_loss", "-60"),
    ("2021-03-05T00:00:00Z", "OP", "stop_loss", "0"),
)


def test_a_sale_is_held_since_the_last_purchase_of_its_token() -> None:
    spans = [sale.holding_time for sale in sales_of(HISTORY)]
    assert spans == [timedelta(days=2), timedelta(days=27, seconds=86_400 - 1801), timedelta(hours=6), None]


def test_a_sale_whose_purchase_is_not_recorded_has_no_holding_time() -> None:
    found = statistics_of("", sales_of(HISTORY[-1:]))
    assert (found.sales, found.holding_time) == (1, None)


@pytest.mark.parametrize(("profit", "wins"), [("0.01", 1), ("0", 0), ("-0.01", 0)])
def test_a_sale_has_won_when_it_brought_more_than_it_cost(profit: str, wins: int) -> None:
    found = statistics_of("", sales_of(trades(("2021-02-01T00:30:00Z", "FET", "stop_loss", profit))))
    assert (found.wins, found.win_rate) == (wins, D(wins))


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (by_token, [("FET", 3, 2, D(10)), ("OP", 1, 0, D(0))]),
        (by_month, [("2021-02", 2, 2, D(70)), ("2021-03", 2, 0, D(-60))]),
        (
            by_reason,
            [("partial_take_profit", 1, 1, D(20)), ("trailing_stop", 1, 1, D(50)), ("stop_loss", 2, 0, D(-60))],
        ),
    ],
)
def test_sales_are_grouped(group: Callable[[Sale], str], expected: list[tuple[str, int, int, Decimal]]) -> None:
    found = grouped_statistics(sales_of(HISTORY), group)
    assert [(one.name, one.sales, one.wins, one.profit) for one in found] == expected


def test_without_a_sale_there_is_nothing_to_divide_by() -> None:
    found = statistics_of("", [])
    assert (found.sales, found.win_rate, found.profit, found.holding_time) == (0, D(0), D(0), None)
    assert grouped_statistics([], by_token) == []


moments = st.integers(0, 365 * 86_400).map(lambda one: datetime(2021, 1, 1, tzinfo=UTC) + timedelta(seconds=one))
profits = st.none() | st.decimals(-1000, 1000, places=2)


@given(st.lists(st.tuples(moments, st.sampled_from(["FET", "OP", "ARB"]), profits), max_size=30))
def test_groups_add_up_to_the_whole(rows: list[tuple[datetime, str, Decimal | None]]) -> None:
    texts = [
        (f"{moment:%Y-%m-%dT%H:%M:%SZ}", symbol, "stop_loss", None if profit is None else str(profit))
        for moment, symbol, profit in rows
    ]
    sales = sales_of(trades(*texts))
    whole = statistics_of("", sales)
    for group in (by_token, by_month, by_reason):
        parts = grouped_statistics(sales, group)
        assert sum(part.sales for part in parts) == whole.sales
        assert sum(part.wins for part in parts) == whole.wins
        assert sum((part.profit for part in parts), D(0)) == whole.profit
        assert all(part.holding_time is None or part.holding_time >= timedelta(0) for part in parts)
