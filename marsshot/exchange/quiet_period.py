"""Until when an exchange is sent nothing, because it asked for that or is in trouble. Knows no exchange."""

from __future__ import annotations

import threading

from marsshot.core.errors import TemporaryError
from marsshot.core.reasons import QuietReason

MAX_TROUBLE_SECONDS = 60.0  # no mere trouble keeps exits waiting for longer, whatever an answer says
MAX_BAN_SECONDS = 3 * 24 * 3600.0
_MAX_QUIET_MS = dict.fromkeys(QuietReason, int(MAX_BAN_SECONDS * 1000)) | {
    QuietReason.TROUBLE: int(MAX_TROUBLE_SECONDS * 1000)
}


class RateLimitError(TemporaryError):
    """The exchange was asked too much; until it says so, it is asked nothing."""

    def __init__(self, message: str, retry_after_seconds: float, reason: QuietReason) -> None:
        super().__init__(message, retry_after_seconds)
        self.reason = reason


class QuietPeriod:
    """Until when, by our own clock, the exchange wants no requests, and why. Of all connections to it; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.until_ms = 0
        self.reason = QuietReason.TROUBLE

    def extend(self, moment_ms: int, reason: QuietReason, now_ms: int) -> bool:
        """Be silent until then, if that is not too far off for its reason; return whether it is new.

        New is another reason, or a minute more.
        """
        moment_ms = min(moment_ms, now_ms + _MAX_QUIET_MS[reason])
        with self._lock:
            if moment_ms <= self.until_ms:
                return False
            is_new = reason is not self.reason or moment_ms > self.until_ms + 60_000
            self.until_ms, self.reason = moment_ms, reason
            return is_new

    def milliseconds_left(self, now_ms: int) -> int:
        """Return for how long there are to be no requests; 0 or less: they may be sent."""
        left_ms = self.until_ms - now_ms
        if left_ms <= _MAX_QUIET_MS[self.reason]:
            return left_ms
        with self._lock:  # our clock was set back meanwhile
            self.until_ms, self.reason = 0, QuietReason.TROUBLE
        return 0
