"""The marks of purchases and sales in a picture: triangles that point up and down, each with its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.models import ColumnDataSource

from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.portfolio.trades_file import Trade


def trade_marks(
    plot: Any,
    side: Side,
    trades: Sequence[Trade],
    heights: Sequence[float],
    words: Catalog,
    *,
    fill: str,
    border: str,
    size: int,
) -> Any:
    """Draw a mark for each of these trades of one side, at these heights; return what a hover tool listens to."""
    texts = [
        words.text(
            f"page.chart.{side.lower()}",
            time=trade.time,
            symbol=trade.symbol,
            quote=trade.quote,
            price=trade.price,
        )
        for trade in trades
    ]
    source = ColumnDataSource({"x": [trade.time for trade in trades], "y": list(heights), "label": texts})
    marker = "triangle" if side is Side.BUY else "inverted_triangle"
    return plot.scatter(
        "x", "y", source=source, size=size, marker=marker, fill_color=fill, line_color=border, line_width=1.5
    )
