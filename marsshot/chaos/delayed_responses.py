"""Delayed responses within one process of the bot: the venues' answers, which threads bring to the real bot.

Nothing waits here: simulated time passes while the bot waits for an answer, and what is due by then comes in its turn.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import count
from typing import TypeVar

from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.skewed_clock import SkewedClock
from marsshot.infra.background import Inbox

Item = TypeVar("Item")
# Within a venue's fair chance, after it, when the round is long over; or never.
DELAYS_SECONDS = (0.1, 0.3, 0.7, 0.9, 3.0, 8.0, 16.0, None)
MAX_WAIT_SECONDS = 60.0  # no look at prices may take so long
EXCHANGE = "the exchange"


class DelayedResponses:
    """The responses still pending; a crashed process does not get them any more."""

    def __init__(self, clock: SkewedClock, fault_schedule: FaultSchedule) -> None:
        self._clock = clock
        self._faults = fault_schedule
        self._pending: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._asked: dict[str, tuple[int, datetime]] = {}  # by asset, or EXCHANGE: the last question
        self._answered_after: dict[
            str, float
        ] = {}  # of what the last question has been answered, and after how much waiting
        self.waited_seconds = 0.0  # seconds that the bot has spent waiting for prices
        self._wait_deadline = 0.0

    @property
    def seconds(self) -> float:
        """The time that only goes forward."""
        return self._clock.true_now.timestamp()

    def schedule(self, what: str, tell: Callable[[], None]) -> None:
        """Let the answer to a question that is being asked come: at once, or after a delay."""
        self._wait_deadline = self.waited_seconds + MAX_WAIT_SECONDS
        number = next(self._numbers)
        self._asked[what] = number, self._clock.true_now
        self._answered_after.pop(what, None)
        if not self._faults.chance(self._faults.delay_rate):
            self._deliver(what, number, tell)
            return
        delay = self._faults.choose(DELAYS_SECONDS)
        self._faults.record_event("late price", f"{what} {'never' if delay is None else f'after {delay} s'}")
        if delay is not None:
            deliver: Callable[[], None] = partial(self._deliver, what, number, tell)
            heapq.heappush(self._pending, (self.seconds + delay, number, deliver))

    def deliver_due(self) -> None:
        """Let everything come that is due."""
        while self._pending and self._pending[0][0] <= self.seconds:
            _, _, tell = heapq.heappop(self._pending)
            tell()

    def wait(self, seconds: float) -> None:
        """Let time pass until something comes, this long at most. Raises AssertionError when that goes on for ever."""
        if self.waited_seconds > self._wait_deadline:
            raise AssertionError("the bot waits for a price for ever")
        if self._pending:
            seconds = max(min(seconds, self._pending[0][0] - self.seconds), 0.001)
        self.waited_seconds += seconds
        self._clock.advance(seconds)
        self.deliver_due()

    def asked(self, asset: str) -> datetime | None:
        """Return when this asset's price was last asked for."""
        return self._asked[asset][1] if asset in self._asked else None

    def seconds_held_up(self, asset: str) -> float:
        """Return how long the bot has waited for other prices since both venues told that of this asset."""
        both = [self._answered_after.get(asset), self._answered_after.get(EXCHANGE)]
        return self.waited_seconds - max(told for told in both if told is not None) if None not in both else 0.0

    def _deliver(self, what: str, number: int, tell: Callable[[], None]) -> None:
        if self._asked[what][0] == number:
            self._answered_after[what] = self.waited_seconds
        tell()


class SimulatedInbox(Inbox[Item]):
    """An inbox in simulated time."""

    def __init__(self, delayed_responses: DelayedResponses) -> None:
        self._delayed = delayed_responses
        self._delivered: deque[Item] = deque()

    def put(self, news: Item) -> None:
        """Take an answer in."""
        self._delivered.append(news)

    def take(self, seconds: float) -> Item | None:
        """Return the next answer, or None when this much simulated time has brought none."""
        self._delayed.deliver_due()
        if not self._delivered and seconds > 0:
            self._delayed.wait(seconds)
        return self._delivered.popleft() if self._delivered else None

    def seconds(self) -> float:
        """Return a time that only goes forward."""
        return self._delayed.seconds
