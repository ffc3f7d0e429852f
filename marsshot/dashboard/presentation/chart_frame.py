"""The frame of every picture over time: its size, its axes, its colours; Bokeh's description of it as JSON text."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bokeh
from bokeh.embed import json_item
from bokeh.models import BasicTickFormatter, DatetimeTickFormatter, FixedTicker, Range1d
from bokeh.plotting import figure

from marsshot.core.catalog import Catalog
from marsshot.infra.chart_style import FONT, Colours

TICKS = 4
X_AXIS_MARGIN = 0.02  # of the span, at both ends
MONTH_TICKS_AFTER_DAYS = 400  # a line longer than that has its ticks named by month
SECONDS_A_DAY = 86_400
BOKEH_SCRIPT = f"bokeh-{bokeh.__version__}.min.js"


def bokeh_script() -> Path:
    """Return the script that draws, as it comes with the Python package."""
    return Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"


def time_figure(first: datetime, last: datetime, words: Catalog, colours: Colours) -> Any:
    """Return an empty picture as wide and high as its place; fingers that scroll the page do not catch on it."""
    air = (last - first) * X_AXIS_MARGIN
    plot = figure(
        sizing_mode="stretch_both",
        min_height=100,
        x_axis_type="datetime",
        x_range=Range1d(first - air, last + air),
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
    plot.xaxis.ticker = FixedTicker(ticks=_day_ticks(first, last))
    year, day = ("%m/%Y", "%d/%m") if words.language == "fr" else ("%b %Y", "%d %b")
    is_long = last - first > timedelta(days=MONTH_TICKS_AFTER_DAYS)
    shown = year if is_long else day
    plot.xaxis.formatter = DatetimeTickFormatter(
        **dict.fromkeys(("hours", "days", "months", "years"), shown), hourmin=shown, minutes=shown
    )
    plot.yaxis.formatter = BasicTickFormatter(use_scientific=False)  # dashboard.js gives it the page's language
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


def _day_ticks(first: datetime, last: datetime) -> list[float]:
    """Return a few beginnings of days, evenly spaced, in milliseconds: few enough for a phone."""
    begin, end = (moment.timestamp() / SECONDS_A_DAY for moment in (first, last))
    days = max(1, round((end - begin) / TICKS))
    return [day * SECONDS_A_DAY * 1000 for day in range(math.ceil(begin), math.floor(end) + 1, days)]


def as_json(plot: Any) -> str:
    """Return the description that the browser draws from."""
    return json.dumps(json_item(plot))
