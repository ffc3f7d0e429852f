"""How check and daily pass grow with the number of positions and tokens: seconds, memory, and a picture of both.

    python benchmarks/growth.py [--positions 63 125 250 500] [--tokens 125 250 500 1000] [--picture growth.png]

The check: the real bot over the wire, 0.1 seconds an answer. The pass: scores of all tokens with nothing cached, on a
virtual clock, network and disk left out. Each size in a process of its own. Memory of a check: the bot with all that it
holds; of a pass: what it adds to the process that scores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, process_time

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

Row = list[float]


def main() -> None:
    """Measure each size, show the figures, draw the picture."""
    parser = argparse.ArgumentParser(description="Show how check and daily pass grow.")
    parser.add_argument("--positions", type=int, nargs="+", default=[63, 125, 250, 500])
    parser.add_argument("--tokens", type=int, nargs="+", default=[125, 250, 500, 1000])
    parser.add_argument("--picture", type=Path, default=Path("growth.png"))
    parser.add_argument("--here", choices=("check", "pass"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        figures = a_check(arguments.positions[0]) if arguments.here == "check" else a_pass(arguments.tokens[0])
        sys.stdout.write(json.dumps(figures))
        return
    checks = [measured("check", "--positions", count) for count in arguments.positions]
    passes = [measured("pass", "--tokens", count) for count in arguments.tokens]
    show("A check, 0.1 s per answer", "positions", arguments.positions, checks)
    show("A daily pass, nothing cached, without waiting", "tokens", arguments.tokens, passes)
    draw(arguments.picture, (arguments.positions, checks), (arguments.tokens, passes))


def measured(what: str, option: str, count: int) -> Row:
    """Return the figures of one size, measured in a process of its own."""
    command = [sys.executable, __file__, "--here", what, option, str(count)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this file
    figures: Row = json.loads(found.stdout)
    return figures


def show(title: str, unit: str, sizes: Sequence[int], rows: Sequence[Row]) -> None:
    """Print a table, the share of one token included: where it stays the same, growth is linear."""
    table = Table(title=title, title_justify="left")
    for name in (unit, "seconds", "CPU seconds", "CPU ms each", "memory, MB"):
        table.add_column(name, justify="right")
    for size, (seconds, cpu, memory) in zip(sizes, rows, strict=True):
        table.add_row(f"{size}", f"{seconds:.2f}", f"{cpu:.2f}", f"{cpu / size * 1000:.2f}", f"{memory:.0f}")
    Console().print(table)


def a_check(positions: int) -> Row:
    """Return seconds, CPU seconds and peak memory of one check."""
    from benchmarks.price_check import a_bot  # noqa: PLC0415 - of this process alone
    from benchmarks.stub_market import StubMarket  # noqa: PLC0415

    with StubMarket(positions) as market, a_bot(market, positions) as bot:
        bot.intraday_check()
        market.slow(coinbase=0.1, binance=0.1)
        reset_peak_memory()
        begun, cpu = monotonic(), process_time()
        bot.intraday_check()
        return [monotonic() - begun, process_time() - cpu, peak_megabytes()]


def a_pass(tokens: int) -> Row:
    """Return seconds, CPU seconds and peak memory of one pass, a first and small one having warmed everything up."""
    from benchmarks.daily_update import MEMORY, NOW, a_forest, one_pass, some_work  # noqa: PLC0415
    from benchmarks.stub_market import settings_text, token_names, unreachable_market  # noqa: PLC0415
    from marsshot.model.model_files import save_model  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        save_model(a_forest(100), {"trained": "on synthetic rows"}, Path("model.pkl"))
        Path("config.yaml").write_text(settings_text(unreachable_market(), token_names(tokens)))
        seconds = []
        for count in (10, tokens):
            work = some_work(count, 365)
            held, begun = reset_peak_memory(), monotonic()
            with tempfile.TemporaryDirectory(dir=MEMORY) as cache:
                cpu = one_pass(work, NOW, cache)
            seconds.append(monotonic() - begun)
        return [seconds[-1], cpu, peak_megabytes() - held]


def reset_peak_memory() -> float:
    """Let the peak begin anew; return what the process holds now, in MB of a million bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_megabytes() -> float:
    """Return the most memory that this process has held since, in MB of a million bytes."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024 / 1e6


def draw(path: Path, *groups: tuple[Sequence[int], Sequence[Row]]) -> None:
    """Draw seconds and memory of both over their sizes."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - not of the processes that are measured

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    names = (("positions in a check", 0, "seconds"), ("tokens in a daily pass", 1, "CPU seconds"))
    for axis, (sizes, rows), (name, column, label) in zip(axes, groups, names, strict=True):
        axis.plot(sizes, [row[column] for row in rows], "o-", color="#2563eb", label=label)
        axis.set(xlabel=name, ylabel=label, xlim=(0, None), ylim=(0, None))
        memory = axis.twinx()
        memory.plot(sizes, [row[2] for row in rows], "s--", color="#b45309", label="memory, MB")
        memory.set(ylabel="MB", ylim=(0, None))
        axis.legend(handles=[*axis.get_lines(), *memory.get_lines()], loc="lower right", frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
