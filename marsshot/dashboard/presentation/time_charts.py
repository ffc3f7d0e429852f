"""The pictures over time, as Bokeh's description of them; BokehJS, which comes with Bokeh, draws them in the browser.

Values in, JSON text out. Colour never tells anything alone: buys and sales differ in shape, BTC's line is dashed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import bokeh
from bokeh.embed import json_item
from bokeh.models import (
    BasicTickFormatter,
    ColumnDataSource,
    DatetimeTickFormatter,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from marsshot.core.catalog import Catalog
from marsshot.dashboard.data.equity_curve import Curve, downsample, drawdowns, sample_evenly
from marsshot.infra.chart_style import FONT, Colours
from marsshot.portfolio.trades_file import Trade

TICKS = 4
MAX_MARKERS = 300  # of each side; more would hide the line
X_AXIS_MARGIN = 0.02  # of the span, at both ends
MONTH_TICKS_AFTER_DAYS = 400  # a line longer than that has its ticks named by month
SECONDS_A_DAY = 86_400
BOKEH_SCRIPT = f"bokeh-{bokeh.__version__}.min.js"


def bokeh_script() -> Path:
    """Return the script that draws, as it comes with the Python package."""
    return Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"


def equity_chart(curve: Curve, btc: Curve | None, trades: Sequence[Trade], words: Catalog, colours: Colours) -> str:
    """Return the equity, BTC beside it, and a mark where something was bought or sold."""
    plot = _figure(curve, words, colours)
    shown = downsample(curve)
    if btc is not None:
        btc = downsample(btc)
        plot.line(list(btc.moments), list(btc.values), color=colours.other, width=1.6, line_dash=[6, 4])
    line = ColumnDataSource(
        {
            "x": list(shown.moments),
            "y": list(shown.values),
            "label": [words.text("page.chart.point", time=moment, worth=value) for moment, value in _points(shown)],
        }
    )
    kind = {} if curve.includes_open_positions else {"mode": "after"}
    draw = plot.line if curve.includes_open_positions else plot.step
    drawn = draw("x", "y", source=line, color=colours.own, width=2.4, **kind)
    plot.add_layout(
        Span(location=curve.values[0], dimension="width", line_color=colours.soft, line_width=1, line_dash=[2, 3])
    )
    marks = [_marks(plot, curve, trades, words, colours, side) for side in ("BUY", "SELL")]
    plot.add_tools(
        HoverTool(renderers=[drawn], tooltips="@label", mode="vline", line_policy="nearest", attachment="above"),
        HoverTool(renderers=marks, tooltips="@label", attachment="below", limit=3),
    )
    return _as_json(plot)


def marker_count(trades: Sequence[Trade]) -> int:
    """Return how many of these trades are marked."""
    return sum(min(MAX_MARKERS, sum(trade.side == side for trade in trades)) for side in ("BUY", "SELL"))


def drawdown_chart(curve: Curve, words: Catalog, colours: Colours) -> str:
    """Return how far the equity lies under its top."""
    plot = _figure(curve, words, colours)
    shown = downsample(
        Curve(curve.moments, tuple(-fall for fall in drawdowns(curve.values)), curve.includes_open_positions)
    )
    source = ColumnDataSource(
        {
            "x": list(shown.moments),
            "y": list(shown.values),
            "label": [words.text("page.chart.fall", time=moment, fall=fall) for moment, fall in _points(shown)],
        }
    )
    plot.varea("x", y1=0, y2="y", source=source, color=colours.bad, alpha=0.3)
    drawn = plot.line("x", "y", source=source, color=colours.bad, width=1.4)
    plot.add_tools(HoverTool(renderers=[drawn], tooltips="@label", mode="vline", line_policy="nearest"))
    plot.yaxis.formatter = NumeralTickFormatter(format="0 %")
    plot.y_range.end = 0
    plot.yaxis.ticker.desired_num_ticks = 3
    return _as_json(plot)


def _points(curve: Curve) -> list[tuple[Any, float]]:
    return list(zip(curve.moments, curve.values, strict=True))


def _marks(plot: Any, curve: Curve, trades: Sequence[Trade], words: Catalog, colours: Colours, side: str) -> Any:
    of_side = sample_evenly([trade for trade in trades if trade.side == side], MAX_MARKERS)
    source = ColumnDataSource(
        {
            "x": [trade.time for trade in of_side],
            "y": [curve.value_at(trade.time) for trade in of_side],
            "label": [
                words.text(
                    f"page.chart.{side.lower()}",
                    time=trade.time,
                    symbol=trade.symbol,
                    quote=trade.quote,
                    price=trade.price,
                )
                for trade in of_side
            ],
        }
    )
    return plot.scatter(
        "x",
        "y",
        source=source,
        size=9,
        marker="triangle" if side == "BUY" else "inverted_triangle",
        fill_color=colours.good if side == "BUY" else colours.bad,
        line_color=colours.card,
        line_width=1,
    )


def _figure(curve: Curve, words: Catalog, colours: Colours) -> Any:
    """Return an empty picture as wide and high as its place; fingers that scroll the page do not catch on it."""
    air = (curve.moments[-1] - curve.moments[0]) * X_AXIS_MARGIN
    plot = figure(
        sizing_mode="stretch_both",
        min_height=100,
        x_axis_type="datetime",
        x_range=Range1d(curve.moments[0] - air, curve.moments[-1] + air),
        tools="",
        toolbar_location=None,
        background_fill_color=colours.card,
        border_fill_color=colours.card,
        outline_line_color=None,
        min_border_left=62,
        min_border_right=16,
    )
    plot.toolbar.active_drag = None
    plot.toolbar.active_scroll = None
    plot.xaxis.ticker = FixedTicker(ticks=_day_ticks(curve))
    year, day = ("%m/%Y", "%d/%m") if words.language == "fr" else ("%b %Y", "%d %b")
    is_long = curve.moments[-1] - curve.moments[0] > timedelta(days=MONTH_TICKS_AFTER_DAYS)
    shown = year if is_long else day
    plot.xaxis.formatter = DatetimeTickFormatter(
        **dict.fromkeys(("hours", "days", "months", "years"), shown), hourmin=shown, minutes=shown
    )
    plot.yaxis.formatter = BasicTickFormatter(use_scientific=False)
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_line_color = None
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.major_label_text_color = colours.soft
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = "12px"
    plot.grid.grid_line_color = colours.grid
    plot.xgrid.grid_line_color = None
    return plot


def _day_ticks(curve: Curve) -> list[float]:
    """Return a few beginnings of days, evenly spaced, in milliseconds: few enough for a phone."""
    first, last = (moment.timestamp() / SECONDS_A_DAY for moment in (curve.moments[0], curve.moments[-1]))
    days = max(1, round((last - first) / TICKS))
    return [day * SECONDS_A_DAY * 1000 for day in range(math.ceil(first), math.floor(last) + 1, days)]


def _as_json(plot: Any) -> str:
    return json.dumps(json_item(plot))
