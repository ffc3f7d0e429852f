"""Daily history of a token from LunarCrush: rate limit, retries, and an on-disk cache of closed bars.

One of the sources of base.py. The running day is never part of an answer. Knows no rules and no features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import requests
from requests.auth import AuthBase

from marsshot.config.addresses import is_loopback_origin
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import StopRequested
from marsshot.infra.bounded_http import BoundedAdapter
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import FIELDS, BarCache, DailyBars
from marsshot.market_data.base import (
    BarsOrError,
    NotTrackedError,
    QuotaSpentError,
    SourceRefusedError,
    one_after_the_other,
)
from marsshot.market_data.cached_history import CachedHistory
from marsshot.market_data.lunarcrush_parser import bars_from_points, made_on, read_answer
from marsshot.market_data.rate_limiter import RateLimiter, requested_delay, seconds_to_new_day, seconds_to_reset
from marsshot.market_data.source_retries import MAX_WAIT_SECONDS, SourceRetries, TryAgainError

__all__ = ["FIELDS", "DailyBars", "LunarCrush", "NotTrackedError", "QuotaSpentError", "SourceRefusedError"]

USER_AGENT = "MarsShot/1.0"  # requests without one are turned away with 403
TIMEOUT_SECONDS = 5  # to connect, and between two pieces of the answer; how long all may take: bounded_http.py
ATTEMPTS = 5
MAX_TROUBLE_SECONDS = 60.0  # to wait for anything but the limit of requests
REVISED_DAYS = 3  # LunarCrush may still change the latest ones
QUOTA_PAUSE_SECONDS = 540.0  # where no end is told: shorter than the ten minutes after which the daily pass tries again
_NOT_TRACKED_STATUSES = {400, 404, 410, 422}
_REFUSALS = {401, 402, 403}  # that have words of their own in the catalogue, under fault.lunarcrush.refused


class _Bearer(AuthBase):
    """Sets the header itself: a plain header would give way to an entry of ~/.netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Authorize one request."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class LunarCrush:
    """One server, one key. `notify` is called with one line whenever there is a wait or trouble that is coped with."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        requests_per_minute: int,
        cache_dir: Path,
        clock: Clock,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.requests_made = 0
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._history = CachedHistory(BarCache(cache_dir, self._base_url), clock, REVISED_DAYS, notify)
        self._rate_limiter = RateLimiter(requests_per_minute, cache_dir / "requests.json", clock)
        self._session = requests.Session()
        self._session.trust_env = not is_loopback_origin(base_url)  # no proxy to a stand-in on this machine
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, BoundedAdapter())
        self._session.auth = _Bearer(api_key)
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        self._quota_pause_until = 0.0
        self._quota_spent_until: datetime | None = None  # as told by LunarCrush
        self._with_retries = SourceRetries(ATTEMPTS, clock, notify)

    def daily_bars(self, symbol: str, coin: str, days: int) -> DailyBars:
        """Return the closed bars of the last `days` UTC days; those that LunarCrush does not have are absent.

        coin: LunarCrush's name of the token, a ticker or a numeric id.
        Raises NotTrackedError, SourceRefusedError, QuotaSpentError, another TemporaryError, StopRequested.
        """
        bars = self._history.daily_bars(symbol, coin, days, partial(self._fetch_bars, symbol, coin))
        if not bars.has_close().any():
            raise NotTrackedError(LocalizedText("fault.lunarcrush.no_close", symbol=symbol, coin=coin, days=days))
        return bars

    def each_daily_bars(self, coins: Mapping[str, str], days: int) -> Iterator[tuple[str, BarsOrError]]:
        """Yield each token with its bars, or with why there are none: one request after the other."""
        return one_after_the_other(self, coins, days)

    def forget_latest(self, symbol: str, coin: str) -> None:
        """Have the last days asked for anew next time: what was answered of them cannot be meant."""
        self._history.forget_latest(symbol, coin)

    def seconds_for(self, requests_to_come: int) -> float:
        """Return how long the limit of requests per minute alone makes so many more requests take."""
        return self._rate_limiter.seconds_for(requests_to_come)

    def _fetch_bars(self, symbol: str, coin: str, start: np.datetime64, today: np.datetime64) -> DailyBars:
        points, end = self._fetch_points(symbol, coin, start, today)
        return bars_from_points(symbol, points, start, end)

    def _fetch_points(
        self, symbol: str, coin: str, start: np.datetime64, end: np.datetime64
    ) -> tuple[list[object], np.datetime64]:
        """Return the points from start to the last second before end, and before which day all bars are closed.

        That is end, or the day on which LunarCrush made its answer, by its own stamp: a clock of ours that is ahead
        would take the running day for over.
        """
        if self._now() < self._quota_pause_until:
            raise self._quota_spent(symbol)
        points, made_on = self._with_retries(self._attempt, symbol, coin, start, end)
        return points, end if made_on is None else min(end, made_on)

    def _attempt(
        self, symbol: str, coin: str, start: np.datetime64, end: np.datetime64
    ) -> tuple[list[object], np.datetime64 | None]:
        response = self._send(symbol, coin, start, end)
        self._note_limits(symbol, response)
        self._check_status(symbol, coin, response)
        try:
            config, points = read_answer(response.content)
        except ValueError as error:
            raise TryAgainError(
                LocalizedText("fault.lunarcrush.odd_answer", symbol=symbol, answer=error.args[0])
            ) from None
        told = str(config.get("symbol") or coin)
        if not coin.isdigit() and told.casefold() != coin.casefold():
            raise NotTrackedError(LocalizedText("fault.lunarcrush.other_coin", symbol=symbol, told=told, coin=coin))
        return points, made_on(config)

    def _send(self, symbol: str, coin: str, start: np.datetime64, end: np.datetime64) -> requests.Response:
        if self._clock.stopping:
            raise StopRequested("stopped before asking LunarCrush")
        self._rate_limiter.acquire()
        self.requests_made += 1
        first, limit = (int(day.astype("datetime64[s]").astype(np.int64)) for day in (start, end))
        span: dict[str, str | int] = {"bucket": "day", "start": first, "end": limit - 1}
        url = f"{self._base_url}/api4/public/coins/{quote(coin, safe='')}/time-series/v2"
        get = partial(self._session.get, url, params=span, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        try:
            return self._clock.wait_for(get)
        except requests.Timeout:
            raise TryAgainError(LocalizedText("fault.lunarcrush.late", symbol=symbol)) from None
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise SourceRefusedError(LocalizedText("fault.lunarcrush.odd_key")) from None
        except requests.RequestException as error:
            # str(error) may run over lines and repeats the address; the kind says enough.
            why = type(error).__name__
            raise TryAgainError(LocalizedText("fault.lunarcrush.no_answer", symbol=symbol, why=why)) from None
        finally:
            self._rate_limiter.count_at_response()

    def _note_limits(self, symbol: str, response: requests.Response) -> None:
        """Heed what the answer says of the limits. Raises QuotaSpentError if that of the day refused the request."""
        headers = response.headers
        if response.ok and headers.get("x-rate-limit-minute-remaining") == "0":
            rest = seconds_to_reset(headers, self._now())
            self._rate_limiter.hold_until(self._now() + min(rest or 0.0, MAX_WAIT_SECONDS))
        refused = response.status_code == requests.codes.too_many_requests
        is_last = headers.get("x-rate-limit-day-remaining") == "0"
        if ((refused or response.ok) and is_last) or (refused and b"daily" in response.content.lower()):
            self._pause_for_quota(seconds_to_new_day(headers, self._now()))
            if refused:
                raise self._quota_spent(symbol)

    def _pause_for_quota(self, seconds: float | None) -> None:
        now = self._clock.now()
        self._quota_spent_until = None if seconds is None else now + timedelta(seconds=seconds)
        self._quota_pause_until = now.timestamp() + (QUOTA_PAUSE_SECONDS if seconds is None else seconds)

    def _quota_spent(self, symbol: str) -> QuotaSpentError:
        until = self._quota_spent_until
        if until is None:
            return QuotaSpentError(LocalizedText("fault.lunarcrush.quota", symbol=symbol), until)
        return QuotaSpentError(LocalizedText("fault.lunarcrush.quota_until", symbol=symbol, until=until), until)

    def _check_status(self, symbol: str, coin: str, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.ok:
            return
        if status in _NOT_TRACKED_STATUSES:
            raise NotTrackedError(LocalizedText("fault.lunarcrush.unknown", symbol=symbol, coin=coin, status=status))
        if status in {408, 425, 429} or status >= 500 or 200 < status < 300:  # noqa: PLR2004 - HTTP
            is_limit = status == requests.codes.too_many_requests
            rest = requested_delay(response.headers, self._now(), is_limit=is_limit)
            if rest is not None and not is_limit:
                rest = min(rest, MAX_TROUBLE_SECONDS)
            raise TryAgainError(LocalizedText("fault.lunarcrush.answered", symbol=symbol, status=status), rest)
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP
            raise SourceRefusedError(LocalizedText("fault.lunarcrush.redirect", status=status))
        kind = status if status in _REFUSALS else "other"
        raise SourceRefusedError(LocalizedText(f"fault.lunarcrush.refused.{kind}", status=status))

    def _now(self) -> float:
        return self._clock.now().timestamp()
