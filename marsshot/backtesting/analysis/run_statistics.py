"""A run in figures: curve, benchmarks, ratios, rules. Takes an outcome, returns what there is to tell of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from marsshot.backtesting.analysis.performance import (
    DAYS_A_YEAR,
    Figures,
    Floats,
    Interval,
    bootstrap,
    daily_returns,
    figures_of,
)
from marsshot.backtesting.analysis.round_trips import Ledger, ledger_of
from marsshot.backtesting.simulation.engine import Outcome, Point

BOT, BTC = "MarsShot", "holding BTC"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What a run came to, beside doing nothing. Curves have one value per moment, in quote asset."""

    moments: tuple[datetime, ...]
    curves: Mapping[str, Floats]  # BOT first
    figures: Mapping[str, Figures]
    confidence: Mapping[str, Interval]
    exposure: Floats  # the share of the equity that is in tokens
    ledger: Ledger
    turnover: float  # how often a year the whole equity was traded, a purchase and its sale taken as one
    months: Mapping[tuple[int, int], float]  # the return of each month

    @property
    def equity(self) -> Floats:
        """The bot's curve."""
        return self.curves[BOT]


def findings_of(outcome: Outcome, tokens: Sequence[str]) -> Findings:
    """Return what a run came to. tokens: those that it could buy."""
    points = outcome.points
    equity = np.array([point.equity for point in points])
    there = [token for token in tokens if token in points[0].prices]
    curves = {BOT: equity, BTC: holding(points, ["BTC"])}
    if there:
        curves[f"holding {len(there)} tokens equally"] = holding(points, there)
    ledger = ledger_of(outcome.trades, outcome.skips, outcome.book, points[-1].prices)
    years = (len(points) - 1) / DAYS_A_YEAR
    return Findings(
        moments=tuple(point.moment for point in points),
        curves=curves,
        figures={name: figures_of(curve) for name, curve in curves.items()},
        confidence=bootstrap(daily_returns(equity)),
        exposure=np.array([point.held / point.equity for point in points]),
        ledger=ledger,
        turnover=ledger.traded / 2 / float(equity.mean()) / years,
        months=monthly_returns(points),
    )


def holding(points: Sequence[Point], tokens: Sequence[str]) -> Floats:
    """Return what the starting capital becomes, split equally among tokens and left alone, without any costs."""
    share = points[0].equity / len(tokens)
    first, last = points[0].prices, dict(points[0].prices)
    curve = []
    for point in points:
        last |= point.prices
        curve.append(sum(share * last[token] / first[token] for token in tokens))
    return np.array(curve)


def monthly_returns(points: Sequence[Point]) -> dict[tuple[int, int], float]:
    """Return each month's change, from its first value to the next month's first, or to the end."""
    firsts: dict[tuple[int, int], float] = {}
    for point in points[:-1]:
        firsts.setdefault((point.moment.year, point.moment.month), point.equity)
    values = [*firsts.values(), points[-1].equity]
    return {month: values[n + 1] / values[n] - 1 for n, month in enumerate(firsts)}
