"""What LunarCrush cannot mean: each value on both sides of its border, and scores that are the same for everybody."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from marsshot.market_data.bar_cache import FIELDS, DailyBars
from marsshot.model.source_checks import StuckColumn, impossible_columns, stuck_columns

DAY = date(2021, 2, 14)
GOOD = (1.0, 2.0, 0.5, 1.5, 100.0, 5000.0, 60.0, 7.0, 80.0)


def bars(symbol: str = "FET", /, **changes: float) -> DailyBars:
    """Two days; changes are of the second, DAY."""
    values = np.array([GOOD, GOOD])
    for field, value in changes.items():
        values[1, FIELDS.index(field)] = value
    days = np.array([DAY - timedelta(days=1), DAY], dtype="datetime64[D]")
    return DailyBars(symbol, days, values)


@pytest.mark.parametrize(
    ("field", "possible", "impossible"),
    [
        ("alt_rank", 1.0, 0.999),
        ("galaxy_score", 0.0, -0.001),
        ("galaxy_score", 100.0, 100.001),
        ("sentiment", 0.0, -0.001),
        ("sentiment", 100.0, 100.001),
        ("volume", 0.0, -0.001),
        ("market_cap", 0.0, -1.0),
        ("close", 0.001, -0.001),
    ],
)
def test_a_value_beyond_its_border_cannot_be_meant(field: str, possible: float, impossible: float) -> None:
    assert impossible_columns(bars(**{field: possible}), DAY) == ()
    assert impossible_columns(bars(**{field: impossible}), DAY) == (field,)


def test_a_value_that_is_missing_is_not_impossible() -> None:
    assert impossible_columns(bars(sentiment=np.nan, market_cap=np.nan), DAY) == ()


def test_only_the_bar_of_that_day_counts() -> None:
    assert impossible_columns(bars(alt_rank=0.0), DAY - timedelta(days=1)) == ()
    assert impossible_columns(bars(alt_rank=0.0), DAY + timedelta(days=1)) == ()


def tokens(count: int, **same: float) -> dict[str, DailyBars]:
    """Tokens whose scores differ, but for those given."""
    return {
        f"T{n}": bars(f"T{n}", **({"galaxy_score": 50.0 + n, "alt_rank": 1.0 + n, "sentiment": 70.0 + n} | same))
        for n in range(count)
    }


def test_one_score_for_five_tokens_is_the_sources_trouble_and_for_four_it_may_be_chance() -> None:
    assert stuck_columns(tokens(4, sentiment=80.0), tokens(4), DAY) == ()
    assert stuck_columns(tokens(5, sentiment=80.0), tokens(5), DAY) == (StuckColumn("sentiment", 80.0, 5),)


def test_one_token_that_differs_is_enough() -> None:
    histories = tokens(6, galaxy_score=0.0) | {"T0": bars("T0", galaxy_score=0.5, alt_rank=3, sentiment=1)}
    assert stuck_columns(histories, histories, DAY) == ()


def test_zero_for_everybody_is_told_column_by_column() -> None:
    histories = tokens(5, galaxy_score=0.0, alt_rank=0.0, sentiment=0.0)
    assert [one.column for one in stuck_columns(histories, histories, DAY)] == ["galaxy_score", "alt_rank", "sentiment"]


def test_a_source_without_social_columns_is_not_stuck() -> None:
    histories = tokens(8, galaxy_score=np.nan, alt_rank=np.nan, sentiment=np.nan)
    assert stuck_columns(histories, histories, DAY) == ()


def test_prices_may_be_the_same() -> None:
    histories = tokens(8, close=1.0, volume=0.0)
    assert stuck_columns(histories, histories, DAY) == ()
