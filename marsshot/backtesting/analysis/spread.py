"""Several draws of the same models, side by side: how far the result depends on the draw alone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, median_low

from marsshot.backtesting.analysis.performance import PerformanceMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What came of one draw of the models."""

    seed: int
    worth: float  # at the end, in quote asset
    metrics: PerformanceMetrics
    trades: int
    exposure: float  # on average


@dataclass(frozen=True, slots=True)
class Range:
    """Least, median and most."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """All draws, in the order in which they were made."""

    draws: tuple[Draw, ...]

    @property
    def middle(self) -> Draw:
        """The draw in the middle by what it ended with; of an even number the lower one."""
        worth = median_low([one.worth for one in self.draws])
        return next(one for one in self.draws if one.worth == worth)

    def of(self, figure: Callable[[Draw], float]) -> Range:
        """Return least, median and most of a figure over the draws."""
        values = sorted(figure(one) for one in self.draws)
        return Range(values[0], median(values), values[-1])
