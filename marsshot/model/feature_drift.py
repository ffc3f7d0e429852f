"""Whether the features of the last days have left what the model learnt from.

The measure: of each feature, the share of the last DRIFT_DAYS' values outside the middle 98 % of the training's rows;
a market like the training's has 2 %. A forest has no answer of its own out there: it repeats that of its border. A
distance between distributions (Kolmogorov-Smirnov, population stability index) would tell rather which tokens are
traded: a few of those trained on have another distribution for good. Takes tables, returns values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DRIFT_DAYS = 30
_MIN_DAYS = 10
_BORDERS = (0.01, 0.99)
# A dear token is no drift.
_IN_UNITS_OF_THE_TOKEN = {"open", "high", "low", "close", "volume", "market_cap", "macd", "atr"}


def training_borders(rows: pd.DataFrame, features: Collection[str]) -> dict[str, list[float]]:
    """Return, of each feature that tokens can be compared by, between which values 98 % of the rows lie."""
    measured = [name for name in features if name not in _IN_UNITS_OF_THE_TOKEN]
    return {name: [float(one) for one in np.nanquantile(rows[name], _BORDERS)] for name in measured if len(rows)}


def shares_outside(table: pd.DataFrame, borders: object, today: date) -> dict[str, float]:
    """Return, of each feature, the mean over the last days of the tokens' share outside the borders.

    borders: as a model's facts have them; what cannot be read of them is left out, and so is a feature with values on
    fewer than 10 days.
    """
    if not isinstance(borders, Mapping):
        return {}
    age = (pd.Timestamp(today) - table["date"]).dt.days
    recent = table[(age >= 1) & (age <= DRIFT_DAYS)]
    day = np.unique(recent["date"].to_numpy(), return_inverse=True)[1]
    measured = [name for name in borders if name in recent and name not in _IN_UNITS_OF_THE_TOKEN]
    columns = {str(name): (recent[name].to_numpy(float), borders[name]) for name in measured}
    found = {name: _share_outside(values, day, pair) for name, (values, pair) in columns.items()}
    return {name: share for name, share in found.items() if share is not None}


def _share_outside(values: NDArray[np.float64], day: NDArray[np.intp], borders: Any) -> float | None:
    """Return the mean over the days of the share outside; day: each row's, as a number from 0."""
    try:
        low, high = (float(one) for one in borders)
    except (TypeError, ValueError):
        return None
    known = np.abs(values) < np.inf
    rows = np.bincount(day[known])
    outside = np.bincount(day[known & ((values < low) | (values > high))], minlength=len(rows))
    shares = outside[rows > 0] / rows[rows > 0]
    return float(shares.mean()) if len(shares) >= _MIN_DAYS else None
