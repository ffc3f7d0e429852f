"""Now and sleep. Time is always aware UTC; nobody else in the house reads a clock.

SystemClock is the real one and wakes early when the owner stops the bot; VirtualClock is as fast as it can go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from errors import StopRequested


class Clock(Protocol):
    """What the loop and the clients need of time."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let this much time pass. Raises StopRequested when the bot is to stop."""

    def idle(self, until: datetime) -> None:
        """Rest until the loop should look again, at most until the moment given. Never raises."""

    def stop(self) -> None:
        """Ask everybody who waits to come to an end; may be called from a signal handler."""

    @property
    def stopping(self) -> bool:
        """True once the bot is to stop."""


class SystemClock:
    """The real time. `stop()` may be called from a signal handler."""

    LOOP_SECONDS = 10.0
    GLANCE_SECONDS = 1.0

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.on_use: Callable[[], object] = lambda: None
        """Hears whenever somebody asks for the time."""
        self.is_called: Callable[[], bool] = lambda: False
        """Whether somebody wants the loop to look at once; asked every second while it rests."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        self.on_use()
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let this much time pass. Raises StopRequested when the bot is to stop."""
        if self._stop.wait(max(0.0, seconds)):
            raise StopRequested("stopped while waiting")

    def idle(self, until: datetime) -> None:
        """Rest ten seconds, or less if something is due before, or somebody calls."""
        left = min(self.LOOP_SECONDS, (until - self.now()).total_seconds())
        while left > 0 and not self._stop.wait(min(left, self.GLANCE_SECONDS)) and not self.is_called():
            left -= self.GLANCE_SECONDS

    def stop(self) -> None:
        """Ask everybody who waits to come to an end."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """True once stop() was called."""
        return self._stop.is_set()


class VirtualClock:
    """A clock that jumps. `on_move` hears of every new time (unix seconds), for a stand-in market to follow."""

    def __init__(self, start: datetime, on_move: Callable[[float], None] | None = None) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a virtual clock must be aware UTC")
        self._now = start.astimezone(UTC)
        self._stopping = False
        self._on_move = on_move
        self._moved()

    def now(self) -> datetime:
        """Return the virtual moment."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Jump ahead at once. Raises StopRequested when the bot is to stop."""
        if self._stopping:
            raise StopRequested("stopped while waiting")
        self._now += timedelta(seconds=max(0.0, seconds))
        self._moved()

    def idle(self, until: datetime) -> None:
        """Jump straight to the moment given."""
        if until > self._now:
            self._now = until
            self._moved()

    def stop(self) -> None:
        """Ask the loop to come to an end."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """True once stop() was called."""
        return self._stopping

    def _moved(self) -> None:
        if self._on_move is not None:
            self._on_move(self._now.timestamp())
