"""Trains the random forest on training_data.csv; writes model.pkl, its facts model.json, and model_report.html.

    python train_model.py [--config PATH] [--input PATH] [--output PATH] [--n-iter N] [--jobs N]
                          [--scheduler tcp://...] [--seed N] [--force]

Parameters are searched on the past only; the last fifth of the dates is kept out of the search and scored once. A model
that is clearly worse than the one in use is written beside it as a candidate, and the exit code is 1.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

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

from marsshot.commands.script import run_script
from marsshot.config.bot_files import CONFIG, MODEL, TRAINING_DATA, candidate_path, report_path
from marsshot.core.catalog import CatalogText
from marsshot.core.errors import InputError, MarsShotError
from marsshot.infra.atomic_files import replace_file
from marsshot.market_data.daily_bar_sources import source_kind
from marsshot.model.features import has_features
from marsshot.model.model_files import save_model
from marsshot.model.source_checks import SOCIAL
from marsshot.reporting.model_page import model_page
from marsshot.reporting.model_report import Scales, label_facts, model_facts
from marsshot.reporting.model_table import show
from marsshot.training import forest_search
from marsshot.training.dask_cluster import cluster_threads
from marsshot.training.forest_search import EMBARGO_DAYS, TooLittleDataError
from marsshot.training.forward_returns import with_forward_returns
from marsshot.training.out_of_sample import out_of_sample_scores, score_scale_facts
from marsshot.training.promotion_gate import Comparison, compare_with_old
from marsshot.training.recipes import RECIPES, Recipe
from marsshot.training.relative_label import with_relative_label
from marsshot.training.training_data import read_training_data

MORE_DATA = "make it anew with more: python build_csv.py --days 365"

if TYPE_CHECKING:
    from marsshot.config.settings import Settings


class NotTrainedError(MarsShotError):
    """A file could not be written; the message says which."""


class WorseError(MarsShotError):
    """The new model is clearly worse than the one in use, which stays."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("train_model.py", _run, _arguments(argv))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the model on training_data.csv.")
    parser.add_argument("--config", type=Path, default=Path(CONFIG), help="settings (default: config.yaml)")
    parser.add_argument("--input", type=Path, help="rows to learn (default: training_data.csv, with the mode's name)")
    parser.add_argument("--output", type=Path, help="file to write (default: model.pkl, with the mode's name)")
    parser.add_argument("--n-iter", type=int, help="settings of the forest to try (default: training.n_iter)")
    parser.add_argument("--jobs", type=int, help="processor cores to use (default: all)")
    parser.add_argument("--scheduler", help="Dask scheduler to spread the search over, such as tcp://10.0.0.5:8786")
    parser.add_argument("--seed", type=int, default=42, help="the same data and seed give the same model (default: 42)")
    parser.add_argument("--force", action="store_true", help="replace the old model even if the new one is worse")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> None:
    from marsshot.config.loader import read_settings  # noqa: PLC0415 - --help needs none of it

    settings = read_settings(arguments.config)
    _check_numbers(arguments)
    output = arguments.output or settings.file(MODEL)
    _check_output(output)
    source = arguments.input or settings.file(TRAINING_DATA)
    data = read_training_data(source)
    absent = source_kind(settings).missing_columns
    _refuse_other_source(source, data, settings, absent)
    recipe = RECIPES[settings.training.recipe].for_file(data.columns, absent)
    if absent:
        sys.stdout.write(f"{settings.source_name} has no {', '.join(absent)}: the model is fitted without\n")
    complete = has_features(data, recipe.columns)
    try:
        with cluster_threads(arguments.scheduler) as workers:
            train(data, complete.all(axis=1), recipe, settings, output, arguments, workers)
    except TooLittleDataError as error:
        empty = ", ".join(name for name in complete.columns.astype(str) if not complete[name].any())
        raise InputError(f"{source}: {error}{f' (none has {empty})' if empty else ''}; {MORE_DATA}") from None


def _refuse_other_source(path: Path, data: pd.DataFrame, settings: Settings, absent: Sequence[str]) -> None:
    """Raise InputError if the rows are not of the source that the settings name."""
    scores = data[[name for name in SOCIAL if name in data.columns]].notna().to_numpy()
    if bool(absent) == bool(scores.any()):
        other = "has" if absent else "has not"
        raise InputError(
            f"{path}: {other} the columns {', '.join(SOCIAL)}: these are not the rows of {settings.source_name} "
            "(data_source); make it anew with: python build_csv.py"
        )


