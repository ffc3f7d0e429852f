"""Finds the parameters of a random forest on date-ordered, purged splits, and fits it.

Every date weighs the same, in the fits and in the scores: a day with 200 tokens is one look at the market, as one with
50 is. Takes rows and settings of the search, returns what was found. Reads and writes no file and shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, make_scorer
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from marsshot.core.catalog import LocalizedText
from marsshot.model.class_probabilities import class_probabilities
from marsshot.training.cross_validation import PurgedWalkForward, Rows, hold_out
from marsshot.training.day_statistics import Floats, day_weights
from marsshot.training.recipes import SEED, Recipe, SearchSpace
from marsshot.training.threads import in_threads

MIN_DATES = 30
HOLD_OUT_SHARE = 0.20
EMBARGO_DAYS = 1
SPLITS = 3

# More trees only ever steady a forest, so their number is not searched: few compare candidates, many go to work.
SEARCH_TREES = 20
FINAL_TREES = 150
BATCH = 4  # candidates per thread that are tried between two looks at the bar: fits differ in length


class TooLittleDataError(ValueError):
    """Nothing can be learnt from these rows; str() says why."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What the search found, and how it does on dates that the search never saw."""

    parameters: dict[str, Any]
    tried: int
    fold_scores: list[float]  # average precision of the best parameters, oldest test first
    fold_base_rates: list[float]
    past: Rows
    future: Rows
    past_model: Any  # a forest with these parameters, fitted on the past alone
    hold_out_scores: Floats  # what it says of the future


class _ProgressSearch(RandomizedSearchCV):  # type: ignore[misc]
    """RandomizedSearchCV that evaluates a few candidates at a time and tells of them; the results are the same."""

    batch = 1
    candidates: Sequence[Mapping[str, Any]]
    on_progress: Callable[[Sequence[Mapping[str, Any]]], None]

    def _run_search(self, evaluate_candidates: Callable[[Sequence[Mapping[str, Any]]], object]) -> None:
        for first in range(0, len(self.candidates), self.batch):
            chosen = self.candidates[first : first + self.batch]
            evaluate_candidates(chosen)
            self.on_progress(chosen)

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-learn sends the search along with every fit. A worker has neither this module nor our terminal.
        return RandomizedSearchCV, (self.estimator, self.param_distributions)


