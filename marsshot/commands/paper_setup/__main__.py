"""`make paper`: from a clone to a bot that trades on paper on today's market, without a key; a second one goes on.

    python -m marsshot.commands.paper_setup

Settings, data, model, dashboard and bot, in this order; each is made by the command that one would type.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from marsshot.commands.paper_setup.settings_file import paper_config
from marsshot.commands.paper_setup.token_search import listed_at_binance, search_tokens
from marsshot.config.bot_files import CONFIG, MODEL, TRAINING_DATA, file_in_mode, report_path
from marsshot.config.loader import language_of, localized_error, read_settings
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError, TemporaryError
from marsshot.infra.atomic_files import replace_file
from marsshot.infra.child_processes import PROJECT, module_environment
from marsshot.infra.clock import Clock, SystemClock
from marsshot.market_data.binance_public import BinancePublic
from marsshot.model.integrity import read_verified, refuse_other_source

PAPER_CONFIG = Path("config.paper.yaml")
MAX_CLOCK_ERROR = timedelta(seconds=60)
FIRST_PORT, PORTS = 8377, 20
DASHBOARD_END_SECONDS = 10.0


def main() -> int:
    """Do what is not done yet, then run the bot until it is stopped; return the exit code."""
    clock, console = SystemClock(), Console()
    known = PAPER_CONFIG if PAPER_CONFIG.exists() else Path(CONFIG)
    try:
        settings = _settings(clock, console)
        with _dashboard(console, Catalog(settings.language)):
            return _prepare_model(settings) or _run("main.py")
    except KeyboardInterrupt:
        console.print(catalog_of(language_of(known)).text("paper.stopped"), highlight=False)
        return 1
    except MarsShotError as error:
        print(localized_error(error, known), file=sys.stderr)  # noqa: T201
        return error.exit_code


# --------------------------------------------------------------------------- settings


def _settings(clock: Clock, console: Console) -> Settings:
    """Return the settings of config.paper.yaml, which is made if there is none. Raises MarsShotError."""
    is_new = not PAPER_CONFIG.exists()
    changes = {"mode": "paper", "data_source": "binance"}
    settings = read_settings(Path(CONFIG), changes) if is_new else read_settings(PAPER_CONFIG)
    if settings.mode != "paper":
        raise InputError(LocalizedText("paper.other_mode", path=PAPER_CONFIG, mode=settings.mode))
    public = BinancePublic(settings.binance_api.data_url)
    _refuse_wrong_clock(public, clock)
    if not is_new:
        return settings
    catalog = Catalog(settings.language)
    tokens = search_tokens(listed_at_binance(public, settings.quote_asset), settings, clock, console)
    text = Path(CONFIG).read_text(encoding="utf-8")
    day = clock.now().date()
    replace_file(PAPER_CONFIG, paper_config(text, tokens, day, settings.binance_api.data_url).encode())
    facts = {"path": PAPER_CONFIG, "count": len(tokens), "tokens": tuple(tokens[:5])}
    console.print(catalog.text("paper.chosen", **facts), highlight=False)
    return read_settings(PAPER_CONFIG)


def _refuse_wrong_clock(public: BinancePublic, clock: Clock) -> None:
    """Raise an error where Binance cannot be asked, or this machine's clock is wrong: its days would be others."""
    answer = public.content("/api/v3/time")
    try:
        told = datetime.fromtimestamp(answer["serverTime"] / 1000, clock.now().tzinfo)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise TemporaryError(LocalizedText("paper.no_time")) from None
    ahead = clock.now() - told
    if abs(ahead) > MAX_CLOCK_ERROR:
        raise InputError(LocalizedText("paper.clock", seconds=f"{ahead.total_seconds():+.0f}"))


# --------------------------------------------------------------------------- data and model


def _prepare_model(settings: Settings) -> int:
    """Make data and model where there is no model that fits; return the exit code of what failed."""
    model = settings.file(MODEL)
    with suppress(InputError):
        refuse_other_source(model, read_verified(model)[1], settings.data_source)
        return 0
    if not settings.file(TRAINING_DATA).exists() and (code := _run("build_csv.py")):
        return code
    return _run("train_model.py")


def _run(script: str) -> int:
    """Run one of the scripts with these settings, in the foreground; return its exit code.

    Ctrl-C reaches the script as well: it says what there is to say, and how it ended.
    """
    process = subprocess.Popen(_command(script), env=module_environment())  # noqa: S603 - our own script
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait()


def _command(script: str, *options: str) -> list[str]:
    return [sys.executable, str(PROJECT / script), "--config", str(PAPER_CONFIG), *options]


# --------------------------------------------------------------------------- the dashboard


@contextmanager
def _dashboard(console: Console, catalog: Catalog) -> Iterator[None]:
    """Serve the dashboard while the block runs, and say where first of all."""
    port = _free_port()
    if port is None:
        console.print(catalog.text("paper.no_port", first=str(FIRST_PORT)), highlight=False)
        yield
        return
    address = f"http://127.0.0.1:{port}"
    report = report_path(file_in_mode(MODEL, "paper"))
    for key in ("paper.heading", "paper.report", "paper.ends"):
        console.print(catalog.text(key, address=address, report=report), highlight=False, soft_wrap=True)
    process = subprocess.Popen(  # noqa: S603 - our own script
        _command("dashboard.py", "--port", str(port)), env=module_environment(), stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(DASHBOARD_END_SECONDS)


def _free_port() -> int | None:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    return None


if __name__ == "__main__":
    sys.exit(main())
