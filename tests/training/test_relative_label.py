"""The relative label: the best third of a day, for its volatility, over the next seven days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from marsshot.training.relative_label import with_relative_label

DAYS = pd.date_range("2024-01-01", periods=40)


def rows_of(closes: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]) -> pd.DataFrame:
    frames = [pd.DataFrame({"date": DAYS, "symbol": name, "close": values}) for name, values in closes.items()]
    return pd.concat(frames).sort_values(["date", "symbol"], ignore_index=True).assign(label=0)


def wobbling(size: float, drift: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A token that goes up and down by the same within each week, and by the drift from day to day."""
    steps = size * np.array([1, -1, 1, -1, 1, -1, 0])[np.arange(len(DAYS)) % 7] + drift
    return 100 * np.exp(np.cumsum(steps))


def labels_by_token(rows: pd.DataFrame) -> dict[str, set[int]]:
    return {str(name): set(group["label"]) for name, group in rows.groupby("symbol")}


def test_the_best_third_of_a_day_is_labelled_1() -> None:
    closes = {
        name: wobbling(0.02, drift) for name, drift in zip("ABCDEF", (0.03, 0.02, 0, 0, -0.01, -0.02), strict=True)
    }
    found = labels_by_token(with_relative_label(rows_of(closes)))
    assert found == {"A": {1}, "B": {1}, "C": {0}, "D": {0}, "E": {0}, "F": {0}}


def test_the_same_rise_counts_for_less_in_a_restless_token() -> None:
    rising = {"CALM": wobbling(0.01, 0.01), "CALMER": wobbling(0.005, 0.01), "WILD": wobbling(0.08, 0.01)}
    found = labels_by_token(with_relative_label(rows_of(rising | {name: wobbling(0.02, 0) for name in "ABC"})))
    assert found == {"CALM": {1}, "CALMER": {1}, "WILD": {0}, "A": {0}, "B": {0}, "C": {0}}


def test_a_market_that_falls_as_one_has_its_best_third_all_the_same() -> None:
    closes = {name: wobbling(0.02, drift) for name, drift in zip("ABC", (-0.01, -0.03, -0.05), strict=True)}
    assert labels_by_token(with_relative_label(rows_of(closes))) == {"A": {1}, "B": {0}, "C": {0}}


def test_days_whose_next_week_is_not_known_and_days_of_two_tokens_have_no_label() -> None:
    closes = {name: wobbling(0.02, drift) for name, drift in zip("ABC", (0.01, 0, -0.01), strict=True)}
    rows = rows_of(closes)
    found = with_relative_label(rows)
    assert found["date"].max() == DAYS[-8] and found["date"].min() == DAYS[10]  # ten returns make a volatility
    assert with_relative_label(rows[rows["symbol"] != "C"]).empty


def test_what_comes_after_the_seventh_day_changes_nothing() -> None:
    closes = {name: wobbling(0.02, drift) for name, drift in zip("ABC", (0.01, 0, -0.01), strict=True)}
    before = with_relative_label(rows_of(closes))
    changed = {name: np.where(np.arange(len(DAYS)) > 30, values * 5, values) for name, values in closes.items()}
    after = with_relative_label(rows_of(changed))
    known = before["date"] <= DAYS[23]
    assert before[known].equals(after[after["date"] <= DAYS[23]])
