"""backtest.py --sweep --scheduler on a real worker process that has none of our modules: the same to the digit."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsshot.backtesting.sweep import parse_grid, sweep
from marsshot.training.dask_cluster import cluster_threads, send_code
from tests.helpers.backtest_builders import CONFIG, random_scores, synthetic_request, write_synthetic_bars
from tests.helpers.builders import ROOT
from tests.training.test_dask_cluster import scheduler, workers

__all__ = ["scheduler"]


@pytest.mark.slow
def test_a_sweep_on_a_cluster_is_the_sweep_on_this_machine(scheduler: str, tmp_path: Path) -> None:
    backtest_request = synthetic_request(write_synthetic_bars(tmp_path, 3, hourly=True), buy_threshold="0.5")
    scores = random_scores(backtest_request, 3)
    grid = parse_grid([("strategy.stop_loss_pct", "0.02,0.1,0.5")], CONFIG, {"strategy.buy_threshold": "0.5"})
    (folder := tmp_path / "worker").mkdir()
    with workers(scheduler, folder), cluster_threads(scheduler) as threads:
        assert threads == 1
        send_code(ROOT)
        there = sweep(backtest_request, scores, grid, threads)
    here = sweep(backtest_request, scores, grid, 1)
    assert [cell.metrics for cell in there.cells] == [cell.metrics for cell in here.cells]
    assert [cell.returns.tolist() for cell in there.cells] == [cell.returns.tolist() for cell in here.cells]
