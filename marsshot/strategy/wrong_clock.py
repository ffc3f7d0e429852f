"""By whose clock a day has ended: where this machine's and the exchange's are too far apart, by nobody's. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError

MAX_CLOCK_ERROR = timedelta(seconds=60)


class WrongClockError(MarsShotError):
    """By a clock that is wrong a running day could pass for closed: no daily update, until it is set."""


def refuse_wrong_clock(now: datetime, exchange_ms: int) -> None:
    """Raise WrongClockError where this machine's clock and the exchange's are more than a minute apart."""
    ahead = now - datetime.fromtimestamp(exchange_ms / 1000, UTC)
    if abs(ahead) > MAX_CLOCK_ERROR:
        key = "fault.clock.ahead" if ahead > timedelta(0) else "fault.clock.behind"
        raise WrongClockError(LocalizedText(key, span=abs(ahead)))
