"""The part of `main.py check` that asks the source of daily bars about as many tokens as its limit leaves, or all."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic

from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import CLOSE, DailyBars
from marsshot.market_data.base import DailyBarSource, NotTrackedError, QuotaSpentError, SourceRefusedError
from marsshot.market_data.daily_bar_sources import open_source, source_kind

TIME_BUDGET_SECONDS = 8.0
MAX_FAILURES = 3  # in a row: the source is down, and asking on only takes time


@dataclass(slots=True)
class Histories:
    """What the source said, by token: the last closes in USD, and what was wrong with some.

    not_asked: for want of time or requests, or as the source is in trouble. trouble: why none could be asked.
    """

    closes: dict[str, Decimal] = field(default_factory=dict)
    errors: dict[str, MarsShotError] = field(default_factory=dict)
    not_asked: list[str] = field(default_factory=list)
    trouble: MarsShotError | None = None


def fetch_last_closes(tokens: Collection[str], settings: Settings, clock: Clock, *, ask_all: bool) -> Histories:
    """Ask for the history of each token, and of BTC and ETH, which every score needs. Never raises MarsShotError.

    What the cache has of today costs no request. ask_all: wait for the limit instead of leaving tokens out.
    """
    catalog, kind = Catalog(settings.language), source_kind(settings)
    waits = ask_all or kind.is_quick
    said: list[str] = []

    def notify(line: str) -> None:
        said.append(line)
        if waits:
            print(catalog.render(line), file=sys.stderr)  # noqa: T201

    source = open_source(settings, clock if waits else _NonWaitingClock(clock), notify)
    coins = {token: kind.coin(settings, token) for token in dict.fromkeys(("BTC", "ETH", *tokens))}
    days = settings.training.days
    if kind.is_quick:
        return _side_by_side(source, coins, days)
    return _one_by_one(source, coins, days, said, ask_all=ask_all)


def _side_by_side(source: DailyBarSource, coins: Mapping[str, str], days: int) -> Histories:
    found = Histories()
    try:
        for token, answer in source.each_daily_bars(coins, days):
            if isinstance(answer, DailyBars):
                found.closes[token] = _last_close(answer)
            else:
                found.errors[token] = answer
    except SourceRefusedError as error:
        found.trouble = error
    return _with_trouble_of_all(found)


def _one_by_one(
    source: DailyBarSource, coins: Mapping[str, str], days: int, said: list[str], *, ask_all: bool
) -> Histories:
    found, began, failures = Histories(), monotonic(), 0
    for token, coin in coins.items():
        is_late = not ask_all and monotonic() - began > TIME_BUDGET_SECONDS
        if is_late or found.trouble is not None or failures >= MAX_FAILURES:
            found.not_asked.append(token)
            continue
        before = source.requests_made
        try:
            found.closes[token] = _last_close(source.daily_bars(token, coin, days))
            failures = 0
        except WouldWaitError as error:
            if source.requests_made == before:  # for its turn, not for an answer
                found.not_asked.append(token)
                continue
            found.errors[token] = TemporaryError(_cause(said[-1]) if said else error.message)
            failures += 1
        except (SourceRefusedError, QuotaSpentError) as error:
            found.trouble = error
            found.not_asked.append(token)
        except NotTrackedError as error:
            found.errors[token] = error
            failures = 0
        except MarsShotError as error:
            found.errors[token] = error
            failures += 1
    return _with_trouble_of_all(found)


def _cause(line: str) -> str:
    """Return, of a line that tells of a wait, what is waited out."""
    why = line.values.get("why") if isinstance(line, LocalizedText) else None
    return why if isinstance(why, str) else line


def _with_trouble_of_all(found: Histories) -> Histories:
    """Make what no token got an answer for the trouble of the source, said once."""
    failed = {token: error for token, error in found.errors.items() if not isinstance(error, NotTrackedError)}
    if found.trouble is None and len(failed) > 1 and not found.closes:
        found.trouble = next(iter(failed.values()))
        found.not_asked += failed
        found.errors = {token: error for token, error in found.errors.items() if token not in failed}
    return found


def _last_close(bars: DailyBars) -> Decimal:
    return Decimal(repr(float(bars.values[bars.has_close()][-1, CLOSE])))


class WouldWaitError(MarsShotError):
    """Looking now would mean to wait."""


class _NonWaitingClock:
    """A clock that does not wait: what would have to is not looked at now."""

    stopping = False

    def __init__(self, clock: Clock) -> None:
        self.now = clock.now
        self.idle = clock.idle
        self.stop = clock.stop
        self.wait_for = clock.wait_for
        self.uninterruptible = clock.uninterruptible

    def sleep(self, seconds: float) -> None:
        """Refuse to wait."""
        raise WouldWaitError(f"would take {seconds:.0f} s")
