"""What comes by and by in one life of the bot: the venues' answers, which threads of their own bring to the real one.

Nothing waits here: simulated time passes while the bot waits for an answer, and what is due by then comes in its turn.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from itertools import count
from typing import TypeVar

from marsshot.chaos.fault_schedule import Fate
from marsshot.chaos.skewed_clock import StrayingClock
from marsshot.exchange.base import HearPrices
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.infra.background import Inbox

News = TypeVar("News")
# Within a venue's fair chance, after it, when the round is long over; or never.
DELAYS_SECONDS = (0.1, 0.3, 0.7, 0.9, 3.0, 8.0, 16.0, None)
FOR_EVER_SECONDS = 60.0  # no look at prices may take so long
BINANCE = "Binance"


class Later:
    """The answers that are still to come; whoever dies does not hear them any more."""

    def __init__(self, clock: StrayingClock, fate: Fate) -> None:
        self._clock = clock
        self._fate = fate
        self._to_come: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._asked: dict[str, tuple[int, datetime]] = {}  # by asset, or Binance: the last question's number and time
        self._told: dict[str, float] = {}  # of what the last question has been answered, and after how much waiting
        self.waited = 0.0  # seconds that the bot has spent waiting for prices
        self._patience_ends = 0.0

    @property
    def seconds(self) -> float:
        """The time that only goes forward."""
        return self._clock.true_now.timestamp()

    def answer(self, what: str, tell: Callable[[], None]) -> None:
        """Let the answer to a question that is being asked come: at once, or when fate wants it."""
        self._patience_ends = self.waited + FOR_EVER_SECONDS
        number = next(self._numbers)
        self._asked[what] = number, self._clock.true_now
        self._told.pop(what, None)
        if not self._fate.chance(self._fate.lateness):
            self._tell(what, number, tell)
            return
        delay = self._fate.choose(DELAYS_SECONDS)
        self._fate.note("late price", f"{what} {'never' if delay is None else f'after {delay} s'}")
        if delay is not None:
            later: Callable[[], None] = partial(self._tell, what, number, tell)
            heapq.heappush(self._to_come, (self.seconds + delay, number, later))

    def happen(self) -> None:
        """Let everything come that is due."""
        while self._to_come and self._to_come[0][0] <= self.seconds:
            _, _, tell = heapq.heappop(self._to_come)
            tell()

    def wait(self, seconds: float) -> None:
        """Let time pass until something comes, this long at most. Raises AssertionError when that goes on for ever."""
        if self.waited > self._patience_ends:
            raise AssertionError("the bot waits for a price for ever")
        if self._to_come:
            seconds = max(min(seconds, self._to_come[0][0] - self.seconds), 0.001)
        self.waited += seconds
        self._clock.pass_time(seconds)
        self.happen()

    def asked(self, asset: str) -> datetime | None:
        """Return when this asset's price was last asked for."""
        return self._asked[asset][1] if asset in self._asked else None

    def held_up_seconds(self, asset: str) -> float:
        """Return how long the bot has waited for other prices since both venues told that of this asset."""
        both = [self._told.get(asset), self._told.get(BINANCE)]
        return self.waited - max(told for told in both if told is not None) if None not in both else 0.0

    def _tell(self, what: str, number: int, tell: Callable[[], None]) -> None:
        if self._asked[what][0] == number:
            self._told[what] = self.waited
        tell()


class SimulatedInbox(Inbox[News]):
    """An inbox in simulated time."""

    def __init__(self, later: Later) -> None:
        self._later = later
        self._here: deque[News] = deque()

    def put(self, news: News) -> None:
        """Take an answer in."""
        self._here.append(news)

    def take(self, seconds: float) -> News | None:
        """Return the next answer, or None when this much simulated time has brought none."""
        self._later.happen()
        if not self._here and seconds > 0:
            self._later.wait(seconds)
        return self._here.popleft() if self._here else None

    def seconds(self) -> float:
        """Return a time that only goes forward."""
        return self._later.seconds


class SimulatedBinance(BinanceExchange):
    """Binance, asked for prices at once; the answer comes when fate wants it."""

    later: Later

    def prices_soon(self, pairs: Collection[str], hear: HearPrices) -> None:
        """Ask for the last prices; `hear` is told them, or why there are none, at once or later."""
        super().prices_soon(pairs, lambda said: self.later.answer(BINANCE, partial(hear, said)))
