"""`main.py daily` and `intraday` where a bot may run: it makes the pass when asked, and checks the prices by itself.

Where none runs, the command does the work. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from marsshot.bot.bootstrap import BOOK
from marsshot.bot.control_files import Control
from marsshot.commands.status import show_pass
from marsshot.config.settings import Settings
from marsshot.core.catalog import Words
from marsshot.core.errors import OperatorNeededError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.strategy.daily_plan import is_daily_update_done
from positions_store import is_held, load_state

# Scores take as long as LunarCrush's limit dictates: a quarter of an hour for 150 tokens on the smallest plan.
LONGEST_PASS_SECONDS = 3600
# A bot that ends while it is waited for may be on its way back: after an update, a failure, or at systemd's hands.
COMES_BACK_WITHIN_SECONDS = 60


def daily_pass(settings: Settings, do_here: Callable[[], int]) -> int:
    """Have today's pass made, by the bot that runs or here, and show what came of it; return the exit code."""
    if not _runs(settings):
        try:
            return do_here()
        except OperatorNeededError:
            if not _runs(settings):
                raise
            # One has begun to run this very moment.
    today = SystemClock().now().date()
    return show_pass(settings, today) if _is_done(settings, today) else _asked_for(settings, today)


def _asked_for(settings: Settings, today: date) -> int:
    """Ask the bot that runs for the pass, wait for it, and show what came of it.

    Where the bot ends for good meanwhile, so does the request: whoever has stopped it wants no orders from here.
    """
    control, words, clock, gone = Control(settings), Words(settings.language), SystemClock(), 0
    control.ask_for_daily(today)
    print(words.say("beside.daily_asked"), flush=True)  # noqa: T201
    for _ in range(LONGEST_PASS_SECONDS):
        if not control.is_daily_asked():
            return show_pass(settings, today)
        gone = 0 if _runs(settings) else gone + 1
        if gone and _is_done(settings, today):  # by another command, or just before the bot's end
            control.daily_answered()
            return show_pass(settings, today)
        if gone > COMES_BACK_WITHIN_SECONDS:
            control.daily_answered()
            print(words.say("beside.bot_ended"))  # noqa: T201
            return 1
        clock.sleep(1.0)
    print(words.say("beside.daily_not_done"))  # noqa: T201
    return 1


def price_check(settings: Settings, do_here: Callable[[], int]) -> int:
    """Check the prices once; where a bot runs, say that it does so by itself, and return 1."""
    if not _runs(settings):
        return do_here()
    words = Words(settings.language)
    interval = timedelta(seconds=settings.strategy.check_interval_seconds)
    print(words.say("beside.checks_itself", interval=interval))  # noqa: T201
    return 1


def _runs(settings: Settings) -> bool:
    """Return whether a bot runs that looks for what is asked of it; the demo's time is not the owner's."""
    return settings.mode != "demo" and is_held(settings.file(BOOK))


def _is_done(settings: Settings, day: date) -> bool:
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return book is not None and is_daily_update_done(day, book.last_daily_update)
