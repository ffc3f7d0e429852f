"""The same bot over recorded history: what would have come of these settings, and how sure that is.

    python backtest.py [--from DATE] [--to DATE] [--data PATH|--source binance] [--tokens A,B|all|training]
                       [--rules PATH] [--model PATH]
                       [--set KEY=VALUE] [--sweep KEY=A,B|KEY=A:B:STEP] [--seeds N] [--output FOLDER] ...

Prints a summary and writes trades.csv, equity.csv and report.html. Holds no rule.
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
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from marsshot.commands.script import count_reader, read_arguments, run_script
from marsshot.config.bot_files import BACKTEST_FOLDER, CONFIG
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import TaskID

    from marsshot.backtesting.history.binance_history import Wanted
    from marsshot.backtesting.history.market_history import Dataset
    from marsshot.backtesting.request import BacktestRequest, FetchHistory
    from marsshot.backtesting.result import BacktestResult
    from marsshot.backtesting.scoring.daily_scores import DailyScores
    from marsshot.backtesting.scoring.walk_forward import Training
    from marsshot.backtesting.sweep import Grid
    from marsshot.config.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("backtest.py", _run, read_arguments(argv, _parser))


def _parser(catalog: Catalog) -> argparse.ArgumentParser:
    def text(option: str) -> str:
        return catalog.text(f"script.backtest.{option}")

    def metavar(name: str) -> str:
        return catalog.text(f"script.metavar.{name}")

    parser = argparse.ArgumentParser(prog="backtest.py", description=text("description"))
    add, day, count = parser.add_argument, _date_reader(catalog), count_reader(catalog)
    path, number, setting = metavar("path"), metavar("n"), metavar("setting")
    add("--config", metavar=path, type=Path, default=Path(CONFIG), help=catalog.text("script.config"))
    add("--from", dest="first", metavar=metavar("date"), type=day, help=text("first"))
    add("--to", dest="last", metavar=metavar("date"), type=day, help=text("last"))
    add("--data", metavar=path, type=Path, help=text("data"))
    add("--source", choices=["binance"], help=text("source"))
    add("--tokens", metavar=metavar("tokens"), help=text("tokens"))
    add("--rules", metavar=path, type=Path, help=text("rules"))
    add("--model", metavar=path, type=Path, help=text("model"))
    add("--retrain-days", metavar=number, type=count, default=30, help=text("retrain_days"))
    add("--tries", metavar=number, type=count, default=4, help=text("tries"))
    add("--seeds", metavar=number, type=count, default=1, help=text("seeds"))
    add("--set", dest="changes", metavar=setting, action="append", default=[], help=text("set"))
    add("--sweep", metavar=metavar("values"), action="append", default=[], help=text("sweep"))
    add("--jobs", metavar=number, type=count, default=os.cpu_count() or 1, help=catalog.text("script.jobs"))
    add("--scheduler", metavar=metavar("address"), help=text("scheduler"))
    add("--output", metavar=metavar("folder"), type=Path, help=text("output"))
    return parser


def _date_reader(catalog: Catalog) -> Callable[[str], date]:
    """Return what reads the date of an option."""

    def day(text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(catalog.text("script.needed.date", given=text)) from None

    return day


def _run(arguments: argparse.Namespace) -> None:
    from marsshot.backtesting.reports.output_files import write_result  # noqa: PLC0415
    from marsshot.backtesting.reports.terminal_report import print_summary  # noqa: PLC0415
    from marsshot.backtesting.request import read_request  # noqa: PLC0415
    from marsshot.backtesting.result import run_backtest, with_lever_effects  # noqa: PLC0415
    from marsshot.backtesting.scoring.daily_scores import full_feature_table  # noqa: PLC0415
    from marsshot.backtesting.scoring.walk_forward import SEED  # noqa: PLC0415
    from marsshot.backtesting.seeds import run_draws  # noqa: PLC0415 - --help needs none of it
    from marsshot.config.loader import language_of  # noqa: PLC0415

    console, catalog = Console(), catalog_of(language_of(arguments.config))
    arguments.output = arguments.output or Path(BACKTEST_FOLDER)
    _check_output(arguments.output)
    _check_seeds(arguments)
    changes = dict(_pair(text, "--set") for text in arguments.changes)
    request = read_request(
        arguments.config,
        fetch=_fetcher(console, catalog) if arguments.source else None,
        changes={**changes, "data_source": arguments.source} if arguments.source else changes,
        tokens=arguments.tokens,
        data=arguments.data,
        rules=arguments.rules,
        first=arguments.first,
        last=arguments.last,
    )
    grid = _grid(arguments, changes)
    table = full_feature_table(request.dataset)
    if grid is not None:
        scores, _, _ = _scores(request, table, arguments, SEED, catalog)
        _sweep(request, scores, grid, arguments, console, catalog)
        return

    def run_one(seed: int) -> BacktestResult:
        scores, model, trainings = _scores(request, table, arguments, seed, catalog)
        with _day_bar("run", seed if arguments.seeds > 1 else None, request.span, catalog) as on_day:
            return run_backtest(request, scores, model, trainings, on_day)

    seeds = range(SEED, SEED + arguments.seeds)
    found = with_lever_effects(run_draws(seeds, run_one) if len(seeds) > 1 else run_one(SEED))
    print_summary(found, console, catalog)
    _print_written(write_result(found, arguments.output, catalog), console, catalog)


@contextmanager
def _day_bar(
    what: str, draw: int | None, span: tuple[date, date], catalog: Catalog
) -> Iterator[Callable[[date], None]]:
    """Show a bar with the date on a terminal, for the block; yield what hears of each day.

    what: the end of a key under `backtest.progress`. draw: the seed, where there are several.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console, (first, last) = Console(stderr=True), span
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        name = catalog.text(f"backtest.progress.{what}")
        if draw is not None:
            name = catalog.text("backtest.progress.of_draw", what=name, seed=draw)
        task = progress.add_task(
            catalog.text("backtest.progress.day", what=name, day=first), total=(last - first).days + 1
        )

        def on_day(day: date) -> None:
            told = catalog.text("backtest.progress.day", what=name, day=day)
            progress.update(task, completed=(day - first).days + 1, description=told)

        yield on_day


