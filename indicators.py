"""Cleaning of daily bars, and RSI(14), the histogram of MACD(12,26,9) and ATR(14) of all tokens at once.

Arrays have the shape (bars, tokens): row 0 is the first clean bar of each token, shorter columns end in NaN.
Seeded as in TA-Lib, so from the first defined value on both give the same. Knows no days, labels or models.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def is_clean(ohlc: Floats) -> NDArray[np.bool_]:
    """Return which bars, shape (4, n), can be used: no price is missing, infinite, zero or negative."""
    usable: NDArray[np.bool_] = (ohlc.min(axis=0) > 0) & (ohlc.max(axis=0) < np.inf)  # false for NaN, too
    return usable


def rsi(close: Floats, window: int = 14) -> Floats:
    """Return the relative strength index, 0 to 100; the first `window` rows are NaN.

    A series that never moves has 0, as in TA-Lib. Source: Wilder, New Concepts in Technical Trading Systems (1978).
    """
    moves = np.diff(close, axis=0)
    # Gains and losses side by side: one way through the rows instead of two.
    both = _wilder_average(np.maximum(np.hstack([moves, -moves]), 0.0), window)
    gains, losses = np.hsplit(both, 2)
    total = gains + losses
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.where(total == 0, 0.0, 100.0 * (gains / total))
    return _after_a_first_row(strength, close)


def macd_histogram(close: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Floats:
    """Return MACD less its signal line, in units of price; the first slow + signal - 2 rows are NaN.

    The fast average is seeded with the last `fast` of the first `slow` closes: both begin on the same bar.
    Source: Appel, Technical Analysis (2005); seeding as in TA-Lib's ta_MACD.c.
    """
    line = _exponential_average(close, fast, first=slow - fast)
    line -= _exponential_average(close, slow)
    return line - _exponential_average(line, signal, first=slow - 1)


def atr(high: Floats, low: Floats, close: Floats, window: int = 14) -> Floats:
    """Return the average true range, in units of price; the first `window` rows are NaN.

    Source: Wilder, New Concepts in Technical Trading Systems (1978).
    """
    before = close[:-1]
    spans = (high[1:] - low[1:], np.abs(high[1:] - before), np.abs(low[1:] - before))
    return _after_a_first_row(_wilder_average(np.maximum(np.maximum(*spans[:2]), spans[2]), window), close)


def _after_a_first_row(values: Floats, like: Floats) -> Floats:
    """Return values one row down: what is taken from two bars belongs to the second."""
    moved = np.full_like(like, np.nan)
    moved[1:] = values
    return moved


def _mean_of_rows(rows: Floats) -> Floats:
    # Added one by one: numpy's own sum pairs terms according to the array's shape, and a row of one token
    # would then differ in its last bit from the same row among 150.
    total = rows[0].copy()
    for row in rows[1:]:
        total += row
    mean: Floats = total / len(rows)
    return mean


def _wilder_average(values: Floats, window: int) -> Floats:
    """Return Wilder's running average, seeded with the mean of the first `window` rows."""
    averages = np.full_like(values, np.nan)
    if len(values) < window:
        return averages
    averages[window - 1] = _mean_of_rows(values[:window])
    # Arrays, since numpy would convert a plain number anew in every row.
    kept, whole = np.array(window - 1.0), np.array(float(window))
    for before, value, average in zip(averages[window - 1 : -1], values[window:], averages[window:], strict=True):
        np.multiply(before, kept, average)
        np.add(average, value, average)
        np.divide(average, whole, average)
    return averages


def _exponential_average(values: Floats, window: int, first: int = 0) -> Floats:
    """Return the exponential average, seeded with the mean of `window` rows from row `first` on."""
    averages = np.full_like(values, np.nan)
    seed = first + window - 1
    if len(values) <= seed:
        return averages
    averages[seed] = _mean_of_rows(values[first : seed + 1])
    weight = np.array(2.0 / (window + 1))
    for before, value, average in zip(averages[seed:-1], values[seed + 1 :], averages[seed + 1 :], strict=True):
        np.subtract(value, before, average)
        np.multiply(average, weight, average)
        np.add(average, before, average)
    return averages
