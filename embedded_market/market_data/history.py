"""Recorded daily bars and market caps, loaded once into frozen values.

Never fetches and never makes up a price. What is computed is the market cap of a day without a recorded one:
its close times the supply that the nearest earlier recorded day implies (before the first one: that first day).
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DATA = Path(__file__).parents[1] / "data"
SECONDS_PER_DAY = 86_400
MAX_DECIMALS = 8
_EPOCH = date(1970, 1, 1).toordinal()
_SMALLEST = Decimal(1).scaleb(-MAX_DECIMALS)


class HistoryError(ValueError):
    """A history file is missing, cannot be read or holds an impossible bar."""


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One UTC day of one coin: prices in USD(T), volume and market cap in USD."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    market_cap: Decimal


@dataclass(frozen=True, slots=True)
class CoinHistory:
    """All bars of one coin by unix day; `decimals` are enough to write each of its prices exactly."""

    symbol: str
    bars: Mapping[int, DailyBar]
    first_day: int
    last_day: int
    decimals: int

    def bar_nearest(self, day: int) -> DailyBar:
        """Return the bar of the day given, else of the next day that has one, else the last bar."""
        days = range(max(day, self.first_day), self.last_day)
        return self.bars[next((day for day in days if day in self.bars), self.last_day)]


@dataclass(frozen=True, slots=True)
class History:
    """Every coin on record, in alphabetical order."""

    coins: Mapping[str, CoinHistory]
    first_day: int
    last_day: int


def unix_day(day: date) -> int:
    """Return the number of days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """Return the date of a unix day."""
    return date.fromordinal(day + _EPOCH)


def day_start(day: date) -> float:
    """Return the unix seconds of midnight UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


@lru_cache(maxsize=1)
def load_bundled_history() -> History:
    """Return the fourteen coins that come with the package, 2020-01-01 to 2021-09-29."""
    caps = {(r["symbol"], r["date"]): r["market_cap"] for r in _rows(DATA / "market_caps.csv.gz")}
    bars = _rows(DATA / "daily_bars.csv.gz")
    return _build(bar | {"market_cap": caps.get((bar["symbol"], bar["date"]), "")} for bar in bars)


def load_history(path: Path) -> History:
    """Return the history of a CSV (or .csv.gz): symbol,date,open,high,low,close,volume,market_cap.

    Volume and market cap in USD; a missing or empty market cap is computed. Raises HistoryError.
    """
    return _build(_rows(path))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HistoryError(f"{path}: {error}") from error
    yield from csv.DictReader(io.StringIO(text))


def _build(rows: Iterable[dict[str, str]]) -> History:
    days_of: dict[str, dict[int, DailyBar]] = {}
    for row in rows:
        try:
            day, bar = unix_day(date.fromisoformat(row["date"])), _bar(row)
            days_of.setdefault(row["symbol"], {})[day] = bar
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise HistoryError(f"no usable bar in {row}: {error!r}") from error
    if not days_of:
        raise HistoryError("the history holds no bar")
    coins = {symbol: _coin(symbol, days_of[symbol]) for symbol in sorted(days_of)}
    every = coins.values()
    return History(coins, min(c.first_day for c in every), max(c.last_day for c in every))


def _bar(row: dict[str, str]) -> DailyBar:
    prices = [Decimal(row[name]) for name in ("open", "high", "low", "close")]
    first, high, low, last = (p if p.as_tuple().exponent in _FINE else p.quantize(_SMALLEST) for p in prices)
    if not 0 < low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("low, open, close and high are out of order")
    return DailyBar(first, high, low, last, Decimal(row["volume"] or 0), Decimal(row.get("market_cap") or 0))


_FINE = range(-MAX_DECIMALS, MAX_DECIMALS)


def _coin(symbol: str, bars: dict[int, DailyBar]) -> CoinHistory:
    days = sorted(bars)
    recorded = (bars[day] for day in days if bars[day].market_cap)
    supply = next((bar.market_cap / bar.close for bar in recorded), Decimal(0))
    full: dict[int, DailyBar] = {}
    decimals = 0
    for day in days:
        bar = bars[day]
        if bar.market_cap:
            supply = bar.market_cap / bar.close
        else:
            cap = (bar.close * supply).quantize(Decimal(1))
            bar = DailyBar(bar.open, bar.high, bar.low, bar.close, bar.volume, cap)
        full[day] = bar
        decimals = max(decimals, *(_decimals(p) for p in (bar.open, bar.high, bar.low, bar.close)))
    return CoinHistory(symbol, full, days[0], days[-1], max(decimals, quote_decimals(bars[days[0]].close)))


def _decimals(price: Decimal) -> int:
    exponent = price.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def quote_decimals(price: Decimal) -> int:
    """Return how many decimals a price of this size is quoted with: about five digits, two to eight decimals."""
    return min(max(4 - price.adjusted(), 2), MAX_DECIMALS)
