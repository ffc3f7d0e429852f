"""Exit levels of a position beside its price: where each stands on the scale, and how far away it is.

The levels are risk_manager's own. Pure: values in, values out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from marsshot.core.book import Position
from marsshot.core.exit_settings import ExitRules
from risk_manager import exit_levels

RANGE_MARGIN_FACTOR = 1.25  # times beyond the outermost mark that the bar goes on
MIN_LABEL_DISTANCE = 15.0  # percent of the bar; a name closer to the one before is left to the table
MIN_EDGE_DISTANCE = 5.0  # percent; a name nearer to an end would be cut off


@dataclass(frozen=True, slots=True)
class PriceMark:
    """One price on the bar. kind: stop_loss, entry, partial, trailing_start, trailing_stop, top or price."""

    kind: str
    price: Decimal
    at: float  # percent of the bar, from its left
    distance: float | None  # how far the price has to go to get there, as a fraction of it; None without a price
    has_label: bool = False


@dataclass(frozen=True, slots=True)
class PriceScale:
    """All marks of a position, cheapest first. gain: of the price on the entry, as a fraction."""

    marks: tuple[PriceMark, ...]
    price: PriceMark | None
    gain: float | None

    def mark_of(self, kind: str) -> PriceMark | None:
        """Return the mark of a kind."""
        return next((mark for mark in self.marks if mark.kind == kind), None)


def build_price_scale(position: Position, price: Decimal | None, rules: ExitRules) -> PriceScale:
    """Return the bar; equal distances on it stand for equal factors."""
    levels = exit_levels(position, rules)
    prices = {
        "stop_loss": levels.stop_loss,
        "entry": position.entry_price,
        "partial": levels.partial_exit,
        "trailing_start": levels.trailing_start,
        "trailing_stop": levels.trailing_stop,
        "top": position.max_price if position.trailing_armed else None,
        "price": price,
    }
    there = sorted(((kind, one) for kind, one in prices.items() if one is not None), key=lambda pair: pair[1])
    low, high = float(there[0][1]) / RANGE_MARGIN_FACTOR, float(there[-1][1]) * RANGE_MARGIN_FACTOR
    span = math.log(high / low)
    marks = [
        PriceMark(kind, one, round(100 * math.log(float(one) / low) / span, 2), _distance(one, price))
        for kind, one in there
    ]
    named = _with_labels([mark for mark in marks if mark.kind != "price"])
    own = next((mark for mark in marks if mark.kind == "price"), None)
    gain = float(price / position.entry_price - 1) if price is not None else None
    return PriceScale(tuple(named), own, gain)


def _distance(level: Decimal, price: Decimal | None) -> float | None:
    return None if price is None else float(level / price - 1)


def _with_labels(marks: list[PriceMark]) -> list[PriceMark]:
    """Give a name to the marks whose names do not run into each other."""
    result, last = [], -MIN_LABEL_DISTANCE
    for mark in marks:
        fits = mark.at - last >= MIN_LABEL_DISTANCE and MIN_EDGE_DISTANCE <= mark.at <= 100 - MIN_EDGE_DISTANCE
        last = mark.at if fits else last
        result.append(PriceMark(mark.kind, mark.price, mark.at, mark.distance, has_label=fits))
    return result
