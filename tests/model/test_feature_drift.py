"""Whether the features have left the training's: the measure, its days, and what cannot be measured."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from marsshot.model.feature_drift import DRIFT_DAYS, shares_outside, training_borders

TODAY = date(2021, 2, 15)
BORDERS = {"rsi": [20.0, 80.0]}


def table(*values: float, days_ago: int = 1) -> pd.DataFrame:
    """Return one token's rsi, the last so many days ago, one value a day."""
    last = pd.Timestamp(TODAY) - pd.Timedelta(days=days_ago)
    return pd.DataFrame({"date": pd.date_range(end=last, periods=len(values)), "symbol": "FET", "rsi": values})


def test_ninety_eight_of_a_hundred_training_rows_lie_within() -> None:
    rows = pd.DataFrame({"rsi": np.arange(101.0), "close": 1.0, "atr_to_close": [np.nan, *np.arange(100.0)]})
    borders = training_borders(rows, ["rsi", "close", "atr_to_close"])
    assert borders["rsi"] == pytest.approx([1.0, 99.0])
    assert set(borders) == {"rsi", "atr_to_close"}  # a price is no measure: tokens differ in it
    assert np.isfinite(borders["atr_to_close"]).all()


def test_what_lies_outside_counts_and_the_border_itself_does_not() -> None:
    within = [20.0, 80.0] * 10
    assert shares_outside(table(*within), BORDERS, TODAY) == {"rsi": 0.0}
    assert shares_outside(table(*within[:-2], 19.99, 80.01), BORDERS, TODAY) == {"rsi": pytest.approx(0.1)}


def test_each_day_weighs_the_same() -> None:
    crowd = pd.concat([table(*[50.0] * 20), *[table(99.0)] * 99])
    assert shares_outside(crowd, BORDERS, TODAY)["rsi"] == pytest.approx(0.99 / 20)


def test_the_last_thirty_closed_days_count() -> None:
    old = table(*[99.0] * 50, days_ago=DRIFT_DAYS + 1)
    assert shares_outside(pd.concat([old, table(*[50.0] * DRIFT_DAYS)]), BORDERS, TODAY) == {"rsi": 0.0}
    assert shares_outside(table(*[50.0] * 9, *[99.0], days_ago=0), BORDERS, TODAY) == {}  # today is not closed


@pytest.mark.parametrize(("days", "known"), [(10, True), (9, False)])
def test_a_feature_of_too_few_days_is_not_measured(days: int, known: bool) -> None:
    values = [50.0] * days + [float("nan")] * 5
    assert ("rsi" in shares_outside(table(*values), BORDERS, TODAY)) is known


@pytest.mark.parametrize("borders", [None, [], {"rsi": None}, {"rsi": ["a", "b"]}, {"rsi": [1.0]}, {"gone": [0, 1]}])
def test_borders_that_cannot_be_read_measure_nothing(borders: object) -> None:
    assert shares_outside(table(*[50.0] * 20), borders, TODAY) == {}
