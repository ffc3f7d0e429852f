"""What a source of daily bars cannot mean: values outside their range, and a score that is the same for everybody.

Takes bars, returns names. Never fetches and never tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from marsshot.market_data.bar_cache import FIELDS, DailyBars

SOCIAL = ("galaxy_score", "alt_rank", "sentiment")
MIN_TOKENS_TO_COMPARE = 5

# The lowest and the highest value that can be meant; prices have to be above 0, which cleaning sees to as well.
_RANGES = {
    **dict.fromkeys(("open", "high", "low", "close", "volume", "market_cap"), (0.0, np.inf)),
    "galaxy_score": (0.0, 100.0),
    "alt_rank": (1.0, np.inf),
    "sentiment": (0.0, 100.0),
}
_LOWEST, _HIGHEST = (np.array([_RANGES[field][end] for field in FIELDS]) for end in (0, 1))


@dataclass(frozen=True, slots=True)
class StuckColumn:
    """A column that has one value for all tokens of a pass."""

    column: str
    value: float
    tokens: int


def impossible_columns(bars: DailyBars, day: date) -> tuple[str, ...]:
    """Return the columns of that day's bar whose value cannot be meant; none where there is no bar of it."""
    values = _values_on(bars, day)
    if values is None:
        return ()
    with np.errstate(invalid="ignore"):
        wrong = (values < _LOWEST) | (values > _HIGHEST)
    return tuple(field for field, is_wrong in zip(FIELDS, wrong, strict=True) if is_wrong)


def stuck_columns(histories: Mapping[str, DailyBars], symbols: Collection[str], day: date) -> tuple[StuckColumn, ...]:
    """Return the social columns that have one and the same value for all of these tokens, five or more, that day."""
    found = [
        values
        for symbol in symbols
        if symbol in histories and (values := _values_on(histories[symbol], day)) is not None
    ]
    stuck = []
    for column in SOCIAL:
        known = np.array([values[FIELDS.index(column)] for values in found])
        known = known[~np.isnan(known)]
        if len(known) >= MIN_TOKENS_TO_COMPARE and (known == known[0]).all():
            stuck.append(StuckColumn(column, float(known[0]), len(known)))
    return tuple(stuck)


def _values_on(bars: DailyBars, day: date) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    position = int(np.searchsorted(bars.days, np.datetime64(day, "D")))
    is_there = position < len(bars.days) and bars.days[position] == np.datetime64(day, "D")
    return bars.values[position] if is_there else None
