"""`python dashboard.py`: the bot's state in a browser, served by a process of its own that reads the bot's files.

Serves this machine alone unless there is a token. Never writes a file of the bot; its buttons speak through control.py.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from marsshot.commands.script import read_arguments
from marsshot.config.bot_files import CONFIG, DASHBOARD_TOKEN
from marsshot.config.loader import language_of, localized_error, read_settings
from marsshot.config.working_folder import folder_of_config
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError
from marsshot.infra.clock import SystemClock

TOKEN_FILE = Path(DASHBOARD_TOKEN)
PORT = 8377
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # what Docker and Podman put into a container


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit code: 0 done, 1 could not do it, 2 wrong usage, settings or token."""
    chosen = read_arguments(arguments, _parser)
    with folder_of_config(chosen, chosen.config, defaults=(TOKEN_FILE,)) as chosen.config:
        return _exit_code(chosen)


def _exit_code(chosen: argparse.Namespace) -> int:
    try:
        return _new_token(chosen) if chosen.new_token else _serve(chosen)
    except MarsShotError as error:
        print(localized_error(error, chosen.config), file=sys.stderr)  # noqa: T201
        return error.exit_code
    except OSError as error:
        where, why = {"host": chosen.host, "port": str(chosen.port)}, str(error.strerror or error)
        told = catalog_of(language_of(chosen.config)).text("server.fault.not_served", why=why, **where)
        print(told, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(catalog_of(language_of(chosen.config)).text("fault.stopped"), file=sys.stderr)  # noqa: T201
        return 0


def _parser(catalog: Catalog) -> argparse.ArgumentParser:
    def text(option: str, **values: object) -> str:
        return catalog.text(f"script.dashboard.{option}", **values)

    parser = argparse.ArgumentParser(prog="dashboard.py", description=text("description"))
    add, path, address = (
        parser.add_argument,
        catalog.text("script.metavar.path"),
        catalog.text("script.metavar.address"),
    )
    add("--config", metavar=path, type=Path, default=Path(CONFIG), help=catalog.text("script.config"))
    add("--host", metavar=address, default="127.0.0.1", help=text("host"))
    add(
        "--port",
        metavar=catalog.text("script.metavar.n"),
        type=int,
        default=PORT,
        help=text("port", port=str(PORT)),
    )
    add("--public-url", metavar=catalog.text("script.metavar.url"), default="", help=text("public_url"))
    add("--published-on", metavar=address, default="", help=text("published_on"))
    add("--token-file", metavar=path, type=Path, default=TOKEN_FILE, help=text("token_file"))
    add("--new-token", action="store_true", help=text("new_token"))
    return parser


def _new_token(chosen: argparse.Namespace) -> int:
    from marsshot.dashboard.security.access_control import new_token  # noqa: PLC0415 - with what it brings

    token = new_token(chosen.token_file)
    told = catalog_of(language_of(chosen.config)).text("server.new_token", path=chosen.token_file)
    print(f"{told}\n{token}")  # noqa: T201
    return 0


def _serve(chosen: argparse.Namespace) -> int:
    from marsshot.dashboard.security.access_control import build_server_address, read_token  # noqa: PLC0415

    settings = read_settings(chosen.config)
    if not 0 < chosen.port < 65536:  # noqa: PLR2004 - ports are 16 bits
        raise InputError(LocalizedText("server.fault.port", port=str(chosen.port)))
    server_address = build_server_address(
        chosen.host,
        chosen.port,
        read_token(os.environ, chosen.token_file),
        chosen.public_url,
        chosen.published_on,
        in_container=any(mark.exists() for mark in CONTAINER_MARKS),
    )
    try:
        from marsshot.dashboard.server import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(LocalizedText("server.fault.not_installed", file="requirements/dashboard.txt")) from error
    serve(chosen.config, settings, server_address, SystemClock().now)
    return 0


if __name__ == "__main__":
    interruption.run(main)
