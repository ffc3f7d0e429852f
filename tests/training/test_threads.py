"""Threads leave the process's warnings as they were, and one false alarm of scikit-learn is not shown."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.parallel import delayed

from marsshot.training.forest_search import fit, predict_scores
from marsshot.training.recipes import SCALE_FREE, SEED, Recipe
from marsshot.training.threads import in_threads


def test_the_false_alarm_is_not_shown_and_the_others_are() -> None:
    with pytest.warns(UserWarning) as told:
        shown = warnings.showwarning
        with in_threads():
            function, arguments, named = delayed(len)("abc")
            assert function(*arguments, **named) == 3  # scikit-learn warns: nobody has given it its settings
            warnings.warn("a column is missing", UserWarning, stacklevel=1)
        assert warnings.showwarning is shown
    assert [str(one.message) for one in told] == ["a column is missing"]


def test_without_it_the_alarm_is_shown() -> None:
    function, arguments, named = delayed(len)("abc")
    with pytest.warns(UserWarning, match="should be used with"):
        function(*arguments, **named)


def test_filters_that_a_thread_left_empty_are_put_back() -> None:
    before = list(warnings.filters)
    with in_threads():
        warnings.resetwarnings()
    assert before
    assert warnings.filters == before


@pytest.mark.parametrize("recipe", [SEED, SCALE_FREE], ids=lambda recipe: recipe.name)
def test_a_fit_that_finds_no_filters_shows_nothing(recipe: Recipe) -> None:
    rows, shown = _rows(recipe), []
    with warnings.catch_warnings():
        warnings.resetwarnings()  # what an earlier thread may leave
        warnings.showwarning = lambda message, *_more, **_named: shown.append(message)
        model = fit(rows, recipe.columns, {"n_estimators": 4}, 1, 2, recipe)
        predict_scores(model, rows[list(recipe.columns)])
    assert not shown


def _rows(recipe: Recipe) -> pd.DataFrame:
    random = np.random.default_rng(1)
    dates = pd.date_range("2021-01-01", periods=60)
    columns = {name: random.uniform(1, 2, len(dates)) for name in recipe.columns}
    return pd.DataFrame({"date": dates, **columns, "label": random.integers(0, 2, len(dates))})
