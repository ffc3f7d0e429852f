"""The part of `main.py check` that asks LunarCrush: as many tokens as its limit leaves, or all, in their time."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic

from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError
from marsshot.infra.clock import Clock
from marsshot.market_data.lunarcrush import FIELDS, LunarCrush, SourceRefusedError

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
    from ml_decision import open_lunarcrush  # noqa: PLC0415 - pandas is slow to load, and only wanted here

    catalog = Catalog(settings.language)
    client = open_lunarcrush(
        settings, clock if ask_all else _NonWaitingClock(clock), lambda line: _print_line(catalog.render(line))
    )
    found, began = Histories(), monotonic()
    for token in dict.fromkeys(("BTC", "ETH", *tokens)):
        if not ask_all and monotonic() - began > TIME_BUDGET_SECONDS:
            found.not_asked.append(token)
            continue
        try:
            found.closes[token] = _last_close(token, settings, client)
        except WouldWaitError:
            found.not_asked.append(token)
        except SourceRefusedError as error:
            found.refused = error.message
            break
        except MarsShotError as error:
            found.errors[token] = error.message
    return found


def _last_close(token: str, settings: Settings, client: LunarCrush) -> Decimal:
    bars = client.daily_bars(token, settings.lunarcrush_coin(token), settings.training.days)
    return Decimal(repr(float(bars.values[bars.has_close()][-1, FIELDS.index("close")])))


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
