"""The loop around the bot: cycle, rest, cycle, until a signal or the clock says stop. No error ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from clock import Clock
from errors import MarsShotError, StopRequested
from events import log, warn
from wiring import Run

REST_AFTER_SURPRISE = timedelta(seconds=10)


def loop(run: Run, after_cycle: Callable[[], bool] | None = None) -> None:
    """Cycle until the clock says stop, or until after_cycle returns False. No error ends it: it is logged and told."""
    bot = run.bot
    while not bot.clock.stopping:
        try:
            if bot.daily_is_due() and bot.store.book.plan is None:
                run.take_up()
            bot.cycle()
        except StopRequested:
            return
        except MarsShotError as error:
            warn("cycle.failed", f"This round could not be finished, the next one tries again. {error}")
        except Exception:  # noqa: BLE001 - the one place: a bot with open positions does not end by a surprise
            log.exception("Something unforeseen happened; the bot goes on", extra={"event": "cycle.surprise"})
            bot.clock.idle(bot.clock.now() + REST_AFTER_SURPRISE)
        if after_cycle is not None and not after_cycle():
            return
        bot.clock.idle(bot.next_due())


@contextmanager
def stopped_by_signals(clock: Clock) -> Iterator[None]:
    """Let SIGTERM and SIGINT finish the order in hand and end the work; restore the handlers afterwards."""
    before = {number: signal.signal(number, lambda *_: clock.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
