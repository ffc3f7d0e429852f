"""Days as the unit: weights, average precision, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from marsshot.training.day_statistics import (
    RESAMPLES,
    average_precision,
    day_weights,
    interval_of,
    over_resamples,
    ratio,
    resampled_days,
    share,
)


def days(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.datetime64("2024-01-01", "D") + np.array(numbers, dtype=np.int64)


def test_a_day_with_three_rows_weighs_as_much_as_a_day_with_one() -> None:
    assert day_weights(days(0, 1, 1, 1)).tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert day_weights(days()).tolist() == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.5, 0.7]), st.floats(0.1, 5)), min_size=2).filter(
        lambda rows: len({label for label, _, _ in rows}) == 2
    )
)
def test_average_precision_is_scikit_learns(rows: list[tuple[int, float, float]]) -> None:
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    own = average_precision(labels, scores, weights)
    assert float(own) == pytest.approx(average_precision_score(labels, scores, sample_weight=weights))
    several = average_precision(labels, scores, np.stack([weights, np.ones(len(rows))]))
    assert several[0] == pytest.approx(float(own))
    assert several[1] == pytest.approx(average_precision_score(labels, scores))


def test_average_precision_of_days_without_a_rise_is_not_defined() -> None:
    assert np.isnan(average_precision(np.array([0, 1]), np.array([0.1, 0.9]), np.array([1.0, 0.0])))


def test_a_resample_has_as_many_days_in_blocks_of_neighbours() -> None:
    draws = resampled_days(20)
    assert draws.shape == (RESAMPLES, 20) and (draws.sum(axis=1) == 20).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(20), abs=0.15)
    # Neighbours are drawn together: the counts of a day and the next go up and down with one another.
    assert np.corrcoef(draws[:, 3], draws[:, 4])[0, 1] > 0.6
    assert (resampled_days(20) == draws).all()
    assert resampled_days(3).sum(axis=1).tolist() == [3] * RESAMPLES


def test_the_interval_of_a_mean_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(1).normal(0, 1, 700)
    mean, interval = ratio(values, np.ones(700))
    assert mean == pytest.approx(values.mean()) and interval is not None
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 / np.sqrt(700), rel=0.2)
    assert interval[0] < values.mean() < interval[1]


def test_of_fewer_than_five_days_there_is_no_interval() -> None:
    parts, wholes = np.array([1.0, 0, 1, 0, 1]), np.array([1.0, 1, 1, 1, 1])
    assert ratio(parts, wholes)[1] is not None
    wholes[0] = 0
    assert ratio(parts, wholes)[1] is None
    assert ratio(parts * 0, wholes * 0) == (None, None)


def test_a_share_of_few_rows_that_all_hit_is_not_certain() -> None:
    numbers = np.arange(6)
    value, interval = share(numbers, np.ones(6), np.ones(6))
    assert value == 1 and interval is not None and interval == pytest.approx((0.61, 1.0), abs=0.01)
    value, interval = share(numbers, np.ones(6), np.zeros(6))
    assert value == 0 and interval is not None and interval == pytest.approx((0.0, 0.39), abs=0.01)
    assert share(numbers, np.zeros(6), np.ones(6)) == (None, None)


def test_days_that_hit_together_are_fewer_looks_than_rows() -> None:
    numbers = np.repeat(np.arange(40), 50)
    hits = np.repeat(np.random.default_rng(0).integers(0, 2, 40), 50)
    _, interval = share(numbers, np.ones(2000), hits)
    assert interval is not None and interval[1] - interval[0] > 0.2  # 2000 independent rows: 0.04


def test_values_that_are_not_defined_are_left_out() -> None:
    assert interval_of(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert interval_of(np.array([np.nan])) is None


def test_a_statistic_is_taken_of_each_resample_with_equal_days() -> None:
    dates = days(0, 0, 0, 1)
    seen = over_resamples(dates, lambda weights: weights[:, :3].sum(axis=1) / weights.sum(axis=1))
    assert set(np.round(seen, 6)) <= {0.0, 0.5, 1.0} and len(seen) == RESAMPLES
