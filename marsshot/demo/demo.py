"""Demo mode: the bot lives through months of the recorded market while you watch. Begins anew each time.

Only what surrounds the bot is special here: its cycle, rules, orders and files are those of live mode.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import monotonic

from rich.console import Console

from marsshot.bot.environment import DEMO_DAYS
from marsshot.bot.journal import read_equity, read_performance
from marsshot.bot.loop import loop
from marsshot.bot.session import open_session
from marsshot.config.bot_files import BOOK, CASH_FLOWS, DECISIONS, DEMO_ACCOUNT, EQUITY, EQUITY_CHART, LAST_SEEN, TRADES
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.demo.recorder import DemoRecorder
from marsshot.demo.view import DemoView
from marsshot.infra.atomic_files import Disk, backup_path
from marsshot.infra.event_log import log_info
from marsshot.monitoring.heartbeat import heartbeat_for
from marsshot.monitoring.sd_notify import systemd_address
from marsshot.monitoring.telegram_process import telegram_companion
from marsshot.portfolio.trades_file import readable_trades
from marsshot.reporting.demo_summary import Summary, draw_equity, show_summary, tell
from positions_store import writer_lock

OVER_AS_A_SERVICE = 3  # deploy/marsshot.service: ended well, and not to be started anew


def run_demo(
    settings: Settings,
    config: Path,
    *,
    days_per_second: float | None = None,
    skip_unchanged_checks: bool = True,
    view: DemoView | None = None,
) -> int:
    """Live through the demo and sum it up. Returns the exit code: 0, or where systemd would begin it anew, its own.

    skip_unchanged_checks: ask for no prices where the check would surely change nothing; what comes of it is the same.
    view: who looks on; None: whoever sits at the terminal.
    """
    console, catalog, begun = Console(), Catalog(settings.language), monotonic()
    _remove_old_files(settings)
    view = view or DemoView(console, catalog)
    with (
        open_session(settings, config, one_shot=True, console=None if view.is_live else console) as run,
        heartbeat_for(run.bot, lambda: "demo") as heartbeat,
        telegram_companion(settings, config),
    ):
        run.model_selector.check()
        heartbeat.ready()
        recorder = DemoRecorder(
            run,
            view,
            DEMO_DAYS,
            days_per_second=days_per_second,
            alive=heartbeat.cycle_ended,
            skip_unchanged_checks=skip_unchanged_checks,
        )
        log_info("demo.started", LocalizedText("demo.begins", days=DEMO_DAYS))
        with view.watching(run.bot.clock.now, lambda: run.journal.last_decisions):
            loop(run.bot, run.reload_settings, recorder.after_cycle, heartbeat.cycle_ended)
        recorder.note_day()
        finished, book = recorder.is_over, run.bot.store.book
        log_info("demo.ended", LocalizedText("demo.ends", seconds=monotonic() - begun))
    _sum_up(_summary(settings, book, recorder), settings, console, catalog)
    if not finished:
        files = ", ".join(str(settings.file(name)) for name in (TRADES, DECISIONS, EQUITY))
        stopped = catalog.text("demo.stopped", files=files)
        tell(console, stopped)
    return OVER_AS_A_SERVICE if finished and systemd_address() else 0


def _sum_up(summary: Summary, settings: Settings, console: Console, catalog: Catalog) -> None:
    picture = settings.file(EQUITY_CHART)
    draw_equity(summary, picture, catalog)
    show_summary(summary, console, picture, catalog)


def _summary(settings: Settings, book: Book, recorder: DemoRecorder) -> Summary:
    """Return what the run came to, from the files that it has written."""
    equity = settings.file(EQUITY)
    return Summary(
        mode=book.mode,
        quote_asset=book.quote_asset,
        start_capital=book.capital_started,
        equity=tuple(read_equity(equity, Disk())),
        indices=tuple(one.index for one in read_performance(equity, Disk(), book.capital_started)),
        points=tuple(recorder.points),
        trades=tuple(readable_trades(settings.file(TRADES))),
        tokens=tuple(settings.tokens_daily),
    )


def _remove_old_files(settings: Settings) -> None:
    """Take away what an earlier demo left: its exchange is gone, so its book means nothing any more."""
    book = settings.file(BOOK)
    left = [settings.file(name) for name in (TRADES, CASH_FLOWS, DECISIONS, EQUITY, LAST_SEEN, DEMO_ACCOUNT)]
    with writer_lock(book):
        for path in (book, backup_path(book), *left):
            with suppress(FileNotFoundError):
                path.unlink()
