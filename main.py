"""MarsShot's daemon and its commands. `python main.py --help` lists them; `python main.py` alone runs the bot.

Wires, loops, listens to signals, and says in one line what went wrong. Holds no rule.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from io import TextIOWrapper
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.bot import Bot
from marsshot.bot.daily_update import Progress
from marsshot.bot.loop import loop
from marsshot.bot.session import (
    ORDER_RESOLUTION_SECONDS,
    open_session,
    resolve_unknown_orders,
    run_once,
    wait_and_resolve,
)
from marsshot.commands.controls import pause, resume, sell_all
from marsshot.commands.daily import run_daily, run_intraday
from marsshot.commands.money import deposit, withdraw
from marsshot.commands.status import show_status
from marsshot.commands.tokens import exclude, include, sell
from marsshot.config.bot_files import CONFIG
from marsshot.config.loader import language_of, localized_error, read_settings
from marsshot.config.settings import Settings
from marsshot.config.working_folder import folder_of_config, named_config, refuse_book_left_behind
from marsshot.core.catalog import Catalog, Language, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError, StopRequested
from marsshot.infra.argparse_texts import argparse_in
from marsshot.infra.clock import SystemClock
from marsshot.infra.console import terminal
from marsshot.infra.event_log import log_error, log_info, log_warning
from marsshot.infra.malloc import trim_heap, use_single_arena
from marsshot.monitoring.heartbeat import Heartbeat, heartbeat_for
from marsshot.monitoring.messenger import notifying

COMMANDS = (
    "run",
    "daily",
    "intraday",
    "setup",
    "check",
    "status",
    "report",
    "sell-all",
    "sell",
    "pause",
    "resume",
    "exclude",
    "include",
    "deposit",
    "withdraw",
    "recover",
    "backup",
    "restore",
    "notify-test",
    "export",
    "retrain",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 could not do it, 2 wrong usage, settings or input file."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another, and no traceback
    given = sys.argv[1:] if arguments is None else arguments
    language = language_of(named_config(given))
    with argparse_in(language):
        chosen = _parser(_help_texts(given, language), _metavars(language)).parse_args(given)
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


def _help_texts(given: Sequence[str], language: Language) -> Callable[[str], str | None]:
    """Return what gives the help's texts, where help is asked for: the daemon starts without their catalogue."""
    if not any(one == "-h" or (len(one) > len("--") and "--help".startswith(one)) for one in given):
        return lambda key: None
    return catalog_of(language).text


def _metavars(language: Language) -> Callable[[str], str]:
    """Return what gives the name that stands for a value: FILE, FICHIER."""
    if language == "en":
        return str
    text = catalog_of(language).text
    return lambda name: text(f"script.metavar.{name.lower()}")


