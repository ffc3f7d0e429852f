"""A model is asked faster than scikit-learn asks it, and answers the same to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier

from marsshot.model.class_probabilities import class_probabilities
from marsshot.training.forest_search import fit
from marsshot.training.recipes import RECIPES


def some_rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows of what both recipes learn, of a size that floats of 32 bits round."""
    columns = sorted({column for recipe in RECIPES.values() for column in recipe.columns})
    random = np.random.default_rng(seed)
    rows = pd.DataFrame({name: random.random(count) * 10.0 ** random.integers(-6, 9) for name in columns})
    days = pd.date_range("2024-01-01", periods=count)
    return rows.assign(date=days, label=(random.random(count) < 0.4).astype(int))


@pytest.mark.parametrize("name", RECIPES)
def test_of_each_recipe_it_is_what_scikit_learn_says(name: Any) -> None:
    recipe = RECIPES[name]
    model = fit(some_rows(300), recipe.columns, {"n_estimators": 30, "max_depth": 8}, 1, 1, recipe)
    asked = some_rows(200, seed=1)[list(recipe.columns)]
    assert np.array_equal(class_probabilities(model, asked), model.predict_proba(asked))
    assert class_probabilities(model, asked).std() > 0


def test_columns_in_another_order_are_refused_as_ever() -> None:
    rows = some_rows(50)
    model = RandomForestClassifier(3).fit(rows[["close", "rsi"]], rows["label"])
    for columns in (["rsi", "close"], ["close"], ["close", "rsi", "atr"]):
        with pytest.raises(ValueError, match="feature names"):
            class_probabilities(model, rows[columns])


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_a_value_that_no_tree_can_compare_is_refused_as_ever(value: float) -> None:
    rows = some_rows(50)
    model = RandomForestClassifier(3).fit(rows[["close"]], rows["label"])
    with pytest.raises(ValueError, match="infinity"):
        class_probabilities(model, pd.DataFrame({"close": [1.0, value]}))


def test_what_is_no_fitted_forest_is_asked_itself() -> None:
    rows = some_rows(50)
    tree = DecisionTreeClassifier(max_depth=2).fit(rows[["close"]], rows["label"])
    assert np.array_equal(class_probabilities(tree, rows[["close"]]), tree.predict_proba(rows[["close"]]))
    for unfitted in (RandomForestClassifier(3), VotingClassifier([("tree", tree)], voting="soft")):
        with pytest.raises(NotFittedError):
            class_probabilities(unfitted, rows[["close"]])
