"""One question with many settings: runs over the same scores, side by side, and how much of the best is luck."""

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

from marsshot.backtesting.analysis.deflated_sharpe import CONVINCING, EVEN, deflated_sharpe
from marsshot.backtesting.analysis.performance import DAYS_A_YEAR, Floats, daily_returns
from marsshot.backtesting.analysis.run_statistics import findings_of
from marsshot.backtesting.history.market_history import Recording
from marsshot.backtesting.request import Question
from marsshot.backtesting.scoring.daily_scores import ScoreBook
from marsshot.backtesting.simulation.engine import run
from marsshot.backtesting.simulation.simulated_market import RecordedRules
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings, StrategySection
from marsshot.core.errors import InputError

MOST_CELLS = 1000
STRATEGY = "strategy."
COLOURS = ("red", "bright_red", "yellow", "bright_green", "green")  # of the lowest fifth to the highest


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
class SweptCell:
    """What came of a cell. figures: in the order of Sweep.COLUMNS."""

    values: tuple[str, ...]
    figures: tuple[float, ...]
    returns: Floats

    @property
    def sharpe(self) -> float:
        """The Sharpe ratio of a year; -inf where there is none, so that it is never the best."""
        return self.figures[2] if math.isfinite(self.figures[2]) else -math.inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """The whole grid."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("total_return", "max_drawdown", "sharpe", "trades")

    keys: tuple[str, ...]
    cells: tuple[SweptCell, ...]
    first: date
    last: date

    @property
    def best(self) -> SweptCell:
        """The cell with the highest Sharpe ratio."""
        return max(self.cells, key=lambda cell: cell.sharpe)

    @property
    def probability(self) -> float:
        """How likely the best cell's Sharpe ratio is beyond what the best of so many lucky ones would show."""
        daily = [cell.sharpe / math.sqrt(DAYS_A_YEAR) for cell in self.cells]
        return deflated_sharpe(self.best.returns, daily)

    def verdict(self) -> str:
        """Return what to make of the best cell, in words."""
        best, count = self.best, len(self.cells)
        named = ", ".join(f"{key}={value}" for key, value in zip(self.keys, best.values, strict=True))
        if not math.isfinite(best.sharpe):
            return f"No cell of {count} has returns that vary: nothing was bought."
        text = f"The best of {count} cells is {named}, Sharpe {best.sharpe:.2f}."
        if math.isnan(self.probability):
            return text
        deflated = f"{text} The chance that it is better than the best of {count} without any skill is"
        if self.probability < EVEN:
            return f"{deflated} {self.probability:.0%}: the best cell is likely luck. Do not choose settings by it."
        if self.probability < CONVINCING:
            return f"{deflated} {self.probability:.0%}, under {CONVINCING:.0%}: it may well be luck; no proof."
        return f"{deflated} {self.probability:.0%}: more than luck over this span; the next one may differ."


def grid_of(specs: Sequence[tuple[str, str]], config: Path, changes: Mapping[str, str]) -> Grid:
    """Return the grid, every cell of it checked as settings are. Raises InputError.

    specs: a key of `strategy` and its values, such as 0.3,0.4,0.5 or 0.6:0.9:0.05 (the last one included).
    """
    keys = [key for key, _ in specs]
    for key in keys:
        if not key.startswith(STRATEGY):
            raise InputError(
                f"--sweep {key}: only keys of the section strategy can be tried, such as {STRATEGY}buy_threshold"
            )
        if keys.count(key) > 1:
            raise InputError(f"--sweep {key}: is given twice")
    axes = [_values(key, text) for key, text in specs]
    count = math.prod(len(axis) for axis in axes)
    if count > MOST_CELLS:
        raise InputError(f"--sweep: that makes {count} cells, at most {MOST_CELLS} are tried at once")
    cells = (
        Cell(values, read_settings(config, {**changes, **dict(zip(keys, values, strict=True))}).strategy)
        for values in itertools.product(*axes)
    )
    return Grid(tuple(keys), tuple(cells))


