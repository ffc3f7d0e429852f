"""Points of an answer, all at once, against the rule said point by point."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars, merged
from marsshot.market_data.lunarcrush_parser import bars_from_points, read_answer

DAY = 86_400
FIRST, END = np.datetime64(100, "D"), np.datetime64(110, "D")
NAMES = [*FIELDS[:4], "volume_24h", *FIELDS[5:]]

ODD: list[Any] = [None, "", "x", "2.5", " 3 ", "1_0", "inf", True, [], {}, 10**400, math.nan, math.inf, -1]
odd = st.sampled_from(ODD)
value = st.one_of(st.floats(0.01, 1e9), st.integers(0, 10**20), odd)
time = st.one_of(st.integers(99 * DAY, 111 * DAY), st.integers(99, 111).map(lambda day: day * DAY), odd)
point = st.fixed_dictionaries({}, optional={"time": time, **dict.fromkeys(NAMES, value)})
points = st.lists(st.one_of(point, st.sampled_from([None, 7, "text", []])), max_size=25)


def number(raw: Any) -> float:
    """What a value of JSON counts as."""
    if isinstance(raw, str) and "_" not in raw:
        try:
            raw = float(raw)
        except ValueError:
            return math.nan
    if isinstance(raw, int) and abs(raw) > 10**308:
        return math.nan
    return float(raw) if type(raw) in {int, float} and math.isfinite(raw) else math.nan


def one_by_one(found: list[Any]) -> dict[int, list[float]]:
    """The rule: by time, each point takes its day, unless it has no close and the day has one already."""
    days: dict[int, list[float]] = {}
    timed = [each for each in found if isinstance(each, dict) and 100 * DAY <= number(each.get("time")) < 110 * DAY]
    for each in sorted(timed, key=lambda each: number(each["time"])):
        values = [number(each.get(name)) for name in NAMES]
        day = int(number(each["time"]) // DAY)
        if values[3] > 0 or day not in days or not days[day][3] > 0:
            days[day] = values
    return days


@given(points)
def test_all_points_at_once_give_what_they_give_one_by_one(found: list[Any]) -> None:
    bars = bars_from_points("FET", found, FIRST, END)
    expected = one_by_one(found)
    assert bars.days.astype(np.int64).tolist() == list(expected)
    np.testing.assert_array_equal(bars.values, np.array(list(expected.values())).reshape(-1, len(FIELDS)))


def test_no_points_are_no_bars() -> None:
    bars: DailyBars = bars_from_points("FET", [], FIRST, END)
    assert len(bars.days) == 0 and bars.values.shape == (0, len(FIELDS))


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": [{"close": NaN}, {"close": -Infinity}]}',
        b'{"data": [{"close": 1e999}, {"close": ' + b"9" * 400 + b"}]}",
        b'{"data": [{"name": "\\ud800"}]}',
        b'\xef\xbb\xbf{"data": []}',
        '{"data": []}'.encode("utf-16"),
    ],
)
def test_json_that_the_fast_reader_refuses_is_read_all_the_same(content: bytes) -> None:
    config, found = read_answer(content)
    assert config == {} and repr(found) == repr(json.loads(content)["data"])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_read_to_its_last_bit(numbers: list[float]) -> None:
    assert read_answer(json.dumps({"data": numbers}).encode())[1] == numbers


# --------------------------------------------------------------------------- old bars and new ones


@st.composite
def some_bars(draw: st.DrawFn) -> DailyBars:
    days = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
    closes = [draw(st.sampled_from([0.0, np.nan, 1.0, 2.0, 3.0])) for _ in days]
    values = np.full((len(days), len(FIELDS)), 7.0)
    values[:, CLOSE] = closes
    return DailyBars("ADA", np.array(days, dtype="datetime64[D]"), values)


def by_day(bars: DailyBars) -> dict[Any, float]:
    return dict(zip(bars.days.tolist(), bars.values[:, CLOSE].tolist(), strict=True))


@given(some_bars(), some_bars())
def test_of_a_day_of_both_the_new_bar_wins_unless_only_the_old_one_has_a_close(old: DailyBars, new: DailyBars) -> None:
    expected = by_day(old)
    for day, close in by_day(new).items():
        if close > 0 or not expected.get(day, 0.0) > 0:
            expected[day] = close
    assert repr(by_day(merged(old, new))) == repr(dict(sorted(expected.items())))
