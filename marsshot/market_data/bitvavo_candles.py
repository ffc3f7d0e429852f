"""Daily bars in euros from Bitvavo's candles, which need no key: one request after the other, within a pace, cached.

One of the sources of base.py; its name of a token is the market's. Knows no rules and no features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import StopRequested
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import BarCache, DailyBars
from marsshot.market_data.base import (
    BarsOrError,
    NotTrackedError,
    ShutOutError,
    SourceRefusedError,
    UnusableBarsError,
    one_after_the_other,
)
from marsshot.market_data.cached_history import DAY, CachedHistory
from marsshot.market_data.klines_parser import DAY_MS, bars_from_klines, day_ms, numbers_of, read_klines
from marsshot.market_data.public_host import NOT_FOUND, OK, TOO_MANY, Answer, PublicHost, SilentHostError
from marsshot.market_data.rate_limiter import WINDOW_SECONDS, RequestPacer
from marsshot.market_data.source_retries import MAX_WAIT_SECONDS, SourceRetries, TryAgainError

PAGE = 1440  # days that are asked for at once, as many as an answer holds
ATTEMPTS = 4
REVISED_DAYS = 0  # a closed candle stays as it is
WEIGHT_TO_LEAVE = 200  # of 1000 a minute and address, which the prices of the five-minute check share
_BAD_REQUEST = 400
_INVALID_PARAMETER = 205  # of ours the market alone can be
_FIELDS = 6  # of a candle: opened at (ms), open, high, low, close, volume in coins
_CLOSE, _VOLUME = 4, 5
_TRY_AGAIN = {403, 408, 425}  # 403: a firewall's page, gone within minutes


class BitvavoCandles:
    """One host. `notify` is called with one line about each wait or trouble that is coped with."""

    def __init__(
        self,
        *,
        base_url: str,
        cache_dir: Path,
        clock: Clock,
        notify: Callable[[str], None] = lambda line: None,
        requests_per_second: float | None,
    ) -> None:
        self.requests_made = 0
        self._clock = clock
        self._history = CachedHistory(BarCache(cache_dir, base_url), clock, REVISED_DAYS, notify)
        self._pacer = RequestPacer(requests_per_second, clock)
        self._host = PublicHost("Bitvavo", base_url)
        self._shut_out_until = 0.0  # unix seconds
        self._with_retries = SourceRetries(ATTEMPTS, clock, notify)

    def daily_bars(self, symbol: str, coin: str, days: int) -> DailyBars:
        """Return the closed bars of the last `days` UTC days; a day without a trade is none. coin: the market.

        Raises NotTrackedError, UnusableBarsError, SourceRefusedError, ShutOutError, another TemporaryError.
        """
        bars = self._history.daily_bars(symbol, coin, days, partial(self._fetch, symbol, coin))
        if not bars.has_close().any():
            raise NotTrackedError(LocalizedText("fault.candles.no_close", symbol=symbol, market=coin, days=days))
        return bars

    def each_daily_bars(self, coins: Mapping[str, str], days: int) -> Iterator[tuple[str, BarsOrError]]:
        """Yield each token with its bars, or with why there are none, in the order of `coins`."""
        return one_after_the_other(self, coins, days)

    def forget_latest(self, symbol: str, coin: str) -> None:
        """Have the last days asked for anew next time: what was answered of them cannot be meant."""
        self._history.forget_latest(symbol, coin)

    def seconds_for(self, requests_to_come: int) -> float:
        """Return how long the pace alone makes so many more requests take."""
        return self._pacer.seconds_for(requests_to_come)

    def _fetch(self, symbol: str, market: str, start: np.datetime64, today: np.datetime64) -> DailyBars:
        """Return the closed bars from start on, before today, span by span: in one, days may be missing."""
        rows: list[Any] = []
        made_ms, first = 0.0, start
        while first < today:
            end = min(first + PAGE * DAY, today)
            page, made_ms = self._with_retries(self._page, symbol, market, day_ms(first), day_ms(end))
            rows += page
            first = end
        try:
            return bars_from_klines(symbol, _as_klines(rows), start, today, made_ms)
        except ValueError as error:
            raise UnusableBarsError(_odd_answer(symbol, market, error)) from None

    def _page(self, symbol: str, market: str, first_ms: int, end_ms: int) -> tuple[list[Any], float]:
        """Return the rows of an answer, and the moment at which it was made: closed is what ended before."""
        answer = self._send(symbol, market, first_ms, end_ms)
        self._check_status(symbol, market, answer)
        self._heed_weight(answer)
        try:
            return read_klines(answer.content, _FIELDS), answer.made_at(self._now()) * 1000
        except ValueError as error:
            raise TryAgainError(_odd_answer(symbol, market, error)) from None

    def _send(self, symbol: str, market: str, first_ms: int, end_ms: int) -> Answer:
        if self._clock.stopping:
            raise StopRequested("stopped before asking for candles")
        if self._now() < self._shut_out_until:
            raise self._shut_out(symbol)  # asking on would make it longer
        self._pacer.acquire()
        self.requests_made += 1
        asked: dict[str, str | int] = {"interval": "1d", "limit": PAGE, "start": first_ms, "end": end_ms - 1}
        try:
            return self._clock.wait_for(partial(self._host.get, f"/v2/{market}/candles", asked))
        except SilentHostError as error:
            key = "fault.candles.late" if error.is_late else "fault.candles.no_answer"
            raise TryAgainError(LocalizedText(key, symbol=symbol, why=error.kind)) from None

    def _heed_weight(self, answer: Answer) -> None:
        left = answer.headers.get("bitvavo-ratelimit-remaining", "")
        if left.isdecimal() and int(left) <= WEIGHT_TO_LEAVE:
            self._pacer.hold_until(self._now() + min(self._seconds_to_reset(answer), MAX_WAIT_SECONDS))

    def _check_status(self, symbol: str, market: str, answer: Answer) -> None:
        status = answer.status
        if status == OK:
            return
        told = LocalizedText("fault.candles.answered", symbol=symbol, status=status)
        if status == TOO_MANY:
            rest = self._seconds_to_reset(answer)
            if rest > MAX_WAIT_SECONDS:
                self._shut_out_until = self._now() + rest
                raise self._shut_out(symbol)
            self._pacer.hold_until(self._now() + rest)
            raise TryAgainError(told, rest)
        if status in _TRY_AGAIN or status >= 500 or 200 < status < 300:  # noqa: PLR2004 - HTTP
            raise TryAgainError(told)
        if status in {_BAD_REQUEST, NOT_FOUND} and (code := answer.error_code("errorCode")):
            key = "fault.candles.unknown" if code == _INVALID_PARAMETER else "fault.candles.refused_market"
            raise NotTrackedError(LocalizedText(key, symbol=symbol, market=market, code=code))
        raise SourceRefusedError(LocalizedText("fault.candles.refused", status=status))

    def _seconds_to_reset(self, answer: Answer) -> float:
        told = answer.headers.get("bitvavo-ratelimit-resetat", "")
        rest = int(told) / 1000 - self._now() if told.isdecimal() else 0.0
        return rest if rest > 0 else WINDOW_SECONDS

    def _shut_out(self, symbol: str) -> ShutOutError:
        until = datetime.fromtimestamp(self._shut_out_until, UTC)
        return ShutOutError(LocalizedText("fault.candles.shut_out", symbol=symbol, until=until), until)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _as_klines(rows: Sequence[Sequence[Any]]) -> list[list[float]]:
    """Return candles in the form of Binance's klines, the volume in euros.

    Raises ValueError for what is no number, and for a day that is not UTC's.
    """
    numbers = numbers_of(rows, range(_FIELDS))
    if (numbers[:, 0] % DAY_MS != 0).any():
        raise ValueError(LocalizedText("klines.other_days"))
    closed, paid = numbers[:, 0] + DAY_MS - 1, numbers[:, _VOLUME] * numbers[:, _CLOSE]
    klines: list[list[float]] = np.column_stack([numbers, closed, paid]).tolist()
    return klines


def _odd_answer(symbol: str, market: str, error: ValueError) -> LocalizedText:
    return LocalizedText("fault.candles.odd_answer", symbol=symbol, market=market, answer=error.args[0])