def train(
    data: pd.DataFrame,
    complete: pd.Series,
    recipe: Recipe,
    settings: Settings,
    output: Path,
    arguments: argparse.Namespace,
    workers: int | None,
) -> None:
    """Search, fit, compare with the old model, write the model and its report, and show it.

    complete: which rows have all features. Raises MarsShotError or TooLittleDataError; then no file in use was touched.
    """
    training, seed, jobs = settings.training, arguments.seed, arguments.jobs or os.cpu_count() or 1
    features, label_days = recipe.columns, training.label_days
    rows = data[complete].reset_index(drop=True)
    if training.label == "relative":
        rows = with_relative_label(rows)
    candidates = forest_search.draw_candidates(len(rows), arguments.n_iter or training.n_iter, seed, recipe)
    with _bar(candidates, forest_search.estimated_cost) as advance:
        found = forest_search.search_forest(
            rows,
            recipe,
            label_days=label_days,
            candidates=candidates,
            seed=seed,
            jobs=jobs,
            workers=workers,
            on_progress=advance,
        )
        model = forest_search.fit(rows, features, found.parameters, seed, jobs, recipe)
        of_itself = (features, found.parameters, seed, jobs, recipe, label_days)
        scale = score_scale_facts(out_of_sample_scores(rows, *of_itself))
        past_scale = scale
        if settings.strategy.score_scale == "rank":  # the hold-out is ranked by what was known before it
            past_scale = score_scale_facts(out_of_sample_scores(rows.iloc[found.past], *of_itself))
    frame = with_forward_returns(data, rows.iloc[found.future], found.hold_out_scores, label_days)
    gap_days = label_days + EMBARGO_DAYS
    gate = compare_with_old(output, data, frame, label_facts(settings), gap_days, settings.data_source)
    scales = Scales(of_all=scale, of_past=past_scale)
    facts = model_facts(data, rows, settings, found, frame, scales, seed=seed, jobs=jobs)
    _write_outputs(model, facts, gate, output, is_forced=arguments.force)


def _write_outputs(model: Any, facts: dict[str, Any], gate: Comparison, output: Path, *, is_forced: bool) -> None:
    """Write the model, or the candidate, with its report, and show it. Raises WorseError, NotTrainedError."""
    is_blocked = gate.keeps_old and not is_forced
    target = candidate_path(output) if is_blocked else output
    facts = {**facts, "gate": {"words": gate.explanation, "is_forced": is_forced, "figures": gate.figures}}
    try:
        save_model(model, facts, target)
    except OSError as error:
        raise NotTrainedError(f"{target}: cannot be written ({error.strerror or error})") from None
    show(target, facts)
    report = report_path(target)
    try:
        replace_file(report, model_page(facts, target.name).encode())
    except OSError as error:
        reason = f"{report}: cannot be written ({error.strerror or error})"
        raise NotTrainedError(f"{reason}; {target} is written and good") from None
    if is_blocked:
        told = f"{gate.explanation}; the old one stays, the new one is {target} (--force replaces the old one)"
        raise WorseError(CatalogText(told))  # a sentence of ours, however long
    if gate.explanation:
        sys.stdout.write(f"{gate.explanation}\n")
    sys.stdout.write(f"{target} is written; open {report} in a browser\n")


@contextmanager
def _bar(
    candidates: Sequence[Mapping[str, Any]], estimated_cost: Callable[[Mapping[str, Any]], float]
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Show candidates and time left while the block runs; yields what tells it of finished candidates."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]} of {task.fields[of]}"))
    # Forests differ in size, so the bar counts work, not candidates; the speed is that of the whole run.
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), speed_estimate_period=1e9) as bar:
        work = sum(map(estimated_cost, candidates))
        task = bar.add_task("forests tried", total=work, done=0, of=len(candidates))

        def advance(finished: Sequence[Mapping[str, Any]]) -> None:
            done = bar.tasks[0].fields["done"] + len(finished)
            description = "fitting the best" if done == len(candidates) else "forests tried"
            bar.update(task, advance=sum(map(estimated_cost, finished)), done=done, description=description)

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
    interruption.run(main)
