"""A year of a model's own scores on dates that it was not fitted on: what `score_scale: rank` measures a score against.

Each of a few blocks of the last 365 dates is scored by a model fitted on all other dates, the overlap of the labels
taken out on both sides. Decides nothing, writes no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from marsshot.model.score_scale import quantiles_of
from marsshot.training.day_statistics import Floats
from marsshot.training.forest_search import EMBARGO_DAYS, fit, predict_scores
from marsshot.training.recipes import Recipe

SCALE_DATES = 365
BLOCKS = 5
TREES = 30  # of each block's model: more only steady a score


def out_of_sample_scores(
    rows: pd.DataFrame,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    seed: int,
    jobs: int,
    recipe: Recipe,
    label_days: int,
) -> pd.Series:
    """Return the scores of the rows of the last dates, by the rows' own index, without rows that nothing can score."""
    days = rows["date"].to_numpy().astype("datetime64[D]")
    gap = np.timedelta64(label_days + EMBARGO_DAYS, "D")
    parameters = {**parameters, "n_estimators": min(TREES, parameters["n_estimators"])}
    parts: list[pd.Series] = []
    for block in np.array_split(np.unique(days)[-SCALE_DATES:], BLOCKS):
        if not len(block):
            continue
        others = rows[(days + gap < block[0]) | (days > block[-1] + gap)]
        if others["label"].nunique() < 2:  # noqa: PLR2004 - 0 and 1
            continue
        mine = rows[(days >= block[0]) & (days <= block[-1])]
        model = fit(others, features, parameters, seed, jobs, recipe)
        parts.append(pd.Series(predict_scores(model, mine[list(features)]), index=mine.index))
    return pd.concat(parts) if parts else pd.Series(dtype=np.float64)


def score_scale_facts(scores: pd.Series) -> dict[str, Any] | None:
    """Return what model.json tells of these scores; None where there are none."""
    if scores.empty:
        return None
    values: Floats = scores.to_numpy()
    return {"rows": len(values), "quantiles": quantiles_of(values.tolist())}
