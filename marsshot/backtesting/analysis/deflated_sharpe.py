"""The deflated Sharpe ratio: how likely the best of many trials is more than luck. Pure.

Source: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, variance

import numpy as np
from numpy.typing import NDArray

EULER_GAMMA = 0.5772156649015329
CONVINCING_PROBABILITY, EVEN_ODDS = 0.95, 0.5
_NORMAL = NormalDist()


def expected_best_sharpe(trials: int, variance_of_sharpes: float) -> float:
    """Return the best Sharpe ratio that so many trials without any skill are expected to show (their equation 1).

    In the unit, per day or per year, whose variance over the trials is given.
    """
    if trials < 2:  # noqa: PLR2004 - one trial is not chosen from anything
        return 0.0
    first = _NORMAL.inv_cdf(1 - 1 / trials)
    second = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance_of_sharpes) * ((1 - EULER_GAMMA) * first + EULER_GAMMA * second)


def probabilistic_sharpe(sharpe: float, benchmark: float, days: int, skewness: float, kurtosis: float) -> float:
    """Return the probability that the true daily Sharpe ratio is above the benchmark (their equation 2).

    sharpe, benchmark: per day. kurtosis: 3 for a normal distribution.
    """
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(days - 1) / math.sqrt(spread))


def deflated_sharpe(returns: NDArray[np.float64], daily_sharpes: Sequence[float]) -> float:
    """Return the probability that the best of several trials has a Sharpe ratio beyond what luck alone would show.

    returns: the best one's daily returns. daily_sharpes: those of all trials, the best one's among them.
    NaN where the returns do not vary.
    """
    deviation = float(returns.std())
    if deviation == 0 or len(returns) < 2:  # noqa: PLR2004 - nothing varies
        return math.nan
    known = [sharpe for sharpe in daily_sharpes if math.isfinite(sharpe)]
    spread = variance(known) if len(known) > 1 else 0.0
    scaled = (returns - returns.mean()) / deviation
    return probabilistic_sharpe(
        float(returns.mean()) / float(returns.std(ddof=1)),
        expected_best_sharpe(len(known), spread),
        len(returns),
        float((scaled**3).mean()),
        float((scaled**4).mean()),
    )
