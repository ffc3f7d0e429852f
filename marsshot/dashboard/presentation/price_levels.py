"""Where the rules of a position stand beside its price: the bar's geometry, and the same in numbers.

The levels are risk_manager's own. Pure: values in, values out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from marsshot.core.domain import ExitRules, Position
from risk_manager import exit_levels

EDGE = 1.25  # times beyond the outermost mark that the bar goes on
CLOSEST_NAMES = 15.0  # percent of the bar; a name closer to the one before is left to the table
ROOM_AT_THE_EDGE = 5.0  # percent; a name nearer to an end would be cut off


@dataclass(frozen=True, slots=True)
class Mark:
    """One price on the bar. kind: stop_loss, entry, partial, trailing_start, trailing_stop, top or price."""

    kind: str
    price: Decimal
    at: float  # percent of the bar, from its left
    distance: float | None  # how far the price has to go to get there, as a fraction of it; None without a price
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """All marks of a position, cheapest first. gain: of the price on the entry, as a fraction."""

    marks: tuple[Mark, ...]
    price: Mark | None
    gain: float | None

    def of(self, kind: str) -> Mark | None:
        """Return the mark of a kind."""
        return next((mark for mark in self.marks if mark.kind == kind), None)


def bar_of(position: Position, price: Decimal | None, rules: ExitRules) -> Bar:
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
    low, high = float(there[0][1]) / EDGE, float(there[-1][1]) * EDGE
    span = math.log(high / low)
    marks = [
        Mark(kind, one, round(100 * math.log(float(one) / low) / span, 2), _distance(one, price)) for kind, one in there
    ]
    named = _named([mark for mark in marks if mark.kind != "price"])
    own = next((mark for mark in marks if mark.kind == "price"), None)
    gain = float(price / position.entry_price - 1) if price is not None else None
    return Bar(tuple(named), own, gain)


def _distance(level: Decimal, price: Decimal | None) -> float | None:
    return None if price is None else float(level / price - 1)


def _named(marks: list[Mark]) -> list[Mark]:
    """Give a name to the marks whose names do not run into each other."""
    result, last = [], -CLOSEST_NAMES
    for mark in marks:
        fits = mark.at - last >= CLOSEST_NAMES and ROOM_AT_THE_EDGE <= mark.at <= 100 - ROOM_AT_THE_EDGE
        last = mark.at if fits else last
        result.append(Mark(mark.kind, mark.price, mark.at, mark.distance, is_named=fits))
    return result
