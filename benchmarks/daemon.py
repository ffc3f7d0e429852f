"""The daemon at rest: what `python main.py` in live mode costs a small server.

    python benchmarks/daemon.py [--positions 50] [--rest-seconds 60] [--loops 10000]

The real program in a process of its own, once for each exchange, against the stub market in another. Memory is what
Linux says of the process between two checks, in MB of a million bytes: resident, and its share (Pss: what other
processes use as well is counted in part). The baseline, in the same run: a process that has imported what such a bot
imports, and the same with its model loaded. Takes about six minutes, most of them the ten thousand loops.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
MAIN = str(ROOT / "main.py")
sys.path.insert(0, str(ROOT))

from benchmarks.stub_market import StubMarket, now, settings_text, token_names  # noqa: E402 - after the path
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName  # noqa: E402

BASELINE_IMPORTS = "import requests, binance.client, pandas, ta, joblib, logging, json, threading"
BASELINE_MODEL = f"{BASELINE_IMPORTS}, sklearn.ensemble; model = joblib.load('model.pkl'); import numpy; "
BASELINE_MODEL += (
    "model.predict_proba(pandas.DataFrame([[1.0] * model.n_features_in_], columns=model.feature_names_in_))"
)


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description="Measure the daemon at rest.")
    parser.add_argument("--positions", type=int, default=50)
    parser.add_argument("--rest-seconds", type=float, default=60)
    parser.add_argument("--loops", type=int, default=10_000)
    parser.add_argument("--loops-here", metavar="SETTINGS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loops_here:
        loops_here(Path(arguments.loops_here), arguments.loops)
        return
    with tempfile.TemporaryDirectory() as folder, StubMarket(arguments.positions, 366) as market:
        os.chdir(folder)
        put_model()
        show_resting_cost(market, arguments.positions, arguments.rest_seconds)
        stops(market, arguments.positions)
        show_memory_after_loops(market, arguments.loops)


def put_model() -> None:
    """Write a model, in a process of its own: what it needs is not this one's to carry."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path\n"
        "from benchmarks.daily_update import a_forest, save_model\n"
        "save_model(a_forest(300), {'trained': 'on synthetic rows'}, Path('model.pkl'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own


@contextmanager
def daemon(
    market: StubMarket,
    positions: int,
    exchange: ExchangeName = "binance",
    *,
    pass_done: bool,
    program: Sequence[str] = (MAIN,),
    **strategy: object,
) -> Iterator[psutil.Popen]:
    """Run main.py, or another program for Python, in a fresh folder; yield its process."""
    from benchmarks.price_check import book_of  # noqa: PLC0415 - brings the bot's rooms
    from marsshot.portfolio.serialization import book_to_json  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder, done = Path(name), now().date() if pass_done else date(2020, 1, 1)
        (folder / "config.yaml").write_text(settings_text(market, token_names(positions), exchange, **strategy))
        (folder / "bot_state.json").write_text(book_to_json(book_of(positions, exchange, done_until=done)))
        for file in ("model.pkl", "model.json"):
            (folder / file).write_bytes(Path(file).read_bytes())
        output = (folder / "output").open("w")
        process = psutil.Popen([sys.executable, *program], cwd=folder, stdout=output, stderr=output)
        try:
            yield process
        finally:
            if process.is_running():
                process.kill()
                process.wait()
            output.close()


def megabytes(process: psutil.Process) -> tuple[float, float]:
    """Return resident memory and share."""
    memory = process.memory_full_info()
    return memory.rss / 1e6, memory.pss / 1e6


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of the process itself so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something is so."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            raise SystemExit("waited in vain")
        sleep(0.02)


def request_count(market: StubMarket, service: str) -> int:
    """Return how many requests a service has had."""
    return market.requests().get(service, 0)