def _values(key: str, text: str) -> list[str]:
    if ":" not in text:
        return list(dict.fromkeys(value.strip() for value in text.split(",")))
    try:
        first, last, step = (Decimal(part) for part in text.split(":"))
        count = int((last - first) / step)
    except (ValueError, InvalidOperation, ZeroDivisionError, OverflowError):
        raise InputError(f"--sweep {key}={text}: a range has the form 0.6:0.9:0.05 (first, last, step)") from None
    if step <= 0 or not 0 <= count < MOST_CELLS:
        raise InputError(f"--sweep {key}={text}: a range goes up from first to last, in at most {MOST_CELLS} steps")
    return [format(first + number * step, "f") for number in range(count + 1)]


def sweep(question: Question, scores: ScoreBook, grid: Grid, jobs: int) -> Sweep:
    """Run every cell, as many side by side as there are jobs."""
    work = (
        delayed(_swept)(
            cell,
            question.settings.model_copy(update={"strategy": cell.strategy}),
            question.recording,
            scores,
            question.span,
            question.rules,
        )
        for cell in grid.cells
    )
    swept: list[SweptCell] = Parallel(n_jobs=min(jobs, len(grid.cells)))(work)
    return Sweep(keys=grid.keys, cells=tuple(swept), first=question.first, last=question.last)


def _swept(
    cell: Cell,
    settings: Settings,
    recording: Recording,
    scores: ScoreBook,
    span: tuple[date, date],
    rules: RecordedRules,
) -> SweptCell:
    outcome = run(settings, recording, scores, *span, rules)
    findings = findings_of(outcome, settings.tokens_daily)
    figures = findings.figures["MarsShot"]
    values = (figures.total_return, figures.max_drawdown, figures.sharpe, float(len(outcome.trades)))
    return SweptCell(cell.values, values, daily_returns(findings.equity))


def show_sweep(found: Sweep, console: Console) -> None:
    """Print the table, the heat map of two keys, and what to make of the best cell."""
    table = Table(
        title=f"{found.first} to {found.last}: {len(found.cells)} cells", title_justify="left", header_style="bold"
    )
    for column in (*(key.removeprefix(STRATEGY) for key in found.keys), "Change", "Worst fall", "Sharpe", "Trades"):
        table.add_column(column, justify="right")
    for cell in found.cells:
        change, fall, sharpe, trades = cell.figures
        marked = "bold" if cell is found.best else ""
        ratio = "-" if math.isnan(sharpe) else f"{sharpe:.2f}"
        table.add_row(*cell.values, f"{change:+.1%}", f"{fall:.1%}", ratio, f"{trades:.0f}", style=marked)
    console.print(table)
    if (grid := heat_map(found)) is not None:
        console.print(_heat_table(found, *grid))
    console.print(found.verdict(), style="yellow", highlight=False, soft_wrap=True)


def heat_map(found: Sweep) -> tuple[list[str], list[str], Floats] | None:
    """Return the values down and across and the Sharpe ratios between them; None unless there are two keys."""
    if len(found.keys) != 2:  # noqa: PLR2004 - a map has two directions
        return None
    down, across = (list(dict.fromkeys(cell.values[axis] for cell in found.cells)) for axis in (0, 1))
    sharpes = np.array([cell.figures[2] for cell in found.cells]).reshape(len(down), len(across))
    return down, across, sharpes


def _heat_table(found: Sweep, down: list[str], across: list[str], sharpes: Floats) -> Table:
    names = [key.removeprefix(STRATEGY) for key in found.keys]
    title = f"Sharpe ratio: {names[0]} down, {names[1]} across"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("")
    for value in across:
        table.add_column(value, justify="right")
    for value, row in zip(down, sharpes, strict=True):
        table.add_row(value, *(_warm(float(sharpe), sharpes) for sharpe in row))
    return table


def _warm(sharpe: float, sharpes: Floats) -> str:
    """Return a ratio coloured by its place between the lowest and the highest."""
    if math.isnan(sharpe):
        return "-"
    low, high = float(np.nanmin(sharpes)), float(np.nanmax(sharpes))
    place = (sharpe - low) / (high - low) if high > low else 1.0
    colour = COLOURS[min(int(place * len(COLOURS)), len(COLOURS) - 1)]
    return f"[{colour}]{sharpe:.2f}[/]"
