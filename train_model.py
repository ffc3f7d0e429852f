"""Trains the random forest on training_data.csv and writes model.pkl with its report, model.json.

    python train_model.py [--config PATH] [--input PATH] [--output PATH] [--n-iter N] [--jobs N]
                          [--scheduler tcp://...] [--seed N]

Parameters are searched on the past only; the last fifth of the dates is kept out of the search and scored once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import forest_search
from cluster import cluster_threads
from errors import InputError, MarsShotError
from features import FEATURES, has_features
from forest_search import TooLittleDataError
from model_files import save_model
from model_report import model_facts, show
from training_data import read_training_data

MORE_DATA = "make it anew with more: python build_csv.py --days 365"

if TYPE_CHECKING:
    from settings import Settings


class NotTrainedError(MarsShotError):
    """The model could not be made or written. The old files are as they were."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    arguments = _arguments(argv)
    try:
        _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("train_model.py: interrupted; no file was changed\n")
        return 1
    except MarsShotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the model on training_data.csv.")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings (default: config.yaml)")
    parser.add_argument("--input", type=Path, help="rows to learn (default: training_data.csv, with the mode's name)")
    parser.add_argument("--output", type=Path, help="file to write (default: model.pkl, with the mode's name)")
    parser.add_argument("--n-iter", type=int, help="settings of the forest to try (default: training.n_iter)")
    parser.add_argument("--jobs", type=int, help="processor cores to use (default: all)")
    parser.add_argument("--scheduler", help="Dask scheduler to spread the search over, such as tcp://10.0.0.5:8786")
    parser.add_argument("--seed", type=int, default=42, help="the same data and seed give the same model (default: 42)")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> None:
    from config_file import read_settings  # noqa: PLC0415 - --help needs none of it

    settings = read_settings(arguments.config)
    _check_numbers(arguments)
    output = arguments.output or settings.file("model.pkl")
    _check_output(output)
    source = arguments.input or settings.file("training_data.csv")
    data = read_training_data(source)
    complete = has_features(data)
    rows = data[complete.all(axis=1)].reset_index(drop=True)
    try:
        with cluster_threads(arguments.scheduler) as workers:
            train(rows, settings, output, arguments, workers)
    except TooLittleDataError as error:
        empty = ", ".join(name for name in FEATURES if not complete[name].any())
        raise InputError(f"{source}: {error}{f' (none has {empty})' if empty else ''}; {MORE_DATA}") from None
    if len(data) > len(rows):
        gaps = ", ".join(f"{name} {n}" for name, n in (~complete).sum().items() if n)
        sys.stdout.write(f"{len(data) - len(rows)} rows left out, a feature is missing: {gaps}\n")


def train(
    rows: pd.DataFrame, settings: Settings, output: Path, arguments: argparse.Namespace, workers: int | None
) -> None:
    """Search, fit, write the model and its report, and show it.

    Raises MarsShotError or TooLittleDataError; then no file was touched.
    """
    training, jobs = settings.training, arguments.jobs or os.cpu_count() or 1
    candidates = forest_search.draw_candidates(len(rows), arguments.n_iter or training.n_iter, arguments.seed)
    with _bar(candidates, forest_search.cost_of) as advance:
        found = forest_search.find(
            rows,
            label_days=training.shift_days,
            candidates=candidates,
            seed=arguments.seed,
            jobs=jobs,
            workers=workers,
            tell=advance,
        )
        model = forest_search.fit(rows, found.parameters, arguments.seed, jobs)
    facts = model_facts(rows, settings, found, arguments.seed)
    try:
        save_model(model, facts, output)
    except OSError as error:
        raise NotTrainedError(f"{output}: cannot be written ({error.strerror or error})") from None
    show(output, facts)


@contextmanager
def _bar(
    candidates: Sequence[Mapping[str, Any]], cost_of: Callable[[Mapping[str, Any]], float]
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Show candidates and time left while the block runs; yields what tells it of finished candidates."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]} of {task.fields[of]}"))
    # Forests differ in size, so the bar counts work, not candidates; the speed is that of the whole run.
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), speed_estimate_period=1e9) as bar:
        work = sum(map(cost_of, candidates))
        task = bar.add_task("forests tried", total=work, done=0, of=len(candidates))

        def advance(finished: Sequence[Mapping[str, Any]]) -> None:
            done = bar.tasks[0].fields["done"] + len(finished)
            description = "fitting the best" if done == len(candidates) else "forests tried"
            bar.update(task, advance=sum(map(cost_of, finished)), done=done, description=description)

        yield advance


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in ("n_iter", "jobs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')}: {value} is not allowed; it must be 1 or more")
    if not 0 <= arguments.seed < 2**32:
        raise InputError(f"--seed: {arguments.seed} is not allowed; it must be from 0 to 4294967295")


def _check_output(output: Path) -> None:
    if output.is_dir() or output.suffix == ".json":
        raise InputError(f"--output: {output} cannot be the model's name; give a file such as model.pkl")
    if not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        raise InputError(f"--output: nothing can be written in {output.parent}; make the directory first")


if __name__ == "__main__":
    sys.exit(main())
