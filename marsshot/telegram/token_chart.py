"""One token's picture: daily closes, what was bought and sold, the levels at which the rules wait. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from marsshot.bot.daily_candles import daily_candles
from marsshot.bot.journal import read_last_seen
from marsshot.config.bot_files import BOOK, EQUITY_CHART, LAST_SEEN, TRADES
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.infra.atomic_files import Disk
from marsshot.infra.chart_style import THEMES, label_axes, png_figure, save_png
from marsshot.infra.clock import SystemClock
from marsshot.portfolio.trades_file import Trade, readable_trades
from positions_store import load_state
from risk_manager import exit_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_DAYS = 180
FEWEST_POINTS = 2
_FURTHEST_LEVEL = 2.0  # times the highest close, or a part of the lowest: beyond, a level would flatten the curve


def draw_token(token: str, settings: Settings, catalog: Catalog) -> bytes | None:
    """Return the picture as a PNG; None where there are no prices of that token on this disk."""
    now = SystemClock().now()
    if settings.mode == "demo":
        now = read_last_seen(settings.file(LAST_SEEN), Disk()).time or now
    since = now - timedelta(days=SHOWN_DAYS)
    ends = ((one.day + timedelta(days=1), one.close) for one in daily_candles(settings, token))
    closes = [(moment, price) for moment, price in ends if since <= moment <= now]
    if len(closes) < FEWEST_POINTS:
        return None
    trades = [one for one in readable_trades(settings.file(TRADES)) if one.symbol == token and one.time >= since]
    figure, axes = png_figure(8, 4)
    axes.plot(*zip(*closes, strict=True), color=THEMES["light"].own, linewidth=2)
    _draw_trades(axes, trades, catalog)
    prices = [price for _, price in closes]
    _draw_levels(axes, _levels(token, settings), (min(prices), max(prices)), catalog)
    axes.margins(x=0.01)
    axes.tick_params(axis="x", rotation=30)
    label_axes(axes, catalog)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper left", fontsize=8, framealpha=0.9, edgecolor="none")
    with TemporaryDirectory() as folder:
        return save_png(figure, Path(folder) / EQUITY_CHART).read_bytes()


def _levels(token: str, settings: Settings) -> Mapping[str, float]:
    """Return the prices that matter to a position, by their key in the catalogue; none where it is not held."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    held = book.positions.get(token) if book else None
    if held is None:
        return {}
    levels = exit_levels(held, settings.exit_rules)
    found = {
        "entry": held.entry_price,
        "stop_loss": levels.stop_loss,
        "partial": levels.partial_exit,
        "trailing": levels.trailing_stop,
    }
    return {name: float(price) for name, price in found.items() if price is not None}


def _draw_levels(axes: Axes, levels: Mapping[str, float], span: tuple[float, float], catalog: Catalog) -> None:
    colours = THEMES["light"]
    for name, price in levels.items():
        if span[0] / _FURTHEST_LEVEL <= price <= span[1] * _FURTHEST_LEVEL:
            label = catalog.text(f"telegram.level.{name}", price=price)
            colour = colours.quiet if name == "entry" else colours.warn
            axes.axhline(price, color=colour, linestyle="--", linewidth=1, label=label)


def _draw_trades(axes: Axes, trades: Sequence[Trade], catalog: Catalog) -> None:
    colours = THEMES["light"]
    for side, mark, colour, key in ((Side.BUY, "^", colours.good, "bought"), (Side.SELL, "v", colours.bad, "sold")):
        points = [(one.time, float(one.price)) for one in trades if one.side == side]
        if points:
            label = catalog.text(f"telegram.mark.{key}")
            moments, prices = zip(*points, strict=True)
            axes.scatter(moments, prices, marker=mark, color=colour, s=60, zorder=3, label=label)
