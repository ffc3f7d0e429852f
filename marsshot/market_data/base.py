"""What a source of daily bars is: the one question, what it may answer, and how it fails.

Knows no source. A further one is a file beside this one, and a line in `daily_bar_sources.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.market_data.bar_cache import DailyBars

BarsOrError = DailyBars | MarsShotError


class NotTrackedError(MarsShotError):
    """The source has no history of this one token."""


class UnusableBarsError(TemporaryError):
    """The source answers about this one token with what are no bars; about others it may well answer rightly."""


class SourceRefusedError(MarsShotError):
    """The source refuses the key, the plan or this machine: no token will work until the owner has looked."""


class QuotaSpentError(TemporaryError):
    """No further request is answered for now. until: when requests begin anew, UTC; None if the source does not say."""

    def __init__(self, message: str, until: datetime | None) -> None:
        super().__init__(message)
        self.until = until


class ShutOutError(QuotaSpentError):
    """The source answers this address nothing more for a while: too many requests came from it."""


class DailyBarSource(Protocol):
    """Where daily bars come from. `coin`: the source's own name of a token."""

    @property
    def requests_made(self) -> int:
        """How many requests were sent so far."""

    def daily_bars(self, symbol: str, coin: str, days: int) -> DailyBars:
        """Return the closed bars of the last `days` UTC days; those that the source does not have are absent.

        Raises NotTrackedError, SourceRefusedError, QuotaSpentError, another TemporaryError, StopRequested.
        """

    def each_daily_bars(self, coins: Mapping[str, str], days: int) -> Iterator[tuple[str, BarsOrError]]:
        """Yield each token with its bars, or with why there are none, in the order of `coins` (token: coin).

        Raises SourceRefusedError and StopRequested: then there is no use in asking on.
        """

    def forget_latest(self, symbol: str, coin: str) -> None:
        """Have the last days asked for anew next time: what was answered of them cannot be meant."""

    def seconds_for(self, requests_to_come: int) -> float:
        """Return how long the limit of requests alone makes so many more requests take."""


def one_after_the_other(
    source: DailyBarSource, coins: Mapping[str, str], days: int
) -> Iterator[tuple[str, BarsOrError]]:
    """Do what `each_daily_bars` promises with one request at a time."""
    for symbol, coin in coins.items():
        yield symbol, bars_or_error(source, symbol, coin, days)


def bars_or_error(source: DailyBarSource, symbol: str, coin: str, days: int) -> BarsOrError:
    """Return the bars, or the error that is about this token alone. Raises what is about all."""
    try:
        return source.daily_bars(symbol, coin, days)
    except (NotTrackedError, TemporaryError) as error:
        return error
