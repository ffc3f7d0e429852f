"""What became of each row: the return that came after it, and how restless its token was before it.

Computed from the closes of the training file, by calendar day. Knows no models and no files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from marsshot.training.day_statistics import Floats, day_numbers

FEE = 0.001  # Binance's standard taker commission of one order
VOLATILITY_DAYS = 14
_MIN_RETURNS = 10
_EQUALLY_VOLATILE = 1.25  # a partner's volatility is at most this many times the pick's, or the pick's its
_PARTNERS = 5


def with_forward_returns(data: pd.DataFrame, rows: pd.DataFrame, scores: Floats, shift_days: int) -> pd.DataFrame:
    """Return date, symbol, label and score of the rows, atr_to_close, volatility (14 days) and net_return (after fees).

    data: every row of the training file, for its closes; rows: those that were scored, with their close and atr.
    """
    closes = data.pivot(index="date", columns="symbol", values="close").asfreq("D")
    return rows[["date", "symbol", "label"]].assign(
        score=scores,
        atr_to_close=(rows["atr"] / rows["close"].where(rows["close"] > 0)).to_numpy(),
        volatility=_values_at_rows(trailing_volatility(closes), rows),
        net_return=_values_at_rows(net_returns(closes, shift_days), rows),
    )


def trailing_volatility(closes: pd.DataFrame) -> pd.DataFrame:
    """Return the standard deviation of the last 14 daily log returns, the day's own included; NaN below 10 returns.

    closes: one row per calendar day, one column per token; NaN where a bar is missing.
    """
    logs = closes.where(closes > 0).transform(np.log)
    return logs.diff().rolling(VOLATILITY_DAYS, min_periods=_MIN_RETURNS).std()


def net_returns(closes: pd.DataFrame, shift_days: int) -> pd.DataFrame:
    """Return what buying at the close and selling `shift_days` later brings, as a fraction, each order costing FEE.

    NaN where the later close is not in the file: its last days, and days before a gap.
    """
    return closes.shift(-shift_days) / closes.where(closes > 0) * (1 - FEE) ** 2 - 1


def _values_at_rows(by_day: pd.DataFrame, rows: pd.DataFrame) -> Floats:
    """Return the value of a table of days and symbols at each row's date and symbol."""
    days = by_day.index.get_indexer(pd.DatetimeIndex(rows["date"]))
    symbols = by_day.columns.get_indexer(pd.Index(rows["symbol"]))
    return by_day.to_numpy()[days, symbols]


def equally_volatile(dates: ArrayLike, picked: NDArray[np.bool_], volatility: Floats, returns: Floats) -> Floats:
    """Return, for each picked row, the mean return of its partners; NaN for other rows.

    Partners are up to five tokens of the same day that were not picked, nearest in volatility and no more than a
    quarter apart in it. A pick without a partner, or without a return of its own, has NaN.
    """
    theirs = np.full(len(picked), np.nan)
    usable = np.isfinite(volatility) & (volatility > 0) & np.isfinite(returns)
    _, numbers = day_numbers(dates)
    for day in np.unique(numbers[picked & usable]):
        today = (numbers == day) & usable
        mine, others = np.flatnonzero(today & picked), np.flatnonzero(today & ~picked)
        if not len(others):
            continue
        apart = np.abs(np.log(volatility[mine][:, None] / volatility[others][None, :]))
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :_PARTNERS]
        near_enough = np.take_along_axis(apart, nearest, axis=1) <= np.log(_EQUALLY_VOLATILE)
        total = np.where(near_enough, returns[others][nearest], 0.0).sum(axis=1)
        count = near_enough.sum(axis=1)
        theirs[mine[count > 0]] = total[count > 0] / count[count > 0]
    return theirs
