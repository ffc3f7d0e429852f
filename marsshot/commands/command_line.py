"""What can be typed after `python main.py`: its commands and their options, with their help in the owner's language."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from marsshot.core.catalog import COMMAND_VARIABLE, SERVER_COMMAND, Language, catalog_of
from marsshot.infra.argparse_texts import argparse_in

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


def read_command_line(given: Sequence[str], language: Language) -> argparse.Namespace:
    """Read what was typed; ends the program where that is the help, or no usage."""
    with argparse_in(language):
        return command_parser(_help_texts(given, language), _metavars(language)).parse_args(given)


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


def command_parser(
    help_text: Callable[[str], str | None], metavar: Callable[[str], str] = str
) -> argparse.ArgumentParser:
    """Return what reads the command line. help_text: gives the text of a key, or none where no help is shown."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", metavar=metavar("PATH"), default=argparse.SUPPRESS, help=help_text("help.option.config")
    )
    running = argparse.ArgumentParser(add_help=False)
    speed = help_text("help.option.speed")
    running.add_argument("--speed", metavar=metavar("DAYS"), type=_speed, default=argparse.SUPPRESS, help=speed)
    text, typed = help_text("help.description"), os.environ.get(COMMAND_VARIABLE, "")
    # deploy/marsshot takes these itself.
    more = help_text("help.on_a_server") if typed == SERVER_COMMAND else None
    parser = argparse.ArgumentParser(prog=typed or "main.py", description=text, epilog=more, parents=[shared, running])
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
