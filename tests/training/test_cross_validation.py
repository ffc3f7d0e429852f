"""The splitter, on index sets that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.training.cross_validation import PurgedWalkForward, hold_out


def days(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.datetime64("2024-01-01", "D") + np.array(numbers)


def sets(splitter: PurgedWalkForward, dates: object) -> list[tuple[list[int], list[int]]]:
    return [(past.tolist(), test.tolist()) for past, test in splitter.split(dates, groups=dates)]  # type: ignore[arg-type]


def test_twelve_days_three_tests_two_label_days() -> None:
    # Blocks: 0-2, 3-5, 6-8, 9-11. A label of day 1 needs the close of day 3, so before the test of 3 only 0 stays.
    assert sets(PurgedWalkForward(3, label_days=2), days(*range(12))) == [
        ([0], [3, 4, 5]),
        ([0, 1, 2, 3], [6, 7, 8]),
        ([0, 1, 2, 3, 4, 5, 6], [9, 10, 11]),
    ]


def test_an_embargo_takes_further_days() -> None:
    assert sets(PurgedWalkForward(2, label_days=2, embargo_days=1), days(*range(12))) == [
        ([0], [4, 5, 6, 7]),
        ([0, 1, 2, 3, 4], [8, 9, 10, 11]),
    ]


def test_without_horizon_nothing_is_purged() -> None:
    assert sets(PurgedWalkForward(1, label_days=0), days(*range(4))) == [([0, 1], [2, 3])]


def test_all_tokens_of_a_date_are_on_one_side_and_rows_may_be_in_any_order() -> None:
    dates = days(3, 0, 3, 1, 2, 0, 1, 2)
    assert sets(PurgedWalkForward(1, label_days=1), dates) == [([1, 5], [0, 2, 4, 7])]


def test_the_purge_counts_calendar_days_not_rows() -> None:
    # Days 0, 1, then a gap: the label of day 1 ends on day 3, long before the test begins on day 10.
    assert sets(PurgedWalkForward(1, label_days=2), days(0, 1, 10, 11)) == [([0, 1], [2, 3])]


def test_datetimes_of_other_units_are_days_too() -> None:
    dates = days(*range(12)).astype("datetime64[us]")
    assert sets(PurgedWalkForward(3, label_days=2), dates) == sets(PurgedWalkForward(3, 2), days(*range(12)))


@given(st.lists(st.integers(0, 60), min_size=30, max_size=120), st.integers(0, 4), st.integers(0, 3))
def test_no_training_label_reaches_into_the_test(numbers: list[int], label_days: int, embargo_days: int) -> None:
    dates = days(*numbers)
    splitter = PurgedWalkForward(2, label_days, embargo_days)
    try:
        folds = list(splitter.split(dates, groups=dates))
    except ValueError:
        return
    tested = np.concatenate([test for _, test in folds])
    assert len(folds) == splitter.get_n_splits() and len(set(tested.tolist())) == len(tested)
    for past, test in folds:
        assert dates[past].max() + label_days + embargo_days < dates[test].min()
        left_out = np.setdiff1d(np.flatnonzero(dates < dates[test].min()), past)
        assert (dates[left_out] + label_days + embargo_days >= dates[test].min()).all()


def test_the_hold_out_is_the_last_fifth_of_the_dates() -> None:
    past, future = hold_out(days(*range(10)), 0.2, label_days=2)
    assert (past.tolist(), future.tolist()) == ([0, 1, 2, 3, 4, 5], [8, 9])
    past, _ = hold_out(days(*range(10)), 0.2, label_days=2, embargo_days=1)
    assert past.tolist() == [0, 1, 2, 3, 4]


def test_too_few_dates_and_missing_dates_are_said() -> None:
    with pytest.raises(ValueError, match="2 dates cannot be cut into 4 blocks"):
        sets(PurgedWalkForward(3, 0), days(0, 1))
    with pytest.raises(ValueError, match="nothing is left to train on"):
        sets(PurgedWalkForward(1, 5), days(0, 1, 2, 3))
    with pytest.raises(ValueError, match="groups"):
        list(PurgedWalkForward(1, 0).split(days(0, 1)))
    with pytest.raises(ValueError, match="n_splits=0"):
        PurgedWalkForward(0, 2)


def test_scikit_learn_takes_it_as_a_splitter() -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import cross_val_score

    dates = days(*range(12))
    scores = cross_val_score(
        DummyClassifier(), np.zeros((12, 1)), [0, 1] * 6, groups=dates, cv=PurgedWalkForward(3, label_days=1)
    )
    assert len(scores) == 3