def draw_candidates(rows: int, n_iter: int, seed: int, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the parameters that the search tries; the whole space if n_iter is as large."""
    space = recipe.search_space(rows)
    size = math.prod(len(values) for values in space.values())
    return list(ParameterSampler(space, min(n_iter, size), random_state=seed))


def estimated_cost(candidate: Mapping[str, Any]) -> float:
    """Return about how long a candidate takes beside others."""
    return float((candidate["max_samples"] or 1.0) * candidate["max_features"])


def search_forest(
    rows: pd.DataFrame,
    recipe: Recipe,
    *,
    label_days: int,
    candidates: Sequence[Mapping[str, Any]],
    seed: int,
    jobs: int,
    workers: int | None,
    on_progress: Callable[[Sequence[Mapping[str, Any]]], None],
) -> SearchResult:
    """Search on the past, score the best on the hold-out. rows: date, features and label, by date.

    candidates: what draw_candidates gave of the recipe. jobs: threads to use. workers: those of a joblib backend that
    stands already, such as a cluster's; None for this process.
    Raises TooLittleDataError if the rows are too few, or of one class only.
    """
    dates, labels, features = rows["date"].to_numpy(), rows["label"].to_numpy(), recipe.columns
    _check_enough(dates, labels)
    past, future = hold_out(dates, HOLD_OUT_SHARE, label_days, EMBARGO_DAYS)
    folds = _folds(dates[past], labels[past], label_days)
    weights = day_weights(dates[past])
    is_fitted = recipe.fitted_dates(dates[past])
    forest = new_forest(seed, 1, n_estimators=SEARCH_TREES, monotonic_cst=recipe.monotonic(features))
    fitted_folds = [(train[is_fitted[train]], test) for train, test in folds]
    search = _new_search(forest, recipe.search_space(len(rows)), fitted_folds, seed, jobs if workers is None else -1)
    search.candidates, search.on_progress = candidates, on_progress
    search.batch = workers or (1 if jobs == 1 else BATCH * jobs)
    # Threads over fits, and one in each forest: several layers would fight for the cores.
    threads = in_threads() if workers is None else nullcontext()
    with threads, config_context(enable_metadata_routing=True):
        search.fit(rows[list(features)].iloc[past], labels[past], sample_weight=weights, day_weight=weights)
    best = search.best_index_
    parameters = {**search.best_params_, "n_estimators": FINAL_TREES}
    past_model = fit(rows.iloc[past], features, parameters, seed, jobs, recipe)
    return SearchResult(
        parameters=parameters,
        tried=len(search.cv_results_["params"]),
        fold_scores=[float(search.cv_results_[f"split{fold}_test_score"][best]) for fold in range(len(folds))],
        fold_base_rates=[float(np.average(labels[past][test], weights=weights[test])) for _, test in folds],
        past=past,
        future=future,
        past_model=past_model,
        hold_out_scores=predict_scores(past_model, rows[list(features)].iloc[future]),
    )


def _new_search(
    forest: Any, space: SearchSpace, folds: Sequence[tuple[Rows, Rows]], seed: int, jobs: int
) -> _ProgressSearch:
    """Return a search that weighs every date alike, in the fits and in the score."""
    score = make_scorer(average_precision_score, response_method="predict_proba")
    with config_context(enable_metadata_routing=True):
        return _ProgressSearch(
            forest.set_fit_request(sample_weight=True),
            dict(space),
            scoring=score.set_score_request(sample_weight="day_weight"),
            n_jobs=jobs,
            cv=folds,
            refit=False,
            random_state=seed,
            error_score="raise",
        )


def new_forest(seed: int, jobs: int, **parameters: Any) -> Any:
    """Return an unfitted forest. Balanced: the thresholds 0.70 and 0.30 are on a scale where 0.5 is the base rate."""
    return RandomForestClassifier(class_weight="balanced_subsample", random_state=seed, n_jobs=jobs, **parameters)


def fit(
    rows: pd.DataFrame,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    seed: int,
    jobs: int,
    recipe: Recipe = SEED,
) -> Any:
    """Return a model fitted on features and label, every date alike, set to score with one thread.

    That is faster for a few rows.
    """
    chosen = rows[recipe.fitted_dates(rows["date"].to_numpy())]
    values, labels, weights = chosen[list(features)], chosen["label"].to_numpy(), day_weights(chosen["date"].to_numpy())
    forest = new_forest(seed, jobs, monotonic_cst=recipe.monotonic(features), **parameters)
    with in_threads():  # one forest stays on this machine, whatever the search runs on
        if recipe.line_on is None or recipe.line_on not in features:
            return forest.fit(values, labels, sample_weight=weights).set_params(n_jobs=None)
        with config_context(enable_metadata_routing=True):
            model = _with_line(forest, recipe.line_on).fit(values, labels, sample_weight=weights)
    model.estimators_[0].set_params(n_jobs=None)
    return model.set_params(forest__n_jobs=None)


def _with_line(forest: Any, column: str) -> Any:
    """Return a forest and a logistic line on one column, whose scores are averaged; both are balanced."""
    line = make_pipeline(
        ColumnTransformer([("root", FunctionTransformer(np.sqrt), [column])]),
        StandardScaler().set_fit_request(sample_weight=True),
        LogisticRegression(class_weight="balanced").set_fit_request(sample_weight=True),
    )
    return VotingClassifier([("forest", forest.set_fit_request(sample_weight=True)), ("line", line)], voting="soft")


def predict_scores(forest: Any, rows: pd.DataFrame) -> Floats:
    """Return the probabilities of label 1, with one thread whatever the search runs on.

    Several threads add the trees up in an order that changes from run to run, and with it the last bits.
    """
    with in_threads(n_jobs=1):
        scores: Floats = class_probabilities(forest, rows)[:, list(forest.classes_).index(1)]
    return scores


def _check_enough(dates: Any, labels: Any) -> None:
    found = len(np.unique(dates))
    if not found:
        raise TooLittleDataError(LocalizedText("training.fault.no_row"))
    if found < MIN_DATES:
        raise TooLittleDataError(LocalizedText("training.fault.few_dates", dates=found, needed=MIN_DATES))
    if len(np.unique(labels)) == 1:
        raise TooLittleDataError(LocalizedText("training.fault.one_label", label=int(labels[0])))


def _folds(dates: Any, labels: Any, label_days: int) -> list[tuple[Rows, Rows]]:
    """Return as many folds, up to SPLITS, as leave both labels on both sides of each."""
    for splits in range(SPLITS, 0, -1):
        try:
            folds = list(PurgedWalkForward(splits, label_days, EMBARGO_DAYS).split(dates, groups=dates))
        except ValueError:
            continue
        if all(len(np.unique(labels[side])) == 2 for fold in folds for side in fold):  # noqa: PLR2004 - 0 and 1
            return folds
    raise TooLittleDataError(LocalizedText("training.fault.few_labels"))
