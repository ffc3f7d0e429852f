"""A machine's clock that strays from the true time, and comes right in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from marsshot.chaos.fault_schedule import Fate
from marsshot.core.errors import StopRequested
from marsshot.infra.clock import TimelessClock


class StrayingClock(TimelessClock):
    """The machine's clock: the true time, and how far it is off. `on_move` hears of every new true time."""

    def __init__(self, start: datetime, fate: Fate, on_move: Callable[[datetime], None]) -> None:
        super().__init__()
        self.true_now = start.astimezone(UTC)
        self._fate = fate
        self._off = timedelta()
        self._on_move = on_move
        self.strayed = False

    def now(self) -> datetime:
        """Return what the machine believes."""
        return self.true_now + self._off

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if self._stopping or self._fate.is_dead:
            raise StopRequested("stopped while waiting")
        self.pass_time(max(0.0, seconds))

    def idle(self, until: datetime) -> None:
        """Rest until the machine believes it to be that time; now and then it changes its mind."""
        self._fate.step("idle")
        self.pass_time(max(0.001, (until - self.now()).total_seconds()))
        if self._fate.chance(self._fate.clock_trouble):
            self._stray()

    def start_again(self) -> None:
        """Forget that it was to stop."""
        self._stopping = False

    def pass_time(self, seconds: float) -> None:
        """Let true time pass."""
        self.true_now += timedelta(seconds=seconds)
        self._on_move(self.true_now)

    def come_right(self) -> None:
        """Show the true time from now on."""
        self._off = timedelta()

    def _stray(self) -> None:
        self._off = timedelta(seconds=self._fate.choose((-3600, -61, -3, -0.5, 0.0, 0.5, 3, 61, 3600)))
        self.strayed = True
        self._fate.note("clock jump", f"{self._off.total_seconds():+g} s off")
