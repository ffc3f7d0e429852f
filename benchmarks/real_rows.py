"""Training rows of recorded daily bars: a year of the tokens that were traded most in it, as build_csv.py makes them.

Recorded bars have no LunarCrush scores; where they are missing, the demo's stand-ins take their place, which know
nothing of the future and hardly anything else.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from features import labelled  # noqa: E402 - after the path
from replay.recording import read_recording  # noqa: E402
from replay.scores import whole_table  # noqa: E402

YEAR = 365
LABEL_DAYS, RISE = 2, Decimal("0.05")
SMALLEST_PRICE = 1e-8  # Binance quotes none below
FEWEST_DAYS = 200  # of a year that a token must have been traded


def all_rows(data: Path) -> pd.DataFrame:
    """Return the labelled rows of every token and day of a file of daily bars."""
    lowest = pd.read_csv(data, usecols=["symbol", "low"]).groupby("symbol")["low"].min()
    tokens = [str(token) for token in lowest.index[lowest >= SMALLEST_PRICE]]
    rows = labelled(whole_table(read_recording(data, tokens, None, None)), LABEL_DAYS, RISE)
    return rows.assign(symbol=rows["symbol"].astype(str))


def year_until(rows: pd.DataFrame, last: pd.Timestamp, tokens: int) -> pd.DataFrame:
    """Return the rows of the year that ends on this day, of so many tokens: those with the largest median volume."""
    year = rows[(rows["date"] <= last) & (rows["date"] > last - pd.Timedelta(days=YEAR))]
    by_token = year.groupby("symbol")["volume"]
    traded = by_token.median()[by_token.size() >= FEWEST_DAYS]
    chosen = traded.sort_values(ascending=False, kind="stable").index[:tokens]
    return year[year["symbol"].isin(chosen)].reset_index(drop=True)
