"""A grid of settings: what it holds, what it refuses, how it is run side by side and on a cluster, what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from marsshot.backtesting.analysis.deflated_sharpe import deflated_sharpe
from marsshot.backtesting.analysis.run_statistics import run_statistics
from marsshot.backtesting.reports.sweep_page import sweep_page
from marsshot.backtesting.request import BacktestRequest
from marsshot.backtesting.simulation.engine import run
from marsshot.backtesting.sweep import CellResult, SweepResult, heat_map, parse_grid, sweep
from marsshot.core.catalog import Catalog
from marsshot.core.errors import InputError
from tests.helpers.backtest_builders import CONFIG, random_scores, synthetic_request, write_synthetic_bars
from tests.helpers.french_text import is_wholly_french, words_of_page

STOP, BUY = "strategy.stop_loss_pct", "strategy.buy_threshold"


def test_lists_and_ranges_make_a_grid() -> None:
    grid = parse_grid([(STOP, "0.3, 0.4"), (BUY, "0.6:0.7:0.05")], CONFIG, {})
    assert grid.keys == (STOP, BUY)
    assert [cell.values for cell in grid.cells] == [
        ("0.3", "0.60"),
        ("0.3", "0.65"),
        ("0.3", "0.70"),
        ("0.4", "0.60"),
        ("0.4", "0.65"),
        ("0.4", "0.70"),
    ]
    assert [str(cell.strategy.buy_threshold) for cell in grid.cells[:3]] == ["0.60", "0.65", "0.70"]


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ([("training.days", "100,200")], "only keys of the section strategy"),
        ([(STOP, "0.3"), (STOP, "0.4")], "is given twice"),
        ([(STOP, "0.3,2")], "stop_loss_pct: 2 is not allowed"),
        ([("strategy.nonsense", "1")], "is not a key"),
        ([(BUY, "0.2,0.6")], "sell_threshold: 0.30 is not allowed"),
        ([(BUY, "0.6:0.9")], "a range has the form"),
        ([(BUY, "0.6:0.9:0")], "a range has the form"),
        ([(BUY, "0.9:0.6:0.1")], "goes up from first to last"),
        ([(BUY, "0.6:x:0.1")], "a range has the form"),
        ([(STOP, "0.1:0.9:0.01"), (BUY, "0.5:0.9:0.01")], "makes 3321 cells"),
        ([(STOP, "[")], "is no value"),
    ],
)
def test_a_faulty_grid_is_one_line(specs: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_grid(specs, CONFIG, {})
    assert told in str(refused.value)


@pytest.fixture
def backtest_request(tmp_path: Path) -> BacktestRequest:
    """Six synthetic days."""
    return synthetic_request(write_synthetic_bars(tmp_path, 3, hourly=True), buy_threshold="0.5")


@pytest.fixture
def _no_workers_left() -> Iterator[None]:
    """End joblib's processes after the test: they would wait for more work, and other tests count processes."""
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_workers_left")
@pytest.mark.parametrize("jobs", [1, 2])
def test_every_cell_is_the_run_of_its_settings(backtest_request: BacktestRequest, jobs: int) -> None:
    grid, scores = parse_grid([(STOP, "0.02,0.5")], CONFIG, {BUY: "0.5"}), random_scores(backtest_request, 3)
    found = sweep(backtest_request, scores, grid, jobs)
    for cell, cell_results in zip(grid.cells, found.cells, strict=True):
        settings = backtest_request.settings.model_copy(update={"strategy": cell.strategy})
        run_result = run(settings, backtest_request.dataset, scores, *backtest_request.span)
        metrics = run_statistics(run_result, settings.tokens_daily).metrics["MarsShot"]
        assert cell_results.metrics == (
            metrics.total_return,
            metrics.max_drawdown,
            metrics.sharpe,
            float(len(run_result.trades)),
        )
    assert found.cells[0].metrics != found.cells[1].metrics


def _sweep(*returns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> SweepResult:
    cells = []
    for number, one in enumerate(returns):
        ratio = float(one.mean() / one.std(ddof=1) * math.sqrt(365)) if one.std() else math.nan
        cells.append(CellResult((str(number),), (0.1, 0.2, ratio, 5.0), one))
    return SweepResult(keys=(STOP,), cells=tuple(cells), first=date(2021, 1, 1), last=date(2021, 12, 31))


def test_the_best_of_many_lucky_cells_is_called_luck() -> None:
    random = np.random.default_rng(5)
    found = _sweep(*random.normal(0, 0.02, (30, 200)))
    assert found.best.sharpe == max(cell.sharpe for cell in found.cells)
    assert found.probability == deflated_sharpe(found.best.returns, [c.sharpe / math.sqrt(365) for c in found.cells])
    assert "luck" in found.verdict()
    assert f"best of 30 cells is {STOP}={found.best.values[0]}" in found.verdict()


def test_a_cell_of_real_skill_among_many_is_told_from_luck() -> None:
    random = np.random.default_rng(6)
    found = _sweep(*random.normal(0, 0.02, (10, 400)), random.normal(0.008, 0.02, 400))
    assert found.best is found.cells[-1]
    assert "more than luck" in found.verdict()


def test_where_nothing_was_bought_there_is_no_best_cell() -> None:
    assert "nothing was bought" in _sweep(np.zeros(9), np.zeros(9)).verdict()


def test_two_keys_make_a_map_and_the_page_needs_nothing_from_outside(backtest_request: BacktestRequest) -> None:
    grid = parse_grid([(STOP, "0.02,0.5"), (BUY, "0.5,0.6,0.7")], CONFIG, {})
    found = sweep(backtest_request, random_scores(backtest_request, 3), grid, 1)
    mapped = heat_map(found)
    assert mapped is not None
    down, across, sharpes = mapped
    assert (down, across, sharpes.shape) == (["0.02", "0.5"], ["0.5", "0.6", "0.7"], (2, 3))
    assert sharpes[1, 2] == found.cells[5].metrics[2]
    page = sweep_page(found, Catalog("en"))
    assert "http" not in page
    assert "stop_loss_pct down, buy_threshold across" in page
    assert is_wholly_french(words_of_page(sweep_page(found, Catalog("fr"))))
    assert (
        heat_map(
            sweep(backtest_request, random_scores(backtest_request, 3), parse_grid([(STOP, "0.5")], CONFIG, {}), 1)
        )
        is None
    )
