"""The demo with and without the price checks that provably change nothing, in one run: CPU seconds and their ratio.

    python benchmarks/demo.py [--days 92] [--model model.demo.pkl]

Both sides in processes of their own, market included, as `python main.py` runs them. Ends with 1 where the trades or
the equity curve differ, or where skipping saves less than six times. Without a model one is fitted first, not measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
LEAST_RATIO = 6.0
RESULTS = ("trades.demo.csv", "equity.demo.csv")
ONE_SIDE = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from marsshot.bot import environment
from marsshot.config.loader import read_settings
from marsshot.demo import demo
environment.DEMO_DAYS = demo.DEMO_DAYS = {days}
config = Path("config.yaml")
sys.exit(demo.run_demo(read_settings(config), config, skip_unchanged_checks={skip}))
"""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side took, and what came of it: seconds on the clock, CPU seconds of all its processes, its files."""

    wall: float
    cpu: float
    results: tuple[list[str], ...]


def main() -> int:
    """Measure both sides and show the figures."""
    parser = argparse.ArgumentParser(description="Compare the demo with and without the checks that change nothing.")
    parser.add_argument("--days", type=int, default=92)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "config.yaml", folder)
        _put_model(folder, arguments.model)
        sides = {skip: _run(folder, arguments.days, skip=skip) for skip in (True, False)}
    ratio = sides[False].cpu / sides[True].cpu
    same = sides[False].results == sides[True].results
    table = Table(title=f"{arguments.days} days of the demo", title_justify="left")
    for column in ("price checks", "seconds", "CPU seconds"):
        table.add_column(column, justify="right")
    for skip, text in ((False, "all"), (True, "those that may change something")):
        table.add_row(text, f"{sides[skip].wall:.1f}", f"{sides[skip].cpu:.1f}")
    console = Console()
    console.print(table)
    console.print(f"{ratio:.1f} times less CPU; trades and equity curve {'the same' if same else 'DIFFER'}")
    return 0 if same and ratio >= LEAST_RATIO else 1


def _put_model(folder: Path, model: Path | None) -> None:
    if model is not None:
        for ending in (".pkl", ".json"):
            shutil.copy(model.with_suffix(ending), folder / f"model.demo{ending}")
        return
    for script in (["build_csv.py"], ["train_model.py", "--n-iter", "3"]):
        command = [sys.executable, str(ROOT / script[0]), *script[1:]]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - our own scripts


def _run(folder: Path, days: int, *, skip: bool) -> Side:
    code = ONE_SIDE.format(root=str(ROOT), days=days, skip=skip)
    before, begun = _cpu_of_children(), monotonic()
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - our own code
    wall, cpu = monotonic() - begun, _cpu_of_children() - before
    return Side(wall, cpu, tuple(_without_ids(folder / name) for name in RESULTS))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _without_ids(path: Path) -> list[str]:
    """Return the lines up to the client order id, which names the moment of the run."""
    return [",".join(line.split(",")[:9]) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
