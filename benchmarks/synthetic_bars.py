"""A folder of recorded bars of synthetic coins, as `backtest.py --data` takes it: daily bars and bars of one hour."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

HOURS = 24
START = date(2023, 1, 1)
WARM_UP_DAYS = 60  # before the first day: what indicators need to begin with
FIRST = START + timedelta(days=WARM_UP_DAYS)


def write_bars(folder: Path, tokens: int, days: int) -> pd.DataFrame:
    """Write daily.csv and intraday_1h.csv of BTC, ETH and so many tokens in all; return the hourly bars."""
    hourly = pd.concat([_hourly(symbol, days + WARM_UP_DAYS, n) for n, symbol in enumerate(symbols_of(tokens))])
    hourly.to_csv(folder / "intraday_1h.csv", index=False, float_format="%.8g")
    _daily(hourly).to_csv(folder / "daily.csv", index=False, float_format="%.8g")
    return hourly


def symbols_of(tokens: int) -> list[str]:
    """Return the names of so many tokens."""
    return ["BTC", "ETH", *(f"T{number:03d}" for number in range(tokens - 2))]


def _hourly(symbol: str, days: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    count = days * HOURS
    close = np.exp(random.normal(0, 2) + np.cumsum(random.standard_t(4, count) * 0.007))
    opening = np.concatenate([close[:1], close[:-1]])
    above, below = np.abs(random.normal(0, 0.003, (2, count)))
    bars = {
        "open": opening,
        "high": np.maximum(opening, close) * (1 + above),
        "low": np.minimum(opening, close) * (1 - below),
        "close": close,
    }
    first = int(np.datetime64(START, "s").astype(np.int64))
    rounded = {name: np.round(np.maximum(values, 1e-4), 6) for name, values in bars.items()}
    volume = np.round(random.lognormal(14, 1, count), 2)
    return pd.DataFrame({"symbol": symbol, "time": first + 3600 * np.arange(count), **rounded, "volume": volume})


def _daily(hourly: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(hourly["time"] // (HOURS * 3600) * (HOURS * 3600), unit="s").dt.strftime("%Y-%m-%d")
    grouped = hourly.assign(date=days).groupby(["symbol", "date"], sort=True)
    daily = grouped.agg(open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"))
    volume = grouped["volume"].sum() * 10
    return daily.assign(volume=volume, market_cap=daily["close"] * 1e8).reset_index()
