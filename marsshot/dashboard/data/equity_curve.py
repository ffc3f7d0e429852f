"""The equity curve: over time, beside holding BTC, and its drawdowns.

Pure: values in, values out. Amounts in quote asset; float, for pictures and percentages only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import TypeVar

from marsshot.bot.daily_candles import DailyClose
from marsshot.core.book import Book
from marsshot.portfolio.trades_file import Trade

Item = TypeVar("Item")

MAX_POINTS = 800  # about as many as a screen has dots across


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over time, oldest first. includes_open_positions: at their prices; else what sales brought alone."""

    moments: tuple[datetime, ...]
    values: tuple[float, ...]
    includes_open_positions: bool

    def value_at(self, moment: datetime) -> float:
        """Return the height of the line at a moment, between its points on a straight line. The line has a point."""
        after = bisect_right(self.moments, moment)
        if after == 0:
            return self.values[0]
        if after == len(self.moments):
            return self.values[-1]
        before_moment, after_moment = self.moments[after - 1], self.moments[after]
        share = (moment - before_moment) / (after_moment - before_moment)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])


def build_equity_curve(
    recorded_equity: Sequence[tuple[datetime, Decimal]], trades: Sequence[Trade], book: Book
) -> Curve:
    """Return the equity as it was noted down; where nothing was, the starting capital and what each sale added.

    In order of time, also where the machine's clock was set back in between.
    """
    if recorded_equity:
        moments, equities = zip(*sorted(recorded_equity), strict=True)
        return Curve(moments, tuple(map(float, equities)), includes_open_positions=True)
    return _curve_from_sales(trades, book)


def _curve_from_sales(trades: Sequence[Trade], book: Book) -> Curve:
    sales = sorted((trade.time, trade.profit) for trade in trades if trade.profit is not None)
    gained = accumulate((float(profit) for _, profit in sales), initial=float(book.capital_started))
    began = [datetime.fromisoformat(book.started_at)] if book.started_at else []
    values = tuple(gained) if began else tuple(gained)[1:]
    return Curve((*began, *(moment for moment, _ in sales)), values, includes_open_positions=False)


def downsample(curve: Curve, most: int = MAX_POINTS) -> Curve:
    """Return a line of fewer points that looks the same: of each stretch its lowest and its highest, and both ends."""
    count = len(curve.values)
    if count <= most:
        return curve
    edges = [n * count // (most // 2) for n in range(most // 2 + 1)]
    kept = {0, count - 1}
    for first, end in pairwise(edges):
        stretch = range(first, end)
        kept |= {min(stretch, key=curve.values.__getitem__), max(stretch, key=curve.values.__getitem__)}
    chosen = sorted(kept)
    return Curve(
        tuple(curve.moments[n] for n in chosen), tuple(curve.values[n] for n in chosen), curve.includes_open_positions
    )


def sample_evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many, evenly chosen, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[round(n * last / (most - 1))] for n in range(most)]


def drawdowns(values: Sequence[float]) -> list[float]:
    """Return how far each value lies under the highest before it, as a fraction from 0 to 1."""
    top, under = 0.0, []
    for value in values:
        top = max(top, value)
        under.append(1 - value / top if top > 0 else 0.0)
    return under


def buy_and_hold(closes: Sequence[DailyClose], start: datetime, end: datetime, capital: float) -> Curve | None:
    """Return what the capital would be had it bought BTC at the start; None where BTC's closes do not reach there."""
    known = [close.moment for close in closes]
    first = bisect_right(known, start) - 1
    if first < 0 or start >= end:
        return None
    last = bisect_right(known, end)
    bought_at = closes[first].price
    moments = [start, *(close.moment for close in closes[first + 1 : last])]
    values = [capital, *(capital * close.price / bought_at for close in closes[first + 1 : last])]
    return Curve(tuple(moments), tuple(values), includes_open_positions=True) if len(moments) > 1 else None
