"""What the demo shows while it runs: a live table on a terminal, plain lines anywhere else. Only looks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marsshot.bot.bot import Bot
from marsshot.core.catalog import Catalog
from marsshot.core.domain import Position
from marsshot.infra.event_log import log
from marsshot.reporting.demo_summary import DayPoint

FRAMES_PER_SECOND = 8
EVENTS_SHOWN = 9
DAYS_BETWEEN_LINES = 10


class _LastEvents(logging.Handler):
    """Keeps the last lines for the table; the daily "done" lines are left to the log."""

    def __init__(self, lines: deque[str], now: Callable[[], datetime], catalog: Catalog) -> None:
        super().__init__()
        self._lines = lines
        self._now = now
        self._catalog = catalog

    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(record, "quiet", False) and getattr(record, "event", "") != "daily.done":
            text = self._catalog.render(record.msg) if isinstance(record.msg, str) else record.getMessage()
            self._lines.append(f"{_shortly(self._now(), self._catalog)}  {text}")


class DemoView:
    """The view of one demo run."""

    def __init__(self, console: Console, days: int, catalog: Catalog) -> None:
        self._console = console
        self._days = days
        self._catalog = catalog
        self.is_live = console.is_terminal and not console.is_dumb_terminal
        self._lines: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._live: Live | None = None
        self._last_frame = 0.0
        self._last_line = 0

    @contextmanager
    def watching(self, now: Callable[[], datetime]) -> Iterator[None]:
        """Show the table for the block; now tells the bot's time."""
        if not self.is_live:
            yield
            return
        handler = _LastEvents(self._lines, now, self._catalog)
        log.addHandler(handler)
        try:
            with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
                yield
        finally:
            log.removeHandler(handler)

    def show(self, bot: Bot, points: list[DayPoint], started: datetime) -> None:
        """Show where the bot stands: a new frame a few times a second, or a line every ten days."""
        day = (bot.clock.now() - started).days
        if self._live is None:
            self._show_line(points, day)
        elif monotonic() - self._last_frame > 1 / FRAMES_PER_SECOND:
            self._last_frame = monotonic()
            self._live.update(self._frame(bot, points, day), refresh=True)

    def _show_line(self, points: list[DayPoint], day: int) -> None:
        if points and day >= self._last_line + DAYS_BETWEEN_LINES:
            self._last_line = day - day % DAYS_BETWEEN_LINES
            point = points[-1]
            day_text = self._catalog.format_field(point.day, "")
            facts = {"day": day, "days": self._days, "worth": point.equity, "cash": point.capital}
            line = self._catalog.text("demo.line", **facts)
            self._console.print(f"{day_text}  {line}", highlight=False, soft_wrap=True)

    def _frame(self, bot: Bot, points: list[DayPoint], day: int) -> Panel:
        book = bot.store.book
        worth = book.capital + sum(
            (held.qty * (_price(bot, symbol) or held.entry_price) for symbol, held in book.positions.items()),
            Decimal(0),
        )
        gain, catalog = worth / book.capital_started - 1, self._catalog
        head = Text.assemble(
            (_fully(bot.clock.now(), catalog), "bold"),
            f"   {catalog.text('demo.worth', worth=worth, quote=book.quote_asset)} (",
            (catalog.format_field(gain, "change"), _colour(gain)),
            f")   {catalog.text('demo.cash', cash=book.capital)}   {catalog.text('demo.btc', change=_btc(points))}",
        )
        events = Text("\n".join(self._lines), overflow="ellipsis", no_wrap=True, style="dim")
        bar = ProgressBar(total=self._days, completed=day)
        return Panel(
            Group(head, bar, Text(), _positions(bot, catalog), Text(), events),
            title=catalog.text("demo.title"),
            subtitle=f"{catalog.text('demo.day', day=day, days=self._days)}   {catalog.text('demo.end')}",
        )


def _positions(bot: Bot, catalog: Catalog) -> Table:
    table = Table(catalog.text("demo.column.token"), expand=True, box=None, header_style="bold")
    for column in ("quantity", "entry", "price", "gain", "worth"):
        table.add_column(catalog.text(f"demo.column.{column}"), justify="right")
    table.add_column(catalog.text("demo.column.rules"))
    for symbol, held in sorted(bot.store.book.positions.items()):
        price = _price(bot, symbol) or held.entry_price
        gain = price / held.entry_price - 1
        table.add_row(
            symbol,
            catalog.format_field(held.qty, ".6g"),
            catalog.format_field(held.entry_price, ".6g"),
            catalog.format_field(price, ".6g"),
            Text(catalog.format_field(gain, "change"), style=_colour(gain)),
            catalog.format_field(held.qty * price, ".2f"),
            ", ".join(_rules(held, catalog)),
        )
    if not bot.store.book.positions:
        table.add_row(Text(catalog.text("demo.no_positions"), style="dim"))
    return table


def _rules(held: Position, catalog: Catalog) -> Iterator[str]:
    if held.partial_sold:
        yield catalog.text("demo.part_sold")
    if held.trailing_armed:
        yield catalog.text("demo.trailing", top=held.max_price)
    if held.did_skip_sell_once:
        yield catalog.text("demo.skipped")


def _price(bot: Bot, symbol: str) -> Decimal | None:
    quote = bot.price_feed.last_quotes.get(symbol)
    return quote.price if quote else None


def _btc(points: list[DayPoint]) -> Decimal:
    if not points or "BTC" not in points[0].prices or "BTC" not in points[-1].prices:
        return Decimal(0)
    return points[-1].prices["BTC"] / points[0].prices["BTC"] - 1


def _shortly(moment: datetime, catalog: Catalog) -> str:
    return f"{moment:%d/%m %H:%M}" if catalog.language == "fr" else f"{moment:%d %b %H:%M}"


def _fully(moment: datetime, catalog: Catalog) -> str:
    return catalog.format_field(moment, "") if catalog.language == "fr" else f"{moment:%a %d %b %Y %H:%M} UTC"


def _colour(gain: Decimal) -> str:
    return "green" if gain >= 0 else "red"
