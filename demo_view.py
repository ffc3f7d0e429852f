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

from bot import Bot
from events import log
from summary import DayPoint

FRAMES_PER_SECOND = 8
EVENTS_SHOWN = 9
DAYS_BETWEEN_LINES = 10


class _LastEvents(logging.Handler):
    """Keeps the last lines for the table; the daily "done" lines are left to the log."""

    def __init__(self, lines: deque[str], now: Callable[[], datetime]) -> None:
        super().__init__()
        self._lines = lines
        self._now = now

    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(record, "quiet", False) and getattr(record, "event", "") != "daily.done":
            self._lines.append(f"{self._now():%d %b %H:%M}  {record.getMessage()}")


class DemoView:
    """The view of one demo run."""

    def __init__(self, console: Console, days: int) -> None:
        self._console = console
        self._days = days
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
        handler = _LastEvents(self._lines, now)
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
            worth = f"worth {point.equity:.2f}, of which {point.capital:.2f} is cash"
            self._console.print(
                f"{point.day}  -- day {day} of {self._days}: {worth} --", highlight=False, soft_wrap=True
            )

    def _frame(self, bot: Bot, points: list[DayPoint], day: int) -> Panel:
        book = bot.store.book
        worth = book.capital + sum(
            (held.qty * (_price(bot, symbol) or held.entry_price) for symbol, held in book.positions.items()),
            Decimal(0),
        )
        gain = (worth / book.capital_started - 1) * 100
        head = Text.assemble(
            (f"{bot.clock.now():%a %d %b %Y %H:%M} UTC", "bold"),
            f"   worth {worth:.2f} {book.quote_asset} (",
            (f"{gain:+.1f} %", _colour(gain)),
            f")   cash {book.capital:.2f}   BTC alone {_btc(points):+.1f} %",
        )
        events = Text("\n".join(self._lines), overflow="ellipsis", no_wrap=True, style="dim")
        bar = ProgressBar(total=self._days, completed=day)
        return Panel(
            Group(head, bar, Text(), _positions(bot), Text(), events),
            title="MarsShot demo: recorded market, no real money",
            subtitle=f"day {day} of {self._days}   Ctrl-C ends it",
        )


def _positions(bot: Bot) -> Table:
    table = Table("Token", expand=True, box=None, header_style="bold")
    for column in ("Quantity", "Entry", "Price", "Gain", "Worth"):
        table.add_column(column, justify="right")
    table.add_column("Rules")
    for symbol, held in sorted(bot.store.book.positions.items()):
        price = _price(bot, symbol) or held.entry_price
        gain = (price / held.entry_price - 1) * 100
        table.add_row(
            symbol,
            f"{held.qty:.6g}",
            f"{held.entry_price:.6g}",
            f"{price:.6g}",
            Text(f"{gain:+.1f} %", style=_colour(gain)),
            f"{held.qty * price:.2f}",
            ", ".join(
                word
                for word, applies in (
                    ("part sold", held.partial_sold),
                    (f"trailing from {held.max_price:.6g}", held.trailing_armed),
                    ("skipped a sale", held.did_skip_sell_once),
                )
                if applies
            ),
        )
    if not bot.store.book.positions:
        table.add_row(Text("no positions", style="dim"))
    return table


def _price(bot: Bot, symbol: str) -> Decimal | None:
    quote = bot.price_desk.last_quotes.get(symbol)
    return quote.price if quote else None


def _btc(points: list[DayPoint]) -> Decimal:
    if not points or "BTC" not in points[0].prices or "BTC" not in points[-1].prices:
        return Decimal(0)
    return (points[-1].prices["BTC"] / points[0].prices["BTC"] - 1) * 100


def _colour(gain: Decimal) -> str:
    return "green" if gain >= 0 else "red"
