"""The dataset of a backtest: daily bars for scores and price paths, intraday bars where there are any.

Reads --data, or takes the bundled history. Nothing after the last day of the span gets in. Trades nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from embedded_market.lunarcrush.synthetic_scores import matrix_of, social_fields
from embedded_market.market_data.history import CoinHistory, DailyBar, History, date_of, load_bundled_history, unix_day
from marsshot.backtesting.history.bar_csv import (
    DECIMALS,
    FIRST_ROW,
    first_row,
    place_of,
    read_table,
    refuse_impossible_bars,
)
from marsshot.backtesting.history.intraday_bars import IntradayBars, read_intraday
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.market_data.bar_cache import FIELDS, DailyBars

Matrix = NDArray[np.float64]
MARKET = ("BTC", "ETH")  # every score needs their daily change
PRICES, SOCIAL = ("open", "high", "low", "close"), ("galaxy_score", "alt_rank", "sentiment")
REQUIRED_COLUMNS = ("symbol", "date", *PRICES, "volume")
_PRICE_STEP = Decimal(1).scaleb(-DECIMALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Recorded bars. `bars` is what LunarCrush would have told, `history` and `intraday` what the exchange shows."""

    name: str
    history: History
    bars: Mapping[str, DailyBars]
    intraday: Mapping[str, IntradayBars]
    is_bundled: bool
    has_recorded_scores: bool
    missing_columns: tuple[str, ...] = ()  # those of FIELDS that the source has none of: no model learns them

    @property
    def symbols(self) -> tuple[str, ...]:
        """The tokens on record, BTC and ETH among them."""
        return tuple(self.history.coins)


def read_dataset(path: Path | None, symbols: Collection[str] | None, first: date | None, last: date | None) -> Dataset:
    """Return what is on record of these tokens (None: of all) up to the last day (None: all there is).

    path: a daily file, a folder that holds daily.csv(.gz) and intraday_*.csv(.gz), or None: the bundled history.
    Bars inside the day are taken from the first day on. Raises InputError.
    """
    if path is None:
        return _bundled(symbols, last)
    daily, intraday = _files(path)
    dataset = _read_daily(daily, symbols, last)
    if not intraday:
        return dataset
    first_day = unix_day(first) if first else dataset.history.first_day
    bars = read_intraday(intraday, dataset.symbols, first_day, dataset.history.last_day)
    return replace(dataset, name=str(path), intraday=bars)


def _files(path: Path) -> tuple[Path, list[Path]]:
    if not path.is_dir():
        return path, []
    for name in ("daily.csv.gz", "daily.csv"):
        if (path / name).exists():
            return path / name, [*path.glob("intraday_*.csv"), *path.glob("intraday_*.csv.gz")]
    raise InputError(LocalizedText("backtest.bars.no_daily", path=path))


# --------------------------------------------------------------------------- the bundled history


def _bundled(symbols: Collection[str] | None, last: date | None) -> Dataset:
    whole = load_bundled_history()
    end = whole.last_day if last is None else min(unix_day(last), whole.last_day)
    if end < whole.first_day:
        begins, bundled = date_of(whole.first_day), LocalizedText("backtest.bundled")
        raise InputError(LocalizedText("backtest.fault.before_data", last=last, dataset=bundled, begins=begins))
    # All coins stay for the stand-in scores, which rank them against each other as in demo mode.
    coins = {symbol: _until(coin, end) for symbol, coin in whole.coins.items() if coin.first_day <= end}
    history = History(coins, whole.first_day, end)
    close, volume, cap = (matrix_of(history, name) for name in ("close", "volume", "market_cap"))
    fields = social_fields(list(coins), close, volume, cap, 0)
    kept = coins if symbols is None else {one: coins[one] for one in coins if one in {*symbols, *MARKET}}
    columns = {symbol: number for number, symbol in enumerate(coins)}
    return Dataset(
        name=LocalizedText("backtest.bundled"),
        history=History(kept, whole.first_day, end),
        bars={one: _as_lunarcrush_serves(coin, fields, columns[one], whole.first_day) for one, coin in kept.items()},
        intraday={},
        is_bundled=True,
        has_recorded_scores=False,
    )


def dataset_from_bars(name: str, daily: Mapping[str, DailyBars], intraday: Mapping[str, IntradayBars]) -> Dataset:
    """Return bars that were fetched, of prices and volumes alone, as a dataset."""
    first_day = min(int(bars.days[0].astype(np.int64)) for bars in daily.values())
    last_day = max(int(bars.days[-1].astype(np.int64)) for bars in daily.values())
    coins = {symbol: _coin_of(daily[symbol], first_day) for symbol in sorted(daily)}
    return Dataset(
        name=name,
        history=History(coins, first_day, last_day),
        bars=daily,
        intraday=intraday,
        is_bundled=False,
        has_recorded_scores=True,
        missing_columns=("market_cap", *SOCIAL),
    )