def _fetcher(console: Console, catalog: Catalog) -> FetchHistory:
    """Return what fetches bars under a progress bar, and tells what could not be had."""
    from rich.progress import Progress  # noqa: PLC0415

    from marsshot.backtesting.history.binance_history import BinanceHistory  # noqa: PLC0415
    from marsshot.backtesting.request import FetchHistory  # noqa: PLC0415
    from marsshot.infra.clock import SystemClock  # noqa: PLC0415 - --help needs none of it

    clock, progress = SystemClock(), Progress(console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(catalog.render(what), total=total)
        progress.update(tasks[what], completed=done)

    def dataset(settings: Settings, wanted: Wanted) -> Dataset:
        def tell(line: str) -> None:
            progress.console.print(catalog.render(line), markup=False, highlight=False, soft_wrap=True)

        with progress:
            found, left_out = BinanceHistory(settings, clock, tell, show).dataset(wanted)
        for line in left_out.values():
            told = catalog.text("backtest.left_out", why=line)
            console.print(told, markup=False, highlight=False, soft_wrap=True)
        return found

    return FetchHistory(clock.now().date(), dataset)


def _check_output(folder: Path) -> None:
    """Refuse a folder that cannot be written before minutes are spent. Raises InputError."""
    if folder.exists() and not folder.is_dir():
        raise InputError(LocalizedText("backtest.fault.output_is_file", folder=folder))
    parent = folder if folder.exists() else folder.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(LocalizedText("script.fault.no_folder", folder=parent))


def _check_seeds(arguments: argparse.Namespace) -> None:
    """Refuse several draws where there is nothing to draw. Raises InputError."""
    if arguments.seeds > 1 and arguments.model is not None:
        raise InputError(LocalizedText("backtest.fault.seeds_and_model"))
    if arguments.seeds > 1 and arguments.sweep:
        raise InputError(LocalizedText("backtest.fault.seeds_and_sweep"))


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InputError(LocalizedText("backtest.fault.no_pair", option=option, given=text))
    return key.strip(), value.strip()


def _scores(
    request: BacktestRequest, table: pd.DataFrame, arguments: argparse.Namespace, seed: int, catalog: Catalog
) -> tuple[DailyScores, str, list[Training]]:
    """Return the scores of all days of the span, what gave them in words, and the trainings. Raises InputError."""
    from marsshot.backtesting.scoring.daily_scores import DailyScores, refuse_overlap, score_days  # noqa: PLC0415
    from marsshot.backtesting.scoring.walk_forward import WalkForwardPlan, walk_forward  # noqa: PLC0415
    from marsshot.model.features import AVAILABLE_COLUMNS  # noqa: PLC0415
    from marsshot.model.integrity import refuse_other_source, refuse_unscaled  # noqa: PLC0415
    from marsshot.model.model_files import load_model  # noqa: PLC0415
    from marsshot.training.recipes import RECIPES  # noqa: PLC0415

    tokens, scale = request.settings.tokens_daily, request.settings.strategy.score_scale
    if arguments.model is not None:
        model = load_model(arguments.model)
        if arguments.source:
            refuse_other_source(arguments.model, model.facts, arguments.source)
        refuse_unscaled(arguments.model, model.facts, scale)
        refuse_overlap(model, str(arguments.model), request.first)
        days = score_days(table, tokens, *request.span, model, scale)
        return DailyScores(days), LocalizedText("backtest.scores.fixed", path=str(arguments.model)), []
    recipe = RECIPES[request.settings.training.recipe]
    plan = WalkForwardPlan(
        training=request.settings.training,
        retrain_days=arguments.retrain_days,
        tries=arguments.tries,
        jobs=arguments.jobs,
        features=recipe.for_file(AVAILABLE_COLUMNS, request.dataset.missing_columns).columns,
        scale=scale,
        seed=seed,
    )
    with _day_bar("training", seed if arguments.seeds > 1 else None, request.span, catalog) as on_day:

        def tell(training: Training) -> None:
            on_day(training.day)
            _print_training(training, catalog)

        days, trainings = walk_forward(table, tokens, request.training_tokens, request.span, plan, tell)
    return DailyScores(days), LocalizedText("backtest.scores.walk", days=plan.retrain_days), trainings


def _print_training(training: Training, catalog: Catalog) -> None:
    if sys.stderr.isatty():
        return  # there a bar is shown
    key = "backtest.trained_and_searched" if training.parameters_searched else "backtest.trained"
    told = catalog.text(key, day=training.day, rows=training.rows, last=training.last_close)
    sys.stderr.write(f"{told}\n")


def _grid(arguments: argparse.Namespace, changes: Mapping[str, str]) -> Grid | None:
    """Return what --sweep asks for, checked, or None. Raises InputError."""
    from marsshot.backtesting.sweep import parse_grid  # noqa: PLC0415

    if not arguments.sweep:
        if arguments.scheduler:
            raise InputError(LocalizedText("backtest.fault.scheduler"))
        return None
    return parse_grid([_pair(text, "--sweep") for text in arguments.sweep], arguments.config, changes)


def _sweep(
    request: BacktestRequest,
    scores: DailyScores,
    grid: Grid,
    arguments: argparse.Namespace,
    console: Console,
    catalog: Catalog,
) -> None:
    from marsshot.backtesting.reports.output_files import write_sweep  # noqa: PLC0415
    from marsshot.backtesting.sweep import show_sweep, sweep  # noqa: PLC0415
    from marsshot.training.dask_cluster import cluster_threads, send_code  # noqa: PLC0415

    with cluster_threads(arguments.scheduler) as workers:
        if workers is not None:
            send_code(Path(__file__).parent)
        found = sweep(request, scores, grid, arguments.jobs if workers is None else workers)
    show_sweep(found, console, catalog)
    _print_written(write_sweep(found, arguments.output, catalog), console, catalog)


def _print_written(paths: Sequence[Path], console: Console, catalog: Catalog) -> None:
    told = catalog.text("backtest.written", paths=tuple(str(path) for path in paths))
    console.print(told, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    interruption.run(main)
