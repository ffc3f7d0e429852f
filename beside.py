"""`main.py daily` and `intraday` where a bot may run: it makes the pass when asked, and checks the prices by itself.

Where none runs, the command does the work. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from clock import SystemClock
from control import Control
from positions_store import is_held
from settings import Settings
from status import show_pass
from wiring import BOOK
from words import Words

# Scores take as long as LunarCrush's limit dictates: a quarter of an hour for 150 tokens on the smallest plan.
LONGEST_PASS_SECONDS = 3600


def daily_pass(settings: Settings, do_here: Callable[[], int]) -> int:
    """Have today's pass made, by the bot that runs or here, and show what came of it; return the exit code."""
    control, words, clock = Control(settings), Words(settings.language), SystemClock()
    if not _runs(settings):
        return _done_here(control, do_here)
    control.ask_for_daily()
    print(words.say("beside.daily_asked"), flush=True)  # noqa: T201
    for _ in range(LONGEST_PASS_SECONDS):
        if not control.is_daily_wanted():
            return show_pass(settings)
        if not _runs(settings):  # it has ended in the middle of it
            return _done_here(control, do_here)
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


def _done_here(control: Control, do_here: Callable[[], int]) -> int:
    code = do_here()
    if control.is_daily_wanted():
        control.daily_answered()
    return code
