"""What the demo shows while it runs: frames on a terminal, plain lines anywhere else. Only looks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import monotonic

from rich.console import Console, Group
from rich.live import Live

from marsshot.core.catalog import Catalog
from marsshot.core.decisions import Decision
from marsshot.core.orders import Side
from marsshot.demo.frame import Scene, frame
from marsshot.demo.story import Trade, near_misses, nearest_rule
from marsshot.infra.event_log import log
from marsshot.portfolio.performance import index_at

FRAMES_PER_SECOND = 6
TRADES_KEPT = 100


class _TradeListener(logging.Handler):
    """Takes down the orders that are filled, the newest first."""

    def __init__(
        self, now: Callable[[], datetime], decisions: Callable[[], Sequence[Decision]], catalog: Catalog
    ) -> None:
        super().__init__()
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self._now = now
        self._decisions = decisions
        self._catalog = catalog

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", "") != "order.filled":
            return
        details = record.__dict__["details"]
        is_purchase = details["side"] == Side.BUY
        scores = {one.symbol: one.probability for one in self._decisions()} if is_purchase else {}
        self.trades.appendleft(
            Trade(
                stamp=_shortly(self._now(), self._catalog),
                is_purchase=is_purchase,
                symbol=details["symbol"],
                quote=details["quote"],
                price=details["price"],
                reason=details["reason"],
                gain=details["gain"],
                score=scores.get(details["symbol"]),
            )
        )


class DemoView:
    """The view of one demo run."""

    def __init__(self, console: Console, catalog: Catalog) -> None:
        self._console = console
        self._catalog = catalog
        self.is_live = console.is_terminal and not console.is_dumb_terminal
        self.trades: Sequence[Trade] = ()
        self._live: Live | None = None
        self._last_frame = 0.0
        self._last_day = -1

    @contextmanager
    def watching(self, now: Callable[[], datetime], decisions: Callable[[], Sequence[Decision]]) -> Iterator[None]:
        """Show the demo for the block. now: the bot's time. decisions: of its last daily pass."""
        if not self.is_live:
            yield
            return
        listener = _TradeListener(now, decisions, self._catalog)
        self.trades = listener.trades
        log.addHandler(listener)
        try:
            with Live(console=self._console, auto_refresh=False, screen=True) as self._live:
                yield
        finally:
            log.removeHandler(listener)

    def show(self, scene: Callable[[], Scene]) -> None:
        """Show where the bot stands: a new frame a few times a second, or a line a day."""
        if self._live is None:
            return
        if monotonic() - self._last_frame > 1 / FRAMES_PER_SECOND:
            self._last_frame = monotonic()
            width, height = self._console.size
            self._live.update(Group(*frame(scene(), width, height, self._catalog)), refresh=True)

    def show_day(self, scene: Scene) -> None:
        """Tell of a day whose daily pass is done, in one line, where there are no frames."""
        if self._live is None and scene.day != self._last_day:
            self._last_day = scene.day
            self._console.print(day_line(scene, self._catalog), highlight=False, markup=False, soft_wrap=True)


def day_line(scene: Scene, catalog: Catalog) -> str:
    """Return a day in one line: what everything is worth, the position nearest to a rule, the nearest miss."""
    change = index_at(scene.worth, scene.book) - 1
    parts = [catalog.text("demo.line", day=scene.day, days=scene.days, worth=scene.worth, change=change)]
    ahead = {
        symbol: nearest_rule(held, scene.price(symbol), scene.exit_rules)
        for symbol, held in scene.book.positions.items()
    }
    if ahead:
        symbol = min(ahead, key=lambda one: abs(ahead[one].distance))
        parts.append(f"{symbol} {ahead[symbol].text(catalog)}")
    parts += [one.text(catalog) for one in near_misses(scene.decisions, scene.daily_rules)[:1]]
    return f"{catalog.format_field(scene.now.date(), '')}  {'; '.join(parts)}"


def _shortly(moment: datetime, catalog: Catalog) -> str:
    return f"{moment:%d/%m %H:%M}" if catalog.language == "fr" else f"{moment:%d %b %H:%M}"
