"""What the capital has become over time, beside BTC, and how far it fell from its tops.

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

from marsshot.core.domain import Book
from marsshot.dashboard.data.bitcoin_closes import Close
from marsshot.dashboard.data.csv_records import Trade

Item = TypeVar("Item")

MOST_POINTS = 800  # about as many as a screen has dots across


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over time, oldest first. is_whole: open positions are in it at their prices; else what sales brought."""

    moments: tuple[datetime, ...]
    values: tuple[float, ...]
    is_whole: bool

    def at(self, moment: datetime) -> float:
        """Return the height of the line at a moment, between its points on a straight line. The line has a point."""
        after = bisect_right(self.moments, moment)
        if after == 0:
            return self.values[0]
        if after == len(self.moments):
            return self.values[-1]
        before_moment, after_moment = self.moments[after - 1], self.moments[after]
        share = (moment - before_moment) / (after_moment - before_moment)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])


def curve_of(noted: Sequence[tuple[datetime, Decimal]], trades: Sequence[Trade], book: Book) -> Curve:
    """Return the equity as it was noted down; where nothing was, the starting capital and what each sale added.

    In order of time, also where the machine's clock was set back in between.
    """
    if noted:
        moments, equities = zip(*sorted(noted), strict=True)
        return Curve(moments, tuple(map(float, equities)), is_whole=True)
    return _of_sales(trades, book)


def _of_sales(trades: Sequence[Trade], book: Book) -> Curve:
    sales = sorted((trade.time, trade.profit) for trade in trades if trade.profit is not None)
    gained = accumulate((float(profit) for _, profit in sales), initial=float(book.capital_started))
    began = [datetime.fromisoformat(book.started_at)] if book.started_at else []
    values = tuple(gained) if began else tuple(gained)[1:]
    return Curve((*began, *(moment for moment, _ in sales)), values, is_whole=False)


def outline(curve: Curve, most: int = MOST_POINTS) -> Curve:
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
    return Curve(tuple(curve.moments[n] for n in chosen), tuple(curve.values[n] for n in chosen), curve.is_whole)


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many, evenly chosen, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[round(n * last / (most - 1))] for n in range(most)]


def falls(values: Sequence[float]) -> list[float]:
    """Return how far each value lies under the highest before it, as a fraction from 0 to 1."""
    top, under = 0.0, []
    for value in values:
        top = max(top, value)
        under.append(1 - value / top if top > 0 else 0.0)
    return under


def holding(closes: Sequence[Close], start: datetime, end: datetime, capital: float) -> Curve | None:
    """Return what the capital would be had it bought BTC at the start; None where BTC's closes do not reach there."""
    known = [close.moment for close in closes]
    first = bisect_right(known, start) - 1
    if first < 0 or start >= end:
        return None
    last = bisect_right(known, end)
    bought_at = closes[first].price
    moments = [start, *(close.moment for close in closes[first + 1 : last])]
    values = [capital, *(capital * close.price / bought_at for close in closes[first + 1 : last])]
    return Curve(tuple(moments), tuple(values), is_whole=True) if len(moments) > 1 else None
