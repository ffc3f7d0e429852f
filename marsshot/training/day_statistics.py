"""Statistics in which the day is the unit: 200 tokens of one day are one look at the market, not 200.

Weights that let every day count the same, average precision under weights, and intervals from a block bootstrap
over days. Takes arrays, returns arrays. Knows no models, tokens or files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 1000
BLOCK_DAYS = 7  # labels of neighbouring days overlap, and a market's mood lasts some days
LEVEL = 0.95
MIN_DAYS = 5  # of what happened on fewer days the bootstrap makes intervals that are far too narrow
_Z = 1.96  # standard errors that LEVEL reaches to either side
_AT_ONCE = 20  # resamples whose rows are in memory together


def day_numbers(dates: ArrayLike) -> tuple[NDArray[np.datetime64], NDArray[np.intp]]:
    """Return the distinct days, oldest first, and of every row the number of its day among them."""
    days, numbers = np.unique(np.asarray(dates).astype("datetime64[D]"), return_inverse=True)
    return days, numbers


def day_weights(dates: ArrayLike) -> Floats:
    """Return one weight per row: all days weigh the same together, and the mean weight is 1."""
    days, numbers = day_numbers(dates)
    rows = np.bincount(numbers)
    return len(numbers) / len(days) / rows[numbers] if len(days) else np.empty(0)


def per_day(numbers: NDArray[np.intp], values: Floats) -> Floats:
    """Return the sum of the values of each day. numbers: of each row's day."""
    return np.bincount(numbers, weights=values).astype(np.float64)


def average_precision(labels: NDArray[np.int64], scores: Floats, weights: Floats) -> Floats:
    """Return the average precision; weights of shape (..., rows) give an answer for each leading index.

    NaN where the weights leave no row labelled 1. The same as scikit-learn's average_precision_score, ties included.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    risen = np.flatnonzero(labels[order])
    risen_so_far = np.searchsorted(risen, last_of_ties, side="right")
    counts = np.diff(risen_so_far, prepend=0) > 0  # ties without a rise add nothing
    if not counts.any():
        return np.full(weights.shape[:-1], np.nan)
    chosen = weights[..., order]
    picks = np.cumsum(chosen, axis=-1)[..., last_of_ties[counts]]
    hits = np.cumsum(chosen[..., risen], axis=-1)[..., risen_so_far[counts] - 1]
    steps = np.diff(hits, axis=-1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision: Floats = np.sum(np.where(steps > 0, steps * hits / picks, 0.0), axis=-1) / hits[..., -1]
    return precision


@lru_cache(maxsize=4)
def resampled_days(days: int, seed: int = 0) -> Floats:
    """Return how often each day is drawn, shape (RESAMPLES, days): blocks of consecutive days, in a circle.

    Read only: all statistics of the same days go by the same draws.

    Source: Politis and Romano, A circular block-resampling procedure for stationary data (1992).
    """
    block = min(BLOCK_DAYS, days)
    starts = np.random.default_rng(seed).integers(0, days, size=(RESAMPLES, -(-days // block)))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :days] % days
    counts = np.stack([np.bincount(row, minlength=days) for row in drawn]).astype(np.float64)
    counts.flags.writeable = False
    return counts


def ratio(parts: Floats, wholes: Floats) -> tuple[float | None, Interval | None]:
    """Return sum(parts) / sum(wholes), both given by day, with its interval; None where there is nothing to divide by.

    The interval is None when fewer than MIN_DAYS days have a whole.
    """
    if not wholes.sum() > 0:
        return None, None
    value = float(parts.sum() / wholes.sum())
    if np.count_nonzero(wholes) < MIN_DAYS:
        return value, None
    draws = resampled_days(len(wholes))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Not draws @ parts: BLAS adds up in another order with other threads, and the last bits differ.
        return value, interval_of((draws * parts).sum(axis=1) / (draws * wholes).sum(axis=1))


def share(numbers: NDArray[np.intp], weights: Floats, hits: ArrayLike) -> tuple[float | None, Interval | None]:
    """Return the weighted share of hits among the rows that have a weight, with its interval; None without such rows.

    numbers: of each row's day. The bootstrap alone knows no doubt where few rows all hit or all missed, so the interval
    reaches at least as far as that of as many independent rows. Source: Wilson, Probable inference (1927).
    """
    value, interval = ratio(per_day(numbers, weights * np.asarray(hits)), per_day(numbers, weights))
    if value is None:
        return None, None
    low, high = wilson(value, int(np.count_nonzero(weights)))
    return value, (min(low, *(interval or (low,))), max(high, *(interval or (high,))))


def wilson(value: float, count: float) -> Interval:
    """Return the interval of a share found in so many independent rows, one or more. Source: as `share`."""
    middle = (value + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    reach = _Z / (1 + _Z**2 / count) * np.sqrt(value * (1 - value) / count + _Z**2 / (4 * count**2))
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def interval_of(values: Floats) -> Interval | None:
    """Return the middle LEVEL of resampled values, those that are not defined left out."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def over_resamples(dates: ArrayLike, statistic: Callable[[Floats], Floats]) -> Floats:
    """Return the statistic in each resample of the days.

    statistic: takes row weights of shape (n, rows), in which the days drawn weigh the same, and returns n values.
    """
    days, numbers = day_numbers(dates)
    by_row = day_weights(dates)
    draws = resampled_days(len(days))
    parts = [
        statistic(by_row * draws[first : first + _AT_ONCE][:, numbers]) for first in range(0, len(draws), _AT_ONCE)
    ]
    return np.concatenate(parts)
