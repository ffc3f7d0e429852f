"""The daemon at rest: what `python main.py` in live mode costs a small server.

    python benchmarks/daemon.py [--positions 50] [--rest-seconds 60] [--loops 10000]

The real program in a process of its own, against the stand-in market in another. Memory is what Linux says of the
process between two checks, in MB of a million bytes: resident, and its share (Pss: what other processes use as well is
counted in part). The usual way, in the same run: a process that has imported what such a bot imports, and the same with
its model loaded. Takes about four minutes, most of them the ten thousand loops.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.stand_in import StandIn, now, settings_text, token_names  # noqa: E402 - after the path

USUAL_IMPORTS = "import requests, binance.client, pandas, ta, joblib, logging, json, threading"
USUAL_MODEL = f"{USUAL_IMPORTS}, sklearn.ensemble; model = joblib.load('model.pkl'); import numpy; "
USUAL_MODEL += "model.predict_proba(pandas.DataFrame([[1.0] * model.n_features_in_], columns=model.feature_names_in_))"


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
    with tempfile.TemporaryDirectory() as folder, StandIn(arguments.positions, 366) as market:
        os.chdir(folder)
        put_model()
        at_rest(market, arguments.positions, arguments.rest_seconds)
        stops(market, arguments.positions)
        many_loops(market, arguments.loops)


def put_model() -> None:
    """Write a model, in a process of its own: what it needs is not this one's to carry."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path\n"
        "from benchmarks.daily_pass import a_forest, save_model\n"
        "save_model(a_forest(300), {'trained': 'on made-up rows'}, Path('model.pkl'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own


@contextmanager
def daemon(market: StandIn, positions: int, *, pass_done: bool, **strategy: object) -> Iterator[psutil.Popen]:
    """Run main.py in a fresh folder; yield its process."""
    from benchmarks.price_check import book_of  # noqa: PLC0415 - brings the bot's rooms
    from marsshot.portfolio.serialization import book_to_json  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder, done = Path(name), now().date() if pass_done else date(2020, 1, 1)
        (folder / "config.yaml").write_text(settings_text(market, token_names(positions), **strategy))
        (folder / "bot_state.json").write_text(book_to_json(book_of(positions, done_until=done)))
        for file in ("model.pkl", "model.json"):
            (folder / file).write_bytes(Path(file).read_bytes())
        output = (folder / "output").open("w")
        process = psutil.Popen([sys.executable, str(ROOT / "main.py")], cwd=folder, stdout=output, stderr=output)
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


def until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something is so."""
    end = monotonic() + seconds
    while not is_so():
        if monotonic() > end:
            raise SystemExit("waited in vain")
        sleep(0.02)


def asked(market: StandIn, service: str) -> int:
    """Return how many requests a service has had."""
    return market.requests().get(service, 0)


# --------------------------------------------------------------------------- at rest


def at_rest(market: StandIn, positions: int, seconds: float) -> None:
    """Show start, memory before and after a daily pass, and what resting costs."""
    before = asked(market, "coinbase")
    with daemon(market, positions, pass_done=False, check_interval_seconds=30) as process:
        until(lambda: asked(market, "coinbase") > before)
        start = cpu_seconds(process)
        until(lambda: "daily.done" in (log_of(process)))
        sleep(3)
        used = cpu_seconds(process)
        sleep(seconds)
        resting = (cpu_seconds(process) - used) / seconds * 100
        after_pass = megabytes(process)
        children = len(process.children(recursive=True))
    with daemon(market, positions, pass_done=True) as process:
        before = asked(market, "coinbase")
        until(lambda: asked(market, "coinbase") >= before + positions)
        sleep(3)
        no_pass = megabytes(process)
    table = Table(title=f"main.py, live mode, {positions} positions", title_justify="left")
    for name in ("", "MarsShot", "usual way", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    imported, loaded = usual_memory(USUAL_IMPORTS), usual_memory(USUAL_MODEL)
    row(table, "resident before the first daily pass, MB", no_pass[0], imported[0])
    row(table, "its share (Pss), MB", no_pass[1], imported[1])
    row(table, "resident between two passes, MB", after_pass[0], loaded[0])
    row(table, "its share (Pss), MB", after_pass[1], loaded[1])
    table.add_row("processes left by the pass", f"{children}", "", "")
    table.add_row("start to first check, CPU seconds", f"{start:.2f}", "", "")
    table.add_row(f"resting, a check every 30 s, CPU % over {seconds:.0f} s", f"{resting:.3f}", "", "")
    Console().print(table)


def row(table: Table, name: str, ours: float, usual: float) -> None:
    """Add both sides."""
    table.add_row(name, f"{ours:.1f}", f"{usual:.1f}", f"{usual / ours:.1f}")


def log_of(process: psutil.Process) -> str:
    """Return the bot's log so far."""
    log = Path(process.cwd()) / "bot.log"
    return log.read_text() if log.exists() else ""


def usual_memory(code: str) -> tuple[float, float]:
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


def stops(market: StandIn, positions: int) -> None:
    """Show how long SIGTERM takes to end the process, whatever it is about."""
    table = Table(title="SIGTERM to exit", title_justify="left")
    for name in ("while", "seconds", "exit code"):
        table.add_column(name, justify="right" if name != "while" else "left")
    cases: dict[str, Callable[[], tuple[bool, Callable[[psutil.Process], bool]]]] = {
        "it rests": lambda: (True, lambda process: asked(market, "coinbase") >= before + positions),
        "neither venue answers for prices": lambda: (
            silenced(market, "coinbase", "binance"),
            lambda process: asked(market, "coinbase") > before,
        ),
        "Binance answers nothing, at the start": lambda: (
            mute(market),
            lambda process: asked(market, "binance") > before_at_binance,
        ),
        "Binance has asked for silence": lambda: (
            refused(market),
            lambda process: "asked to wait" in log_of(process) or "429" in log_of(process),
        ),
        "the scoring child works": lambda: (
            not silenced(market, "lunarcrush"),
            lambda process: bool(process.children()),
        ),
    }
    for name, prepare in cases.items():
        before, before_at_binance = asked(market, "coinbase"), asked(market, "binance")
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


def silenced(market: StandIn, *services: str) -> bool:
    """Let these services answer no question for prices or histories; say that the day's pass counts as done."""
    for service in services:
        market.hang(service, "ticker/price" if service == "binance" else "GET")
    return True


def mute(market: StandIn) -> bool:
    """Let Binance answer nothing at all; say that the day's pass counts as done."""
    market.hang("binance", "/api/v3/")
    return True


def refused(market: StandIn) -> bool:
    """Let Binance ask for ten minutes of silence; say that the day's pass counts as done."""
    market.refuse("ticker/price", 429, {"Retry-After": "600"})
    return True


# --------------------------------------------------------------------------- ten thousand loops


def many_loops(market: StandIn, loops: int) -> None:
    """Show what a process holds after so many loops, each with a check of its positions over the wire."""
    Path("loops.yaml").write_text(settings_text(market, token_names(4)))
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
        dress=lambda changed: changed,
        one_shot=True,
    ) as run:
        run.bot.start()
        loop(run.bot, run.take_up, note)


if __name__ == "__main__":
    main()
