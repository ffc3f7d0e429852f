"""Finds the parameters of a random forest on date-ordered, purged splits, and fits it.

Takes rows and settings of the search, returns what was found. Reads and writes no file and shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

from features import FEATURES
from splits import PurgedWalkForward, Rows, hold_out

MIN_DATES = 30
HOLD_OUT_SHARE = 0.20
EMBARGO_DAYS = 1
SPLITS = 3

# More trees only ever steady a forest, so their number is not searched: few compare candidates, many go to work.
SEARCH_TREES = 40
FINAL_TREES = 200
SMALL_ROWS = 10_000


def space_for(rows: int) -> dict[str, Sequence[object]]:
    """Return the parameters to draw from.

    Trees that see many columns and rows are alike, which spreads their mean: with narrower ones every score sits
    near 0.5 and none reaches the thresholds, at the same average precision. Large data needs less of it, and half
    of its rows per tree keep time and file small.
    """
    return {
        "min_samples_leaf": (15, 20, 25, 30, 40),
        "max_features": (0.5, 0.75, 1.0),
        "max_samples": (0.5, 0.75, None) if rows <= SMALL_ROWS else (0.35, 0.5),
        "max_depth": (8, 12, None),
    }


class TooLittleDataError(ValueError):
    """Nothing can be learnt from these rows; str() says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the search found, and how it does on dates that the search never saw."""

    parameters: dict[str, Any]
    tried: int
    fold_scores: list[float]  # average precision of the best parameters, oldest test first
    fold_base_rates: list[float]
    past: Rows
    future: Rows
    hold_out_scores: np.ndarray[Any, np.dtype[np.float64]]


class _WatchedSearch(RandomizedSearchCV):  # type: ignore[misc]
    """RandomizedSearchCV that evaluates a few candidates at a time and tells of them; the results are the same."""

    batch = 1
    candidates: Sequence[Mapping[str, Any]]
    tell: Callable[[Sequence[Mapping[str, Any]]], None]

    def _run_search(self, evaluate_candidates: Callable[[Sequence[Mapping[str, Any]]], object]) -> None:
        for first in range(0, len(self.candidates), self.batch):
            chosen = self.candidates[first : first + self.batch]
            evaluate_candidates(chosen)
            self.tell(chosen)

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-learn sends the search along with every fit. A worker has neither this module nor our terminal.
        return RandomizedSearchCV, (self.estimator, self.param_distributions)


def draw_candidates(rows: int, n_iter: int, seed: int) -> list[dict[str, Any]]:
    """Return the parameters that the search tries; the whole space if n_iter is as large."""
    space = space_for(rows)
    size = math.prod(len(values) for values in space.values())
    return list(ParameterSampler(space, min(n_iter, size), random_state=seed))


def cost_of(candidate: Mapping[str, Any]) -> float:
    """Return about how long a candidate takes beside others."""
    return float((candidate["max_samples"] or 1.0) * candidate["max_features"])


def find(
    rows: pd.DataFrame,
    *,
    label_days: int,
    candidates: Sequence[Mapping[str, Any]],
    seed: int,
    jobs: int,
    workers: int | None,
    tell: Callable[[Sequence[Mapping[str, Any]]], None],
) -> Found:
    """Search on the past, score the best on the hold-out. rows: date, FEATURES and label, by date.

    candidates: what draw_candidates gave. jobs: threads per forest. workers: those of a joblib backend that stands
    already; None for this process.
    Raises TooLittleDataError if the rows are too few, or of one class only.
    """
    dates, labels = rows["date"].to_numpy(), rows["label"].to_numpy()
    _check_enough(dates, labels)
    past, future = hold_out(dates, HOLD_OUT_SHARE, label_days, EMBARGO_DAYS)
    folds = _folds(dates[past], labels[past], label_days)
    forest = new_forest(seed, jobs if workers is None else 1, n_estimators=SEARCH_TREES)
    search = _WatchedSearch(
        forest,
        space_for(len(rows)),
        n_iter=len(candidates),
        scoring=_average_precision if workers is None else "average_precision",
        n_jobs=None if workers is None else -1,
        cv=folds,
        refit=False,
        random_state=seed,
        error_score="raise",
    )
    search.candidates, search.batch, search.tell = candidates, workers or 1, tell
    search.fit(rows[list(FEATURES)].iloc[past], labels[past])
    best = search.best_index_
    parameters = {**search.best_params_, "n_estimators": FINAL_TREES}
    model = fit(rows.iloc[past], parameters, seed, jobs)
    return Found(
        parameters=parameters,
        tried=len(search.cv_results_["params"]),
        fold_scores=[float(search.cv_results_[f"split{fold}_test_score"][best]) for fold in range(len(folds))],
        fold_base_rates=[float(labels[past][test].mean()) for _, test in folds],
        past=past,
        future=future,
        hold_out_scores=model.predict_proba(rows[list(FEATURES)].iloc[future])[:, 1],
    )


def new_forest(seed: int, jobs: int, **parameters: Any) -> Any:
    """Return an unfitted forest. Balanced: the thresholds 0.70 and 0.30 are on a scale where 0.5 is the base rate."""
    return RandomForestClassifier(class_weight="balanced_subsample", random_state=seed, n_jobs=jobs, **parameters)


def fit(rows: pd.DataFrame, parameters: Mapping[str, Any], seed: int, jobs: int) -> Any:
    """Return a forest fitted on FEATURES and label, set to score with one thread: faster for a few rows."""
    with parallel_config(backend="threading"):  # one forest stays on this machine, whatever the search runs on
        forest = new_forest(seed, jobs, **parameters).fit(rows[list(FEATURES)], rows["label"].to_numpy())
    return forest.set_params(n_jobs=None)


def measure(labels: Any, scores: Any) -> dict[str, float | None]:
    """Return base rate, average precision and ROC AUC; None where one class alone leaves nothing to measure."""
    both = 0 < labels.mean() < 1
    return {
        "base_rate": float(labels.mean()),
        "average_precision": float(average_precision_score(labels, scores)) if both else None,
        "roc_auc": float(roc_auc_score(labels, scores)) if both else None,
    }


def _average_precision(forest: Any, rows: pd.DataFrame, labels: Any) -> float:
    # One thread: several add the trees up in an order that changes from run to run, and with it the last bits.
    forest.set_params(n_jobs=None)
    return float(average_precision_score(labels, forest.predict_proba(rows)[:, 1]))


def _check_enough(dates: Any, labels: Any) -> None:
    found = len(np.unique(dates))
    if not found:
        raise TooLittleDataError("no row has all features")
    if found < MIN_DATES:
        raise TooLittleDataError(f"{found} dates have all features, at least {MIN_DATES} are needed")
    if len(np.unique(labels)) == 1:
        raise TooLittleDataError(f"every row has the label {labels[0]}, both 0 and 1 are needed")


def _folds(dates: Any, labels: Any, label_days: int) -> list[tuple[Rows, Rows]]:
    """Return as many folds, up to SPLITS, as leave both labels on both sides of each."""
    for splits in range(SPLITS, 0, -1):
        try:
            folds = list(PurgedWalkForward(splits, label_days, EMBARGO_DAYS).split(dates, groups=dates))
        except ValueError:
            continue
        if all(len(np.unique(labels[side])) == 2 for fold in folds for side in fold):  # noqa: PLR2004 - 0 and 1
            return folds
    raise TooLittleDataError("too few rows are labelled 1 (or 0) to search on")
