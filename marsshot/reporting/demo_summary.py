"""The end of a run in words, a table and a picture: every trade, and what became of the capital.

Beside it stands what doing nothing would have brought. Values in; prints and draws, decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from marsshot.core.catalog import Catalog
from marsshot.infra.chart_style import THEMES, label_axes, png_figure, save_png
from marsshot.portfolio.performance import largest_fall
from marsshot.portfolio.trades_file import Trade
from marsshot.reporting.fitting_table import Column, FittingTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class DayPoint:
    """The tokens' prices at one moment of a day, in quote asset."""

    moment: datetime
    prices: Mapping[str, Decimal]

    @property
    def day(self) -> date:
        """The UTC date of the moment."""
        return self.moment.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run, as it is told at its end.

    equity, trades: rows of equity.csv and trades.csv. indices: the time-weighted index at each of the former. points: a
    day's prices.
    """

    mode: str
    quote_asset: str
    start_capital: Decimal
    equity: tuple[tuple[datetime, Decimal], ...]
    indices: tuple[Decimal, ...]
    points: tuple[DayPoint, ...]
    trades: tuple[Trade, ...]
    tokens: tuple[str, ...]

    def buy_and_hold(self, tokens: tuple[str, ...]) -> list[Decimal]:
        """Return, day by day, what the starting capital had become, split equally among tokens and left alone."""
        if not self.points:
            return []
        first = self.points[0].prices
        there = [token for token in tokens if token in first]
        share = self.start_capital / len(there) if there else Decimal(0)
        last = dict(first)
        curve = []
        for point in self.points:
            last |= point.prices
            curve.append(sum((share * last[token] / first[token] for token in there), Decimal(0)))
        return curve

    def fees(self) -> Decimal:
        """Return all commissions in quote asset; those taken in base asset at the price of their trade."""
        return sum((trade.fee_in_quote(self.quote_asset) for trade in self.trades), Decimal(0))


def show_summary(summary: Summary, console: Console, picture: Path, catalog: Catalog) -> None:
    """Print every trade, then the result."""
    if not summary.points or not summary.equity:
        tell(console, catalog.text("summary.nothing"))
        return
    console.print(_trades_table(summary, console.width, catalog))
    console.print(_result_table(summary, catalog))
    facts = {"count": len(summary.trades), "fees": summary.fees(), "quote": summary.quote_asset}
    tell(console, catalog.text("summary.sums", fall=largest_fall(summary.indices), **facts))
    tell(console, catalog.text("summary.picture", path=picture))
    tell(console, catalog.text("demo.stand_ins"))
    tell(console, catalog.text("summary.caveat"), style="bold yellow")


def tell(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence. Where no terminal is, rich would cut it at 80 columns: there it stays one line, as in a log."""
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _trades_table(summary: Summary, width: int, catalog: Catalog) -> Table:
    table = FittingTable(
        catalog.text("summary.trades"),
        [
            Column(catalog.text("summary.time")),
            Column(""),
            Column(catalog.text("demo.column.token")),
            Column(summary.quote_asset, is_number=True),
            Column(catalog.text("summary.profit"), is_number=True),
            Column(catalog.text("demo.column.price"), is_number=True, need=1),
            Column(catalog.text("demo.column.quantity"), is_number=True, need=2),
            Column(catalog.text("summary.reason")),
        ],
    )
    for trade in summary.trades:
        profit = trade.profit
        table.add(
            f"{trade.time:%d/%m %H:%M}" if catalog.language == "fr" else f"{trade.time:%m-%d %H:%M}",
            catalog.text(f"summary.side.{trade.side}"),
            trade.symbol,
            catalog.format_field(trade.quote, "money"),
            "" if profit is None else _coloured(profit, catalog.format_field(profit, "gain")),
            catalog.format_field(trade.price, "price"),
            catalog.format_field(trade.qty, "price"),
            catalog.text(f"log.reason.{trade.reason}"),
        )
    return table.render(width)


def _result_table(summary: Summary, catalog: Catalog) -> Table:
    first, last = (summary.equity[number][0].date() for number in (0, -1))
    title = catalog.text("summary.days", first=first, last=last)
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column(catalog.text("summary.used_for"))
    became = catalog.text("summary.became", capital=summary.start_capital, quote=summary.quote_asset)
    table.add_column(became, justify="right")
    table.add_column(catalog.text("summary.change"), justify="right")
    rows = {
        "MarsShot": summary.equity[-1][1],
        catalog.text("summary.holding_btc"): summary.buy_and_hold(("BTC",))[-1],
        catalog.text("summary.holding", count=len(summary.tokens)): summary.buy_and_hold(summary.tokens)[-1],
    }
    changes = {"MarsShot": summary.indices[-1] - 1}
    for name, worth in rows.items():
        change = changes.get(name, worth / summary.start_capital - 1)
        told = _coloured(change, catalog.format_field(change, "change"))
        table.add_row(name, catalog.format_field(worth, "money"), told)
    return table


def _coloured(gain: Decimal, text: str) -> str:
    return f"[{'green' if gain >= 0 else 'red'}]{text}[/]"


def draw_equity(summary: Summary, path: Path, catalog: Catalog) -> None:
    """Save the picture of the equity curve, trades marked, beside both ways of doing nothing."""
    if not summary.points or not summary.equity:
        return
    figure, axes = png_figure(11, 6)
    colours = THEMES["light"]
    days = [_number(point.moment) for point in summary.points]
    moments = [_number(moment) for moment, _ in summary.equity]
    equity = [float(worth) for _, worth in summary.equity]
    for tokens, colour, label in (
        (("BTC",), colours.other, catalog.text("summary.holding_btc")),
        (summary.tokens, colours.quiet, catalog.text("summary.holding", count=len(summary.tokens))),
    ):
        axes.plot(days, [float(worth) for worth in summary.buy_and_hold(tokens)], color=colour, lw=1.2, label=label)
    axes.plot(moments, equity, color=colours.own, lw=2.2, label="MarsShot")
    _mark_trades(axes, summary, moments, equity, catalog)
    axes.xaxis_date()
    label_axes(axes, catalog)
    axes.axhline(float(summary.start_capital), color=colours.soft, lw=0.8, ls=":")
    span = catalog.text("summary.days", first=summary.points[0].day, last=summary.points[-1].day)
    axes.set_title(catalog.text("summary.title", mode=summary.mode, days=span), loc="left", weight="bold")
    axes.set_ylabel(catalog.text("summary.worth_in", quote=summary.quote_asset))
    axes.legend(frameon=False, ncols=5, loc="upper left")
    if summary.mode == "demo":
        below = f"{catalog.text('demo.stand_ins')}\n{catalog.text('summary.caveat')}"
        figure.supxlabel(below, fontsize=8, color=colours.soft, x=0.01, ha="left")
    save_png(figure, path)


def _mark_trades(axes: Axes, summary: Summary, moments: list[float], equity: list[float], catalog: Catalog) -> None:
    """Put a mark on the equity curve where something was bought or sold."""
    import numpy as np  # noqa: PLC0415

    colours = THEMES["light"]
    buys, sales = catalog.text("summary.buys"), catalog.text("summary.sales")
    for side, marker, colour, label in (("BUY", "^", colours.good, buys), ("SELL", "v", colours.bad, sales)):
        times = sorted({_number(trade.time) for trade in summary.trades if trade.side == side})
        heights = np.interp(times, moments, equity)
        axes.scatter(times, heights, marker=marker, color=colour, s=38, zorder=3, label=label)


def _number(moment: datetime) -> float:
    """Return the moment as matplotlib counts: days since 1970."""
    return moment.timestamp() / 86_400
