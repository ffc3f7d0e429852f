"""Daily bars from Binance's klines, which need no key: several requests at once, within a pace, cached.

One of the sources of base.py. A token's pair is that with the first of `quotes` that Binance knows. Knows no rules and
no features.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, StopRequested, TemporaryError
from marsshot.infra.background import Inbox, WorkerPool
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import BarCache, DailyBars
from marsshot.market_data.base import (
    BarsOrError,
    NotTrackedError,
    ShutOutError,
    SourceRefusedError,
    UnusableBarsError,
    bars_or_error,
)
from marsshot.market_data.binance_public import BAN, BinancePublic, refusal_text
from marsshot.market_data.cached_history import CachedHistory
from marsshot.market_data.klines_parser import DAY_MS, OPEN_TIME, bars_from_klines, day_ms, numbers_of, read_klines
from marsshot.market_data.public_host import CONNECTIONS, OK, TOO_MANY, Answer, SilentHostError
from marsshot.market_data.rate_limiter import RequestPacer, requested_delay
from marsshot.market_data.source_retries import MAX_WAIT_SECONDS, SourceRetries, TryAgainError

PAGE = 1000  # bars in an answer at most
ATTEMPTS = 4
REVISED_DAYS = 0  # a closed bar stays as it is
USED_WEIGHT_TO_PAUSE_AT = 5400  # of 6000 a minute, which the bot's orders share
BAD_REQUEST = 400
UNKNOWN_SYMBOL = -1121
_POLL_SECONDS = 0.1
_TRY_AGAIN = {403, 408, 425, 429}  # 403: a firewall's page, gone within minutes


class _UnknownPairError(NotTrackedError):
    """Binance does not know this one pair."""


class BinanceKlines:
    """One host. `notify` is called, in any thread, with one line about each wait or trouble that is coped with."""

    def __init__(
        self,
        *,
        base_url: str,
        quotes: Sequence[str],
        cache_dir: Path,
        clock: Clock,
        notify: Callable[[str], None] = lambda line: None,
        requests_per_second: float | None,
    ) -> None:
        self.requests_made = 0
        self._quotes = tuple(quotes)
        self._clock = clock
        self._history = CachedHistory(BarCache(cache_dir, base_url), clock, REVISED_DAYS, notify)
        self._pacer = RequestPacer(requests_per_second, clock)
        self._public = BinancePublic(base_url)
        self._lock = threading.Lock()
        self._banned_until: datetime | None = None
        self._with_retries = SourceRetries(ATTEMPTS, clock, notify)

    def daily_bars(self, symbol: str, coin: str, days: int) -> DailyBars:
        """Return the closed bars of the last `days` UTC days; a young or halted pair has the days that it has.

        coin: Binance's name of the asset.
        Raises NotTrackedError, UnusableBarsError, SourceRefusedError, ShutOutError, another TemporaryError.
        """
        is_known = False
        for quote in self._quotes:
            pair = coin + quote
            try:
                bars = self._history.daily_bars(symbol, pair, days, partial(self._fetch, symbol, pair))
            except _UnknownPairError:
                continue
            if bars.has_close().any():
                return bars
            is_known = True
        key = "fault.klines.no_close" if is_known else "fault.klines.unknown"
        raise NotTrackedError(LocalizedText(key, symbol=symbol, pairs=self._pairs(coin), days=days))

    def each_daily_bars(self, coins: Mapping[str, str], days: int) -> Iterator[tuple[str, BarsOrError]]:
        """Yield each token with its bars, or with why there are none, in the order of `coins`; fetched side by side.

        Raises SourceRefusedError, StopRequested.
        """
        pool, inbox = WorkerPool(CONNECTIONS, "klines"), Inbox[tuple[str, BarsOrError]]()

        def fetch(symbol: str) -> None:
            try:
                inbox.put((symbol, bars_or_error(self, symbol, coins[symbol], days)))
            except MarsShotError as error:
                inbox.put((symbol, error))

        pool.submit(partial(fetch, symbol) for symbol in coins)
        arrived: dict[str, BarsOrError] = {}
        try:
            for symbol in coins:
                while symbol not in arrived:
                    arrived.update(filter(None, [inbox.take(_POLL_SECONDS)]))
                    if self._clock.stopping:
                        raise StopRequested("stopped while klines were awaited")
                answer = arrived.pop(symbol)
                if isinstance(answer, MarsShotError) and not isinstance(answer, NotTrackedError | TemporaryError):
                    raise answer
                yield symbol, answer
        finally:
            pool.cancel_pending()

    def forget_latest(self, symbol: str, coin: str) -> None:
        """Have the last days asked for anew next time: what was answered of them cannot be meant."""
        for pair in self._pairs(coin):
            self._history.forget_latest(symbol, pair)

    def seconds_for(self, requests_to_come: int) -> float:
        """Return how long the pace alone makes so many more requests take."""
        return self._pacer.seconds_for(requests_to_come)

    def _pairs(self, coin: str) -> tuple[str, ...]:
        return tuple(coin + quote for quote in self._quotes)

    def _fetch(self, symbol: str, pair: str, start: np.datetime64, today: np.datetime64) -> DailyBars:
        """Return the closed bars from start on, before today, page by page."""
        rows: list[Any] = []
        made_ms, first_ms, end_ms = 0.0, day_ms(start), day_ms(today)
        try:
            while first_ms < end_ms:
                page, made_ms = self._with_retries(self._page, symbol, pair, first_ms, end_ms)
                rows += page
                last_ms = int(numbers_of(page[-1:], (OPEN_TIME,))[0, 0]) if page else 0
                if len(page) < PAGE or last_ms < first_ms:
                    break
                first_ms = last_ms + DAY_MS
            return bars_from_klines(symbol, rows, start, today, made_ms)
        except ValueError as error:
            raise UnusableBarsError(
                LocalizedText("fault.klines.odd_answer", symbol=symbol, pair=pair, answer=error.args[0])
            ) from None

    def _page(self, symbol: str, pair: str, first_ms: int, end_ms: int) -> tuple[list[Any], float]:
        """Return the rows of an answer, and the moment at which it was made: closed is what ended before."""
        answer = self._send(symbol, pair, first_ms, end_ms)
        self._heed_weight(answer)
        self._check_status(symbol, pair, answer)
        try:
            return read_klines(answer.content), answer.made_at(self._now()) * 1000
        except ValueError as error:
            raise TryAgainError(
                LocalizedText("fault.klines.odd_answer", symbol=symbol, pair=pair, answer=error.args[0])
            ) from None

    def _send(self, symbol: str, pair: str, first_ms: int, end_ms: int) -> Answer:
        if self._clock.stopping:
            raise StopRequested("stopped before asking for klines")
        if self._banned_until is not None and self._clock.now() < self._banned_until:
            raise self._banned(symbol)  # asking on would make the ban longer
        self._pacer.acquire()
        with self._lock:
            self.requests_made += 1
        span: dict[str, str | int] = {"startTime": first_ms, "endTime": end_ms - 1, "limit": PAGE}
        asked = {"symbol": pair, "interval": "1d", **span}
        try:
            return self._clock.wait_for(partial(self._public.get, "/api/v3/klines", asked))
        except SilentHostError as error:
            key = "fault.klines.late" if error.is_late else "fault.klines.no_answer"
            raise TryAgainError(LocalizedText(key, symbol=symbol, why=error.kind)) from None

    def _heed_weight(self, answer: Answer) -> None:
        used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isdecimal() and int(used) >= USED_WEIGHT_TO_PAUSE_AT:
            now = self._now()
            self._pacer.hold_until(now + 60 - now % 60)

    def _check_status(self, symbol: str, pair: str, answer: Answer) -> None:
        status = answer.status
        if status == OK:
            return
        rest = requested_delay(answer.headers, self._now(), is_limit=False)
        if status in {TOO_MANY, BAN} and rest is not None:
            self._pacer.hold_until(self._now() + min(rest, MAX_WAIT_SECONDS))
        if status == BAN:
            self._banned_until = self._clock.now() + timedelta(seconds=rest or MAX_WAIT_SECONDS)
            raise self._banned(symbol)
        if status in _TRY_AGAIN or status >= 500 or 200 < status < 300:  # noqa: PLR2004 - HTTP
            raise TryAgainError(LocalizedText("fault.klines.answered", symbol=symbol, status=status), rest)
        if status == BAD_REQUEST and (code := answer.error_code("code")):
            if code == UNKNOWN_SYMBOL:
                raise _UnknownPairError(LocalizedText("fault.klines.unknown", symbol=symbol, pairs=(pair,)))
            raise NotTrackedError(LocalizedText("fault.klines.refused_pair", symbol=symbol, pair=pair, code=code))
        raise SourceRefusedError(refusal_text(status))

    def _banned(self, symbol: str) -> ShutOutError:
        until = self._banned_until
        return ShutOutError(LocalizedText("fault.klines.banned", symbol=symbol, until=until), until)

    def _now(self) -> float:
        return self._clock.now().timestamp()
