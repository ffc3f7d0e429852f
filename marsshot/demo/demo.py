"""Demo mode: the bot lives through months of the recorded market while you watch. Begins anew each time.

Only what surrounds the bot is special here: its cycle, rules, orders and files are those of live mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic

from rich.console import Console

from marsshot.bot.bootstrap import RunningBot, open_bot
from marsshot.bot.bot import Bot
from marsshot.bot.environment import DEMO_DAYS, demo_end, open_environment
from marsshot.bot.loop import loop, stopped_by_signals
from marsshot.config.bot_files import BOOK, DECISIONS, DEMO_ACCOUNT, EQUITY, EQUITY_CHART, LAST_SEEN, TRADES
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import MarsShotError
from marsshot.demo.view import DemoView
from marsshot.infra.atomic_files import backup_path
from marsshot.infra.event_log import log_info
from marsshot.portfolio.trades_file import Trade, readable_trades
from marsshot.reporting.demo_summary import DayPoint, Summary, draw_equity, show_summary
from positions_store import writer_lock


def run_demo(settings: Settings, config: Path) -> int:
    """Live through the demo and sum it up. Returns the exit code."""
    console, catalog = Console(), Catalog(settings.language)
    begun = monotonic()
    _remove_old_files(settings)
    view = DemoView(console, DEMO_DAYS, catalog)
    with (
        open_environment(settings, keep_account=True) as environment,
        open_bot(
            environment.settings,
            environment.clock,
            console=None if view.is_live else console,
            config=config,
            apply_overrides=environment.apply_overrides,
            one_shot=True,
        ) as run,
        stopped_by_signals(environment.clock),
    ):
        run.model_selector.check()
        journey = _DemoRecorder(run, view, demo_end(environment.clock.now()))
        log_info("demo.started", LocalizedText("demo.begins", days=DEMO_DAYS))
        with view.watching(environment.clock.now):
            loop(run.bot, run.reload_settings, journey.after_cycle)
        journey.note_day()
        finished = journey.is_over
        log_info("demo.ended", LocalizedText("demo.ends", seconds=monotonic() - begun))
        summary = journey.summary(readable_trades(environment.settings.file(TRADES)))
    picture = settings.file(EQUITY_CHART)
    draw_equity(summary, picture, catalog)
    show_summary(summary, console, picture, catalog)
    if not finished:
        console.print(catalog.text("demo.stopped", command="[bold]python main.py[/]"), highlight=False)
    return 0


def _remove_old_files(settings: Settings) -> None:
    """Take away what an earlier demo left: its exchange is gone, so its book means nothing any more."""
    book = settings.file(BOOK)
    left = [settings.file(name) for name in (TRADES, DECISIONS, EQUITY, LAST_SEEN, DEMO_ACCOUNT)]
    with writer_lock(book):
        for path in (book, backup_path(book), *left):
            with suppress(FileNotFoundError):
                path.unlink()


class _DemoRecorder:
    """Looks over the bot's shoulder: one point of the equity curve a day, and the live table."""

    def __init__(self, run: RunningBot, view: DemoView, end: datetime) -> None:
        self._bot: Bot = run.bot
        self._view = view
        self._end = end
        self._points: list[DayPoint] = []
        self._tokens = tuple(dict.fromkeys((*run.bot.settings.tokens_daily, "BTC")))
        self._started = run.bot.clock.now()

    @property
    def is_over(self) -> bool:
        """True once the demo's last day has come."""
        return self._bot.clock.now() >= self._end

    def after_cycle(self) -> bool:
        """Look at the bot after a cycle; return False when the demo is over."""
        today = self._bot.clock.now().date()
        if self._bot.daily_is_done() and (not self._points or self._points[-1].day != today):
            self.note_day()
        self._view.show(self._bot, self._points, self._started)
        return not self.is_over

    def note_day(self) -> None:
        """Take down what everything is worth now."""
        settings, book = self._bot.settings, self._bot.store.book
        wanted = dict.fromkeys((*self._tokens, *book.positions))
        try:
            found = self._bot.executor.exchange.prices([settings.pair(token) for token in wanted])
        except MarsShotError:
            return
        prices = {token: found[settings.pair(token)] for token in wanted if settings.pair(token) in found}
        held = sum((held.qty * prices.get(symbol, Decimal(0)) for symbol, held in book.positions.items()), Decimal(0))
        self._points.append(DayPoint(self._bot.clock.now(), book.capital, held, prices))

    def summary(self, trades: Sequence[Trade]) -> Summary:
        """Return what there is to tell at the end."""
        book = self._bot.store.book
        return Summary(
            mode=book.mode,
            quote_asset=book.quote_asset,
            start_capital=book.capital_started,
            points=tuple(self._points),
            trades=tuple(trades),
            tokens=tuple(self._bot.settings.tokens_daily),
        )
