"""What the ranking of the hold-out loses without a feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from marsshot.training.feature_importance import feature_importance

FEATURES = ("noise", "signal", "constant")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Forty days of ten tokens; only one feature knows which of them rise."""
    random = np.random.default_rng(0)
    found = pd.DataFrame({name: random.random(400) for name in FEATURES}).assign(constant=1.0)
    days = pd.date_range("2024-01-01", periods=40).repeat(10)
    return found.assign(date=days, label=(found["signal"] + 0.2 * random.random(400) > 0.7).astype(int))


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> RandomForestClassifier:
    """A forest that has seen them."""
    return RandomForestClassifier(10, random_state=0).fit(rows[list(FEATURES)], rows["label"])


def test_what_the_model_goes_by_is_lost_and_the_rest_is_not(rows: pd.DataFrame, model: RandomForestClassifier) -> None:
    found = {one["feature"]: one for one in feature_importance(rows, FEATURES, model, 1, 1)}
    assert next(iter(found)) == "signal" and found["signal"]["loses"] > 0.3
    assert abs(found["noise"]["loses"]) < 0.1 and found["noise"]["spread"] > 0
    assert (found["constant"]["loses"], found["constant"]["spread"]) == (0, 0)


def test_it_is_the_same_with_any_number_of_threads(rows: pd.DataFrame, model: RandomForestClassifier) -> None:
    assert feature_importance(rows, FEATURES, model, 1, 1) == feature_importance(rows, FEATURES, model, 1, 2)


def test_where_all_rows_are_alike_nothing_can_be_lost(rows: pd.DataFrame, model: RandomForestClassifier) -> None:
    assert feature_importance(rows[rows["label"] == 1], FEATURES, model, 1, 1) == []
