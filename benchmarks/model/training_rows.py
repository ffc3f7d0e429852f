"""Training rows of recorded daily bars, as build_csv.py makes them: of the tokens that were traded most in a year.

    python benchmarks/model/training_rows.py --data bars/daily.csv.gz --output rows.csv [--last 2024-12-29]
                                   [--days 365] [--tokens 150] [--without-ratios]
    python train_model.py --input rows.csv --output rows.pkl

Recorded bars have no LunarCrush scores; where they are missing, the demo's stand-ins take their place, which know
nothing of the future and hardly anything else.
"""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from marsshot.backtesting.history.market_history import read_dataset  # noqa: E402
from marsshot.backtesting.scoring.daily_scores import full_feature_table  # noqa: E402
from marsshot.infra.csv_text import csv_text  # noqa: E402 - after the path
from marsshot.model.features import RATIOS, labelled  # noqa: E402 - after the path

YEAR = 365
LABEL_DAYS, RISE = 2, Decimal("0.05")
SMALLEST_PRICE = 1e-8  # Binance quotes none below
FEWEST_DAYS = 200  # of a year that a token must have been traded


def all_rows(data: Path) -> pd.DataFrame:
    """Return the labelled rows of every token and day of a file of daily bars."""
    bars = pd.read_csv(data, usecols=["symbol", "low"], dtype={"symbol": str, "low": float}, keep_default_na=False)
    lowest = bars.groupby("symbol")["low"].min()
    tokens = [str(token) for token in lowest.index[lowest >= SMALLEST_PRICE]]
    rows = labelled(full_feature_table(read_dataset(data, tokens, None, None)), LABEL_DAYS, RISE)
    return rows.assign(symbol=rows["symbol"].astype(str))


def rows_until(rows: pd.DataFrame, last: pd.Timestamp, tokens: int, days: int = YEAR) -> pd.DataFrame:
    """Return so many days' rows up to this one, of so many tokens: those with the largest median volume in a year."""
    year = rows[(rows["date"] <= last) & (rows["date"] > last - pd.Timedelta(days=YEAR))]
    by_token = year.groupby("symbol")["volume"]
    traded = by_token.median()[by_token.size() >= FEWEST_DAYS]
    chosen = traded.sort_values(ascending=False, kind="stable").index[:tokens]
    wanted = rows[(rows["date"] <= last) & (rows["date"] > last - pd.Timedelta(days=days))]
    return wanted[wanted["symbol"].isin(chosen)].reset_index(drop=True)


def main() -> None:
    """Write the rows as a training file."""
    parser = argparse.ArgumentParser(description="Write a training file of recorded daily bars.")
    parser.add_argument("--data", type=Path, required=True, help="a file of daily bars, as backtest.py takes it")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--last", default="2024-12-29", help="last day of the rows")
    parser.add_argument("--days", type=int, default=YEAR, help="how many days up to it")
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--without-ratios", action="store_true", help="the seed's columns only")
    arguments = parser.parse_args()
    rows = rows_until(all_rows(arguments.data), pd.Timestamp(arguments.last), arguments.tokens, arguments.days)
    arguments.output.write_bytes(csv_text(rows.drop(columns=list(RATIOS)) if arguments.without_ratios else rows))


if __name__ == "__main__":
    main()
