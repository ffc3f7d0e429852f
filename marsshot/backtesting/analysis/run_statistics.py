"""Statistics of a run: equity curve, benchmarks, ratios, rules. Pure: a run's result in, its statistics out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from marsshot.backtesting.analysis.performance import (
    DAYS_A_YEAR,
    Floats,
    Interval,
    PerformanceMetrics,
    bootstrap,
    daily_returns,
    performance_metrics,
)
from marsshot.backtesting.analysis.round_trips import TradeAnalysis, analyse_trades
from marsshot.backtesting.simulation.engine import EquityPoint, RunResult
from marsshot.core.catalog import LocalizedText

BOT, BTC = "MarsShot", "holding BTC"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunStatistics:
    """What a run came to, beside doing nothing. Curves have one value per moment, in quote asset."""

    moments: tuple[datetime, ...]
    curves: Mapping[str, Floats]  # BOT first
    metrics: Mapping[str, PerformanceMetrics]
    confidence: Mapping[str, Interval]
    exposure: Floats  # the share of the equity that is in tokens
    trade_analysis: TradeAnalysis
    turnover: float  # how often a year the whole equity was traded, a purchase and its sale taken as one
    months: Mapping[tuple[int, int], float]  # the return of each month

    @property
    def equity(self) -> Floats:
        """The bot's curve."""
        return self.curves[BOT]


def run_statistics(run_result: RunResult, tokens: Sequence[str], ended: Collection[str] = ()) -> RunStatistics:
    """Return what a run came to. tokens: those that it could buy. ended: those whose record ends before the run."""
    points = run_result.points
    equity = np.array([point.equity for point in points])
    there = [token for token in tokens if token in points[0].prices]
    curves: dict[str, Floats] = {BOT: equity, BTC: buy_and_hold(points, ["BTC"])}
    if there:
        curves[_tokens_curve(len(there), sum(token in ended for token in there))] = buy_and_hold(points, there)
    trade_analysis = analyse_trades(run_result.trades, run_result.skipped_sales, run_result.book, points[-1].prices)
    years = (len(points) - 1) / DAYS_A_YEAR
    return RunStatistics(
        moments=tuple(point.moment for point in points),
        curves=curves,
        metrics={name: performance_metrics(curve) for name, curve in curves.items()},
        confidence=bootstrap(daily_returns(equity)),
        exposure=np.array([point.held / point.equity for point in points]),
        trade_analysis=trade_analysis,
        turnover=trade_analysis.traded_amount / 2 / float(equity.mean()) / years,
        months=monthly_returns(points),
    )


def _tokens_curve(count: int, ended: int) -> LocalizedText:
    """Return the curve's name: as a text in English, as the columns of equity.csv are."""
    if ended:
        return LocalizedText("backtest.curve.tokens_ended", count=count, ended=ended)
    return LocalizedText("backtest.curve.tokens", count=count)


def buy_and_hold(points: Sequence[EquityPoint], tokens: Sequence[str]) -> Floats:
    """Return what the starting capital becomes, split equally among tokens and left alone, without any costs."""
    share = points[0].equity / len(tokens)
    first, last = points[0].prices, dict(points[0].prices)
    curve = []
    for point in points:
        last |= point.prices
        curve.append(sum(share * last[token] / first[token] for token in tokens))
    return np.array(curve)


def monthly_returns(points: Sequence[EquityPoint]) -> dict[tuple[int, int], float]:
    """Return each month's change, from its first value to the next month's first, or to the end."""
    firsts: dict[tuple[int, int], float] = {}
    for point in points[:-1]:
        firsts.setdefault((point.moment.year, point.moment.month), point.equity)
    values = [*firsts.values(), points[-1].equity]
    return {month: values[n + 1] / values[n] - 1 for n, month in enumerate(firsts)}
