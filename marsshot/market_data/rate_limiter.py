"""How fast a source may be asked: at most so many requests in any 60 seconds, and not before the source allows.

The times of the last minute are kept in a small file, so that two runs after each other keep the limit together.
Reads the headers that speak of limits, sends nothing; waits through the clock it is given.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

from marsshot.infra.clock import Clock
from marsshot.infra.fingerprints import Fingerprint, fingerprint

WINDOW_SECONDS = 60.0
_SHORTEST_WAIT_SECONDS = 0.001
_MARGIN_SECONDS = 0.1  # both ends of a window may count at the source
_MAX_DAY_SECONDS = 25 * 3600.0  # what claims to be further off is not the end of a day


class RateLimiter:
    """A sliding window over the requests of the last minute; bursts inside it are allowed."""

    def __init__(self, limit: int, path: Path, clock: Clock) -> None:
        self._limit = limit
        self._path = path
        self._clock = clock
        self._not_before = 0.0
        self._times: list[float] = []
        self._known: Fingerprint | None = None  # of the file that holds self._times
        self._shared = True  # False once the file could not be written: then this run's own times must do

    def acquire(self) -> None:
        """Wait until one more request is within the limit, and count it. Raises StopRequested."""
        times = self._recent()
        while (seconds := self._next_turn(times) - self._now()) > 0:
            self._clock.sleep(seconds)
            times = self._recent()
        self._save_times([*times, self._now()])

    def count_at_response(self) -> None:
        """Count the last request at its answer instead of at its start: by then the source has counted it.

        The file is told with the next request; until then it holds the start, which is a little early.
        """
        started, times = self._times[-1], self._recent()
        if started in times:
            times.remove(started)
        self._times = [*times, self._now()]

    def hold_until(self, moment: float) -> None:
        """Send nothing before this moment (unix seconds)."""
        self._not_before = moment

    def seconds_for(self, requests: int) -> float:
        """Return how long the limit alone makes so many requests take, from now on."""
        times, turn = self._recent(), self._now()
        for _ in range(requests):
            turn = max(turn, self._next_turn(times))
            times.append(turn)
        return turn - self._now()

    def _next_turn(self, times: list[float]) -> float:
        if len(times) < self._limit:
            return self._not_before
        return max(self._not_before, times[-self._limit] + WINDOW_SECONDS + _MARGIN_SECONDS)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _recent(self) -> list[float]:
        """Return the requests of the last minute, those of other runs included, oldest first."""
        now = self._now()
        # A time ahead of the clock is of a run with another clock, and says nothing about this minute.
        return sorted(time for time in self._read() if now - WINDOW_SECONDS - _MARGIN_SECONDS < time <= now)

    def _read(self) -> list[float]:
        if not self._shared:
            return self._times
        try:
            found = fingerprint(self._path.stat())
            if found != self._known:  # another run has counted a request
                self._times = [float(time) for time in json.loads(self._path.read_bytes())]
                self._known = found
        except (OSError, ValueError, TypeError):
            return self._times
        return self._times

    def _save_times(self, times: list[float]) -> None:
        self._times = times
        content = json.dumps(times).encode()
        try:
            try:
                self._write(content)
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._write(content)
        except OSError:
            self._shared = False

    def _write(self, content: bytes) -> None:
        """Write over the file as it is: who reads a half one goes by his own requests, and this is done often."""
        with self._path.open("wb", buffering=0) as file:
            file.write(content)
            self._known = fingerprint(os.fstat(file.fileno()))


class RequestPacer:
    """At most so many requests a second, evenly spread, over the threads of one process; None: no limit."""

    def __init__(self, per_second: float | None, clock: Clock) -> None:
        self._interval = 0.0 if per_second is None else 1 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next_turn = 0.0
        self._not_before = 0.0

    def acquire(self) -> None:
        """Wait until it is this request's turn. Raises StopRequested."""
        with self._lock:
            turn = max(self._now(), self._next_turn)
            self._next_turn = turn + self._interval
        # A clock counts in microseconds: what is left under a thousandth of a second it may never see pass.
        while (seconds := max(turn, self._not_before) - self._now()) > _SHORTEST_WAIT_SECONDS:
            self._clock.sleep(seconds)

    def hold_until(self, moment: float) -> None:
        """Send nothing before this moment (unix seconds)."""
        self._not_before = max(self._not_before, moment)

    def seconds_for(self, requests: int) -> float:
        """Return how long the pace alone makes so many requests take, from now on."""
        return requests * self._interval

    def _now(self) -> float:
        return self._clock.now().timestamp()


def requested_delay(headers: Mapping[str, str], now: float, *, is_limit: bool) -> float | None:
    """Return the seconds that an answer asks us to wait: Retry-After (seconds or a date), or the minute's reset.

    is_limit: the answer is about the limit; the reset header is on every other answer too and says nothing there.
    """
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after)
    try:
        return parsedate_to_datetime(after).timestamp() - now
    except (ValueError, OverflowError):
        return seconds_to_reset(headers, now) if is_limit else None


def seconds_to_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds left until the minute's limit is reset; None if the header says nothing useful."""
    return _seconds_until(headers.get("x-rate-limit-minute-reset"), now)


def seconds_to_new_day(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds left until the day's quota begins anew; None if the answer does not say.

    Retry-After counts where it is longer than a minute: that long only the quota of the day makes one wait.
    """
    rest = _seconds_until(headers.get("x-rate-limit-day-reset"), now)
    if rest is None:
        rest = requested_delay(headers, now, is_limit=False)
    return rest if rest is not None and WINDOW_SECONDS < rest <= _MAX_DAY_SECONDS else None


def _seconds_until(moment: str | None, now: float) -> float | None:
    try:
        rest = float(moment or "nan") - now
    except ValueError:
        return None
    return rest if rest > 0 else None
