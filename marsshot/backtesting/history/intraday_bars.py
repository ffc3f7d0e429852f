"""Recorded bars inside the day (5 minutes, 1 hour ...) and the way of a price through each of them.

Within a bar the price goes: open, the extreme further from the close, the other one, close; a quarter of the bar each.
Reads files, knows no rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marsshot.backtesting.history.bar_csv import DAY_SECONDS, DECIMALS, first_row, read_table, refuse_impossible_bars
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

Ints = NDArray[np.int64]
COLUMNS = ("symbol", "time", "open", "high", "low", "close")
PRICES_PER_BAR = 4


@dataclass(frozen=True, slots=True, eq=False)
class IntradayBars:
    """The bars of one token, oldest first. times: unix seconds of the open. seconds: each bar's length.

    ticks: shape (bars, 4), the prices of the quarters as whole multiples of 10**-DECIMALS.
    """

    times: Ints
    seconds: Ints
    ticks: Ints
    days: frozenset[int]  # unix days with at least one bar

    def tick_at(self, moment: int) -> int:
        """Return the price at one moment, in ticks."""
        bar = max(int(self.times.searchsorted(moment, side="right")) - 1, 0)
        quarter = (moment - int(self.times[bar])) * PRICES_PER_BAR // int(self.seconds[bar])
        return int(self.ticks[bar, min(max(quarter, 0), PRICES_PER_BAR - 1)])

    def ticks_at(self, moments: Ints) -> Ints:
        """Return the price at each moment, in ticks; in a gap it stands still at the close before."""
        bar = np.maximum(self.times.searchsorted(moments, side="right") - 1, 0)
        quarter = (moments - self.times[bar]) * PRICES_PER_BAR // self.seconds[bar]
        found: Ints = self.ticks[bar, np.minimum(np.maximum(quarter, 0), PRICES_PER_BAR - 1)]
        return found


def read_intraday(
    paths: Collection[Path], symbols: Collection[str], first_day: int, last_day: int
) -> dict[str, IntradayBars]:
    """Return the bars of these tokens and unix days. Where files overlap, the finer bars of a day count.

    Raises InputError.
    """
    found: dict[str, list[IntradayBars]] = {}
    for path in sorted(paths):
        for symbol, bars in _read(path, symbols, first_day, last_day).items():
            found.setdefault(symbol, []).append(bars)
    return {symbol: _merge_finest(bars) for symbol, bars in found.items()}


def prices_within_bars(bars: Ints) -> Ints:
    """Return the way through bars, shape (n, 4) of open, high, low, close: the further extreme first.

    Where both are as far from the close, the low comes first.
    """
    opening, high, low, close = bars.T
    low_first = close - low >= high - close
    return np.column_stack([opening, np.where(low_first, low, high), np.where(low_first, high, low), close])


def _read(path: Path, symbols: Collection[str], first_day: int, last_day: int) -> Mapping[str, IntradayBars]:
    table = read_table(path, COLUMNS, numbers=COLUMNS[1:])
    times = table["time"].to_numpy(dtype=np.float64)
    inside = (times >= first_day * DAY_SECONDS) & (times < (last_day + 1) * DAY_SECONDS)
    table = table[inside & table["symbol"].isin(symbols).to_numpy()]
    prices = table[list(COLUMNS[2:])].to_numpy(dtype=np.float64)
    refuse_impossible_bars(path, table, pd.to_datetime(table["time"], unit="s"), prices)
    codes, names = pd.factorize(table["symbol"])
    times = table["time"].to_numpy(dtype=np.float64).astype(np.int64)
    order = np.lexsort((times, codes))
    codes, times = codes[order], times[order]
    ticks = prices_within_bars(np.rint(prices[order] * 10**DECIMALS).astype(np.int64))
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    return {
        str(name): _bars_of(path, str(name), times[start:end], ticks[start:end])
        for name, start, end in zip(names, bounds, bounds[1:], strict=False)
    }


def _bars_of(path: Path, symbol: str, times: Ints, ticks: Ints) -> IntradayBars:
    steps = np.diff(times)
    if len(steps) and steps.min() == 0:
        twice = times[first_row(steps == 0)]
        time = pd.Timestamp(twice, unit="s", tz="UTC").to_pydatetime()
        raise InputError(LocalizedText("backtest.bars.two_bars", path=path, token=symbol, time=time))
    length = int(steps.min()) if len(steps) else DAY_SECONDS // 24
    if DAY_SECONDS % length or length % PRICES_PER_BAR:
        raise InputError(LocalizedText("backtest.bars.odd_length", path=path, token=symbol, seconds=length))
    days = frozenset(np.unique(times // DAY_SECONDS).tolist())
    return IntradayBars(times, np.full(len(times), length), ticks, days)


def _merge_finest(found: list[IntradayBars]) -> IntradayBars:
    """Merge bars of several files: of each day those of the shortest bars; among equals, of the last file by name."""
    coarse_first = sorted(found, key=lambda one: -int(one.seconds[0]))
    merged = coarse_first[0]
    for bars in coarse_first[1:]:
        kept = ~np.isin(merged.times // DAY_SECONDS, list(bars.days))
        times = np.concatenate([merged.times[kept], bars.times])
        order = np.argsort(times)
        merged = IntradayBars(
            times[order],
            np.concatenate([merged.seconds[kept], bars.seconds])[order],
            np.concatenate([merged.ticks[kept], bars.ticks])[order],
            merged.days | bars.days,
        )
    return merged
