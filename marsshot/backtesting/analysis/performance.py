"""Performance metrics of an equity curve: return, risk, ratios. Floats; pure.

All from one value of the equity a day. A year has 365 days, the riskless return is 0. Sources stand with each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAYS_A_YEAR = 365.0
RESAMPLES, BLOCK_DAYS = 2000, 10.0
ZERO_DEVIATION = 1e-12  # a deviation under it is rounding: the returns do not vary


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceMetrics:
    """What an equity curve says of itself. Ratios are a year's; NaN where there is nothing to divide by."""

    total_return: float
    yearly_return: float
    volatility: float
    max_drawdown: float
    sharpe: float
    sortino: float
    calmar: float


def daily_returns(equity: Floats) -> Floats:
    """Return the change from each value to the next, as fractions."""
    changes: Floats = equity[1:] / equity[:-1] - 1
    return changes


def performance_metrics(equity: Floats) -> PerformanceMetrics:
    """Return the figures of a curve of two values or more, one a day."""
    returns = daily_returns(equity)
    growth = float(equity[-1] / equity[0])
    yearly = growth ** (DAYS_A_YEAR / len(returns)) - 1 if growth > 0 else -1.0
    worst = float(drawdowns(equity).max())
    return PerformanceMetrics(
        total_return=growth - 1,
        yearly_return=yearly,
        volatility=_standard_deviation(returns) * math.sqrt(DAYS_A_YEAR),
        max_drawdown=worst,
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=yearly / worst if worst > 0 else math.nan,
    )


def drawdowns(equity: Floats) -> Floats:
    """Return how far each value is under the highest before it, as a fraction from 0 to 1."""
    falls: Floats = 1 - equity / np.maximum.accumulate(equity)
    return falls


def sharpe(returns: Floats) -> float:
    """Return mean over standard deviation of the daily returns, times the root of a year's days.

    Source: Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1994).
    """
    deviation = _standard_deviation(returns)
    return float(returns.mean()) / deviation * math.sqrt(DAYS_A_YEAR) if deviation > ZERO_DEVIATION else math.nan


def sortino(returns: Floats) -> float:
    """Return mean over downside deviation (root mean square of the losses, over all days), a year's.

    Source: Sortino and Price, Performance Measurement in a Downside Risk Framework, Journal of Investing 3 (1994).
    """
    downside = math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean()))
    return float(returns.mean()) / downside * math.sqrt(DAYS_A_YEAR) if downside > ZERO_DEVIATION else math.nan


def _standard_deviation(returns: Floats) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else 0.0


# --------------------------------------------------------------------------- how sure that is


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with 95 % confidence, and the share of the resamples in which it is above 0."""

    low: float
    high: float
    share_above_zero: float


def bootstrap(returns: Floats, seed: int = 0) -> dict[str, Interval]:
    """Return intervals of `sharpe` and `total_return` from resampled days, drawn in blocks so that streaks stay.

    The stationary bootstrap: blocks of random length, BLOCK_DAYS on average, that wrap around.
    Source: Politis and Romano, The Stationary Bootstrap, Journal of the American Statistical Association 89 (1994).
    """
    days = len(returns)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = random.integers(days, size=(RESAMPLES, days))
    begins = random.random((RESAMPLES, days)) < 1 / BLOCK_DAYS
    for day in range(1, days):
        drawn[:, day] = np.where(begins[:, day], drawn[:, day], (drawn[:, day - 1] + 1) % days)
    samples = returns[drawn]
    deviations = samples.std(axis=1, ddof=1) if days > 1 else np.zeros(RESAMPLES)
    varies = deviations > ZERO_DEVIATION
    sharpes = samples.mean(axis=1)[varies] / deviations[varies] * math.sqrt(DAYS_A_YEAR)
    return {"sharpe": _interval(sharpes), "total_return": _interval((1 + samples).prod(axis=1) - 1)}


def _interval(values: Floats) -> Interval:
    if not len(values):
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), float((values > 0).mean()))
