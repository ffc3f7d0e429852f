"""Closed bars come from the disk where it has them; a source is asked for the rest, and the answer is kept.

Decides what to ask for. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from marsshot.core.catalog import LocalizedText
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import BarCache, CachedBars, DailyBars, merged

DAY = np.timedelta64(1, "D")
LATE_DAYS = 3  # a bar that is not there yet so long after its day does not come any more

Fetch = Callable[[np.datetime64, np.datetime64], DailyBars]
"""Gets the closed bars of the days from the first on, before the second."""


class CachedHistory:
    """The history of the coins of one source. revised_days: so many of the latest days the source may still change."""

    def __init__(self, cache: BarCache, clock: Clock, revised_days: int, notify: Callable[[str], None]) -> None:
        self._cache = cache
        self._clock = clock
        self._revised_days = revised_days
        self._notify = notify

    def daily_bars(self, symbol: str, coin: str, days: int, fetch: Fetch) -> DailyBars:
        """Return the closed bars of the last `days` UTC days. Raises what fetch raises."""
        today = np.datetime64(self._clock.now().date(), "D")
        first = today - days * DAY
        cached = self._cache.load(symbol, coin)
        if cached is not None and not _is_reusable(cached, first, today):
            cached = None
        start = first if cached is None else max(first, self._refetch_from(cached, today))
        if cached is None or start < today:
            cached = self._refreshed(symbol, coin, cached, (start, today), fetch)
        return cached.bars.between(first, today)

    def forget_latest(self, symbol: str, coin: str) -> None:
        """Have the last days asked for anew next time."""
        cached = self._cache.load(symbol, coin)
        if cached is not None:
            self._save(symbol, coin, replace(cached, asked_on=cached.asked_on - DAY), durable=False)

    def _refreshed(
        self,
        symbol: str,
        coin: str,
        cached: CachedBars | None,
        span: tuple[np.datetime64, np.datetime64],
        fetch: Fetch,
    ) -> CachedBars:
        start, today = span
        answer = fetch(start, today)
        is_new = cached is None  # the whole history: worth the wait until the disk has it, the latest days are not
        if cached is None:
            cached = CachedBars(answer, start, today)
        else:
            cached = CachedBars(merged(cached.bars, answer), cached.asked_from, today)
        self._save(symbol, coin, cached, durable=is_new)
        return cached

    def _save(self, symbol: str, coin: str, cached: CachedBars, *, durable: bool) -> None:
        try:
            self._cache.save(coin, cached, durable=durable)
        except OSError as error:
            self._notify(LocalizedText("source.not_kept", symbol=symbol, why=error.strerror))

    def _refetch_from(self, cached: CachedBars, today: np.datetime64) -> np.datetime64:
        """Return the first day to ask for again; today if there is nothing to ask for."""
        last: np.datetime64 = cached.bars.days[cached.bars.has_close()][-1]
        if cached.asked_on < today:
            return last - (self._revised_days - 1) * DAY
        # Asked today already: a bar of yesterday may just be late, a series that ended days ago has no more.
        is_late = today - LATE_DAYS * DAY <= last < today - DAY
        return last + DAY if is_late else today


def _is_reusable(cached: CachedBars, first: np.datetime64, today: np.datetime64) -> bool:
    """Return whether the answer can be built on what is held: not too short, nor of a clock ahead of this one."""
    return bool(cached.asked_from <= first and cached.asked_on <= today and cached.bars.has_close().any())