def _coin_of(bars: DailyBars, first_day: int) -> CoinHistory:
    rows = bars.days.astype(np.int64) - first_day
    prices = np.full((int(rows[-1]) + 1, len(PRICES)), np.nan)
    prices[rows] = bars.values[:, : len(PRICES)]
    first, last = int(rows[0]) + first_day, int(rows[-1]) + first_day
    return CoinHistory(bars.symbol, _LazyBars(prices, first_day), first, last, DECIMALS)


def _until(coin: CoinHistory, end: int) -> CoinHistory:
    if coin.last_day <= end:
        return coin
    bars = {day: bar for day, bar in coin.bars.items() if day <= end}
    return CoinHistory(coin.symbol, bars, coin.first_day, end, coin.decimals)


def _as_lunarcrush_serves(coin: CoinHistory, fields: Mapping[str, Matrix], column: int, first_day: int) -> DailyBars:
    """Return the bars as the embedded market's LunarCrush tells them: volumes in cents, caps in whole dollars."""
    days = sorted(coin.bars)
    values = [
        [
            *(float(getattr(coin.bars[day], name)) for name in PRICES),
            round(float(coin.bars[day].volume), 2),
            float(int(coin.bars[day].market_cap)),
            *(fields[name][day - first_day, column] for name in SOCIAL),
        ]
        for day in days
    ]
    return DailyBars(coin.symbol, np.array(days).astype("datetime64[D]"), np.array(values))


# --------------------------------------------------------------------------- a file of the owner's


class _LazyBars(Mapping[int, DailyBar]):
    """Daily bars as the embedded market wants them, made when they are asked for. Row 0 is `first_day`."""

    def __init__(self, prices: Matrix, first_day: int) -> None:
        self._prices = prices
        self._first_day = first_day

    def __getitem__(self, day: int) -> DailyBar:
        row = day - self._first_day
        if not 0 <= row < len(self._prices) or np.isnan(self._prices[row, 0]):
            raise KeyError(day)
        opening, high, low, close = (Decimal(repr(float(price))).quantize(_PRICE_STEP) for price in self._prices[row])
        return DailyBar(opening, high, low, close, Decimal(0), Decimal(0))

    def __contains__(self, day: object) -> bool:
        return (
            isinstance(day, int)
            and 0 <= (row := day - self._first_day) < len(self._prices)
            and not np.isnan(self._prices[row, 0])
        )

    def __iter__(self) -> Iterator[int]:
        return iter((np.flatnonzero(~np.isnan(self._prices[:, 0])) + self._first_day).tolist())

    def __len__(self) -> int:
        return int((~np.isnan(self._prices[:, 0])).sum())


def _read_daily(path: Path, symbols: Collection[str] | None, last: date | None) -> Dataset:
    table = read_table(path, REQUIRED_COLUMNS, numbers=(*PRICES, "volume"), optional=("market_cap", *SOCIAL))
    days = _unix_days(path, table["date"])
    first_day = int(days.min())  # of the whole file, whatever tokens are asked for: the stand-in scores begin there
    wanted = np.ones(len(table), dtype=bool) if last is None else days <= unix_day(last)
    if symbols is not None:
        wanted = wanted & table["symbol"].isin({*symbols, *MARKET}).to_numpy()
    table, days = table[wanted], days[wanted]
    if table.empty:
        begins = date_of(first_day)
        if last is None:
            raise InputError(LocalizedText("backtest.bars.none_of_these", path=path, begins=begins))
        raise InputError(LocalizedText("backtest.bars.none_of_these_until", path=path, last=last, begins=begins))
    refuse_impossible_bars(path, table, days.astype("datetime64[D]"), table[list(PRICES)].to_numpy())
    _refuse_impossible_volumes(path, table, days)
    _refuse_duplicates(path, table, days)
    return _dataset_of(path, _fields(table, days, first_day), sorted(table["symbol"].unique()), first_day)


