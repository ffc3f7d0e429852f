"""What goes wrong, and when: every choice of one run, drawn from its seed. Knows no bot and no exchange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


class Death(BaseException):
    """The process ended here. Not an Exception: nothing may survive it by catching everything."""


class Fate:
    """The chances of one run. Calm from the moment that `end` is called: then everything works."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - disasters, no secrets
        self.is_calm = False
        self.is_dead = False
        self.happened: Counter[str] = Counter()
        self.story: list[str] = []
        # Some runs are nearly quiet, so that what is rare is seen alone; some are storms.
        self.deadliness = self.choose((0.0, 0.002, 0.006, 0.02))
        self.wire_trouble = self.choose((0.02, 0.08, 0.25))
        self.disk_trouble = self.choose((0.0, 0.0, 0.003, 0.02))
        self.lateness = self.choose((0.0, 0.1, 0.4))
        self.clock_trouble = self.choose((0.0, 0.0, 0.0, 0.03))

    # ------------------------------------------------------------------ drawing

    def choose(self, options: Sequence[Choice]) -> Choice:
        """Return one of the options."""
        return self._random.choice(options)

    def chance(self, probability: float) -> bool:
        """Return True with this probability; never in the calm."""
        return not self.is_calm and self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number between two bounds."""
        return self._random.uniform(low, high)

    def below(self, number: int) -> int:
        """Return a whole number from 0 to below the one given."""
        return self._random.randrange(number)

    # ------------------------------------------------------------------ living and dying

    def step(self, name: str, *, danger: float = 1.0) -> None:
        """Go on, or die here. Whoever is dead stays dead: what cleans up after a death does nothing any more."""
        if self.is_dead:
            raise Death
        if self.chance(min(self.deadliness * danger, 0.5)):
            self.die(name)

    def die(self, where: str) -> None:
        """End the process."""
        self.note("death", where)
        self.is_dead = True
        raise Death

    def note(self, kind: str, detail: str) -> None:
        """Write down what went wrong."""
        self.happened[kind] += 1
        self.story.append(f"{kind}: {detail}")

    def end(self) -> None:
        """Let nothing go wrong any more."""
        self.is_calm = True