# --------------------------------------------------------------------------- at rest


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingCost:
    """What one exchange's daemon takes: MB as megabytes() returns them, CPU seconds, per cent, processes."""

    no_pass: tuple[float, float]
    after_pass: tuple[float, float]
    start: float
    resting: float
    children: int


def resting_cost(market: StubMarket, positions: int, exchange: ExchangeName, seconds: float) -> RestingCost:
    """Return start, memory before and after a daily pass, and what resting costs."""
    before = request_count(market, "coinbase")
    with daemon(market, positions, exchange, pass_done=False, check_interval_seconds=30) as process:
        until(lambda: request_count(market, "coinbase") > before)
        start = cpu_seconds(process)
        until(lambda: "daily.done" in log_of(process), seconds=300)
        sleep(3)
        used = cpu_seconds(process)
        sleep(seconds)
        resting = (cpu_seconds(process) - used) / seconds * 100
        after_pass = megabytes(process)
        children = len(process.children(recursive=True))
    before = request_count(market, "coinbase")
    with daemon(market, positions, exchange, pass_done=True) as process:
        until(lambda: request_count(market, "coinbase") >= before + positions)
        sleep(3)
        no_pass = megabytes(process)
    return RestingCost(no_pass=no_pass, after_pass=after_pass, start=start, resting=resting, children=children)


def show_resting_cost(market: StubMarket, positions: int, seconds: float) -> None:
    """Show what the daemon takes at either exchange, beside what such a bot takes in the usual way."""
    costs = [resting_cost(market, positions, exchange, seconds) for exchange in EXCHANGE_FACTS]
    imported, loaded = baseline_memory(BASELINE_IMPORTS), baseline_memory(BASELINE_MODEL)
    table = Table(title=f"main.py, live mode, {positions} positions", title_justify="left")
    for name in ("", *(facts.name for facts in EXCHANGE_FACTS.values()), "baseline"):
        table.add_column(name, justify="right" if name else "left")
    for name, kind, part, baseline in (
        ("resident before the first daily pass, MB", "no_pass", 0, imported),
        ("its share (Pss), MB", "no_pass", 1, imported),
        ("resident between two passes, MB", "after_pass", 0, loaded),
        ("its share (Pss), MB", "after_pass", 1, loaded),
    ):
        table.add_row(name, *(f"{getattr(one, kind)[part]:.1f}" for one in costs), f"{baseline[part]:.1f}")
    table.add_row("processes left by the pass", *(f"{one.children}" for one in costs), "")
    table.add_row("start to first check, CPU seconds", *(f"{one.start:.2f}" for one in costs), "")
    resting = f"resting, a check every 30 s, CPU % over {seconds:.0f} s"
    table.add_row(resting, *(f"{one.resting:.3f}" for one in costs), "")
    Console().print(table)


def log_of(process: psutil.Process) -> str:
    """Return the bot's log so far."""
    log = Path(process.cwd()) / "bot.log"
    return log.read_text() if log.exists() else ""


def baseline_memory(code: str) -> tuple[float, float]:
    """Return the memory of a process that has run this code."""
    command = [sys.executable, "-c", f"{code}; print(flush=True); import time; time.sleep(60)"]
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        process.stdout.readline()
        return megabytes(process)
    finally:
        process.kill()
        process.wait()


# --------------------------------------------------------------------------- stopping


