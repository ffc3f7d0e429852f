"""The shipped strategy from 2020 to 2024, models drawn anew several times, with and without levers: docs/backtest.md.

    python benchmarks/strategy/draws.py --data ../shared/data --rules PATH [--seeds 4]

So that it ends on a small machine: nine tokens, models trained once a year on 29 tokens that were large all the time,
two candidates a search. A line of JSON for each draw and setting of the levers: growth, worst fall, years, exposure.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from marsshot.backtesting.analysis.run_statistics import run_statistics  # noqa: E402
from marsshot.backtesting.request import BacktestRequest, read_request  # noqa: E402
from marsshot.backtesting.scoring.daily_scores import DailyScores, full_feature_table  # noqa: E402
from marsshot.backtesting.scoring.walk_forward import SEED, WalkForwardPlan, walk_forward  # noqa: E402
from marsshot.backtesting.simulation.engine import run  # noqa: E402
from marsshot.config.loader import read_settings  # noqa: E402
from marsshot.model.features import AVAILABLE_COLUMNS, features_in  # noqa: E402

FIRST, LAST = date(2020, 1, 1), date(2024, 12, 31)
CONFIG = ROOT / "config.yaml"
TRADED = "ADA,BNB,DOGE,DOT,LINK,LTC,SOL,UNI,XRP"
LARGE = frozenset(
    "AAVE ADA ALGO ATOM AVAX BCH BNB CHZ DASH DOGE DOT ENJ ETC FIL IOTA LINK LTC MANA NEAR NEO SOL THETA TRX UNI VET "
    "XLM XRP XTZ ZEC".split()
)
LEVERS = {
    "none": {},
    "max_share_per_token 0.20": {"strategy.max_share_per_token": "0.20"},
    "... and btc_trend_days 100": {"strategy.max_share_per_token": "0.20", "strategy.btc_trend_days": "100"},
}


def main() -> int:
    """Draw, run, print."""
    arguments = _arguments()
    request = read_request(
        CONFIG, changes={}, tokens=TRADED, data=arguments.data, rules=arguments.rules, first=FIRST, last=LAST
    )
    table = full_feature_table(request.dataset)
    learnt_from = [token for token in request.training_tokens if token in LARGE]
    for seed in range(SEED, SEED + arguments.seeds):
        plan = WalkForwardPlan(
            training=request.settings.training,
            retrain_days=365,
            tries=2,
            jobs=2,
            features=features_in(AVAILABLE_COLUMNS, request.dataset.missing_columns),
            seed=seed,
        )
        tokens = request.settings.tokens_daily
        days, _ = walk_forward(table, tokens, learnt_from, request.span, plan, lambda _training: None)
        for name, changes in LEVERS.items():
            line = {"seed": seed, "levers": name, **_run(request, DailyScores(days), changes)}
            sys.stdout.write(f"{json.dumps(line)}\n")
            sys.stdout.flush()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    return parser.parse_args()


def _run(request: BacktestRequest, scores: DailyScores, changes: dict[str, str]) -> dict[str, object]:
    settings = read_settings(CONFIG, {"tokens_daily": f"[{TRADED}]", "symbols": "{}", **changes})
    one = replace(request, settings=settings)
    run_result = run(settings, one.dataset, scores, *one.span, one.rules)
    statistics = run_statistics(run_result, settings.tokens_daily)
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
