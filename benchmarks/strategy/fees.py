"""What Bitvavo's fee costs the strategy beside Binance's, 2020 to 2024, models drawn anew: docs/backtest.md.

    python benchmarks/strategy/fees.py --data bars --rules PATH [--seeds 4]

The same scores, tokens and days as draws.py; each draw is run once with each fee, so that what differs is the fee alone
(and what follows from it: other amounts, now and then another trade). Prints a table; a line of JSON for each run goes
to the standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.strategy.draws import drawn_scores, read_arguments, run_with  # noqa: E402
from marsshot.backtesting.analysis.run_statistics import BOT, run_statistics  # noqa: E402
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName  # noqa: E402

SHIPPED = {"strategy.max_share_per_token": "0.20"}
STRATEGIES = {
    "without levers": {"strategy.max_share_per_token": "1.0"},
    "as shipped": SHIPPED,
    "as shipped, bought from 0.60 on": {**SHIPPED, "strategy.buy_threshold": "0.60"},
    "as shipped, bought from 0.55, sold under 0.45": {
        **SHIPPED,
        "strategy.buy_threshold": "0.55",
        "strategy.sell_threshold": "0.45",
    },
}
VENUES: tuple[ExchangeName, ...] = ("binance", "bitvavo")


def main() -> int:
    """Draw, run with both fees, print."""
    request, seeds = read_arguments(__doc__)
    runs: dict[str, dict[ExchangeName, list[dict[str, float]]]] = {
        name: {venue: [] for venue in VENUES} for name in STRATEGIES
    }
    for seed, scores in drawn_scores(request, seeds):
        for name, changes in STRATEGIES.items():
            for venue in VENUES:
                quote = EXCHANGE_FACTS[venue].quote_assets[0]
                run_result = run_with(request, scores, {**changes, "exchange": venue, "quote_asset": quote})
                statistics = run_statistics(run_result, request.settings.tokens_daily)
                one = {
                    "growth": statistics.metrics[BOT].total_return,
                    "fall": statistics.metrics[BOT].max_drawdown,
                    "trades": float(len(run_result.trades)),
                    "turnover": statistics.turnover,
                }
                runs[name][venue].append(one)
                sys.stderr.write(f"{json.dumps({'seed': seed, 'strategy': name, 'venue': venue, **one})}\n")
    Console(width=160).print(_table(runs))
    return 0


def _table(runs: dict[str, dict[ExchangeName, list[dict[str, float]]]]) -> Table:
    table = Table(title="Growth over five years, by the fee of a market order", title_justify="left")
    for column in ("strategy", "fee", "worst", "median", "best", "median worst fall", "trades", "turnover a year"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    table.add_column("what the dearer fee leaves of the worth: worst, median, best", justify="right")
    for name, by_venue in runs.items():
        for venue in VENUES:
            drawn = by_venue[venue]
            growths = [one["growth"] for one in drawn]
            table.add_row(
                name if venue == VENUES[0] else "",
                f"{EXCHANGE_FACTS[venue].taker_fee:.2%}",
                *(f"{value:+.0%}" for value in (min(growths), median(growths), max(growths))),
                f"{median(one['fall'] for one in drawn):.0%}",
                f"{min(one['trades'] for one in drawn):.0f} to {max(one['trades'] for one in drawn):.0f}",
                f"{median(one['turnover'] for one in drawn):.1f}",
                "" if venue == VENUES[0] else _left(by_venue[VENUES[0]], drawn),
            )
    return table


def _left(cheap: Sequence[dict[str, float]], dear: Sequence[dict[str, float]]) -> str:
    """Return what the worth at the end is of what it would be with the lower fee, draw by draw."""
    shares = [(1 + one["growth"]) / (1 + other["growth"]) for one, other in zip(dear, cheap, strict=True)]
    return ", ".join(f"{share:.1%}" for share in (min(shares), median(shares), max(shares)))


if __name__ == "__main__":
    raise SystemExit(main())
