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

from marsshot.config.bot_files import CONFIG, DASHBOARD_TOKEN
from marsshot.config.loader import language_of, localized_error, read_settings
from marsshot.config.working_folder import folder_of_config
from marsshot.core.catalog import catalog_of
from marsshot.core.errors import InputError, MarsShotError
from marsshot.infra.clock import SystemClock

TOKEN_FILE = Path(DASHBOARD_TOKEN)
PORT = 8377
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # what Docker and Podman put into a container
NOT_INSTALLED = "dashboard.py: what it runs on is not installed; run: make dashboard (or: pip install -r {file})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit code: 0 done, 1 could not do it, 2 wrong usage, settings or token."""
    chosen = _parser().parse_args(arguments)
    with folder_of_config(chosen, chosen.config, defaults=(TOKEN_FILE,)) as chosen.config:
        return _exit_code(chosen)


def _exit_code(chosen: argparse.Namespace) -> int:
    try:
        return _new_token(chosen.token_file) if chosen.new_token else _serve(chosen)
    except MarsShotError as error:
        print(localized_error(error, chosen.config), file=sys.stderr)  # noqa: T201
        return error.exit_code
    except OSError as error:
        print(f"{chosen.host}:{chosen.port}: cannot be served ({error.strerror or error})", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(catalog_of(language_of(chosen.config)).text("fault.stopped"), file=sys.stderr)  # noqa: T201
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dashboard.py", description="Shows the bot's state in a browser.")
    parser.add_argument("--config", metavar="PATH", type=Path, default=Path(CONFIG), help="the settings")
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve (default: this machine alone)")
    parser.add_argument("--port", type=int, default=PORT, help=f"the port to serve (default: {PORT})")
    parser.add_argument("--public-url", metavar="URL", default="", help="https://name, where a proxy shows the page")
    parser.add_argument(
        "--published-on",
        metavar="ADDRESS",
        default="",
        help="in a container: the loopback address of the machine around it at which the port is published",
    )
    parser.add_argument("--token-file", metavar="PATH", type=Path, default=TOKEN_FILE, help="where the token stands")
    parser.add_argument("--new-token", action="store_true", help="make a token in that file, and show it once")
    return parser


def _new_token(path: Path) -> int:
    from marsshot.dashboard.security.access_control import new_token  # noqa: PLC0415 - with what it brings

    token = new_token(path)
    print(f"The token, which also stands in {path}:\n{token}")  # noqa: T201
    return 0


def _serve(chosen: argparse.Namespace) -> int:
    from marsshot.dashboard.security.access_control import build_server_address, read_token  # noqa: PLC0415

    settings = read_settings(chosen.config)
    if not 0 < chosen.port < 65536:  # noqa: PLR2004 - ports are 16 bits
        raise InputError(f"--port {chosen.port}: a number from 1 to 65535 is needed")
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
        raise InputError(NOT_INSTALLED.format(file="requirements/dashboard.txt")) from error
    serve(chosen.config, settings, server_address, SystemClock().now)
    return 0


if __name__ == "__main__":
    interruption.run(main)
