"""The part of `main.py check` that asks the source of daily bars about as many tokens as its limit leaves, or all."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic

from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import CLOSE, DailyBars
from marsshot.market_data.base import DailyBarSource, SourceRefusedError
from marsshot.market_data.daily_bar_sources import open_source, source_kind

TIME_BUDGET_SECONDS = 8.0


@dataclass(slots=True)
class Histories:
    """The last closes, by token, in USD; what was wrong with some; which were not asked; why none could be asked."""

    closes: dict[str, Decimal] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    not_asked: list[str] = field(default_factory=list)
    refused: str = ""


def fetch_last_closes(tokens: Collection[str], settings: Settings, clock: Clock, *, ask_all: bool) -> Histories:
    """Ask for the history of each token, and of BTC and ETH, which every score needs. Never raises MarsShotError.

    What the cache has of today costs no request. ask_all: wait for the limit instead of leaving tokens out.
    """
    catalog, kind = Catalog(settings.language), source_kind(settings)
    source = open_source(
        settings,
        clock if ask_all or kind.is_quick else _NonWaitingClock(clock),
        lambda line: _print_line(catalog.render(line)),
    )
    coins = {token: kind.coin(settings, token) for token in dict.fromkeys(("BTC", "ETH", *tokens))}
    days = settings.training.days
    return _side_by_side(source, coins, days) if kind.is_quick else _one_by_one(source, coins, days, ask_all=ask_all)


def _side_by_side(source: DailyBarSource, coins: Mapping[str, str], days: int) -> Histories:
    found = Histories()
    try:
        for token, answer in source.each_daily_bars(coins, days):
            if isinstance(answer, DailyBars):
                found.closes[token] = _last_close(answer)
            else:
                found.errors[token] = answer.message
    except SourceRefusedError as error:
        found.refused = error.message
    return found


def _one_by_one(source: DailyBarSource, coins: Mapping[str, str], days: int, *, ask_all: bool) -> Histories:
    found, began = Histories(), monotonic()
    for token, coin in coins.items():
        if not ask_all and monotonic() - began > TIME_BUDGET_SECONDS:
            found.not_asked.append(token)
            continue
        try:
            found.closes[token] = _last_close(source.daily_bars(token, coin, days))
        except WouldWaitError:
            found.not_asked.append(token)
        except SourceRefusedError as error:
            found.refused = error.message
            break
        except MarsShotError as error:
            found.errors[token] = error.message
    return found


def _last_close(bars: DailyBars) -> Decimal:
    return Decimal(repr(float(bars.values[bars.has_close()][-1, CLOSE])))


def _print_line(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


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
