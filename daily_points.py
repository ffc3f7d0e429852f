"""Reads what LunarCrush answers: JSON with points that may be null, missing, double, unordered or not at midnight.

Takes bytes and values, returns DailyBars. Knows no HTTP, no disk and no clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bar_cache import CLOSE, FIELDS, DailyBars

_DAY_SECONDS = 86_400
# volume_24h at 00:00 of a daily point is the day's volume; every other field has our name.
_NAMES = tuple({"volume": "volume_24h"}.get(field, field) for field in FIELDS)


def read_answer(content: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Return config and data of an answer. Raises ValueError if it is not a whole answer with daily points."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("an answer that is not whole JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise ValueError("an answer without data")
    config = body.get("config")
    if not isinstance(config, dict):
        config = {}
    if config.get("bucket", "day") != "day":
        raise ValueError(f"points per {config['bucket']} in place of daily ones")
    return config, body["data"]


def bars_from_points(symbol: str, points: Sequence[Any], first: np.datetime64, end: np.datetime64) -> DailyBars:
    """Return the bars of the days from first on, before end.

    A point belongs to the UTC day it falls in; of several the last wins, unless only an earlier one has a close.
    """
    lowest, limit = (int(day.astype(np.int64)) * _DAY_SECONDS for day in (first, end))
    stamped = [(_number(point.get("time")), point) for point in points if isinstance(point, dict)]
    inside = sorted(((time, point) for time, point in stamped if lowest <= time < limit), key=lambda pair: pair[0])
    chosen: dict[int, list[float]] = {}
    for time, point in inside:
        numbers = [_number(point.get(name)) for name in _NAMES]
        day = int(time // _DAY_SECONDS)
        if numbers[CLOSE] > 0 or day not in chosen or not chosen[day][CLOSE] > 0:
            chosen[day] = numbers
    days = np.array(list(chosen), dtype=np.int64).astype("datetime64[D]")
    return DailyBars(symbol, days, np.array(list(chosen.values()), dtype=np.float64).reshape(-1, len(FIELDS)))


def _number(value: object) -> float:
    """Return a JSON number, or a text of one; NaN for all else, infinities and booleans included."""
    if isinstance(value, bool) or not isinstance(value, float | int | str):
        return math.nan
    if isinstance(value, str) and "_" in value:  # float() would take 1_000
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
