"""`main.py daily` and `intraday` where a bot may run: it makes the update when asked, and checks prices by itself.

Where none runs, the command does the work. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from marsshot.bot.control_files import ControlFiles
from marsshot.commands.status import show_daily_update
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import OperatorNeededError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.strategy.daily_plan import is_daily_update_done
from positions_store import is_locked, load_state

# Scores take as long as LunarCrush's limit dictates: a quarter of an hour for 150 tokens on the smallest plan.
MAX_UPDATE_SECONDS = 3600
# A bot that ends while it is waited for may be on its way back: after an update, a failure, or at systemd's hands.
RESTART_GRACE_SECONDS = 60


def run_daily(settings: Settings, run_locally: Callable[[], int]) -> int:
    """Have today's daily update made, by the bot that runs or here, and show what came of it; return the exit code."""
    if not _is_bot_running(settings):
        try:
            return run_locally()
        except OperatorNeededError:
            if not _is_bot_running(settings):
                raise
            # One has begun to run this very moment.
    today = SystemClock().now().date()
    return show_daily_update(settings, today) if _is_done(settings, today) else _request_and_wait(settings, today)


def _request_and_wait(settings: Settings, today: date) -> int:
    """Ask the running bot for the daily update, wait for it, and show what came of it.

    Where the bot ends for good meanwhile, so does the request: whoever has stopped it wants no orders from here.
    """
    control, catalog, clock, seconds_gone = ControlFiles(settings), Catalog(settings.language), SystemClock(), 0
    control.request_daily_update(today)
    print(catalog.text("beside.daily_asked"), flush=True)  # noqa: T201
    for _ in range(MAX_UPDATE_SECONDS):
        if not control.is_daily_update_requested():
            return show_daily_update(settings, today)
        seconds_gone = 0 if _is_bot_running(settings) else seconds_gone + 1
        if seconds_gone and _is_done(settings, today):  # by another command, or just before the bot's end
            control.acknowledge_daily_request()
            return show_daily_update(settings, today)
        if seconds_gone > RESTART_GRACE_SECONDS:
            control.acknowledge_daily_request()
            print(catalog.text("beside.bot_ended"))  # noqa: T201
            return 1
        clock.sleep(1.0)
    print(catalog.text("beside.daily_not_done"))  # noqa: T201
    return 1


def run_intraday(settings: Settings, run_locally: Callable[[], int]) -> int:
    """Check the prices once; where a bot runs, say that it does so by itself, and return 1."""
    if not _is_bot_running(settings):
        return run_locally()
    catalog = Catalog(settings.language)
    interval = timedelta(seconds=settings.strategy.check_interval_seconds)
    print(catalog.text("beside.checks_itself", interval=interval))  # noqa: T201
    return 1


def _is_bot_running(settings: Settings) -> bool:
    """Return whether a bot runs that looks for what is asked of it; the demo's time is not the owner's."""
    return settings.mode != "demo" and is_locked(settings.file(BOOK))


def _is_done(settings: Settings, day: date) -> bool:
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return book is not None and is_daily_update_done(day, book.last_daily_update)
