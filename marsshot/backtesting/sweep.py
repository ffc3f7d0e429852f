"""A parameter sweep: many settings over the same scores, in parallel, and how likely the best is luck."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import ClassVar

import numpy as np
from joblib import Parallel, delayed
from rich.console import Console
from rich.table import Table

from marsshot.backtesting.analysis.deflated_sharpe import CONVINCING_PROBABILITY, EVEN_ODDS, deflated_sharpe
from marsshot.backtesting.analysis.performance import DAYS_A_YEAR, Floats, daily_returns
from marsshot.backtesting.analysis.run_statistics import run_statistics
from marsshot.backtesting.history.market_history import Dataset
from marsshot.backtesting.request import BacktestRequest, settings_with
from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.simulation.engine import run
from marsshot.backtesting.simulation.simulated_market import RecordedPairRules
from marsshot.config.sections import StrategySection
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.reporting.fitting_table import fits

MAX_CELLS = 1000
STRATEGY = "strategy."
HEAT_COLOURS = ("red", "bright_red", "yellow", "bright_green", "green")  # of the lowest fifth to the highest


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid, in the order of its keys."""

    values: tuple[str, ...]
    strategy: StrategySection


@dataclass(frozen=True, slots=True)
class Grid:
    """What is to be tried."""

    keys: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CellResult:
    """What came of a cell. figures: in the order of Sweep.COLUMNS."""

    values: tuple[str, ...]
    metrics: tuple[float, ...]
    returns: Floats

    @property
    def sharpe(self) -> float:
        """The Sharpe ratio of a year; -inf where there is none, so that it is never the best."""
        return self.metrics[2] if math.isfinite(self.metrics[2]) else -math.inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepResult:
    """The whole grid."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("total_return", "max_drawdown", "sharpe", "trades")

    keys: tuple[str, ...]
    cells: tuple[CellResult, ...]
    first: date
    last: date

    @property
    def best(self) -> CellResult:
        """The cell with the highest Sharpe ratio."""
        return max(self.cells, key=lambda cell: cell.sharpe)

    @property
    def probability(self) -> float:
        """How likely the best cell's Sharpe ratio is beyond what the best of so many lucky ones would show."""
        daily = [cell.sharpe / math.sqrt(DAYS_A_YEAR) for cell in self.cells]
        return deflated_sharpe(self.best.returns, daily)

    def verdict(self) -> LocalizedText:
        """Return what to make of the best cell."""
        best, count = self.best, len(self.cells)
        named = ", ".join(f"{key}={value}" for key, value in zip(self.keys, best.values, strict=True))
        if not math.isfinite(best.sharpe):
            return LocalizedText("backtest.sweep.nothing", count=count)
        told = LocalizedText("backtest.sweep.best", count=count, named=named, sharpe=best.sharpe)
        chance = self.probability
        if math.isnan(chance):
            return told
        values = {"best": told, "count": count, "chance": chance}
        if chance < EVEN_ODDS:
            return LocalizedText("backtest.sweep.likely_luck", **values)
        if chance < CONVINCING_PROBABILITY:
            return LocalizedText("backtest.sweep.may_be_luck", enough=CONVINCING_PROBABILITY, **values)
        return LocalizedText("backtest.sweep.more_than_luck", **values)


def parse_grid(specs: Sequence[tuple[str, str]], config: Path, changes: Mapping[str, str]) -> Grid:
    """Return the grid, every cell of it checked as settings are. Raises InputError.

    specs: a key of `strategy` and its values, such as 0.3,0.4,0.5 or 0.6:0.9:0.05 (the last one included).
    """
    keys = [key for key, _ in specs]
    for key in keys:
        if not key.startswith(STRATEGY):
            raise InputError(LocalizedText("backtest.fault.sweep_key", key=key))
        if keys.count(key) > 1:
            raise InputError(LocalizedText("backtest.fault.sweep_twice", key=key))
    axes = [_values(key, text) for key, text in specs]
    count = math.prod(len(axis) for axis in axes)
    if count > MAX_CELLS:
        raise InputError(LocalizedText("backtest.fault.sweep_cells", count=count, most=MAX_CELLS))
    cells = (
        Cell(values, _cell_settings(config, changes, dict(zip(keys, values, strict=True))).strategy)
        for values in itertools.product(*axes)
    )
    return Grid(tuple(keys), tuple(cells))


def _cell_settings(config: Path, changes: Mapping[str, str], cell: Mapping[str, str]) -> Settings:
    return settings_with(config, {"--set": changes, "--sweep": cell})


