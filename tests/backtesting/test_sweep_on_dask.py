"""backtest.py --sweep --scheduler on a real worker process that has none of our modules: the same to the digit."""

from __future__ import annotations

from pathlib import Path

from marsshot.backtesting.sweep import grid_of, sweep
from marsshot.training.dask_cluster import cluster_threads, send_code
from tests.helpers.backtest_builders import CONFIG, ask_made_up, random_scores, write_made_up
from tests.helpers.builders import ROOT
from tests.training.test_dask_cluster import scheduler, workers

__all__ = ["scheduler"]


def test_a_sweep_on_a_cluster_is_the_sweep_on_this_machine(scheduler: str, tmp_path: Path) -> None:
    question = ask_made_up(write_made_up(tmp_path, 3, hourly=True), buy_threshold="0.5")
    scores = random_scores(question, 3)
    grid = grid_of([("strategy.stop_loss_pct", "0.02,0.1,0.5")], CONFIG, {"strategy.buy_threshold": "0.5"})
    (folder := tmp_path / "worker").mkdir()
    with workers(scheduler, folder), cluster_threads(scheduler) as threads:
        assert threads == 1
        send_code(ROOT)
        there = sweep(question, scores, grid, threads)
    here = sweep(question, scores, grid, 1)
    assert [cell.figures for cell in there.cells] == [cell.figures for cell in here.cells]
    assert [cell.returns.tolist() for cell in there.cells] == [cell.returns.tolist() for cell in here.cells]
