"""train_model.py on this machine and on a Dask cluster of worker processes on it, both with two cores, in one run.

    pip install -r requirements/distributed.txt
    python benchmarks/scaling.py [--rows 5000 20000 54000] [--n-iter 8]

As many cores on both sides, so the difference is what the cluster costs: connecting, sending, waiting for each other.
Rows are random numbers: only the time is of interest. Loopback stands for the network, which is the best case.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
import psutil
from distributed import Client, LocalCluster
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import train_model
from marsshot.infra.csv_text import csv_text
from marsshot.model.features import FEATURES, RATIOS

ROOT = Path(train_model.__file__).parent
CORES = 2
TOKENS = 150
COLUMNS = (*FEATURES, *RATIOS)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took: seconds on the clock, and CPU seconds of all its processes."""

    wall: float
    cpu: float


def main() -> None:
    """Measure each size on both sides and show the figures."""
    parser = argparse.ArgumentParser(description="Compare train_model.py with and without a cluster.")
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 20_000, 54_000])
    parser.add_argument("--n-iter", type=int, default=8)
    arguments = parser.parse_args()
    table = Table(title=f"train_model.py --n-iter {arguments.n_iter}, {CORES} cores, seconds", title_justify="left")
    for name in ("rows", "sent, MB", "here", "CPU", "cluster", "CPU", "the cluster costs", "same model"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as (scheduler, workers):
        os.chdir(folder)
        Path("config.yaml").write_text((ROOT / "config.yaml").read_text())
        for rows in arguments.rows:
            Path("rows.csv").write_bytes(csv_text(some_rows(rows)))
            common = ["--input", "rows.csv", "--n-iter", str(arguments.n_iter)]
            here = run([*common, "--output", f"here{rows}.pkl", "--jobs", str(CORES)], [])
            there = run([*common, "--output", f"there{rows}.pkl", "--scheduler", scheduler], workers)
            same = Path(f"here{rows}.pkl").read_bytes() == Path(f"there{rows}.pkl").read_bytes()
            figures = (here.wall, here.cpu, there.wall, there.cpu, there.wall - here.wall)
            sent = rows * (len(COLUMNS) + 3) * 8 / 1e6  # and the label, and two weights
            table.add_row(f"{rows}", f"{sent:.1f}", *(f"{value:.1f}" for value in figures), "yes" if same else "NO")
    Console().print(table)


def some_rows(count: int) -> pd.DataFrame:
    """Return a training table of that size, its label leaning on one column."""
    random = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=-(-count // TOKENS)).as_unit("us").repeat(TOKENS)[:count]
    rows = pd.DataFrame({"date": days, "symbol": [f"T{number % TOKENS}" for number in range(count)]})
    rows = rows.assign(**{name: random.uniform(1, 2, count) for name in ("open", "high", "low", *COLUMNS)})
    return rows.assign(label=(random.random(count) < 0.1 * rows["rsi"]).astype(int))


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Start a scheduler and one worker process per core; yield the address and the processes."""
    with LocalCluster(n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1", scheduler_port=0) as scheduler:
        address = str(scheduler.scheduler_address)
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        command += ["--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        workers = [psutil.Popen(command, **quiet) for _ in range(CORES)]
        try:
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(CORES, timeout=60)
            yield address, workers
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def run(arguments: Sequence[str], workers: Sequence[psutil.Process]) -> Cost:
    """Run train_model.py; the CPU seconds of the workers count as well."""
    before, start = sum(map(cpu_of, workers)), monotonic()
    command = [sys.executable, str(ROOT / "train_model.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"train_model.py {' '.join(arguments)} failed")
    cpu = used.ru_utime + used.ru_stime + sum(map(cpu_of, workers)) - before
    return Cost(monotonic() - start, cpu)


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
