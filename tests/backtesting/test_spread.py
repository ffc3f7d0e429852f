"""Several draws side by side: least, median, most, and the one in the middle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marsshot.backtesting.analysis.performance import performance_metrics
from marsshot.backtesting.analysis.spread import Draw, Range, Spread


def spread_of(*worths: float) -> Spread:
    draws = (
        Draw(seed=n, worth=one, metrics=performance_metrics(np.array([1000.0, one])), trades=n, exposure=0.5)
        for n, one in enumerate(worths)
    )
    return Spread(draws=tuple(draws))


def test_the_middle_of_the_draws_is_neither_the_luckiest_nor_the_worst() -> None:
    assert spread_of(500, 3000, 900).middle.seed == 2
    assert spread_of(500, 3000, 900, 1000).middle.worth == 900, "of an even number the lower one"


def test_each_figure_has_its_own_least_median_and_most() -> None:
    spread = spread_of(500, 3000, 900)
    assert spread.of(lambda one: one.worth) == Range(500, 900, 3000)
    assert spread.of(lambda one: one.metrics.max_drawdown).high == 0.5


@given(st.lists(st.floats(500, 2000), min_size=1, max_size=9))
def test_the_middle_is_one_of_the_draws_with_as_many_on_either_side(worths: list[float]) -> None:
    middle = spread_of(*worths).middle.worth
    assert middle in worths
    assert abs(sum(one < middle for one in worths) - sum(one > middle for one in worths)) <= worths.count(middle)
