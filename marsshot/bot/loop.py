"""The loop around the bot: cycle, rest, cycle, until a signal or the clock says stop. No error ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from marsshot.bot.bot import Bot
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, StopRequested, TemporaryError
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log, log_warning

PAUSE_AFTER_UNEXPECTED_ERROR = timedelta(seconds=10)


def loop(
    bot: Bot,
    reload_settings: Callable[[], None],
    after_cycle: Callable[[], bool] | None = None,
    cycle_ended: Callable[[], None] = lambda: None,
) -> None:
    """Cycle until the clock says stop, or until after_cycle returns False. No error ends it: it is logged and told.

    reload_settings: takes up changed settings; called before each cycle. cycle_ended: called after each cycle that has
    ended, in trouble that was foreseen too.
    """
    while not bot.clock.stopping:
        try:
            reload_settings()
            bot.cycle()
        except StopRequested:
            break
        except MarsShotError as error:
            log_warning("cycle.failed", LocalizedText("log.cycle_failed", why=error.message))
            cycle_ended()
        except Exception:  # noqa: BLE001 - the one place: a bot with open positions does not end by a surprise
            log.exception("Something unforeseen happened; the bot goes on", extra={"event": "cycle.surprise"})
            bot.clock.idle(bot.clock.now() + PAUSE_AFTER_UNEXPECTED_ERROR)
        else:
            cycle_ended()
        if after_cycle is not None and not after_cycle():
            break
        bot.clock.idle(bot.next_due())
    with suppress(TemporaryError):  # a disk that refuses has been told of, and the next start asks again
        bot.save_quiet_period()


@contextmanager
def stopped_by_signals(clock: Clock) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the work, the order in hand finished; restore the handlers afterwards."""
    before = {number: signal.signal(number, lambda *_: clock.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
