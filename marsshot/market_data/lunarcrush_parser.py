"""Reads what LunarCrush answers: JSON with points that may be null, missing, double, unordered or not at midnight.

Takes bytes and values, returns DailyBars. Knows no HTTP, no disk and no clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from marsshot.core.catalog import LocalizedText
from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars

_DAY_SECONDS = 86_400
_MAX_UNIX_SECONDS = 1e11  # above it are milliseconds, or nonsense
# volume_24h at 00:00 of a daily point is the day's volume; every other field has our name.
_NAMES = tuple({"volume": "volume_24h"}.get(field, field) for field in FIELDS)
_PLAIN = {float, int, NoneType}  # not bool, which numpy would take for a number


def read_answer(content: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Return config and data of an answer. Raises ValueError if it is not a whole answer with daily points."""
    body = _parsed(content)
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise ValueError(LocalizedText("lunarcrush.no_data"))
    config = body.get("config")
    if not isinstance(config, dict):
        config = {}
    if config.get("bucket", "day") != "day":
        raise ValueError(LocalizedText("lunarcrush.other_bucket", bucket=str(config["bucket"])))
    return config, body["data"]


def made_on(config: Mapping[str, Any]) -> np.datetime64 | None:
    """Return the UTC day on which LunarCrush says that it made the answer; None where it does not say."""
    generated = _number(config.get("generated"))
    if not 0 < generated < _MAX_UNIX_SECONDS:
        return None
    return np.datetime64(int(generated) // _DAY_SECONDS, "D")


def bars_from_points(symbol: str, points: Sequence[Any], first: np.datetime64, end: np.datetime64) -> DailyBars:
    """Return the bars of the days from first on, before end.

    A point belongs to the UTC day it falls in; of several the last wins, unless only an earlier one has a close.
    """
    found = [point for point in points if isinstance(point, dict)]
    table = _numbers(found, ("time", *_NAMES))
    time, values = table[:, 0], table[:, 1:]
    lowest, limit = (int(day.astype(np.int64)) * _DAY_SECONDS for day in (first, end))
    inside = (lowest <= time) & (time < limit)
    time, values = time[inside], values[inside]
    day = (time // _DAY_SECONDS).astype(np.int64)
    order = np.lexsort((time, values[:, CLOSE] > 0, day))
    day, values = day[order], values[order]
    wins = np.ones(len(day), dtype=np.bool_)
    wins[:-1] = day[1:] != day[:-1]
    return DailyBars(symbol, day[wins].astype("datetime64[D]"), values[wins])


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass  # may be JSON all the same: NaN, a byte order mark and the like are for the patient reader
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError(LocalizedText("lunarcrush.no_json")) from None


def _numbers(points: Sequence[Mapping[str, object]], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the fields of all points as numbers, shape (points, names), NaN where one is none.

    What is plain is not looked at one by one.
    """
    found: list[Any] = [point.get(name) for point in points for name in names]
    if not _PLAIN.issuperset(map(type, found)):
        found = [_number(value) for value in found]
    try:
        numbers = np.array(found, dtype=np.float64)
    except OverflowError:
        numbers = np.array([_number(value) for value in found])
    numbers[~np.isfinite(numbers)] = math.nan
    return numbers.reshape(len(points), len(names))


def _number(value: object) -> float:
    """Return a JSON number, or a text of one; NaN for all else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, float | int | str):
        return math.nan
    if isinstance(value, str) and "_" in value:  # float() would take 1_000
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan
