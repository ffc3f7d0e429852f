"""`strategy.score_scale: rank`: a score as the share of a year of the model's own out-of-sample scores under it.

The table of quantiles stands in model.json. Pure: values in, values out; light, without numpy.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

STEPS = 1000  # of the table; between two of them a score's place is interpolated
DIGITS = 4

Quantiles = tuple[float, ...]


def quantiles_of(scores: Sequence[float]) -> list[float]:
    """Return the table of some scores: STEPS + 1 values, from the lowest to the highest."""
    ordered = sorted(scores)
    last = len(ordered) - 1
    return [ordered[round(step * last / STEPS)] for step in range(STEPS + 1)]


def rank_of(score: float, table: Quantiles) -> Decimal:
    """Return the share of the table's scores that lie under this one, from 0 to 1."""
    place = bisect_left(table, score)
    if place == 0:
        share = 0.0
    elif place == len(table):
        share = 1.0
    else:
        below, above = table[place - 1], table[place]
        share = (place - 1 + (score - below) / (above - below)) / (len(table) - 1)
    return Decimal(f"{share:.{DIGITS}f}")


def score_at(rank: float, table: Quantiles) -> float:
    """Return the score that has this rank."""
    place = min(max(rank, 0.0), 1.0) * (len(table) - 1)
    low = math.floor(place)
    high = min(low + 1, len(table) - 1)
    return table[low] + (place - low) * (table[high] - table[low])


def table_in(facts: Mapping[str, Any]) -> Quantiles | None:
    """Return the table of a model.json; None where there is none, or one that cannot be read."""
    held = facts.get("score_scale")
    values = held.get("quantiles") if isinstance(held, dict) else None
    if not isinstance(values, list) or len(values) != STEPS + 1:
        return None
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in values):
        return None
    table = tuple(float(one) for one in values)
    return table if list(table) == sorted(table) else None