def _parser(help_text: Callable[[str], str | None], metavar: Callable[[str], str] = str) -> argparse.ArgumentParser:
    """Return what reads the command line. help_text: gives the text of a key, or none where no help is shown."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", metavar=metavar("PATH"), default=argparse.SUPPRESS, help=help_text("help.option.config")
    )
    running = argparse.ArgumentParser(add_help=False)
    speed = help_text("help.option.speed")
    running.add_argument("--speed", metavar=metavar("DAYS"), type=_speed, default=argparse.SUPPRESS, help=speed)
    text = help_text("help.description")
    parser = argparse.ArgumentParser(prog="main.py", description=text, parents=[shared, running])
    commands = parser.add_subparsers(dest="command", metavar=metavar("COMMAND"))
    for name in COMMANDS:
        text = help_text(f"help.command.{name}")
        parents = [shared, running] if name == "run" else [shared]
        command = commands.add_parser(name, help=text, description=text, parents=parents)
        if name == "status":
            command.add_argument("--json", action="store_true", help=help_text("help.option.json"))
        if name == "check":
            command.add_argument("--all", action="store_true", help=help_text("help.option.all"))
        if name == "daily":
            command.add_argument("--plan", action="store_true", help=help_text("help.option.plan"))
        if name == "report":
            command.add_argument("--week", action="store_true", required=True, help=help_text("help.option.week"))
        _add_request_arguments(command, name, help_text, metavar)
        _add_archive_arguments(command, name, help_text, metavar)
        if name == "export":
            command.add_argument("--year", type=int, required=True, help=help_text("help.option.year"))
            command.add_argument("--rates", type=Path, metavar=metavar("FILE"), help=help_text("help.option.rates"))
    return parser


def _days(text: str) -> int:
    """Read a whole number of days. Raises ValueError, which argparse tells."""
    days = int(text)
    if days < 1:
        raise ValueError
    return days


def _add_request_arguments(
    command: argparse.ArgumentParser,
    name: str,
    help_text: Callable[[str], str | None],
    metavar: Callable[[str], str],
) -> None:
    if name in {"sell", "exclude", "include"}:
        command.add_argument("token", metavar=metavar("TOKEN"), help=help_text("help.option.token"))
    if name in {"deposit", "withdraw"}:
        command.add_argument("amount", metavar=metavar("AMOUNT"), help=help_text("help.option.amount"))
    if name in {"sell-all", "sell", "deposit", "withdraw", "recover"}:
        command.add_argument("--yes", action="store_true", help=help_text("help.option.yes"))
    if name == "recover":
        command.add_argument("--days", type=_days, default=0, metavar=metavar("N"), help=help_text("help.option.days"))


def _add_archive_arguments(
    command: argparse.ArgumentParser,
    name: str,
    help_text: Callable[[str], str | None],
    metavar: Callable[[str], str],
) -> None:
    if name == "backup":
        command.add_argument(
            "file", type=Path, nargs="?", metavar=metavar("FILE"), help=help_text("help.option.archive")
        )
    if name == "restore":
        command.add_argument("file", type=Path, metavar=metavar("FILE"), help=help_text("help.option.restored"))
        command.add_argument("--force", action="store_true", help=help_text("help.option.force"))


def _speed(text: str) -> float:
    """Read --speed: days of the demo a second."""
    speed = float(text)
    if not 0 < speed < math.inf:
        raise ValueError(text)
    return speed


def _command(chosen: argparse.Namespace, config: Path) -> int:
    settings = read_settings(config)
    refuse_book_left_behind(settings.mode)
    if settings.money_notice and not getattr(chosen, "json", False):
        print(catalog_of(settings.language).render(settings.money_notice))  # noqa: T201

    def here(work: Callable[[RunningBot], int]) -> int:
        return run_once(settings, config, work, terminal())

    commands: dict[str, Callable[[], int]] = {
        "run": lambda: _run(settings, config, getattr(chosen, "speed", None)),
        "daily": lambda: _show_plan(settings) if chosen.plan else run_daily(settings, lambda: here(_daily)),
        "intraday": lambda: run_intraday(settings, lambda: here(_intraday)),
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
        ending = f"{doubts} orders are in doubt, the next start looks them up" if doubts else "no order is on its way"
        log_info("bot.stopped", f"MarsShot has stopped; {ending}")
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
        f"MarsShot runs in {_summary(run.bot)}. Ctrl-C stops it.",
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
        log_error("model.missing", f"Nothing is bought or sold by score until there is a model; exits go on. {error}")


# --------------------------------------------------------------------------- one-shot commands


def _daily(run: RunningBot) -> int:
    bot = run.bot
    resolve_unknown_orders(bot)
    run.model_selector.check()
    if bot.daily_is_done():
        log_info("daily.already_done", LocalizedText("log.already_done", day=bot.clock.now().date()))
        return 0
    waited = 0.0
    while (progress := bot.daily_update()) is Progress.WAITING and waited < ORDER_RESOLUTION_SECONDS:
        waited += wait_and_resolve(bot)
    if progress is Progress.DONE:
        return 0
    log_warning("daily.not_done", LocalizedText("log.not_done"))
    return 1


def _show_plan(settings: Settings) -> int:
    from marsshot.commands.plan_preview import show_plan  # noqa: PLC0415 - of no use to the daemon

    return show_plan(settings)


def _intraday(run: RunningBot) -> int:
    bot = run.bot
    done = bot.intraday_check()
    if bot.store.book.intents:  # once it is known what became of them, look again: what is done is not done twice
        resolve_unknown_orders(bot)
        done = bot.intraday_check()
    if bot.price_feed.second_look_at is not None:
        _wait_for_second_look(bot)
        done = bot.look_again(bot.price_feed.doubted())
    _print_check(bot)
    return 0 if done and not bot.store.book.intents else 1


def _wait_for_second_look(bot: Bot) -> None:
    """Wait until a doubted price is worth another look: a clock rests some seconds at a time."""
    while (due := bot.price_feed.second_look_at) is not None and bot.clock.now() < due and not bot.clock.stopping:
        bot.clock.idle(due)


def _print_check(bot: Bot) -> None:
    held = bot.store.book.positions
    prices = tuple(
        LocalizedText("log.price", symbol=symbol, price=quote.price, gain=quote.price / held[symbol].entry_price - 1)
        for symbol, quote in bot.price_feed.last_quotes.items()
        if symbol in held and quote.price is not None
    )
    key = "log.checked_prices" if prices else "log.checked"
    log_info("intraday.done", LocalizedText(key, count=len(held), prices=prices))


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
