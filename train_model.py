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

from marsshot.commands.script import read_arguments, run_script
from marsshot.config.bot_files import CONFIG, MODEL, TRAINING_DATA, candidate_path, report_path
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of, with_remedy
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
from marsshot.training.promotion_gate import Comparison, compare_with_old, gate_text
from marsshot.training.recipes import RECIPES, Recipe
from marsshot.training.relative_label import with_relative_label
from marsshot.training.training_data import read_training_data

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

MAX_SEED = 2**32 - 1


class NotTrainedError(MarsShotError):
    """A file could not be written; the message says which."""


class WorseError(MarsShotError):
    """The new model is clearly worse than the one in use, which stays."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("train_model.py", _run, read_arguments(argv, _parser))


def _parser(catalog: Catalog) -> argparse.ArgumentParser:
    def text(option: str) -> str:
        return catalog.text(f"script.train_model.{option}")

    parser = argparse.ArgumentParser(prog="train_model.py", description=text("description"))
    add = parser.add_argument
    path, number = catalog.text("script.metavar.path"), catalog.text("script.metavar.n")
    add("--config", metavar=path, type=Path, default=Path(CONFIG), help=catalog.text("script.config"))
    add("--input", metavar=path, type=Path, help=text("input"))
    add("--output", metavar=path, type=Path, help=text("output"))
    add("--n-iter", metavar=number, type=int, help=text("n_iter"))
    add("--jobs", metavar=number, type=int, help=catalog.text("script.jobs"))
    add("--scheduler", metavar=catalog.text("script.metavar.address"), help=text("scheduler"))
    add("--seed", metavar=number, type=int, default=42, help=text("seed"))
    add("--force", action="store_true", help=text("force"))
    return parser


def _run(arguments: argparse.Namespace) -> None:
    from marsshot.config.loader import read_settings  # noqa: PLC0415 - --help needs none of it

    settings = read_settings(arguments.config)
    _check_numbers(arguments)
    output = arguments.output or settings.file(MODEL)
    _check_output(output)
    catalog = catalog_of(settings.language)
    source = arguments.input or settings.file(TRAINING_DATA)
    data = read_training_data(source)
    absent = source_kind(settings).missing_columns
    _refuse_other_source(source, data, settings, absent)
    recipe = RECIPES[settings.training.recipe].for_file(data.columns, absent)
    if absent:
        without = catalog.text("training.does_without", source=settings.source_name, columns=tuple(absent))
        sys.stdout.write(f"{without}\n")
    complete = has_features(data, recipe.columns)
    try:
        with cluster_threads(arguments.scheduler) as workers:
            train(data, complete.all(axis=1), recipe, settings, output, arguments, workers)
    except TooLittleDataError as error:
        empty = tuple(name for name in complete.columns.astype(str) if not complete[name].any())
        none_has = LocalizedText("training.fault.none_has", columns=empty) if empty else ""
        fault = LocalizedText("training.fault.too_little", path=source, why=error.args[0], empty=none_has)
        raise InputError(with_remedy(fault, LocalizedText("training.remedy.more_data"))) from None


def _refuse_other_source(path: Path, data: pd.DataFrame, settings: Settings, absent: Sequence[str]) -> None:
    """Raise InputError if the rows are not of the source that the settings name."""
    scores = data[[name for name in SOCIAL if name in data.columns]].notna().to_numpy()
    if bool(absent) == bool(scores.any()):
        fault = "has_social" if absent else "has_no_social"
        told = LocalizedText(f"training.fault.{fault}", path=path, columns=SOCIAL, source=settings.source_name)
        raise InputError(with_remedy(told, LocalizedText("training.remedy.data")))


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
    catalog = catalog_of(settings.language)
    with _bar(candidates, forest_search.estimated_cost, catalog) as advance:
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
    _write_outputs(model, facts, gate, output, catalog, is_forced=arguments.force)


def _write_outputs(
    model: Any, facts: dict[str, Any], gate: Comparison, output: Path, catalog: Catalog, *, is_forced: bool
) -> None:
    """Write the model, or the candidate, with its report, and show it. Raises WorseError, NotTrainedError."""
    is_blocked = gate.keeps_old and not is_forced
    target = candidate_path(output) if is_blocked else output
    kept = {"reason": gate.reason, "values": dict(gate.values), "is_forced": is_forced, "figures": gate.figures}
    facts = {**facts, "gate": kept}
    try:
        save_model(model, facts, target)
    except OSError as error:
        raise NotTrainedError(_not_written("not_written", target, error)) from None
    show(target, facts, catalog)
    report = report_path(target)
    try:
        replace_file(report, model_page(facts, target.name, catalog).encode())
    except OSError as error:
        raise NotTrainedError(_not_written("report_not_written", report, error, model=target)) from None
    told = gate_text(gate.reason, gate.values) if gate.reason else ""
    if is_blocked:
        raise WorseError(LocalizedText("training.stays", told=told, candidate=target))
    if told:
        sys.stdout.write(f"{catalog.render(told)}\n")
    sys.stdout.write(f"{catalog.text('training.written', path=target, report=report)}\n")


def _not_written(fault: str, path: Path, error: OSError, **values: object) -> LocalizedText:
    return LocalizedText(f"training.fault.{fault}", path=path, why=str(error.strerror or error), **values)


@contextmanager
def _bar(
    candidates: Sequence[Mapping[str, Any]], estimated_cost: Callable[[Mapping[str, Any]], float], catalog: Catalog
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Show candidates and time left while the block runs; yields what tells it of finished candidates."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[progress]}"))
    of, tried, fitting = len(candidates), catalog.text("training.tried"), catalog.text("training.fitting")
    # Forests differ in size, so the bar counts work, not candidates; the speed is that of the whole run.
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), speed_estimate_period=1e9) as bar:
        progress = catalog.text("training.progress", done=0, of=of)
        task = bar.add_task(tried, total=sum(map(estimated_cost, candidates)), done=0, progress=progress)

        def advance(finished: Sequence[Mapping[str, Any]]) -> None:
            done = bar.tasks[0].fields["done"] + len(finished)
            bar.update(
                task,
                advance=sum(map(estimated_cost, finished)),
                done=done,
                progress=catalog.text("training.progress", done=done, of=of),
                description=fitting if done == of else tried,
            )

        yield advance


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in ("n_iter", "jobs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(
                LocalizedText("script.fault.under_one", option=f"--{name.replace('_', '-')}", given=str(value))
            )
    if not 0 <= arguments.seed <= MAX_SEED:
        given, limits = str(arguments.seed), {"first": "0", "last": str(MAX_SEED)}
        raise InputError(LocalizedText("script.fault.out_of_range", option="--seed", given=given, **limits))


def _check_output(output: Path) -> None:
    if output.is_dir() or output.suffix == ".json":
        raise InputError(LocalizedText("training.fault.model_name", path=output))
    if not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        raise InputError(LocalizedText("script.fault.no_folder", folder=output.parent))


if __name__ == "__main__":
    interruption.run(main)
