"""The pictures over time, as Bokeh's description of them; BokehJS, which comes with Bokeh, draws them in the browser.

Values in, JSON text out. Colour never tells anything alone: buys and sales differ in shape, BTC's line is dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, Span

from marsshot.core.book import CashFlow
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.dashboard.data.equity_curve import Curve, downsample, drawdowns, sample_evenly
from marsshot.dashboard.presentation.chart_frame import as_json, time_figure
from marsshot.dashboard.presentation.trade_marks import trade_marks
from marsshot.infra.chart_style import Colours
from marsshot.portfolio.trades_file import Trade

MAX_MARKERS = 300  # of each side; more would hide the line


def equity_chart(
    curve: Curve,
    btc: Curve | None,
    trades: Sequence[Trade],
    cash_flows: Sequence[CashFlow],
    words: Catalog,
    colours: Colours,
) -> str:
    """Return the equity, BTC beside it, and a mark where something was bought, sold, brought or taken."""
    plot = time_figure(curve.moments[0], curve.moments[-1], words, colours)
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
    marks = []
    for side, colour in ((Side.BUY, colours.good), (Side.SELL, colours.bad)):
        of_side = sample_evenly([trade for trade in trades if trade.side == side], MAX_MARKERS)
        values = [curve.value_at(trade.time) for trade in of_side]
        marks.append(trade_marks(plot, side, of_side, values, words, fill=colour, border=colours.card, size=9))
    marks.append(_cash_flow_marks(plot, curve, cash_flows, words, colours))
    plot.add_tools(
        HoverTool(renderers=[drawn], tooltips="@label", mode="vline", line_policy="nearest", attachment="above"),
        HoverTool(renderers=marks, tooltips="@label", attachment="below", limit=3),
    )
    return as_json(plot)


def marker_count(trades: Sequence[Trade]) -> int:
    """Return how many of these trades are marked."""
    return sum(min(MAX_MARKERS, sum(trade.side == side for trade in trades)) for side in Side)


def drawdown_chart(curve: Curve, words: Catalog, colours: Colours) -> str:
    """Return how far the equity lies under its top."""
    plot = time_figure(curve.moments[0], curve.moments[-1], words, colours)
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
    return as_json(plot)


def _points(curve: Curve) -> list[tuple[Any, float]]:
    return list(zip(curve.moments, curve.values, strict=True))


def _cash_flow_marks(plot: Any, curve: Curve, cash_flows: Sequence[CashFlow], words: Catalog, colours: Colours) -> Any:
    """Draw a diamond where the owner brought or took money: the line jumps there, and that is no gain or loss."""
    times = [datetime.fromisoformat(flow.time) for flow in cash_flows]
    texts = [
        words.text(f"page.chart.{'brought' if flow.amount > 0 else 'taken'}", time=time, amount=abs(flow.amount))
        for time, flow in zip(times, cash_flows, strict=True)
    ]
    source = ColumnDataSource({"x": times, "y": [curve.value_at(time) for time in times], "label": texts})
    return plot.scatter(
        "x", "y", source=source, size=12, marker="diamond", fill_color=colours.other, line_color=colours.card
    )
