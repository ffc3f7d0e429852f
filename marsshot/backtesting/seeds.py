"""Several draws of the same models: how far the result depends on the draw alone."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from marsshot.backtesting.analysis.run_statistics import BOT
from marsshot.backtesting.analysis.spread import Draw, Spread
from marsshot.backtesting.result import BacktestResult
from marsshot.backtesting.scoring.daily_scores import DailyScores


def draw_of(seed: int, result: BacktestResult) -> Draw:
    """Return what is kept of one draw."""
    statistics = result.statistics
    return Draw(
        seed=seed,
        worth=float(statistics.equity[-1]),
        metrics=statistics.metrics[BOT],
        trades=len(statistics.trade_analysis.trades),
        exposure=float(statistics.exposure.mean()),
    )


def run_draws(seeds: Sequence[int], run_one: Callable[[int], BacktestResult]) -> BacktestResult:
    """Run every draw; return the result of the one in the middle, with the spread of all."""
    results: dict[int, BacktestResult] = {}
    packed: dict[int, bytes] = {}
    for seed in seeds:
        result = run_one(seed)
        packed[seed] = zlib.compress(pickle.dumps(result.scores), level=1)  # a tenth of the memory
        results[seed] = replace(result, scores=DailyScores({}))
    spread = Spread(draws=tuple(draw_of(seed, result) for seed, result in results.items()))
    middle = spread.middle.seed
    scores = pickle.loads(zlib.decompress(packed[middle]))  # noqa: S301 - packed a few lines above
    return replace(results[middle], scores=scores, spread=spread)
