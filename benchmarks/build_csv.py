"""build_csv.py beside the baseline of doing it, both in one run, on synthetic coins; the network is left out of both.

    pip install -r requirements/benchmarks.txt
    python benchmarks/build_csv.py [--tokens 300] [--days 730] [--repeats 5]

CPU seconds of this process, the best of the repeats of each side, taken in turns. Also counts the requests, and the
minutes that a plan of 10 requests a minute makes them take (on a virtual clock).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import requests
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the program's build_csv, not this file

import build_csv
from benchmarks import baseline_csv
from benchmarks.synthetic_lunarcrush import answer_about
from marsshot.config.loader import read_settings
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.bar_cache import FIELDS
from marsshot.market_data.lunarcrush import LunarCrush
from marsshot.market_data.lunarcrush_parser import bars_from_points, read_answer
from marsshot.model.features import CHANGES, feature_table, labelled

ROOT = Path(build_csv.__file__).parent
NOW = datetime(2026, 1, 2, 1, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
WARM_UP_BARS = 250  # clean bars after which no indicator remembers how it was seeded ...
RELATIVE_TOLERANCE = 1e-6  # ... to this fraction


@dataclass(frozen=True, slots=True)
class Work:
    """What both sides are given: tokens, and LunarCrush's answer about each and about BTC and ETH."""

    tokens: list[str]
    days: int
    answers: Mapping[str, bytes]


def main() -> None:
    """Measure both sides and show them."""
    parser = argparse.ArgumentParser(description="Compare build_csv.py with the baseline.")
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    tokens = [f"T{number:03d}" for number in range(arguments.tokens)]
    names = [*build_csv.MARKET, *tokens]
    end = int(MIDNIGHT.timestamp())
    answers = {name: answer_about(name, arguments.days, end, seed) for seed, name in enumerate(names)}
    work = Work(tokens, arguments.days, answers)
    table = Table(title=f"{arguments.tokens} tokens x {arguments.days} days, CPU seconds", title_justify="left")
    for name in ("", "baseline", "MarsShot", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_that_both_agree(work)
        ours, baseline = our_features(work), baseline_features(work)
        both = best_of(arguments.repeats, baseline, ours)
        add_row(table, "indicators, joins, labels", *both)
        both = best_of(arguments.repeats, lambda: baseline_script(work), lambda: script(work))
        add_row(table, "whole script", *both)
        source, clock = script(work)
    Console().print(table)
    minutes = (clock.now() - NOW).total_seconds() / 60
    sys.stdout.write(f"{source.requests_made} requests, {minutes:.2f} minutes at 10 a minute\n")


def add_row(table: Table, name: str, baseline: float, ours: float) -> None:
    """Add both times and how many times faster ours is."""
    table.add_row(name, f"{baseline:.3f}", f"{ours:.3f}", f"{baseline / ours:.1f}")


def best_of(repeats: int, baseline: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest time of each, taken in turns."""
    times = [(seconds(baseline), seconds(ours)) for _ in range(repeats)]
    return min(time for time, _ in times), min(time for _, time in times)


def seconds(task: Callable[[], object]) -> float:
    """Return the CPU seconds that a task takes."""
    start = process_time()
    task()
    return process_time() - start


def our_features(work: Work) -> Callable[[], pd.DataFrame]:
    """Return the program's own calculation, its input read beforehand."""
    end = np.datetime64(MIDNIGHT.date(), "D")
    bars = {
        name: bars_from_points(name, read_answer(answer)[1], end - work.days, end)
        for name, answer in work.answers.items()
    }
    tokens = {token: bars[token] for token in work.tokens}
    training = read_settings(ROOT / "config.yaml").training
    return lambda: labelled(
        feature_table(tokens, *(bars[name] for name in build_csv.MARKET)), training.shift_days, training.threshold
    )


def baseline_features(work: Work) -> Callable[[], pd.DataFrame]:
    """Return the baseline's calculation, its input read beforehand."""
    frames = {name: baseline_csv.points_as_rows(json.loads(answer)["data"]) for name, answer in work.answers.items()}
    return lambda: baseline_csv.all_rows(frames, work.tokens, build_csv.MARKET)


def baseline_script(work: Work) -> None:
    """Read the answers, calculate, and write the file."""
    frames = {name: baseline_csv.points_as_rows(json.loads(answer)["data"]) for name, answer in work.answers.items()}
    baseline_csv.all_rows(frames, work.tokens, build_csv.MARKET).to_csv("baseline.csv", index=False)


def script(work: Work) -> tuple[LunarCrush, VirtualClock]:
    """Run the whole of build_csv.py but for the network, with an empty cache; return what counts and what waited."""

    def answer(_session: requests.Session, url: str, **_: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response._content = work.answers[url.split("/")[-3]]
        return response

    clock = VirtualClock(NOW)
    with tempfile.TemporaryDirectory() as cache, patch.object(requests.Session, "get", answer):
        source = LunarCrush(
            api_key="key", base_url="http://nowhere", requests_per_minute=10, cache_dir=Path(cache), clock=clock
        )
        with contextlib.redirect_stdout(io.StringIO()):
            build_csv.build(
                source,
                read_settings(ROOT / "config.yaml"),
                work.tokens,
                work.days,
                Path("ours.csv"),
                Console(file=io.StringIO()),
            )
    return source, clock


def check_that_both_agree(work: Work) -> None:
    """Refuse to compare different things: same bars, same labels, same indicators once the seeding is forgotten."""
    ours = our_features(work)().astype({"symbol": "str"}).sort_values(["symbol", "date"], ignore_index=True)
    baseline = baseline_features(work)().merge(ours[["date", "symbol"]], on=["date", "symbol"])
    settled = ours.groupby("symbol").cumcount() >= WARM_UP_BARS
    for name in ("date", "symbol", *FIELDS, "label"):
        if (ours[name] != baseline[name]).any():
            raise SystemExit(f"the two ways differ in {name}: nothing to compare")
    sizes: dict[str, Any] = {"rsi": 100.0, "macd": ours["close"], "atr": ours["close"]} | dict.fromkeys(CHANGES, 1.0)
    for name, size in sizes.items():
        if not ((ours[name] - baseline[name]) / size).abs()[settled].max() < RELATIVE_TOLERANCE:
            raise SystemExit(f"the two ways differ in {name}: nothing to compare")


if __name__ == "__main__":
    main()
