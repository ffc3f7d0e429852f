"""The output files of a backtest: trades.csv, equity.csv, report.html; of a sweep its table, as CSV and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from marsshot.backtesting.analysis.spread import Spread
from marsshot.backtesting.reports.html_report import report_page
from marsshot.backtesting.reports.sweep_page import sweep_page
from marsshot.backtesting.result import BacktestResult
from marsshot.backtesting.sweep import SweepResult
from marsshot.config.bot_files import BACKTEST_REPORT, EQUITY, TRADES
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import MarsShotError
from marsshot.core.moments import utc_text
from marsshot.infra.atomic_files import replace_file
from marsshot.infra.csv_rows import csv_bytes


class ResultNotWrittenError(MarsShotError):
    """The result could not be written."""


def write_result(result: BacktestResult, folder: Path, catalog: Catalog) -> list[Path]:
    """Write the files of a run and return them. Raises ResultNotWrittenError."""
    return _write(
        folder,
        {
            TRADES: result.run_result.trades_csv,
            EQUITY: csv_bytes(_equity_rows(result)),
            BACKTEST_REPORT: report_page(result, catalog).encode(),
            **({"seeds.csv": csv_bytes(_draw_rows(result.spread))} if result.spread else {}),
        },
    )


def _draw_rows(spread: Spread) -> list[list[str]]:
    figures = ("total_return", "max_drawdown", "sharpe")
    return [
        ["seed", "worth", *figures, "trades", "exposure"],
        *(
            [
                str(one.seed),
                f"{one.worth:.8f}",
                *(repr(getattr(one.metrics, name)) for name in figures),
                str(one.trades),
                f"{one.exposure:.6f}",
            ]
            for one in spread.draws
        ),
    ]


def write_sweep(found: SweepResult, folder: Path, catalog: Catalog) -> list[Path]:
    """Write the files of a sweep and return them. Raises ResultNotWrittenError."""
    rows = [[*found.keys, *found.COLUMNS]] + [
        [*cell.values, *(repr(value) for value in cell.metrics)] for cell in found.cells
    ]
    return _write(folder, {"sweep.csv": csv_bytes(rows), "sweep.html": sweep_page(found, catalog).encode()})


def _equity_rows(result: BacktestResult) -> list[list[str]]:
    statistics = result.statistics
    rows = [["time", "capital", "held", *statistics.curves]]
    for number, point in enumerate(result.run_result.points):
        curves = (f"{curve[number]:.8f}" for curve in statistics.curves.values())
        rows.append([utc_text(point.moment), f"{point.capital:.8f}", f"{point.held:.8f}", *curves])
    return rows


def _write(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    try:
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            replace_file(folder / name, content)
    except OSError as error:
        why = str(error.strerror or error)
        raise ResultNotWrittenError(LocalizedText("backtest.fault.not_written", folder=folder, why=why)) from None
    return [folder / name for name in contents]
