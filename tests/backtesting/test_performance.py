"""The figures of an equity curve against sums done by hand, and the deflated Sharpe ratio against its paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.backtesting.analysis.deflated_sharpe import deflated_sharpe, expected_best_sharpe, probabilistic_sharpe
from marsshot.backtesting.analysis.performance import (
    bootstrap,
    daily_returns,
    drawdowns,
    performance_metrics,
    sharpe,
    sortino,
)

CURVE = np.array([100.0, 110.0, 99.0, 99.0, 108.9])  # +10 %, -10 %, 0 %, +10 %
YEAR = math.sqrt(365)


def test_returns_and_falls() -> None:
    assert daily_returns(CURVE) == pytest.approx([0.1, -0.1, 0.0, 0.1])
    assert drawdowns(CURVE) == pytest.approx([0, 0, 0.1, 0.1, 0.01])


def test_the_ratios_by_hand() -> None:
    metrics = performance_metrics(CURVE)
    mean, squares = 0.025, (0.075**2 * 2 + 0.125**2 + 0.025**2)
    assert metrics.total_return == pytest.approx(0.089)
    assert metrics.yearly_return == pytest.approx(1.089 ** (365 / 4) - 1)
    assert metrics.max_drawdown == pytest.approx(0.1)
    assert metrics.volatility == pytest.approx(math.sqrt(squares / 3) * YEAR)
    assert metrics.sharpe == pytest.approx(mean / math.sqrt(squares / 3) * YEAR)
    assert metrics.sortino == pytest.approx(mean / math.sqrt(0.01 / 4) * YEAR)
    assert metrics.calmar == pytest.approx(metrics.yearly_return / 0.1)


def test_a_curve_that_stands_still_has_no_ratios() -> None:
    metrics = performance_metrics(np.full(5, 100.0))
    assert (metrics.total_return, metrics.max_drawdown, metrics.volatility) == (0, 0, 0)
    assert all(map(math.isnan, (metrics.sharpe, metrics.sortino, metrics.calmar)))


def test_a_curve_that_only_rises_has_no_downside() -> None:
    assert math.isnan(sortino(daily_returns(np.array([1.0, 1.1, 1.3]))))


@given(st.lists(st.floats(-0.2, 0.25), min_size=5, max_size=60), st.floats(0.5, 3))
def test_the_sharpe_ratio_does_not_depend_on_how_much_is_staked(returns: list[float], stake: float) -> None:
    given_returns = np.array(returns)
    if given_returns.std() > 1e-6:
        assert sharpe(given_returns * stake) == pytest.approx(sharpe(given_returns))


def test_the_bootstrap_holds_the_figure_and_is_the_same_each_time() -> None:
    returns = np.random.default_rng(1).normal(0.004, 0.02, 300)
    first, again = bootstrap(returns), bootstrap(returns)
    assert first == again
    assert first["sharpe"].low < sharpe(returns) < first["sharpe"].high
    assert first["total_return"].low < (1 + returns).prod() - 1 < first["total_return"].high
    assert first["sharpe"].share_above_zero > 0.9


def test_the_bootstrap_widens_where_days_come_in_streaks() -> None:
    """The same returns in streaks tell less: blocks keep the streaks together, single days would not."""
    random = np.random.default_rng(2)
    signs = np.repeat(random.choice([-1.0, 1.0], 30), 10)
    streaks = signs * np.abs(random.normal(0, 0.02, 300)) + 0.002
    shuffled = random.permutation(streaks)
    width = [one["sharpe"].high - one["sharpe"].low for one in (bootstrap(streaks), bootstrap(shuffled))]
    assert width[0] > 1.5 * width[1]


def test_of_returns_that_do_not_vary_nothing_is_known() -> None:
    assert math.isnan(bootstrap(np.zeros(20))["sharpe"].low)
    assert bootstrap(np.zeros(20))["total_return"].high == 0


# --------------------------------------------------------------------------- luck


def test_the_example_of_the_paper() -> None:
    """Bailey and Lopez de Prado (2014), a numerical example: Sharpe 2.5 a year, the best of 100 over 1250 days."""
    expected = expected_best_sharpe(100, 0.5 / 250)
    assert expected == pytest.approx(0.1132, abs=5e-5)
    assert probabilistic_sharpe(2.5 / math.sqrt(250), expected, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_one_trial_is_not_deflated_and_more_are_deflated_more() -> None:
    assert expected_best_sharpe(1, 0.01) == 0
    expected = [expected_best_sharpe(trials, 0.01) for trials in (2, 10, 100, 1000)]
    assert expected == sorted(expected)
    assert expected[0] > 0


def test_the_best_of_many_without_skill_is_not_convincing_and_skill_is() -> None:
    random = np.random.default_rng(3)
    luck = random.normal(0, 0.02, (100, 365))
    daily = luck.mean(axis=1) / luck.std(axis=1, ddof=1)
    assert deflated_sharpe(luck[daily.argmax()], daily.tolist()) < 0.95
    skill = random.normal(0.006, 0.02, 365)
    known = float(skill.mean() / skill.std(ddof=1))
    assert deflated_sharpe(skill, [*daily.tolist(), known]) > 0.95


def test_without_variation_there_is_no_probability() -> None:
    assert math.isnan(deflated_sharpe(np.zeros(10), [0.0]))
