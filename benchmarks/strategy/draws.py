"""The shipped strategy from 2020 to 2024, models drawn anew several times, with and without levers: docs/backtest.md.

    python benchmarks/strategy/draws.py --data bars --rules PATH [--seeds 4] [--recipe scale_free --scale rank]

So that it ends on a small machine: nine tokens, models trained once a year on 29 tokens that were large all the time,
two candidates a search. A line of JSON for each draw and setting of the levers: growth, worst fall, years, exposure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from marsshot.backtesting.analysis.run_statistics import run_statistics  # noqa: E402
from marsshot.backtesting.request import BacktestRequest, read_request  # noqa: E402
from marsshot.backtesting.scoring.daily_scores import DailyScores, full_feature_table  # noqa: E402
from marsshot.backtesting.scoring.walk_forward import SEED, WalkForwardPlan, walk_forward  # noqa: E402
from marsshot.backtesting.simulation.engine import RunResult, run  # noqa: E402
from marsshot.config.loader import read_settings  # noqa: E402
from marsshot.model.features import AVAILABLE_COLUMNS  # noqa: E402
from marsshot.training.recipes import RECIPES  # noqa: E402

FIRST, LAST = date(2020, 1, 1), date(2024, 12, 31)
CONFIG = ROOT / "config.yaml"
TRADED = "ADA,BNB,DOGE,DOT,LINK,LTC,SOL,UNI,XRP"
LARGE = frozenset(
    "AAVE ADA ALGO ATOM AVAX BCH BNB CHZ DASH DOGE DOT ENJ ETC FIL IOTA LINK LTC MANA NEAR NEO SOL THETA TRX UNI VET "
    "XLM XRP XTZ ZEC".split()
)
LEVERS = {
    "none": {"strategy.max_share_per_token": "1.0"},
    "max_share_per_token 0.20": {"strategy.max_share_per_token": "0.20"},
    "... and btc_trend_days 100": {"strategy.max_share_per_token": "0.20", "strategy.btc_trend_days": "100"},
}


def main() -> int:
    """Draw, run, print."""
    request, seeds = read_arguments(__doc__)
    for seed, scores in drawn_scores(request, seeds):
        for name, changes in LEVERS.items():
            run_result = run_with(request, scores, changes)
            line = {"seed": seed, "levers": name, **_statistics(run_result, request.settings.tokens_daily)}
            sys.stdout.write(f"{json.dumps(line)}\n")
            sys.stdout.flush()
    return 0


def read_arguments(description: str | None) -> tuple[BacktestRequest, range]:
    """Read the command line: what is run, and the seeds of the draws."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--recipe", choices=RECIPES, default="seed")
    parser.add_argument("--scale", choices=("raw", "rank"), default="raw")
    arguments = parser.parse_args()
    changes = {"training.recipe": arguments.recipe, "strategy.score_scale": arguments.scale}
    request = read_request(
        CONFIG, changes=changes, tokens=TRADED, data=arguments.data, rules=arguments.rules, first=FIRST, last=LAST
    )
    return request, range(SEED, SEED + arguments.seeds)


def drawn_scores(request: BacktestRequest, seeds: range) -> Iterator[tuple[int, DailyScores]]:
    """Yield the scores of the models of each seed."""
    table, training = full_feature_table(request.dataset), request.settings.training
    recipe = RECIPES[training.recipe].for_file(AVAILABLE_COLUMNS, request.dataset.missing_columns)
    learnt_from = [token for token in request.training_tokens if token in LARGE]
    for seed in seeds:
        plan = WalkForwardPlan(
            training=training,
            retrain_days=365,
            tries=2,
            jobs=2,
            features=recipe.columns,
            seed=seed,
            scale=request.settings.strategy.score_scale,
        )
        tokens = request.settings.tokens_daily
        days, _ = walk_forward(table, tokens, learnt_from, request.span, plan, lambda _training: None)
        yield seed, DailyScores(days)


def run_with(request: BacktestRequest, scores: DailyScores, changes: Mapping[str, str]) -> RunResult:
    """Run the nine tokens with these settings changed. changes: YAML by key."""
    scale = {"strategy.score_scale": request.settings.strategy.score_scale}
    settings = read_settings(CONFIG, {"tokens_daily": f"[{TRADED}]", "symbols": "{}", **scale, **changes})
    return run(settings, request.dataset, scores, *request.span, request.rules)


def _statistics(run_result: RunResult, tokens: Sequence[str]) -> dict[str, object]:
    statistics = run_statistics(run_result, tokens)
    years: dict[int, list[float]] = {}
    for point in run_result.points[:-1]:
        years.setdefault(point.moment.year, []).append(point.equity)
    return {
        "trades": len(run_result.trades),
        "exposure": float(statistics.exposure.mean()),
        "years": {year: worths[-1] / worths[0] - 1 for year, worths in years.items()},
        **{
            name: {"change": metrics.total_return, "worst fall": metrics.max_drawdown}
            for name, metrics in statistics.metrics.items()
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
