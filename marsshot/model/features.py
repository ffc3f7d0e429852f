"""From daily bars to feature rows and labels: the one place that both training and the live bot use.

A row holds the token's own bar and indicators and, joined by date, BTC's and ETH's change of that day. Nothing in
a row comes from a later day, except the label. Never fetches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from indicators import Floats, atr, is_clean, macd_histogram, rsi
from marsshot.core.amounts import EXACT
from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars

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
"""What every model is trained on."""

RATIOS = ("atr_to_close", "macd_to_close", "range_to_close", "close_in_range", "turnover")
"""What it is trained on besides, where the file has it: the same of cheap and dear tokens (docs/EXPERIMENTS.md)."""

_MADE_OF = {"turnover": "market_cap"}

INDICATORS = ("rsi", "macd", "atr")
CHANGES = ("btc_daily_change", "eth_daily_change")
AVAILABLE_COLUMNS = (*FIELDS, *INDICATORS, *CHANGES, *RATIOS)
"""What the table has of every row: a model may be fitted on any of these."""

_HIGH, _LOW = FIELDS.index("high"), FIELDS.index("low")
_MAX_FLOAT32 = float(np.finfo(np.float32).max)  # scikit-learn's forests calculate in float32
_TOO_CLOSE_FOR_FLOATS = 1e-9


def feature_table(histories: Mapping[str, DailyBars], btc: DailyBars, eth: DailyBars) -> pd.DataFrame:
    """Return one row per token and clean closed day, sorted by date, then symbol.

    Columns: date (midnight), symbol (categorical), AVAILABLE_COLUMNS; NaN where a value is missing or not defined yet.
    """
    symbols = sorted(histories)
    rows = _clean_rows([histories[symbol] for symbol in symbols])
    values = np.empty((len(AVAILABLE_COLUMNS), len(rows.days)))
    values[: len(FIELDS)] = rows.values
    column = dict(zip(AVAILABLE_COLUMNS, values, strict=True))
    high, low, close = (rows.by_token(field) for field in (_HIGH, _LOW, CLOSE))
    for name, found in zip(INDICATORS, (rsi(close), macd_histogram(close), atr(high, low, close)), strict=True):
        column[name][:] = rows.column(found)
    for name, bars in zip(CHANGES, (btc, eth), strict=True):
        column[name][:] = _daily_change(bars, rows.days)
    for name, ratios in zip(RATIOS, _ratios(column), strict=True):
        column[name][:] = ratios
    table = pd.DataFrame(values.T, columns=AVAILABLE_COLUMNS, copy=False)
    table.insert(0, "date", rows.days.astype("datetime64[us]"))
    table.insert(1, "symbol", pd.Series(pd.Categorical.from_codes(rows.token, pd.Index(symbols, dtype="str"))))
    return table


def features_in(columns: Collection[str], absent: Collection[str] = ()) -> tuple[str, ...]:
    """Return the features that a model learns from a file with these columns. absent: what its source has none of."""
    without = {*absent, *(name for name, made_of in _MADE_OF.items() if made_of in absent)}
    return tuple(name for name in (*FEATURES, *(name for name in RATIOS if name in columns)) if name not in without)


def rows_of_day(table: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return the rows of one UTC day: the live rows when the day is yesterday. Some may miss a feature."""
    return table[table["date"] == pd.Timestamp(day)]


def has_features(table: pd.DataFrame, features: Sequence[str] = FEATURES) -> pd.DataFrame:
    """Return row by row and feature by feature whether the value is there and a model can take it."""
    return table[list(features)].abs() <= _MAX_FLOAT32


def missing_features(row: pd.Series, features: Sequence[str] = FEATURES) -> list[str]:
    """Return the names of the features that one row has no usable value of."""
    return [name for name in features if not abs(row[name]) <= _MAX_FLOAT32]


def labelled(table: pd.DataFrame, shift_days: int, threshold: Decimal) -> pd.DataFrame:
    """Return the rows whose close `shift_days` calendar days later is known, with a column label.

    label: 1 if that close is at least (1 + threshold) times the row's own, else 0; compared as decimals of the
    shortest text of both. It stands before RATIOS.
    """
    later = _future_closes(table, shift_days)
    known = ~np.isnan(later)
    rows = table[known].reset_index(drop=True)
    rows.insert(
        rows.columns.tolist().index(RATIOS[0]), "label", _has_risen(rows["close"].to_numpy(), later[known], threshold)
    )
    return rows


