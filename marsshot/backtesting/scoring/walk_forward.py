"""Models trained again and again as the days go by, each on what was known on its first day.

The search and the fit are forest_search.py's. Parameters are searched once in a while, in between they are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from marsshot.backtesting.scoring.daily_scores import DAY, score_days
from marsshot.config.training_settings import ScoreScale, TrainingSection
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.scores import Score
from marsshot.model.features import FEATURES, RATIOS, has_features, labelled
from marsshot.model.model_files import LoadedModel
from marsshot.training import forest_search
from marsshot.training.forest_search import TooLittleDataError
from marsshot.training.out_of_sample import out_of_sample_scores, score_scale_facts
from marsshot.training.recipes import RECIPES, Recipe
from marsshot.training.relative_label import with_relative_label

SEARCH_EVERY = 12  # trainings
SEED = 42
FEATURE_COLUMNS = (*FEATURES, *RATIOS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForwardPlan:
    """How a walk trains: the label, the days between two trainings, the candidates of a search, the threads."""

    training: TrainingSection
    retrain_days: int = 30
    tries: int = 4
    jobs: int = 1
    features: tuple[str, ...] = FEATURE_COLUMNS
    seed: int = SEED  # of every draw: the candidates of a search, the forests
    scale: ScoreScale = "raw"

    @property
    def recipe(self) -> Recipe:
        """What the models are made of."""
        return replace(RECIPES[self.training.recipe], columns=self.features)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of a walk: the day it was made on, and what it had learnt from."""

    day: date
    rows: int
    last_close: date  # the latest that it has seen
    parameters: dict[str, Any]
    parameters_searched: bool


def training_rows_known_on(
    table: pd.DataFrame, day: date, training: TrainingSection, features: Sequence[str] = FEATURE_COLUMNS
) -> pd.DataFrame:
    """Return the labelled rows that `build_csv.py` could have written on this day."""
    past = table[(table["date"] < pd.Timestamp(day)) & (table["date"] >= pd.Timestamp(day - training.days * DAY))]
    rows = labelled(past.reset_index(drop=True), training.shift_days, training.threshold)
    if training.label == "relative":
        rows = with_relative_label(rows)
    complete = has_features(rows, features).all(axis=1)
    return rows[complete].reset_index(drop=True)


def walk_forward(
    table: pd.DataFrame,
    tokens: Collection[str],
    training_tokens: Collection[str],
    span: tuple[date, date],
    plan: WalkForwardPlan,
    on_progress: Callable[[Training], None],
) -> tuple[dict[date, dict[str, Score]], list[Training]]:
    """Return the scores of the span's days and the trainings behind them.

    Raises InputError where the past before the span is too short to learn from.
    """
    learnt_from = table[table["symbol"].isin(training_tokens)]
    days: dict[date, dict[str, Score]] = {}
    done: list[Training] = []
    day, last = span
    parameters = dict[str, Any]()
    while day <= last:
        rows = training_rows_known_on(learnt_from, day, plan.training, plan.features)
        parameters_searched = len(done) % SEARCH_EVERY == 0
        if parameters_searched:
            parameters = _search(rows, day, plan)
        end = min(day + timedelta(days=plan.retrain_days - 1), last)
        days |= score_days(table, tokens, day, end, _fitted(rows, parameters, plan), plan.scale)
        done.append(
            Training(
                day=day,
                rows=len(rows),
                last_close=rows["date"].max().date() + plan.training.label_days * DAY,
                parameters=parameters,
                parameters_searched=parameters_searched,
            )
        )
        on_progress(done[-1])
        day = end + DAY
    return days, done


def _fitted(rows: pd.DataFrame, parameters: dict[str, Any], plan: WalkForwardPlan) -> LoadedModel:
    """Return a model of these rows, with the table of its own scores where these are to be ranks."""
    estimator = forest_search.fit(rows, plan.features, parameters, plan.seed, plan.jobs, plan.recipe)
    facts = dict[str, Any]()
    if plan.scale == "rank":
        label_days = plan.training.label_days
        scores = out_of_sample_scores(rows, plan.features, parameters, plan.seed, plan.jobs, plan.recipe, label_days)
        facts = {"score_scale": score_scale_facts(scores)}
    return LoadedModel(estimator, facts, plan.features, "")


def _search(rows: pd.DataFrame, day: date, plan: WalkForwardPlan) -> dict[str, Any]:
    try:
        return forest_search.search_forest(
            rows,
            plan.recipe,
            label_days=plan.training.label_days,
            candidates=forest_search.draw_candidates(len(rows), plan.tries, plan.seed, plan.recipe),
            seed=plan.seed,
            jobs=plan.jobs,
            workers=None,
            on_progress=lambda _: None,
        ).parameters
    except TooLittleDataError as error:
        raise InputError(LocalizedText("backtest.fault.too_little", day=day, why=error.args[0])) from None
