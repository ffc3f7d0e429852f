"""backtest.py over a year of 150 tokens, beside backtesting.py and backtrader on the same bars, all in one run.

    pip install -r requirements/benchmarks.txt
    python benchmarks/backtest.py [--tokens 150] [--days 365] [--peer-tokens 30]

MarsShot: the whole command in a process of its own, start, reading of both files, scores by a given model and report
included; price checks every 5 minutes on bars of one hour. The peers: the run alone, bars and scores in memory, one
look per bar; on fewer tokens, as they take long. Without the strategy's levers, and as shipped: each lever that is on
is run a second time without it. CPU seconds; a bar is one token's hour; the ratio is MarsShot's bars per CPU second to
the line's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import monotonic, process_time

from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import peer_strategies
from benchmarks.synthetic_bars import FIRST, HOURS, write_bars
from marsshot.backtesting.history.market_history import read_dataset
from marsshot.backtesting.scoring.daily_scores import full_feature_table
from marsshot.backtesting.scoring.walk_forward import training_rows_known_on
from marsshot.config.training_settings import TrainingSection
from marsshot.model.features import FEATURES
from marsshot.model.model_files import save_model

SETTINGS = ("buy_threshold=0.55", "sell_threshold=0.40", "capital_initial=100000")  # dozens of positions at any time
NO_LEVERS = ("max_share_per_token=1",)
# A small process between: a child's peak memory counts from what its parent had at the fork.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Measured:
    """One run."""

    name: str
    bars: int
    cpu: float
    wall: float
    megabytes: float | None = None

    @property
    def per_second(self) -> float:
        """Bars per CPU second."""
        return self.bars / self.cpu


def main() -> int:
    """Measure and print."""
    arguments = _arguments()
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        hourly = write_bars(folder, arguments.tokens, arguments.days)
        _save_model(folder)
        ours = _marsshot(folder, arguments.tokens, arguments.days)
        shipped = _marsshot(folder, arguments.tokens, arguments.days, SETTINGS, ", one lever")
        names = sorted(hourly["symbol"].unique())[: arguments.peer_tokens]
        first = (FIRST - date(1970, 1, 1)).days * 86_400
        inside = hourly["symbol"].isin(names) & (hourly["time"] >= first)
        frames = peer_strategies.bars_by_token(hourly[inside])
        bars = sum(map(len, frames.values()))
        others = [
            _peer("backtesting.py", bars, lambda: peer_strategies.run_backtesting(frames)),
            _peer("backtrader", bars, lambda: peer_strategies.run_backtrader(frames)),
        ]
        _show(
            console,
            f"{arguments.tokens} tokens, {arguments.days} days, bars of one hour",
            [ours, shipped, *others],
            ours,
        )
        grown = [_marsshot(folder, arguments.tokens, arguments.days * part // 3) for part in (1, 2)]
        for part in (1, 2):
            tokens = arguments.tokens * part // 3
            grown.append(_grown_tokens(tokens, arguments.days))
        _show(console, "How it grows: tokens x days", [*grown, ours], ours)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--peer-tokens", type=int, default=30)
    return parser.parse_args()


def _grown_tokens(tokens: int, days: int) -> Measured:
    with tempfile.TemporaryDirectory() as scratch:
        write_bars(Path(scratch), tokens, days)
        _save_model(Path(scratch))
        return _marsshot(Path(scratch), tokens, days)


def _save_model(folder: Path) -> None:
    """Write a forest of the size that train_model.py makes, trained on the days before the span."""
    rows = training_rows_known_on(
        full_feature_table(read_dataset(folder / "daily.csv", None, None, FIRST)), FIRST, TrainingSection()
    )
    forest = RandomForestClassifier(200, min_samples_leaf=15, max_depth=12, class_weight="balanced", random_state=0)
    forest.fit(rows[list(FEATURES)], rows["label"])
    known = {"last_date": str(FIRST - timedelta(days=3)), "label": {"shift_days": 2}}
    save_model(forest, known, folder / "model.pkl")


def _marsshot(
    folder: Path, tokens: int, days: int, settings: Sequence[str] = (*SETTINGS, *NO_LEVERS), kind: str = ""
) -> Measured:
    last = FIRST + timedelta(days=days - 1)
    command = [sys.executable, str(ROOT / "backtest.py"), "--config", str(ROOT / "config.yaml"), "--data", str(folder)]
    command += ["--tokens", "all", "--model", str(folder / "model.pkl"), "--from", str(FIRST), "--to", str(last)]
    command += [part for change in settings for part in ("--set", f"strategy.{change}")]
    begun = monotonic()
    launched = [sys.executable, "-c", LAUNCHER, *command]
    told = subprocess.run(launched, cwd=folder, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own program
    wall = monotonic() - begun
    cpu, peak = map(float, told.stdout.split())
    peak /= 1024 if sys.platform != "darwin" else 1024**2
    return Measured(f"MarsShot {tokens} x {days}{kind}", tokens * days * HOURS, cpu, wall, peak)


def _peer(name: str, bars: int, work: Callable[[], None]) -> Measured:
    cpu, wall = process_time(), monotonic()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        work()
    return Measured(name, bars, process_time() - cpu, monotonic() - wall)


def _show(console: Console, title: str, rows: list[Measured], ours: Measured) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("", "Bars", "CPU s", "Wall s", "MB", "Bars/CPU s", "Ratio"):
        table.add_column(column, justify="right" if column else "left")
    for row in rows:
        memory = "" if row.megabytes is None else f"{row.megabytes:.0f}"
        figures = (f"{row.bars:,}", f"{row.cpu:.1f}", f"{row.wall:.1f}", memory, f"{row.per_second:,.0f}")
        table.add_row(row.name, *figures, f"{ours.per_second / row.per_second:.2f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
