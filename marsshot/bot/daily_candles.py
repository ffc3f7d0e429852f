"""Daily bars on this disk: the recorded market's in demo mode, else what the daily pass keeps in its cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from marsshot.bot.environment import recorded_candles
from marsshot.bot.journal import read_last_seen
from marsshot.config.bot_files import LAST_SEEN
from marsshot.config.settings import Settings
from marsshot.core.amounts import ONE
from marsshot.core.catalog import Catalog
from marsshot.infra.atomic_files import Disk
from marsshot.market_data.bar_cache import CLOSE, FIELDS
from marsshot.market_data.daily_bar_sources import cached_bars

BTC = "BTC"
MAX_CLOSE_AGE = timedelta(days=2)  # before a moment whose price it stands for
_OPEN, _HIGH, _LOW = (FIELDS.index(name) for name in ("open", "high", "low"))


@dataclass(frozen=True, slots=True)
class DailyClose:
    """A price, and the moment from which on it is known: the end of its day."""

    moment: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Candle:
    """A closed day's prices. day: its beginning, UTC."""

    day: datetime
    open: float
    high: float
    low: float
    close: float


def bars_rate(settings: Settings) -> Decimal | None:
    """Return what a unit of the exchange's currency is worth in that of the bars, at the last daily pass.

    None where it has not been known yet.
    """
    return ONE if settings.bars_are_in_its_currency else read_last_seen(settings.file(LAST_SEEN), Disk()).bars_rate


def conversion_text(settings: Settings, catalog: Catalog) -> str:
    """Return at what rate the bars are told, where they are in another currency than the exchange's; else nothing."""
    rate = bars_rate(settings)
    if rate is None or settings.bars_are_in_its_currency:
        return ""
    own, other = settings.exchange_facts.currency, settings.bars_currency
    return catalog.text("status.converted_bars", own=own, other=other, rate=rate)


def daily_candles(settings: Settings, symbol: str) -> tuple[Candle, ...]:
    """Return the closed days of a token that have all four prices, oldest first, in the exchange's currency.

    None where there are none, or no rate to convert them by.
    """
    rate = bars_rate(settings)
    if rate is None:
        return ()
    return tuple(
        Candle(day, *(price / float(rate) for price in prices)) for day, *prices in _prices_by_day(settings, symbol)
    )


def _prices_by_day(settings: Settings, symbol: str) -> Iterator[tuple[datetime, float, float, float, float]]:
    """Yield days and open, high, low, close, in the currency of the bars."""
    if settings.mode == "demo":
        for recorded, opening, high, low, close in recorded_candles(symbol):
            yield _midnight(recorded), opening, high, low, close
        return
    bars = cached_bars(settings, symbol)
    if bars is None:
        return
    values = bars.values[:, (_OPEN, _HIGH, _LOW, CLOSE)]
    whole = (np.isfinite(values) & (values > 0)).all(axis=1)
    days = bars.days[whole].astype("datetime64[D]").tolist()
    for day, prices in zip(days, values[whole].tolist(), strict=True):
        yield _midnight(day), *prices


def bitcoin_closes(settings: Settings) -> tuple[DailyClose, ...]:
    """Return BTC's closed days on this disk, oldest first; none where there are none."""
    if settings.mode == "demo":
        return tuple(_close(day, close) for day, *_, close in recorded_candles(BTC))
    bars = cached_bars(settings, BTC)
    if bars is None:
        return ()
    usable = bars.has_close()
    days = bars.days[usable].astype("datetime64[D]").tolist()
    return tuple(_close(day, price) for day, price in zip(days, bars.values[usable, CLOSE].tolist(), strict=True))


def bitcoin_change(closes: Sequence[DailyClose], start: datetime, end: datetime) -> float | None:
    """Return how far BTC has come between two moments, as a fraction; None where either has no close of its days."""
    first, last = close_at(closes, start), close_at(closes, end)
    return None if first is None or last is None else last / first - 1


def close_at(closes: Sequence[DailyClose], moment: datetime) -> float | None:
    """Return the last close that was known at a moment; None where it is days older."""
    known = [one.price for one in closes if moment - MAX_CLOSE_AGE <= one.moment <= moment]
    return known[-1] if known and known[-1] > 0 else None


def _midnight(day: object) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)


def _close(day: object, price: float) -> DailyClose:
    return DailyClose(_midnight(day) + timedelta(days=1), price)
