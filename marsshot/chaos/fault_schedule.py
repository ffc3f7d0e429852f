"""The fault schedule: what fails and when, all drawn from one seed. Knows no bot and no exchange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


class SimulatedCrash(BaseException):
    """The process ended here. Not an Exception: nothing may survive it by catching everything."""


class FaultSchedule:
    """The faults of one run. From the moment that `end` is called nothing fails any more."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - disasters, no secrets
        self.is_fault_free = False
        self.is_crashed = False
        self.event_counts: Counter[str] = Counter()
        self.timeline: list[str] = []
        # Some runs are nearly quiet, so that what is rare is seen alone; some are storms.
        self.crash_rate = self.choose((0.0, 0.002, 0.006, 0.02))
        self.network_fault_rate = self.choose((0.02, 0.08, 0.25))
        self.disk_fault_rate = self.choose((0.0, 0.0, 0.003, 0.02))
        self.delay_rate = self.choose((0.0, 0.1, 0.4))
        self.clock_jump_rate = self.choose((0.0, 0.0, 0.0, 0.03))

    # ------------------------------------------------------------------ drawing

    def choose(self, options: Sequence[Choice]) -> Choice:
        """Return one of the options."""
        return self._random.choice(options)

    def chance(self, probability: float) -> bool:
        """Return True with this probability; never in the fault-free period."""
        return not self.is_fault_free and self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number between two bounds."""
        return self._random.uniform(low, high)

    def below(self, number: int) -> int:
        """Return a whole number from 0 to below the one given."""
        return self._random.randrange(number)

    # ------------------------------------------------------------------ crashes

    def crash_point(self, name: str, *, weight: float = 1.0) -> None:
        """Go on, or crash here. A crashed process stays crashed: what cleans up afterwards does nothing any more."""
        if self.is_crashed:
            raise SimulatedCrash
        if self.chance(min(self.crash_rate * weight, 0.5)):
            self.crash(name)

    def crash(self, where: str) -> None:
        """End the process."""
        self.record_event("death", where)
        self.is_crashed = True
        raise SimulatedCrash

    def record_event(self, kind: str, detail: str) -> None:
        """Write down what went wrong."""
        self.event_counts[kind] += 1
        self.timeline.append(f"{kind}: {detail}")

    def end(self) -> None:
        """Let nothing go wrong any more."""
        self.is_fault_free = True
