"""Curves over time as SVG text: no script, no outside resource; colours by class, so that light and dark fit.

Takes numbers and labels, returns markup with every label escaped. Knows nothing of trading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

from marsshot.core.catalog import Catalog

Floats = NDArray[np.float64]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 84, 14, 12, 38
MAX_POINTS = 700  # more than the picture has dots across
LOG_FROM = 6.0  # times between lowest and highest from which on equal steps stand for equal factors
EDGE = 0.03  # share of the span at either end that has no room for the name of a month
MONTHS_BETWEEN_TICKS = (1, 2, 3, 6, 12, 24, 48)


def curves(
    title: str,
    moments: Sequence[datetime],
    lines: Mapping[str, tuple[str, Floats]],
    form: str,
    catalog: Catalog,
    *,
    height: int = 320,
) -> str:
    """Return a picture of lines, each with its class and values; the first is drawn on top. form: of the axis."""
    low = min(float(values.min()) for _, values in lines.values())
    high = max(float(values.max()) for _, values in lines.values())
    is_log = low > 0 and high / low >= LOG_FROM
    scale = _scale(low, high, height, is_log=is_log)
    marks = _log_ticks(low, high) if is_log else ticks(low, high)
    drawn = [
        f'<path class="line {kind}" d="{_path(moments, values, scale)}"/>'
        for kind, values in reversed(list(lines.values()))
    ]
    return picture(title, height, [*_axes(moments, marks, scale, height, _Labels(form, catalog)), *drawn])


def area(
    title: str,
    moments: Sequence[datetime],
    values: Floats,
    kinds: Sequence[tuple[str, int]],
    form: str,
    catalog: Catalog,
    *,
    height: int = 170,
) -> str:
    """Return a picture of the area between a curve and 0.

    kinds: each part's class and its first value's number. form: of the axis.
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = _scale(low, high, height, is_log=False)
    marks, base = ticks(low, high, about=3), scale(0.0)
    parts = _axes(moments, marks, scale, height, _Labels(form, catalog))
    for (kind, first), end in zip(kinds, [*(first for _, first in kinds[1:]), len(values) - 1], strict=True):
        edges = [_across(moments, moments[number]) for number in (first, end)]
        edge = _path(moments, values, scale, first, end)
        parts.append(f'<path class="area {kind}" d="{edge}L{edges[1]:.1f} {base:.1f}L{edges[0]:.1f} {base:.1f}Z"/>')
    return picture(title, height, parts)


def bar(share: float, kind: str) -> str:
    """Return a small bar from the middle to the left or right; share from -1 to 1."""
    start, length = (50.0, 50 * share) if share >= 0 else (50 + 50 * share, -50 * share)
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{kind}" x="{start:.1f}" y="0" width="{length:.1f}" height="10"/></svg>'
    )


def line(x1: float, x2: float, y1: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def label(x: float, y: float, anchor: str, text: str) -> str:
    """Return a text; anchor: whether it starts, ends or has its middle at x."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def picture(title: str, height: int, parts: Sequence[str]) -> str:
    """Return an SVG picture, WIDTH wide, of these parts."""
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f"{head}{''.join(parts)}</svg>"


def _scale(low: float, high: float, height: int, *, is_log: bool) -> Callable[[float], float]:
    """Return what turns a value into a height in the picture, some air around the lowest and the highest."""
    change = math.log if is_log else float
    bottom, top = change(low), change(high)
    spread = (top - bottom) or abs(top) or 1.0
    bottom, top = bottom - 0.03 * spread, top + 0.05 * spread
    room = height - TOP - BOTTOM
    return lambda value: TOP + room * (top - change(value)) / (top - bottom)


def _path(
    moments: Sequence[datetime],
    values: Floats,
    scale: Callable[[float], float],
    first: int = 0,
    last: int | None = None,
) -> str:
    end = len(values) - 1 if last is None else last
    step = max(1, math.ceil(len(values) / MAX_POINTS))
    chosen = [*range(first, end, step), end]
    points = (f"{_across(moments, moments[n]):.1f} {scale(float(values[n])):.1f}" for n in chosen)
    return "M" + "L".join(points)


def _across(moments: Sequence[datetime], moment: datetime) -> float:
    share = (moment - moments[0]) / (moments[-1] - moments[0])
    return LEFT + (WIDTH - LEFT - RIGHT) * share


@dataclass(frozen=True, slots=True)
class _Labels:
    """How numbers and months are called in a picture."""

    form: str
    catalog: Catalog

    def number(self, value: float) -> str:
        return self.catalog.show(value, self.form)

    def month(self, moment: datetime) -> str:
        return f"{self.catalog.text(f'month.{moment.month}')} {moment.year}"


def _axes(
    moments: Sequence[datetime],
    marks: Sequence[float],
    scale: Callable[[float], float],
    height: int,
    labels: _Labels,
) -> list[str]:
    parts = []
    for mark in marks:
        at = scale(mark)
        parts += [line(LEFT, WIDTH - RIGHT, at, at, "grid"), label(LEFT - 8, at + 5, "end", labels.number(mark))]
    for moment in _months(moments):
        at = _across(moments, moment)
        parts += [line(at, at, TOP, height - BOTTOM, "grid"), label(at, height - 12, "middle", labels.month(moment))]
    return parts


def _months(moments: Sequence[datetime], most: int = 6) -> list[datetime]:
    """Return beginnings of months inside the span, at most so many, evenly spaced."""
    first, last = moments[0], moments[-1]
    inside = [
        first.replace(year=year, month=month, day=1, hour=0, minute=0)
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
    ]
    air = (last - first) * EDGE
    inside = [moment for moment in inside if first + air <= moment <= last - air]
    step = next((step for step in MONTHS_BETWEEN_TICKS if len(inside) <= step * most), MONTHS_BETWEEN_TICKS[-1])
    return [moment for moment in inside if (moment.year * 12 + moment.month - 1) % step == 0]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    rough = ((high - low) or abs(high) or 1.0) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        mark for power in powers for factor in (1, 1.5, 2, 3, 5, 7) if low <= (mark := factor * 10.0**power) <= high
    ]
