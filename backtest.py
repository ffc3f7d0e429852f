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

from marsshot.commands.script import run_script
from marsshot.config.bot_files import BACKTEST_FOLDER, CONFIG
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
    return run_script("backtest.py", _run, _arguments(argv))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backtest.py", description="The same bot over recorded history.")
    add = parser.add_argument
    add("--config", type=Path, default=Path(CONFIG), help="settings (default: config.yaml)")
    add("--from", dest="first", metavar="DATE", type=_date, help="first day (default: once there is a model's worth)")
    add("--to", dest="last", metavar="DATE", type=_date, help="last day (default: the last on record)")
    add("--data", type=Path, help="daily bars, or a folder of daily and intraday bars (default: the bundled history)")
    add("--source", choices=["binance"], help="fetch the bars: binance, without a key (default: the last 90 days)")
    add("--tokens", help="tokens to trade: ADA,DOT, or all, or training (training_tokens); default: tokens_daily")
    add("--rules", type=Path, help="a recorded exchangeInfo of Binance (default: plausible rules)")
    add("--model", type=Path, help="a model trained on days before the span (default: train as the days go by)")
    add("--retrain-days", type=_count, default=30, help="days between two trainings (default: 30)")
    add("--tries", type=_count, default=4, help="settings of the forest tried in each search (default: 4)")
    add("--seeds", type=_count, default=1, help="how often to draw the models anew, for the spread (default: 1)")
    add("--set", dest="changes", metavar="KEY=VALUE", action="append", default=[], help="a setting to change")
    add("--sweep", metavar="KEY=VALUES", action="append", default=[], help="values to try: 0.3,0.4,0.5 or 0.6:0.9:0.05")
    add("--jobs", type=_count, default=os.cpu_count() or 1, help="processor cores to use (default: all)")
    add("--scheduler", help="Dask scheduler to spread a sweep over, such as tcp://10.0.0.5:8786")
    add("--output", type=Path, help="folder to write to (default: backtest)")
    return parser.parse_args(argv)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2021-12-31") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; it must be 1 or more")
    return int(text)


def _run(arguments: argparse.Namespace) -> None:
    from marsshot.backtesting.reports.output_files import write_result  # noqa: PLC0415
    from marsshot.backtesting.reports.terminal_report import print_summary  # noqa: PLC0415
    from marsshot.backtesting.request import read_request  # noqa: PLC0415
    from marsshot.backtesting.result import run_backtest, with_lever_effects  # noqa: PLC0415
    from marsshot.backtesting.scoring.daily_scores import full_feature_table  # noqa: PLC0415
    from marsshot.backtesting.scoring.walk_forward import SEED  # noqa: PLC0415
    from marsshot.backtesting.seeds import run_draws  # noqa: PLC0415 - --help needs none of it

    console = Console()
    arguments.output = arguments.output or Path(BACKTEST_FOLDER)
    _check_output(arguments.output)
    _check_seeds(arguments)
    changes = dict(_pair(text, "--set") for text in arguments.changes)
    request = read_request(
        arguments.config,
        fetch=_fetcher(console) if arguments.source else None,
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
        scores, _, _ = _scores(request, table, arguments, SEED)
        _sweep(request, scores, grid, arguments, console)
        return

    def run_one(seed: int) -> BacktestResult:
        scores, model, trainings = _scores(request, table, arguments, seed)
        with _day_bar(f"draw {seed}" if arguments.seeds > 1 else "run", request.span) as on_day:
            return run_backtest(request, scores, model, trainings, on_day)

    seeds = range(SEED, SEED + arguments.seeds)
    found = with_lever_effects(run_draws(seeds, run_one) if len(seeds) > 1 else run_one(SEED))
    print_summary(found, console)
    _print_written(write_result(found, arguments.output), console)


@contextmanager
def _day_bar(what: str, span: tuple[date, date]) -> Iterator[Callable[[date], None]]:
    """Show a bar with the date on a terminal, for the block; yield what hears of each day."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console, (first, last) = Console(stderr=True), span
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{what}, {first}", total=(last - first).days + 1)

        def on_day(day: date) -> None:
            progress.update(task, completed=(day - first).days + 1, description=f"{what}, {day}")

        yield on_day


def _fetcher(console: Console) -> FetchHistory:
    """Return what fetches bars under a progress bar, and tells what could not be had."""
    from rich.progress import Progress  # noqa: PLC0415

    from marsshot.backtesting.history.binance_history import BinanceHistory  # noqa: PLC0415
    from marsshot.backtesting.request import FetchHistory  # noqa: PLC0415
    from marsshot.infra.clock import SystemClock  # noqa: PLC0415 - --help needs none of it

    clock, progress = SystemClock(), Progress(console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done)

    def dataset(settings: Settings, wanted: Wanted) -> Dataset:
        def tell(line: str) -> None:
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

        with progress:
            found, left_out = BinanceHistory(settings, clock, tell, show).dataset(wanted)
        for line in left_out.values():
            console.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
        return found

    return FetchHistory(clock.now().date(), dataset)


def _check_output(folder: Path) -> None:
    """Refuse a folder that cannot be written before minutes are spent. Raises InputError."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output: {folder} is a file; name a folder")
    parent = folder if folder.exists() else folder.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"--output: nothing can be written in {parent}; make the folder first")


