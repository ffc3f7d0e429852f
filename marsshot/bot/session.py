"""What the commands that do one thing and end have in common: the bot opened, orders in doubt waited for.

Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marsshot.bot.bootstrap import Run, keys_needed, open_bot
from marsshot.bot.bot import Bot
from marsshot.bot.environment import open_surroundings
from marsshot.bot.loop import stopped_by_signals
from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence
from marsshot.core.errors import InputError, StopRequested, TemporaryError
from marsshot.infra.console import Terminal
from marsshot.infra.event_log import warn

DECIDED_WITHIN_SECONDS = 130.0  # an unknown outcome is decided within two minutes of its sending


@contextmanager
def opened(settings: Settings, config: Path, *, one_shot: bool, console: Terminal | None) -> Iterator[Run]:
    """Yield the bot of these settings, which SIGTERM and SIGINT stop until the block's end, its closing included.

    Raises InputError, or OperatorNeededError where another process has the book.
    """
    if missing := settings.missing_keys(*keys_needed(settings)):
        raise InputError(*missing)
    with (
        open_surroundings(settings, keep_account=True) as around,
        stopped_by_signals(around.clock),
        open_bot(
            around.settings, around.clock, console=console, config=config, dress=around.dress, one_shot=one_shot
        ) as run,
    ):
        yield run


def once(settings: Settings, config: Path, work: Callable[[Run], int], console: Terminal | None) -> int:
    """Open the bot, let it do the work, and return its exit code; 1 if it was stopped before the end."""
    with opened(settings, config, one_shot=True, console=console) as run:
        try:
            run.bot.start()
            return work(run)
        except StopRequested:
            warn("command.stopped", Sentence("log.command_stopped"))
            return 1
        finally:
            with suppress(TemporaryError):  # a disk that refuses has been told of, and the next start asks again
                run.bot.remember_silence()


def settle(bot: Bot) -> None:
    """Look up what is unknown, for as long as that can take."""
    bot.executor.settle_unknown()
    waited = 0.0
    while bot.store.book.intents and waited < DECIDED_WITHIN_SECONDS:
        waited += wait_and_settle(bot)


def wait_and_settle(bot: Bot, seconds: float = 5.0) -> float:
    """Let some seconds pass, look up what is unknown, and return the seconds."""
    bot.clock.sleep(seconds)
    bot.executor.settle_unknown()
    return seconds
