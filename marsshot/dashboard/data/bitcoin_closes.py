"""What BTC closed at, day by day: the recorded market's in demo mode, else what the daily pass keeps in its cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from marsshot.bot.environment import recorded_bitcoin_closes
from marsshot.config.settings import Settings
from marsshot.market_data.bar_cache import CLOSE
from marsshot.market_data.daily_bar_sources import cached_bars

BTC = "BTC"


@dataclass(frozen=True, slots=True)
class DailyClose:
    """A price, and the moment from which on it is known: the end of its day."""

    moment: datetime
    price: float


def bitcoin_closes(settings: Settings) -> tuple[DailyClose, ...]:
    """Return BTC's closed days on this disk, oldest first; none where there are none."""
    if settings.mode == "demo":
        return _closes(*recorded_bitcoin_closes())
    bars = cached_bars(settings, BTC)
    if bars is None:
        return ()
    usable = bars.has_close()
    days = bars.days[usable].astype("datetime64[D]").tolist()
    return _closes(days, bars.values[usable, CLOSE].tolist())


def _closes(days: Sequence[object], prices: Sequence[float]) -> tuple[DailyClose, ...]:
    return tuple(
        DailyClose(datetime.fromisoformat(str(day)).replace(tzinfo=UTC) + timedelta(days=1), price)
        for day, price in zip(days, prices, strict=True)
    )