def _values(key: str, text: str) -> list[str]:
    if ":" not in text:
        return list(dict.fromkeys(value.strip() for value in text.split(",")))
    try:
        first, last, step = (Decimal(part) for part in text.split(":"))
        count = int((last - first) / step)
    except (ValueError, InvalidOperation, ZeroDivisionError, OverflowError):
        raise InputError(LocalizedText("backtest.fault.sweep_form", key=key, given=text)) from None
    if step <= 0 or not 0 <= count < MAX_CELLS:
        raise InputError(LocalizedText("backtest.fault.sweep_range", key=key, given=text, most=MAX_CELLS))
    return [format(first + number * step, "f") for number in range(count + 1)]


def sweep(request: BacktestRequest, scores: DailyScores, grid: Grid, jobs: int) -> SweepResult:
    """Run every cell, as many side by side as there are jobs."""
    work = (
        delayed(_run_cell)(
            cell,
            request.settings.model_copy(update={"strategy": cell.strategy}),
            request.dataset,
            scores,
            request.span,
            request.rules,
        )
        for cell in grid.cells
    )
    cell_results: list[CellResult] = Parallel(n_jobs=min(jobs, len(grid.cells)))(work)
    return SweepResult(keys=grid.keys, cells=tuple(cell_results), first=request.first, last=request.last)


def _run_cell(
    cell: Cell,
    settings: Settings,
    dataset: Dataset,
    scores: DailyScores,
    span: tuple[date, date],
    rules: RecordedPairRules,
) -> CellResult:
    run_result = run(settings, dataset, scores, *span, rules)
    statistics = run_statistics(run_result, settings.tokens_daily)
    metrics = statistics.metrics["MarsShot"]
    values = (metrics.total_return, metrics.max_drawdown, metrics.sharpe, float(len(run_result.trades)))
    return CellResult(cell.values, values, daily_returns(statistics.equity))


def show_sweep(found: SweepResult, console: Console, catalog: Catalog) -> None:
    """Print the table, the heat map of two keys, and what to make of the best cell."""
    title = catalog.text("backtest.sweep.table", first=found.first, last=found.last, count=len(found.cells))
    table = Table(title=title, title_justify="left", header_style="bold")
    columns = [key.removeprefix(STRATEGY) for key in found.keys]
    columns += [catalog.text(f"backtest.column.{name}") for name in ("change", "worst_fall")]
    for column in (*columns, "Sharpe", catalog.text("backtest.column.trades")):
        table.add_column(column, justify="right")
    for cell in found.cells:
        change, fall, sharpe, trades = cell.metrics
        marked = "bold" if cell is found.best else ""
        ratio = "-" if math.isnan(sharpe) else catalog.show(sharpe, ".2f")
        shares = (catalog.show(change, "change"), catalog.show(fall, "percent"))
        table.add_row(*cell.values, *shares, ratio, catalog.show(trades, ".0f"), style=marked)
    console.print(table)
    grid = heat_map(found)
    if grid is not None and fits(heat := _heat_table(found, *grid, catalog), console):
        console.print(heat)  # where it is too wide, the page of the sweep has it
    console.print(catalog.render(found.verdict()), style="yellow", highlight=False, soft_wrap=True)


def heat_map(found: SweepResult) -> tuple[list[str], list[str], Floats] | None:
    """Return the values down and across and the Sharpe ratios between them; None unless there are two keys."""
    if len(found.keys) != 2:  # noqa: PLR2004 - a map has two directions
        return None
    down, across = (list(dict.fromkeys(cell.values[axis] for cell in found.cells)) for axis in (0, 1))
    sharpes = np.array([cell.metrics[2] for cell in found.cells]).reshape(len(down), len(across))
    return down, across, sharpes


def _heat_table(found: SweepResult, down: list[str], across: list[str], sharpes: Floats, catalog: Catalog) -> Table:
    names = [key.removeprefix(STRATEGY) for key in found.keys]
    title = catalog.text("backtest.sweep.heat", down=names[0], across=names[1])
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("")
    for value in across:
        table.add_column(value, justify="right")
    for value, row in zip(down, sharpes, strict=True):
        table.add_row(value, *(_coloured(float(sharpe), sharpes, catalog) for sharpe in row))
    return table


def _coloured(sharpe: float, sharpes: Floats, catalog: Catalog) -> str:
    """Return a ratio coloured by its place between the lowest and the highest."""
    if math.isnan(sharpe):
        return "-"
    low, high = float(np.nanmin(sharpes)), float(np.nanmax(sharpes))
    place = (sharpe - low) / (high - low) if high > low else 1.0
    colour = HEAT_COLOURS[min(int(place * len(HEAT_COLOURS)), len(HEAT_COLOURS) - 1)]
    return f"[{colour}]{catalog.show(sharpe, '.2f')}[/]"
