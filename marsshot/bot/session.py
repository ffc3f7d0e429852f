"""What the commands that do one thing and end have in common: the bot opened, orders in doubt waited for.

Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot, open_bot, required_keys
from marsshot.bot.bot import Bot
from marsshot.bot.environment import open_environment
from marsshot.bot.loop import stopped_by_signals
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, StopRequested, TemporaryError
from marsshot.infra.console import Terminal
from marsshot.infra.event_log import log_warning

ORDER_RESOLUTION_SECONDS = 130.0  # an unknown outcome is decided within two minutes of its sending


@contextmanager
def open_session(settings: Settings, config: Path, *, one_shot: bool, console: Terminal | None) -> Iterator[RunningBot]:
    """Yield the bot of these settings, which SIGTERM and SIGINT stop until the block's end, its closing included.

    Raises InputError, or OperatorNeededError where another process has the book.
    """
    if missing := settings.missing_keys(*required_keys(settings)):
        raise InputError(*missing)
    with (
        open_environment(settings, keep_account=True) as environment,
        stopped_by_signals(environment.clock),
        open_bot(
            environment.settings,
            environment.clock,
            console=console,
            config=config,
            apply_overrides=environment.apply_overrides,
            one_shot=one_shot,
        ) as run,
    ):
        yield run


def run_once(settings: Settings, config: Path, work: Callable[[RunningBot], int], console: Terminal | None) -> int:
    """Open the bot, let it do the work, and return its exit code; 1 if it was stopped before the end."""
    with open_session(settings, config, one_shot=True, console=console) as run:
        try:
            run.bot.start()
            return work(run)
        except StopRequested:
            log_warning("command.stopped", LocalizedText("log.command_stopped"))
            return 1
        finally:
            with suppress(TemporaryError):  # a disk that refuses has been told of, and the next start asks again
                run.bot.save_quiet_period()


def resolve_unknown_orders(bot: Bot) -> None:
    """Look up what is unknown, for as long as that can take."""
    bot.executor.resolve_unknown()
    waited = 0.0
    while bot.store.book.intents and waited < ORDER_RESOLUTION_SECONDS:
        waited += wait_and_resolve(bot)


def wait_and_resolve(bot: Bot, seconds: float = 5.0) -> float:
    """Let some seconds pass, look up what is unknown, and return the seconds."""
    bot.clock.sleep(seconds)
    bot.executor.resolve_unknown()
    return seconds
