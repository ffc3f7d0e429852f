"""A machine's clock that is skewed against the true time, and is resynced in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.core.errors import StopRequested
from marsshot.infra.clock import SimulatedClock


class SkewedClock(SimulatedClock):
    """The machine's clock: the true time, and how far it is off. `on_move` hears of every new true time."""

    def __init__(self, start: datetime, fault_schedule: FaultSchedule, on_advance: Callable[[datetime], None]) -> None:
        super().__init__()
        self.true_now = start.astimezone(UTC)
        self._faults = fault_schedule
        self.skew = timedelta()  # how far it is ahead
        self._on_advance = on_advance
        self.was_ever_skewed = False

    def now(self) -> datetime:
        """Return what the machine believes."""
        return self.true_now + self.skew

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if self._stopping or self._faults.is_crashed:
            raise StopRequested("stopped while waiting")
        self.advance(max(0.0, seconds))

    def idle(self, until: datetime) -> None:
        """Rest until the machine believes it to be that time; now and then it changes its mind."""
        self._faults.crash_point("idle")
        self.advance(max(0.001, (until - self.now()).total_seconds()))
        if self._faults.chance(self._faults.clock_jump_rate):
            self._jump()

    def clear_stop(self) -> None:
        """Forget that it was to stop."""
        self._stopping = False

    def advance(self, seconds: float) -> None:
        """Let true time pass."""
        self.true_now += timedelta(seconds=seconds)
        self._on_advance(self.true_now)

    def resync(self) -> None:
        """Show the true time from now on."""
        self.skew = timedelta()

    def _jump(self) -> None:
        self.skew = timedelta(seconds=self._faults.choose((-3600, -61, -3, -0.5, 0.0, 0.5, 3, 61, 3600)))
        self.was_ever_skewed = True
        self._faults.record_event("clock jump", f"{self.skew.total_seconds():+g} s off")
