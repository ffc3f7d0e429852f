"""Dots with their intervals as SVG text, over a number or beside a name; the look is charts.py's.

Takes numbers and labels, returns markup with every label escaped. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from marsshot.core.catalog import Catalog
from marsshot.reporting.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH, label, line, picture, ticks

NAMES = 250  # room for the names of rows
ROW = 40
HEIGHT = 320


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its interval, where there is one; kind is its class, tip what is shown when it is pointed at."""

    value: float
    low: float | None
    high: float | None
    kind: str = "own"
    tip: str = ""

    @property
    def ends(self) -> tuple[float, ...]:
        """What of it must be seen."""
        return (self.value, *(end for end in (self.low, self.high) if end is not None))


@dataclass(frozen=True, slots=True)
class _PlotArea:
    """Where numbers from span[0] to span[1] and values from 0 to top lie in the picture."""

    span: tuple[float, float]
    top: float

    def across(self, number: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (number - self.span[0]) / (self.span[1] - self.span[0])

    def up(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top

    def axes(self, form: str, catalog: Catalog) -> Iterator[str]:
        for value in ticks(0.0, self.top):
            yield line(LEFT, WIDTH - RIGHT, self.up(value), self.up(value), "grid")
            yield label(LEFT - 8, self.up(value) + 5, "end", catalog.show(value, form))
        for number in ticks(*self.span):
            at_edge = number > self.span[1] - 0.05 * (self.span[1] - self.span[0])  # there is no room for half a number
            anchor = "end" if at_edge else "middle"
            yield label(self.across(number), HEIGHT - 12, anchor, catalog.show(number, ".1f"))

    def mark(self, number: float, word: str) -> str:
        at, is_right = self.across(number), number > sum(self.span) / 2
        anchor = label(at + (-6 if is_right else 6), TOP + 16, "end" if is_right else "start", word)
        return line(at, at, TOP, HEIGHT - BOTTOM, "mark") + anchor

    def curve(self, points: Sequence[tuple[float, float]]) -> str:
        places = [f"{self.across(x):.1f} {self.up(y):.1f}" for x, y in points if y <= self.top]
        return f'<path class="line quiet" d="M{"L".join(places)}"/>' if places else ""

    def dot(self, number: float, dot: Dot) -> str:
        at, drawn = self.across(number), ""
        if dot.low is not None and dot.high is not None:
            drawn = line(at, at, self.up(dot.low), self.up(dot.high), f"whisker {dot.kind}")
        return drawn + _circle(at, self.up(dot.value), dot)


def numeric_dot_chart(
    title: str,
    dots: Sequence[tuple[float, Dot]],
    span: tuple[float, float],
    form: str,
    catalog: Catalog,
    *,
    level: float,
    marks: Sequence[tuple[float, str]] = (),
    curve: Sequence[tuple[float, float]] = (),
) -> str:
    """Return a picture of dots over numbers from span[0] to span[1]. form: of the values at the side.

    level: a height at which a line goes across; marks: numbers at which a line goes up, with a word; curve: points of
    a quiet line, of which only what fits the dots is drawn.
    """
    plane = _PlotArea(span, 1.1 * max([level, *(end for _, dot in dots for end in dot.ends)]) or 1.0)
    parts = [
        *plane.axes(form, catalog),
        line(LEFT, WIDTH - RIGHT, plane.up(level), plane.up(level), "level"),
        *(plane.mark(number, word) for number, word in marks),
        plane.curve(curve),
        *(plane.dot(number, dot) for number, dot in dots),
    ]
    return picture(title, HEIGHT, parts)


def labelled_dot_chart(title: str, dots: Sequence[tuple[str, Dot]], form: str, catalog: Catalog, *, zero: bool) -> str:
    """Return a picture of dots in rows, each beside its name.

    form: of the values below. zero: whether 0 belongs to it, with a bar from there.
    """
    ends = [end for _, dot in dots for end in dot.ends] + ([0.0] if zero else [])
    low, high = min(ends), max(ends)
    air = 0.06 * ((high - low) or abs(high) or 1.0)
    low, high = (low if low == 0 else low - air), high + air
    height = TOP + ROW * len(dots) + BOTTOM

    def across(value: float) -> float:
        return NAMES + (WIDTH - NAMES - 3 * RIGHT) * (value - low) / (high - low)

    parts = []
    for mark in ticks(low, high, about=4):
        parts.append(line(across(mark), across(mark), TOP, height - BOTTOM, "grid"))
        parts.append(label(across(mark), height - 12, "middle", catalog.show(mark, form)))
    for number, (name, dot) in enumerate(dots):
        at = TOP + ROW * (number + 0.5)
        parts.append(label(NAMES - 12, at + 6, "end", name))
        if zero:
            parts.append(line(across(0.0), across(dot.value), at, at, f"beam {dot.kind}"))
        if dot.low is not None and dot.high is not None:
            parts.append(line(across(dot.low), across(dot.high), at, at, f"whisker {dot.kind}"))
        parts.append(_circle(across(dot.value), at, dot))
    return picture(title, height, parts)


def _circle(x: float, y: float, dot: Dot) -> str:
    tip = f"<title>{escape(dot.tip)}</title>" if dot.tip else ""
    return f'<circle class="dot {dot.kind}" cx="{x:.1f}" cy="{y:.1f}" r="6">{tip}</circle>'
