"""A token's daily candles with what was bought and sold, and where the rules act now. Values in, JSON text out.

Colour never tells anything alone: a day that rose is hollow, one that fell is filled; levels differ in their dashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bokeh.models import ColumnDataSource, HoverTool, Range1d, Span

from marsshot.bot.daily_candles import Candle
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.dashboard.presentation.chart_frame import as_json, time_figure
from marsshot.dashboard.presentation.price_levels import PriceMark
from marsshot.dashboard.presentation.trade_marks import trade_marks
from marsshot.infra.chart_style import Colours
from marsshot.portfolio.trades_file import Trade

MAX_DAYS = 180  # more candles than that are too thin on a phone
DAYS_BEFORE_THE_FIRST_TRADE = 30
LEVEL_REACH = 2.0  # a level further from the candles than so many times is left to the table
Y_AXIS_MARGIN = 1.04
CANDLE_WIDTH = timedelta(hours=15)
DASHES = {"entry": [1, 0], "stop_loss": [6, 3], "trailing_stop": [6, 3], "trailing_start": [2, 4], "partial": [2, 4]}


def shown_candles(candles: Sequence[Candle], trades: Sequence[Trade]) -> tuple[Candle, ...]:
    """Return the candles to draw: from some days before the first trade on, at most the last half year."""
    first = min((trade.time for trade in trades), default=None)
    if first is not None:
        candles = [one for one in candles if one.day >= first - timedelta(days=DAYS_BEFORE_THE_FIRST_TRADE)]
    return tuple(candles[-MAX_DAYS:])


def shown_levels(marks: Sequence[PriceMark], candles: Sequence[Candle]) -> list[PriceMark]:
    """Return the levels that are near enough to the candles to be drawn without squeezing them."""
    low, high = min(one.low for one in candles), max(one.high for one in candles)
    return [
        mark for mark in marks if mark.kind in DASHES and low / LEVEL_REACH <= float(mark.price) <= high * LEVEL_REACH
    ]


def price_chart(
    candles: Sequence[Candle], trades: Sequence[Trade], marks: Sequence[PriceMark], words: Catalog, colours: Colours
) -> str:
    """Return the picture of at least one candle. trades: of this token. marks: of its position; none where not held."""
    first, last = candles[0].day, candles[-1].day + timedelta(days=1)
    shown_trades = [trade for trade in trades if trade.time >= first]
    last = max([last, *(trade.time for trade in shown_trades)])
    plot = time_figure(first, last, words, colours)
    drawn = _candles(plot, candles, words, colours)
    levels = shown_levels(marks, candles)
    for mark in levels:
        _level(plot, mark, colours)
    prices = [float(mark.price) for mark in levels] + [float(trade.price) for trade in shown_trades]
    low, high = min(one.low for one in candles), max(one.high for one in candles)
    plot.y_range = Range1d(min([low, *prices]) / Y_AXIS_MARGIN, max([high, *prices]) * Y_AXIS_MARGIN)
    drawn_trades = []
    for side, colour in ((Side.BUY, colours.own), (Side.SELL, colours.other)):  # the candles have the other two
        of_side = [trade for trade in shown_trades if trade.side == side]
        trade_prices = [float(trade.price) for trade in of_side]
        drawn_trades.append(
            trade_marks(plot, side, of_side, trade_prices, words, fill=colour, border=colours.card, size=13)
        )
    plot.add_tools(
        HoverTool(renderers=drawn, tooltips="@label", attachment="above"),
        HoverTool(renderers=drawn_trades, tooltips="@label", attachment="below", limit=3),
    )
    return as_json(plot)


def _candles(plot: Any, candles: Sequence[Candle], words: Catalog, colours: Colours) -> list[Any]:
    renderers = []
    for rose in (True, False):
        days = [one for one in candles if (one.close >= one.open) is rose]
        source = ColumnDataSource(
            {
                "x": [one.day + timedelta(hours=12) for one in days],
                "open": [one.open for one in days],
                "high": [one.high for one in days],
                "low": [one.low for one in days],
                "close": [one.close for one in days],
                "label": [
                    words.text(
                        "page.chart.candle",
                        day=one.day.date(),
                        open=one.open,
                        high=one.high,
                        low=one.low,
                        close=one.close,
                    )
                    for one in days
                ],
            }
        )
        colour = colours.good if rose else colours.bad
        plot.segment("x", "high", "x", "low", source=source, color=colour)
        fill = colours.card if rose else colour
        renderers.append(
            plot.vbar("x", CANDLE_WIDTH, "open", "close", source=source, fill_color=fill, line_color=colour)
        )
    return renderers


def _level(plot: Any, mark: PriceMark, colours: Colours) -> None:
    colour = {"stop_loss": colours.bad, "trailing_stop": colours.bad, "entry": colours.own}.get(mark.kind, colours.soft)
    plot.add_layout(
        Span(
            location=float(mark.price),
            dimension="width",
            line_color=colour,
            line_dash=DASHES[mark.kind],
            line_width=1.4,
        )
    )
