"""build_csv the baseline, to measure ours against: a dict per point, pandas per token, merges, one `ta` call chain.

In our own words the steps that a hobby bot of this kind takes; nothing in the program uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import ta

PRICES = ["open", "high", "low", "close"]
SHIFT_DAYS, THRESHOLD = 2, 0.05


def points_as_rows(points: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per point, oldest first."""
    rows = []
    for point in points:
        day = datetime.fromtimestamp(point["time"], UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        rows.append(
            {
                "date": day,
                "open": point.get("open", np.nan),
                "high": point.get("high", np.nan),
                "low": point.get("low", np.nan),
                "close": point.get("close", np.nan),
                "volume": point.get("volume_24h", np.nan),
                "market_cap": point.get("market_cap", np.nan),
                "galaxy_score": point.get("galaxy_score", np.nan),
                "alt_rank": point.get("alt_rank", np.nan),
                "sentiment": point.get("sentiment", np.nan),
            }
        )
    return pd.DataFrame(rows).sort_values("date").reset_index(drop=True)


def with_indicators(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the clean bars with rsi, macd and atr, by one `ta` call each."""
    clean = bars.copy()
    clean[PRICES] = clean[PRICES].replace(0, np.nan)
    clean = clean.dropna(subset=PRICES).reset_index(drop=True)
    clean["rsi"] = ta.momentum.RSIIndicator(clean["close"], window=14).rsi()
    clean["macd"] = ta.trend.MACD(clean["close"], window_slow=26, window_fast=12, window_sign=9).macd_diff()
    clean["atr"] = ta.volatility.AverageTrueRange(
        clean["high"], clean["low"], clean["close"], window=14
    ).average_true_range()
    return clean


def daily_change(bars: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return date and the change of the close since the row before."""
    ordered = bars.sort_values("date").reset_index(drop=True)
    return pd.DataFrame({"date": ordered["date"], name: ordered["close"].pct_change()})


def all_rows(frames: Mapping[str, pd.DataFrame], tokens: Sequence[str], market: Sequence[str]) -> pd.DataFrame:
    """Return the rows of all tokens, one after the other: the market's changes merged by date, the label by a shift."""
    changes = [daily_change(frames[name], f"{name.lower()}_daily_change") for name in market]
    parts = []
    for token in tokens:
        rows = with_indicators(frames[token])
        for change in changes:
            rows = rows.merge(change, on="date", how="left")
        rows["symbol"] = token
        rise = rows["close"].shift(-SHIFT_DAYS) / rows["close"] - 1
        rows["label"] = (rise >= THRESHOLD).astype(float)
        parts.append(rows.dropna(subset=["label"]))
    return pd.concat(parts, ignore_index=True)
