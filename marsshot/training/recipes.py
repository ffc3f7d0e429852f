"""What a model is made of, by `training.recipe`: the columns it learns, the forests to choose from, what is beside.

seed: every column of the file, forests that may grow deep. scale_free: columns that mean the same of every token and
every day, shallow forests that may only score higher where ATR/close is larger, averaged with a line on ATR/close. What
both are worth: docs/EXPERIMENTS.md. Fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsshot.config.training_settings import RecipeName
from marsshot.model.features import FEATURES, RATIOS, features_in

SMALL_DATA_ROWS = 10_000
YEAR = 365

SearchSpace = Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made. search_space: takes the number of rows, gives the parameters to draw from."""

    name: RecipeName
    columns: tuple[str, ...]
    search_space: Callable[[int], SearchSpace]
    rising: tuple[str, ...] = ()  # columns of which more may only raise the score
    line_on: str | None = None  # the column whose logistic line has half a vote
    thins_dates: bool = False  # of two years every second date is fitted, of three every third

    def for_file(self, columns: Collection[str], absent: Collection[str] = ()) -> Recipe:
        """Return the recipe with the columns that a file has. absent: what its source has none of."""
        return replace(self, columns=tuple(name for name in features_in(columns, absent) if name in self.columns))

    def monotonic(self, features: Sequence[str]) -> list[int] | None:
        """Return the direction of each feature, 0 where it is free; None if all are."""
        return [int(name in self.rising) for name in features] if {*self.rising} & {*features} else None

    def fitted_dates(self, dates: ArrayLike) -> NDArray[np.bool_]:
        """Return which rows are fitted: labels of neighbouring dates overlap, so that few are lost with the others."""
        days = np.asarray(dates).astype("datetime64[D]")
        unique = np.unique(days)
        step = max(1, len(unique) // YEAR) if self.thins_dates else 1
        return np.isin(days, unique[::-1][::step])


def _deep_forests(rows: int) -> SearchSpace:
    """Return forests whose scores spread far: large data takes a quarter of the rows per tree."""
    if rows <= SMALL_DATA_ROWS:
        return {
            "min_samples_leaf": (15, 20, 25, 30, 40),
            "max_features": (0.5, 0.75, 1.0),
            "max_samples": (0.5, 0.75, None),
            "max_depth": (8, 12, None),
        }
    return {
        "min_samples_leaf": (10, 15, 20, 30),
        "max_features": (0.5, 0.75, 1.0),
        "max_samples": (0.25,),
        "max_depth": (8, 12, None),
    }


def _shallow_forests(rows: int) -> SearchSpace:
    """Return forests too shallow to learn dates and tokens by heart; a leaf is a share of the rows."""
    is_small = rows <= SMALL_DATA_ROWS
    return {
        "min_samples_leaf": (0.01, 0.02, 0.04) if is_small else (0.0025, 0.005, 0.01),
        "max_features": (0.25, 0.35, 0.5),
        "max_samples": (0.5, 0.75) if is_small else (0.25,),
        "max_depth": (3, 4, 5),
    }


_SCALE_FREE_COLUMNS = ("galaxy_score", "alt_rank", "sentiment", "rsi", *RATIOS)

SEED = Recipe(name="seed", columns=(*FEATURES, *RATIOS), search_space=_deep_forests)
SCALE_FREE = Recipe(
    name="scale_free",
    columns=_SCALE_FREE_COLUMNS,
    search_space=_shallow_forests,
    rising=("atr_to_close",),
    line_on="atr_to_close",
    thins_dates=True,
)
RECIPES: Mapping[RecipeName, Recipe] = {one.name: one for one in (SEED, SCALE_FREE)}