def _unix_days(path: Path, column: pd.Series) -> NDArray[np.int64]:
    if column.empty:
        raise InputError(LocalizedText("backtest.bars.no_rows", path=path))
    texts = column.cat.categories
    dates = pd.to_datetime(pd.Series(texts, dtype=str), format="%Y-%m-%d", errors="coerce")
    if dates.isna().any() or column.isna().any():
        row = first_row((column.isna() | column.isin(texts[dates.isna().to_numpy()])).to_numpy())
        wrong = "" if pd.isna(column.iloc[row]) else str(column.iloc[row])[:40]
        where = LocalizedText("backtest.bars.row", path=path, row=str(row + FIRST_ROW))
        raise InputError(LocalizedText("backtest.bars.odd_date", where=where, value=repr(wrong)))
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)[column.cat.codes.to_numpy()]


def _refuse_impossible_volumes(path: Path, table: pd.DataFrame, days: NDArray[np.int64]) -> None:
    """Raise InputError about the first volume under 0, or without end; none at all is not known, and no fault."""
    volumes = table["volume"].to_numpy()
    wrong = (volumes < 0) | np.isinf(volumes)
    if wrong.any():
        row = first_row(wrong)
        whose = {"token": str(table["symbol"].iloc[row]), "day": date_of(int(days[row]))}
        where, volume = place_of(path, table, row), float(volumes[row])
        raise InputError(LocalizedText("backtest.bars.odd_volume", where=where, volume=volume, **whose))


def _refuse_duplicates(path: Path, table: pd.DataFrame, days: NDArray[np.int64]) -> None:
    symbols = table["symbol"]
    twice = pd.DataFrame({"symbol": symbols.to_numpy(), "day": days}).duplicated().to_numpy()
    if twice.any():
        row = first_row(twice)
        whose = {"token": str(symbols.iloc[row]), "day": date_of(int(days[row]))}
        raise InputError(LocalizedText("backtest.bars.twice", where=place_of(path, table, row), **whose))


def place_of_bar(path: Path, symbol: str, day: date) -> str:
    """Return where a token's bar of a day stands, in words: file and row; the file alone where it is not there now."""
    daily, _ = _files(path)
    table = read_table(daily, ("symbol", "date"), numbers=())
    rows = np.flatnonzero(((table["symbol"] == symbol) & (table["date"] == day.isoformat())).to_numpy())
    return place_of(daily, table, int(rows[0])) if len(rows) else str(daily)


def _fields(table: pd.DataFrame, days: NDArray[np.int64], first_day: int) -> dict[str, Matrix]:
    """Return a matrix (days x tokens, alphabetical) of each column, NaN where there is no bar."""
    names = sorted(table["symbol"].unique())
    columns = table["symbol"].cat.set_categories(names).cat.codes.to_numpy().astype(np.int64)
    fields = {}
    for field in (name for name in table.columns if name not in {"symbol", "date"}):
        matrix = np.full((int(days.max()) - first_day + 1, len(names)), np.nan)
        matrix[days - first_day, columns] = table[field].to_numpy()
        fields[field] = matrix
    return fields


def _dataset_of(path: Path, fields: dict[str, Matrix], symbols: list[str], first_day: int) -> Dataset:
    close = fields["close"]
    cap = _filled_market_caps(close, fields.get("market_cap", np.full_like(close, np.nan)))
    recorded = all(name in fields for name in SOCIAL)
    social = fields if recorded else social_fields(symbols, close, fields["volume"], cap, 0)
    by_name = {**fields, "market_cap": cap, **{name: social[name] for name in SOCIAL}}
    cube = np.stack([by_name[name] for name in FIELDS], axis=2)
    bars: dict[str, DailyBars] = {}
    coins: dict[str, CoinHistory] = {}
    for column, symbol in enumerate(symbols):
        rows = np.flatnonzero(~np.isnan(close[:, column]))
        bars[symbol] = DailyBars(symbol, (rows + first_day).astype("datetime64[D]"), cube[rows, column])
        prices = cube[: rows[-1] + 1, column, : len(PRICES)]
        first, last = int(rows[0]) + first_day, int(rows[-1]) + first_day
        coins[symbol] = CoinHistory(symbol, _LazyBars(prices, first_day), first, last, DECIMALS)
    return Dataset(
        name=str(path),
        history=History(coins, first_day, first_day + len(close) - 1),
        bars=bars,
        intraday={},
        is_bundled=False,
        has_recorded_scores=recorded,
    )


def _filled_market_caps(close: Matrix, cap: Matrix) -> Matrix:
    """Fill a missing market cap with the close times the supply of the nearest earlier day that has one."""
    supply = pd.DataFrame(np.where(cap > 0, cap / close, np.nan)).ffill().to_numpy()
    filled: Matrix = np.where(cap > 0, cap, supply * close)
    return filled