def _check_seeds(arguments: argparse.Namespace) -> None:
    """Refuse several draws where there is nothing to draw. Raises InputError."""
    if arguments.seeds > 1 and arguments.model is not None:
        raise InputError("--seeds: draws the models of the walk anew; leave --model out")
    if arguments.seeds > 1 and arguments.sweep:
        raise InputError("--seeds: is not for a sweep; take --sweep out, or --seeds")


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InputError(f"{option} {text}: the form is {option} strategy.stop_loss_pct=0.4")
    return key.strip(), value.strip()


def _scores(
    request: BacktestRequest, table: pd.DataFrame, arguments: argparse.Namespace, seed: int
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
        return DailyScores(days), f"the fixed model {arguments.model}", []
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
    with _day_bar(f"training, draw {seed}" if arguments.seeds > 1 else "training", request.span) as on_day:

        def tell(training: Training) -> None:
            on_day(training.day)
            _print_training(training)

        days, trainings = walk_forward(table, tokens, request.training_tokens, request.span, plan, tell)
    name = f"models trained every {plan.retrain_days} days on what was known then"
    return DailyScores(days), name, trainings


def _print_training(training: Training) -> None:
    if sys.stderr.isatty():
        return  # there a bar is shown
    searched = ", parameters searched" if training.parameters_searched else ""
    sys.stderr.write(f"{training.day}: trained on {training.rows} rows up to {training.last_close}{searched}\n")


def _grid(arguments: argparse.Namespace, changes: Mapping[str, str]) -> Grid | None:
    """Return what --sweep asks for, checked, or None. Raises InputError."""
    from marsshot.backtesting.sweep import parse_grid  # noqa: PLC0415

    if not arguments.sweep:
        if arguments.scheduler:
            raise InputError("--scheduler: is for a sweep; name what to try with --sweep")
        return None
    return parse_grid([_pair(text, "--sweep") for text in arguments.sweep], arguments.config, changes)


def _sweep(
    request: BacktestRequest, scores: DailyScores, grid: Grid, arguments: argparse.Namespace, console: Console
) -> None:
    from marsshot.backtesting.reports.output_files import write_sweep  # noqa: PLC0415
    from marsshot.backtesting.sweep import show_sweep, sweep  # noqa: PLC0415
    from marsshot.training.dask_cluster import cluster_threads, send_code  # noqa: PLC0415

    with cluster_threads(arguments.scheduler) as workers:
        if workers is not None:
            send_code(Path(__file__).parent)
        found = sweep(request, scores, grid, arguments.jobs if workers is None else workers)
    show_sweep(found, console)
    _print_written(write_sweep(found, arguments.output), console)


def _print_written(paths: Sequence[Path], console: Console) -> None:
    console.print(f"Written: {', '.join(str(path) for path in paths)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    interruption.run(main)
