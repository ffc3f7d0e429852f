"""MarsShot's daemon and its commands. `python main.py --help` lists them; `python main.py` alone runs the bot.

Wires, loops, listens to signals, and says in one line what went wrong. Holds no rule.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from io import TextIOWrapper
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.bot import Bot
from marsshot.bot.loop import loop
from marsshot.bot.session import open_session
from marsshot.commands.command_line import read_command_line
from marsshot.commands.controls import pause, resume, sell_all
from marsshot.commands.daily import run_daily, run_intraday
from marsshot.commands.money import deposit, withdraw
from marsshot.commands.status import show_status
from marsshot.commands.tokens import exclude, include, sell
from marsshot.config.bot_files import CONFIG
from marsshot.config.loader import language_of, localized_error, read_settings
from marsshot.config.settings import Settings
from marsshot.config.working_folder import folder_of_config, named_config, refuse_book_left_behind
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError, StopRequested
from marsshot.infra.clock import SystemClock
from marsshot.infra.console import terminal
from marsshot.infra.event_log import log_error, log_info
from marsshot.infra.malloc import trim_heap, use_single_arena
from marsshot.monitoring.heartbeat import Heartbeat, heartbeat_for
from marsshot.monitoring.messenger import notifying


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 could not do it, 2 wrong usage, settings or input file."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another, and no traceback
    given = sys.argv[1:] if arguments is None else arguments
    chosen = read_command_line(given, language_of(named_config(given)))
    with folder_of_config(chosen, Path(getattr(chosen, "config", CONFIG))) as config:
        return _exit_code(chosen, config)


def _exit_code(chosen: argparse.Namespace, config: Path) -> int:
    try:
        code = _before_settings(chosen, config) if chosen.command in {"restore", "setup"} else _command(chosen, config)
        sys.stdout.flush()
        return code
    except MarsShotError as error:
        if str(error) and not isinstance(error, StopRequested):
            print(localized_error(error, config), file=sys.stderr)  # noqa: T201
        return error.exit_code
    except BrokenPipeError:  # whoever read along has heard enough (head, less)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = error.filename or LocalizedText("fault.machine")
        line = LocalizedText("fault.in_file", path=where, fault=str(error.strerror or error))
        print(_catalog(config).render(line), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(_catalog(config).text("fault.stopped"), file=sys.stderr)  # noqa: T201
        return 1


def _catalog(config: Path) -> Catalog:
    """Return the words of the language that config.yaml names: it may be the very file that is faulty."""
    return catalog_of(language_of(config))


def _command(chosen: argparse.Namespace, config: Path) -> int:
    settings = read_settings(config)
    refuse_book_left_behind(settings.mode)
    if settings.money_notice and not getattr(chosen, "json", False):
        print(catalog_of(settings.language).render(settings.money_notice))  # noqa: T201

    commands: dict[str, Callable[[], int]] = {
        "run": lambda: _run(settings, config, getattr(chosen, "speed", None)),
        "daily": lambda: _show_plan(settings) if chosen.plan else run_daily(settings, config),
        "intraday": lambda: run_intraday(settings, config),
        "check": lambda: _check(settings, ask_all=chosen.all),
        "status": lambda: show_status(settings, as_json=chosen.json),
        "report": lambda: _report(settings),
        "sell-all": lambda: sell_all(settings, config, assume_yes=chosen.yes),
        "sell": lambda: sell(settings, config, chosen.token, assume_yes=chosen.yes),
        "exclude": lambda: exclude(settings, config, chosen.token),
        "include": lambda: include(settings, config, chosen.token),
        "deposit": lambda: deposit(settings, config, chosen.amount, assume_yes=chosen.yes),
        "withdraw": lambda: withdraw(settings, config, chosen.amount, assume_yes=chosen.yes),
        "pause": lambda: pause(settings),
        "resume": lambda: resume(settings),
        "recover": lambda: _recover(chosen, settings),
        "backup": lambda: _backup(chosen, settings, config),
        "notify-test": lambda: _notify_test(settings),
        "export": lambda: _export(chosen, settings),
        "retrain": lambda: _retrain(settings, config),
    }
    return commands[chosen.command or "run"]()


# --------------------------------------------------------------------------- the daemon


def _run(settings: Settings, config: Path, speed: float | None) -> int:
    if settings.mode == "demo":
        from marsshot.demo.demo import run_demo  # noqa: PLC0415 - demo mode only

        return run_demo(settings, config, days_per_second=speed)
    if speed is not None:
        raise InputError(LocalizedText("fault.speed_in_demo_only", mode=settings.mode))
    use_single_arena()
    with (
        open_session(settings, config, one_shot=False, console=terminal()) as run,
        notifying(lambda: run.bot.settings, config),
        _companion(run.bot.settings, config),
        heartbeat_for(run.bot, lambda: _summary(run.bot)) as heartbeat,
    ):
        with suppress(StopRequested):  # over the first questions; the loop ends at once then
            _start(run, heartbeat)
        loop(run.bot, run.reload_settings, trim_heap, cycle_ended=heartbeat.cycle_ended)
        doubts = len(run.bot.store.book.intents)
        ended = LocalizedText("log.stopped_in_doubt", count=doubts) if doubts else LocalizedText("log.stopped")
        log_info("bot.stopped", ended)
    return 0


def _companion(settings: Settings, config: Path) -> AbstractContextManager[object]:
    """Return what has commands taken at Telegram during a block; who has no chat there does without its memory."""
    if not settings.telegram.is_set:
        return nullcontext()
    from marsshot.monitoring.telegram_process import telegram_companion  # noqa: PLC0415 - as said

    return telegram_companion(settings, config)


def _start(run: RunningBot, heartbeat: Heartbeat) -> None:
    """Make sure of the last orders, and tell that the bot is at work. Raises StopRequested."""
    for language in ("en", run.bot.settings.language):
        catalog_of(language)  # now, while program and catalogue are of one version
    run.bot.start()
    _check_model(run)
    book = run.bot.store.book
    log_info(
        "bot.started",
        LocalizedText(
            "log.started",
            mode=book.mode,
            count=len(book.positions),
            capital=book.capital,
            quote=book.quote_asset,
            next=LocalizedText("log.now") if run.bot.daily_is_due() else run.bot.next_daily(),
        ),
        mode=book.mode,
        capital=book.capital,
        asset=book.quote_asset,
        positions=len(book.positions),
    )
    if isinstance(run.bot.clock, SystemClock):
        run.bot.clock.has_pending_command = run.bot.has_pending_command
    heartbeat.ready()


def _summary(bot: Bot) -> str:
    book = bot.store.book
    return (
        f"mode {book.mode}: {len(book.positions)} positions, capital {book.capital:.2f} {book.quote_asset}, "
        f"next daily pass {_next_update_text(bot)}"
    )


def _next_update_text(bot: Bot) -> str:
    return "now" if bot.daily_is_due() else f"{bot.next_daily():%Y-%m-%d %H:%M} UTC"


def _check_model(run: RunningBot) -> None:
    """Refuse to start without a model, unless there are positions to watch over: their exits need none."""
    try:
        run.model_selector.check()
    except InputError as error:
        if not run.bot.store.book.positions:
            raise
        log_error("model.missing", LocalizedText("log.no_model", why=error.message))


# --------------------------------------------------------------------------- commands that bring what only they need


def _show_plan(settings: Settings) -> int:
    from marsshot.commands.plan_preview import show_plan  # noqa: PLC0415 - of no use to the daemon

    return show_plan(settings)


def _check(settings: Settings, *, ask_all: bool) -> int:
    from marsshot.commands.checking.check import run_check  # noqa: PLC0415 - brings what only this command needs

    return run_check(settings, ask_all=ask_all)


def _report(settings: Settings) -> int:
    from marsshot.commands.week.report import show_week  # noqa: PLC0415 - brings what only this command needs

    return show_week(settings)


def _notify_test(settings: Settings) -> int:
    from marsshot.commands.notify_test import run_notify_test  # noqa: PLC0415 - brings what only this command needs

    return run_notify_test(settings)


def _recover(chosen: argparse.Namespace, settings: Settings) -> int:
    from marsshot.commands.recovery.recover import run_recover  # noqa: PLC0415 - brings what only this command needs

    return run_recover(settings, assume_yes=chosen.yes, days=chosen.days)


def _backup(chosen: argparse.Namespace, settings: Settings, config: Path) -> int:
    from marsshot.commands.recovery.backup import run_backup  # noqa: PLC0415 - brings what only this command needs

    return run_backup(settings, config, chosen.file)


def _before_settings(chosen: argparse.Namespace, config: Path) -> int:
    """Do what may bring the settings: restore an archive, or ask for them."""
    if chosen.command == "setup":
        from marsshot.commands.setup.setup import run_setup  # noqa: PLC0415 - brings what only this command needs

        return run_setup(config)
    from marsshot.commands.recovery.restore import run_restore  # noqa: PLC0415 - brings what only this command needs

    return run_restore(chosen.file, config, force=chosen.force)


def _export(chosen: argparse.Namespace, settings: Settings) -> int:
    from marsshot.commands.export import run_export  # noqa: PLC0415 - brings what only this command needs

    return run_export(settings, chosen.year, chosen.rates)


def _retrain(settings: Settings, config: Path) -> int:
    from marsshot.commands.retrain import run_retrain  # noqa: PLC0415 - brings what only this command needs

    return run_retrain(settings, config)


if __name__ == "__main__":
    interruption.run(main)
