"""The way of a price inside one day: from the recorded open over the real high and low to the real close.

Pure: the same (seed, symbol, day, bar) gives the same way in every process. Only open, high, low and close are
recorded; what lies between them is a seeded random walk and must not be mistaken for history.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

STEP_SECONDS = 300
STEPS_PER_DAY = 288
_LAST = STEPS_PER_DAY - 1


class PriceBar(Protocol):
    """Open, high, low and close of a day."""

    @property
    def open(self) -> Decimal: ...  # noqa: D102
    @property
    def high(self) -> Decimal: ...  # noqa: D102
    @property
    def low(self) -> Decimal: ...  # noqa: D102
    @property
    def close(self) -> Decimal: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class DayPath:
    """288 prices, one every five minutes from 00:00 on, as whole ticks of 10**-decimals."""

    ticks: tuple[int, ...]
    decimals: int

    def price(self, step: int) -> Decimal:
        """Return the price that holds from step * 5 minutes until the next step."""
        return Decimal(self.ticks[step]).scaleb(-self.decimals)


def seeded(*parts: object) -> np.random.Generator:
    """Return a generator that depends on the text of its parts alone, never on the process."""
    digest = hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def day_path(bar: PriceBar, *, seed: int, symbol: str, day: date, decimals: int) -> DayPath:
    """Return the day's way: open at 00:00, close at 23:55, high and low touched exactly, none of them passed.

    decimals: of the ticks; every price of the bar must be a whole number of them, else ValueError.
    """
    first, high, low, last = (_in_ticks(p, decimals) for p in (bar.open, bar.high, bar.low, bar.close))
    if not 0 < low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("low, open, close and high are out of order")
    if high == low:
        return DayPath((first,) * STEPS_PER_DAY, decimals)
    random = seeded("path", seed, symbol, day.isoformat())
    steps, anchors = _anchors((first, high, low, last), random)
    walked = _bridge(steps, np.log(anchors), np.log(np.array([low, high], dtype=float)), random)
    ticks = np.clip(np.rint(np.exp(walked)).astype(np.int64), low, high)
    ticks[steps] = anchors
    return DayPath(tuple(ticks.tolist()), decimals)


def _in_ticks(price: Decimal, decimals: int) -> int:
    ticks = price.scaleb(decimals)
    if ticks != ticks.to_integral_value():
        raise ValueError(f"{price} has more than {decimals} decimals")
    return int(ticks)


def _anchors(
    prices: tuple[int, int, int, int], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return steps and ticks of open, the two extremes and close. A day that rose more often saw its low first."""
    first, high, low, last = prices
    rise = (last - first) / (high - low)
    early, late = sorted(int(step) for step in 1 + random.choice(_LAST - 1, size=2, replace=False))
    extremes = (low, high) if random.random() < 0.5 + 0.4 * rise else (high, low)
    return np.array([0, early, late, _LAST]), np.array([first, *extremes, last], dtype=np.int64)


def _bridge(
    steps: NDArray[np.int64],
    anchors: NDArray[np.float64],
    bounds: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Return Brownian bridges through the anchors (logarithms), reflected at the bounds."""
    low, high = float(bounds[0]), float(bounds[1])
    every = np.arange(STEPS_PER_DAY)
    scale = 0.6 * (high - low) / np.sqrt(STEPS_PER_DAY)
    noise = np.cumsum(random.standard_normal(STEPS_PER_DAY) * scale)
    walk = np.interp(every, steps, anchors) + noise - np.interp(every, steps, noise[steps])
    span = high - low
    folded: NDArray[np.float64] = span - np.abs((walk - low) % (2 * span) - span) + low
    return folded
