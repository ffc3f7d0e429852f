"""Reads Binance's klines, of an answer or of a file: twelve fields a bar, numbers as texts, stamps in ms or in µs.

Takes rows, returns DailyBars. Knows no HTTP, no disk and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from marsshot.core.catalog import LocalizedText
from marsshot.market_data.bar_cache import FIELDS, DailyBars

COLUMNS = ("open", "high", "low", "close", "volume")
"""What a kline says of a day; volume is what was paid in all, in quote asset."""

DAY_MS = 86_400_000
OPEN_TIME, CLOSE_TIME = 0, 6
_PLACES = (1, 2, 3, 4, 7)  # of COLUMNS in a row
_FIELDS_NEEDED = 8
_MICROSECONDS_FROM = 1e14  # in milliseconds that is the year 5138: the bulk files changed to microseconds in 2025
_PLAIN = {str, int, float}  # not bool, which float() would take for a number


def read_klines(content: bytes, fields: int = _FIELDS_NEEDED) -> list[Any]:
    """Return the rows of an answer, each of so many fields or more. Raises ValueError if it is none."""
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ValueError(LocalizedText("klines.no_json")) from None
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) >= fields for row in rows):
        raise ValueError(LocalizedText("klines.no_bars"))
    return rows


def day_ms(day: np.datetime64) -> int:
    """Return the moment at which a UTC day begins, in unix milliseconds."""
    return int(day.astype("datetime64[D]").astype(np.int64)) * DAY_MS


def bars_from_klines(
    symbol: str, rows: Sequence[Sequence[Any]], first: np.datetime64, end: np.datetime64, now_ms: float
) -> DailyBars:
    """Return the bars of whole UTC days from first on, before end, that were closed by then.

    A day on which nothing was traded is none: Binance fills it with the last price. Raises ValueError for a price or a
    volume that is no number.
    """
    stamps = numbers_of(rows, (OPEN_TIME, CLOSE_TIME))
    stamps = np.minimum(np.where(stamps > _MICROSECONDS_FROM, stamps // 1000, stamps), _MICROSECONDS_FROM)
    opened, closed = stamps[:, 0], stamps[:, 1]
    days = (opened // DAY_MS).astype(np.int64)
    lowest, limit = (int(day.astype("datetime64[D]").astype(np.int64)) for day in (first, end))
    wanted = (lowest <= days) & (days < limit) & (closed // DAY_MS == days) & (closed < now_ms)
    kept = [row for row, is_wanted in zip(rows, wanted.tolist(), strict=True) if is_wanted]
    days, numbers = days[wanted], numbers_of(kept, _PLACES)
    traded = numbers[:, COLUMNS.index("volume")] > 0
    days, numbers = days[traded], numbers[traded]
    days, last = np.unique(days[::-1], return_index=True)
    values = np.full((len(days), len(FIELDS)), math.nan)
    values[:, : len(COLUMNS)] = numbers[::-1][last]
    return DailyBars(symbol, days.astype("datetime64[D]"), values)


def numbers_of(rows: Sequence[Sequence[Any]], places: Sequence[int]) -> NDArray[np.float64]:
    """Return these fields of all rows, shape (rows, places). Raises ValueError naming the first that is no number."""
    cells = [row[place] for row in rows for place in places]
    try:
        numbers = np.array(cells, dtype=np.float64) if _PLAIN.issuperset(map(type, cells)) else None
    except ValueError:
        numbers = None
    if numbers is None or not (np.isfinite(numbers) & (numbers >= 0)).all():
        wrong = next((cell for cell in cells if not _is_amount(cell)), "")
        raise ValueError(LocalizedText("klines.no_number", text=repr(wrong)[:40]))
    return numbers.reshape(len(rows), len(places))


def _is_amount(cell: object) -> bool:
    try:
        return type(cell) in _PLAIN and 0 <= float(cell) < math.inf  # type: ignore[arg-type]
    except ValueError:
        return False