@dataclass(frozen=True, slots=True)
class _Rows:
    """The clean bars of several tokens, sorted by day, then token."""

    days: NDArray[np.datetime64]
    token: NDArray[np.intp]  # its number in the list of histories
    values: Floats  # shape (fields, rows)
    position_of: NDArray[np.intp]  # of the row in an array (bars, tokens), read row by row
    shape: tuple[int, int]

    def by_token(self, field: int) -> Floats:
        """Return a field as an array (bars, tokens) with each token's bars from row 0 on, padded with NaN."""
        padded = np.full(self.shape, np.nan)
        padded.ravel()[self.position_of] = self.values[field]
        return padded

    def column(self, by_token: Floats) -> Floats:
        """Return the values of such an array as a column of these rows."""
        return by_token.ravel().take(self.position_of)


def _clean_rows(histories: Sequence[DailyBars]) -> _Rows:
    days = np.concatenate([np.empty(0, "datetime64[D]"), *(bars.days for bars in histories)])
    values = np.concatenate([np.empty((len(FIELDS), 0)), *(bars.values.T for bars in histories)], axis=1)
    token = np.repeat(np.arange(len(histories)), [len(bars.days) for bars in histories])
    clean = is_clean(values[: CLOSE + 1])
    if not clean.all():
        days, values, token = days[clean], values[:, clean], token[clean]
    lengths = np.bincount(token, minlength=len(histories))
    bar = np.arange(len(days)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    position_of = bar * len(histories) + token
    shape = (int(lengths.max(initial=0)), len(histories))
    order = np.argsort(days.astype(np.int64), kind="stable")
    return _Rows(days.take(order), token.take(order), values.take(order, axis=1), position_of.take(order), shape)


def _ratios(column: Mapping[str, Floats]) -> Iterator[Floats]:
    """Yield RATIOS. In a day that never moved the close is in the middle; without a market cap turnover is 0."""
    high, low, close, volume, cap = (column[name] for name in ("high", "low", "close", "volume", "market_cap"))
    spread = high - low
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        yield column["atr"] / close
        yield column["macd"] / close
        yield spread / close
        yield np.where(spread > 0, (close - low) / spread, 0.5)
        yield np.where(cap == 0, 0.0, volume / cap)


def _daily_change(bars: DailyBars, days: NDArray[np.datetime64]) -> Floats:
    """Return close / the previous calendar day's close - 1 on each of the days; NaN if either is missing."""
    clean = _clean_rows([bars])
    first, span = _span(np.append(clean.days, days))
    closes = np.full(span + 1, np.nan)  # the first stands for the day before
    closes[(clean.days - first).astype(np.int64) + 1] = clean.values[CLOSE]
    changes: Floats = closes[1:] / closes[:-1] - 1
    return changes.take((days - first).astype(np.int64))


def _future_closes(table: pd.DataFrame, shift_days: int) -> Floats:
    """Return each row's close `shift_days` calendar days later, NaN if the table has none."""
    token, symbols = pd.factorize(table["symbol"])
    days = table["date"].to_numpy().astype("datetime64[D]")
    first, span = _span(days)
    closes = np.full((span + shift_days, len(symbols)), np.nan)
    row = (days - first).astype(np.int64)
    closes[row, token] = table["close"].to_numpy()
    later: Floats = closes[row + shift_days, token]
    return later


def _span(days: NDArray[np.datetime64]) -> tuple[np.datetime64, int]:
    """Return the first of all the days, and the number of days from it to the last."""
    if not len(days):
        return np.datetime64(0, "D"), 0
    return days.min(), int((days.max() - days.min()).astype(np.int64)) + 1


def _has_risen(close: Floats, later: Floats, threshold: Decimal) -> NDArray[np.int64]:
    """Return 1 where later >= close * (1 + threshold), exactly."""
    bar = close * (1 + float(threshold))
    risen = (later >= bar).astype(np.int64)
    for row in np.flatnonzero(np.abs(later - bar) <= _TOO_CLOSE_FOR_FLOATS * bar):
        exact = EXACT.multiply(Decimal(repr(float(close[row]))), 1 + threshold)
        risen[row] = Decimal(repr(float(later[row]))) >= exact
    return risen