def stops(market: StubMarket, positions: int) -> None:
    """Show how long SIGTERM takes to end the process, whatever it is about."""
    table = Table(title="SIGTERM to exit", title_justify="left")
    for name in ("while", "seconds", "exit code"):
        table.add_column(name, justify="right" if name != "while" else "left")
    cases: dict[str, Callable[[], tuple[bool, Callable[[psutil.Process], bool]]]] = {
        "it rests": lambda: (True, lambda process: request_count(market, "coinbase") >= before + positions),
        "neither venue answers for prices": lambda: (
            hang_services(market, "coinbase", "binance"),
            lambda process: request_count(market, "coinbase") > before,
        ),
        "Binance answers nothing, at the start": lambda: (
            hang_binance(market),
            lambda process: request_count(market, "binance") > before_at_binance,
        ),
        "Binance has asked for silence": lambda: (
            refused(market),
            lambda process: "asked to wait" in log_of(process) or "429" in log_of(process),
        ),
        "the scoring child works": lambda: (
            not hang_services(market, "lunarcrush"),
            lambda process: bool(process.children()),
        ),
    }
    for name, prepare in cases.items():
        before, before_at_binance = request_count(market, "coinbase"), request_count(market, "binance")
        pass_done, is_there = prepare()
        with daemon(market, positions, pass_done=pass_done) as process:
            until(lambda is_there=is_there, process=process: is_there(process))  # type: ignore[misc]
            sleep(1)
            begun = monotonic()
            process.terminate()
            code = process.wait(60)
            table.add_row(name, f"{monotonic() - begun:.2f}", f"{code}")
        market.heal()
    Console().print(table)


def hang_services(market: StubMarket, *services: str) -> bool:
    """Let these services answer no question for prices or histories; say that the day's pass counts as done."""
    for service in services:
        market.hang(service, "ticker/price" if service == "binance" else "GET")
    return True


def hang_binance(market: StubMarket) -> bool:
    """Let Binance answer nothing at all; say that the day's pass counts as done."""
    market.hang("binance", "/api/v3/")
    return True


def refused(market: StubMarket) -> bool:
    """Let Binance ask for ten minutes of silence; say that the day's pass counts as done."""
    market.refuse("ticker/price", 429, {"Retry-After": "600"})
    return True


# --------------------------------------------------------------------------- ten thousand loops


def show_memory_after_loops(market: StubMarket, loops: int) -> None:
    """Show what a process holds after so many loops, each with a check of its positions over the wire."""
    # Seconds between two checks: ten thousand of them end before the next daily pass.
    Path("loops.yaml").write_text(settings_text(market, token_names(4), check_interval_seconds=1))
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "daemon.py"),
        "--loops-here",
        "loops.yaml",
        "--loops",
        str(loops),
    ]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this file
    table = Table(title=f"{loops} loops, a check of 4 positions in each", title_justify="left")
    for name in ("after", "resident MB", "threads", "files", "Python objects"):
        table.add_column(name, justify="right")
    for line in found.stdout.splitlines():
        table.add_row(*(str(value) for value in json.loads(line)))
    Console().print(table)


def loops_here(config: Path, loops: int) -> None:
    """Let the bot loop, its time running ahead; print what the process holds at the first loops and then ten times."""
    import gc  # noqa: PLC0415 - of the child alone

    from benchmarks.price_check import book_of  # noqa: PLC0415
    from marsshot.bot.bootstrap import open_bot  # noqa: PLC0415
    from marsshot.bot.loop import loop  # noqa: PLC0415
    from marsshot.config.loader import read_settings  # noqa: PLC0415
    from marsshot.infra.clock import VirtualClock  # noqa: PLC0415
    from marsshot.portfolio.serialization import book_to_json  # noqa: PLC0415

    os.chdir(config.parent)
    Path("bot_state.json").write_text(book_to_json(book_of(4)))
    process, done = psutil.Process(), 0

    def note() -> bool:
        nonlocal done
        done += 1
        if done == loops // 100 or done % (loops // 10) == 0:
            gc.collect()
            held: tuple[Any, ...] = (process.num_threads(), process.num_fds(), len(gc.get_objects()))
            sys.stdout.write(json.dumps([done, f"{process.memory_info().rss / 1e6:.1f}", *held]) + "\n")
        return done < loops

    with open_bot(
        read_settings(config),
        VirtualClock(now()),
        console=None,
        config=config,
        apply_overrides=lambda changed: changed,
        one_shot=True,
    ) as run:
        run.bot.start()
        loop(run.bot, run.reload_settings, note)


if __name__ == "__main__":
    main()
