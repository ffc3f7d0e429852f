"""From daily bars to feature rows and labels: the one place that both training and the live bot use.

A row holds the token's own bar and indicators and, joined by date, BTC's and ETH's change of that day. Nothing in
a row comes from a later day, except the label. Never fetches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bar_cache import CLOSE, FIELDS, DailyBars
from domain import EXACT
from indicators import Floats, atr, is_clean, macd_histogram, rsi, side_by_side

FEATURES = (
    "close",
    "volume",
    "market_cap",
    "galaxy_score",
    "alt_rank",
    "sentiment",
    "rsi",
    "macd",
    "atr",
    "btc_daily_change",
    "eth_daily_change",
)
"""What the model is trained on."""

INDICATORS = ("rsi", "macd", "atr")
CHANGES = ("btc_daily_change", "eth_daily_change")
OFFERED = (*FIELDS, *INDICATORS, *CHANGES)
"""What the table has of every row: a model may be fitted on any of these."""

_HIGH, _LOW = FIELDS.index("high"), FIELDS.index("low")
_LARGEST = float(np.finfo(np.float32).max)  # scikit-learn's forests calculate in float32
_TOO_CLOSE_FOR_FLOATS = 1e-9


def feature_table(histories: Mapping[str, DailyBars], btc: DailyBars, eth: DailyBars) -> pd.DataFrame:
    """Return one row per token and clean closed day, sorted by date, then symbol.

    Columns: date (midnight), symbol, OFFERED; NaN where a value is missing or not defined yet.
    """
    symbols = sorted(histories)
    cleaned = [_cleaned(histories[symbol]) for symbol in symbols]
    lengths = [len(bars.days) for bars in cleaned]
    days = np.concatenate([np.empty(0, "datetime64[D]"), *(bars.days for bars in cleaned)])
    columns: dict[str, object] = {
        "date": days.astype("datetime64[us]"),
        "symbol": pd.array(np.repeat(np.array(symbols, dtype=object), lengths), dtype="str"),
    }
    values = np.concatenate([np.empty((0, len(FIELDS))), *(bars.values for bars in cleaned)])
    columns |= {field: values[:, number] for number, field in enumerate(FIELDS)}
    columns |= dict(zip(INDICATORS, _indicators(cleaned, lengths), strict=True))
    columns |= {name: _daily_change(bars, days) for name, bars in zip(CHANGES, (btc, eth), strict=True)}
    return pd.DataFrame(columns).sort_values("date", kind="stable", ignore_index=True)


def rows_of_day(table: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return the rows of one UTC day: the live rows when the day is yesterday. Some may miss a feature."""
    return table[table["date"] == pd.Timestamp(day)]


def has_features(table: pd.DataFrame, features: Sequence[str] = FEATURES) -> pd.DataFrame:
    """Return row by row and feature by feature whether the value is there and a model can take it."""
    return table[list(features)].abs() <= _LARGEST


def missing_features(row: pd.Series, features: Sequence[str] = FEATURES) -> list[str]:
    """Return the names of the features that one row has no usable value of."""
    return [name for name in features if not abs(row[name]) <= _LARGEST]


def labelled(table: pd.DataFrame, shift_days: int, threshold: Decimal) -> pd.DataFrame:
    """Return the rows whose close `shift_days` calendar days later is known, with a column label.

    label: 1 if that close is at least (1 + threshold) times the row's own, else 0; compared as decimals of the
    shortest text of both.
    """
    later = _closes_later(table, shift_days)
    known = ~np.isnan(later)
    rows = table[known].reset_index(drop=True)
    return rows.assign(label=_has_risen(rows["close"].to_numpy(), later[known], threshold))


def _cleaned(bars: DailyBars) -> DailyBars:
    clean = is_clean(bars.values[:, : CLOSE + 1])
    return DailyBars(bars.symbol, bars.days[clean], bars.values[clean])


def _indicators(cleaned: Sequence[DailyBars], lengths: Sequence[int]) -> list[Floats]:
    """Return RSI, MACD and ATR of all rows, token after token."""
    high, low, close = (side_by_side([bars.values[:, field] for bars in cleaned]) for field in (_HIGH, _LOW, CLOSE))
    filled = np.arange(len(close))[:, None] < np.array(lengths, dtype=int)
    return [values.T[filled.T] for values in (rsi(close), macd_histogram(close), atr(high, low, close))]


def _daily_change(bars: DailyBars, days: NDArray[np.datetime64]) -> Floats:
    """Return close / the previous calendar day's close - 1 on each of the days; NaN if either is missing."""
    clean = _cleaned(bars)
    known, close = clean.days.astype(np.int64), clean.values[:, CLOSE]
    wanted = days.astype(np.int64)
    return _values_at(wanted, known, close) / _values_at(wanted - 1, known, close) - 1


def _closes_later(table: pd.DataFrame, shift_days: int) -> Floats:
    """Return each row's close `shift_days` calendar days later, NaN if the table has none."""
    symbols = pd.factorize(table["symbol"])[0].astype(np.int64)
    keys = (symbols << 32) + table["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    order = np.argsort(keys)
    return _values_at(keys + shift_days, keys[order], table["close"].to_numpy()[order])


def _values_at(wanted: NDArray[np.int64], keys: NDArray[np.int64], values: Floats) -> Floats:
    """Return the value at each wanted key, NaN where there is none; keys are sorted."""
    if not len(keys):
        return np.full(len(wanted), np.nan)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], np.nan)


def _has_risen(close: Floats, later: Floats, threshold: Decimal) -> NDArray[np.int64]:
    """Return 1 where later >= close * (1 + threshold), exactly."""
    bar = close * (1 + float(threshold))
    risen = (later >= bar).astype(np.int64)
    for row in np.flatnonzero(np.abs(later - bar) <= _TOO_CLOSE_FOR_FLOATS * bar):
        exact = EXACT.multiply(Decimal(repr(float(close[row]))), 1 + threshold)
        risen[row] = Decimal(repr(float(later[row]))) >= exact
    return risen
