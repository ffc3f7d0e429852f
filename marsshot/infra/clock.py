"""Now and sleep. Time is always aware UTC; no other module reads a clock.

SystemClock is the real one and wakes early when the owner stops the bot; VirtualClock is as fast as it can go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from marsshot.core.errors import StopRequested
from marsshot.infra.background import run_in_thread

Result = TypeVar("Result")


class Clock(Protocol):
    """What the loop and the clients need of time."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let this much time pass. Raises StopRequested when the bot is to stop."""

    def idle(self, until: datetime) -> None:
        """Rest until the loop should look again, at most until the moment given. Never raises."""

    def wait_for(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns. Raises StopRequested when the bot is to stop: the answer is done without.

        For questions that change nothing. The call may still be under way then: nobody uses what it uses any more.
        """

    def uninterruptible(self) -> AbstractContextManager[None]:
        """Bring what the block does to its end: its questions are waited for when the bot is to stop, too."""

    def stop(self) -> None:
        """Ask everybody who waits to come to an end; may be called from a signal handler."""

    @property
    def stopping(self) -> bool:
        """True once the bot is to stop."""


class _Stoppable:
    """What all clocks know of stopping."""

    def __init__(self) -> None:
        self._stopping = False
        self._uninterruptible_depth = 0  # blocks under way that are to come to their end

    @property
    def stopping(self) -> bool:
        """True once stop() was called."""
        return self._stopping

    def stop(self) -> None:
        """Ask everybody who waits to come to an end."""
        self._stopping = True

    @contextmanager
    def uninterruptible(self) -> Iterator[None]:
        """Bring what the block does to its end: its questions are waited for when the bot is to stop, too."""
        self._uninterruptible_depth += 1
        try:
            yield
        finally:
            self._uninterruptible_depth -= 1


class SimulatedClock(_Stoppable):
    """A clock whose time passes only when it is told to: no answer is awaited, whoever gives it."""

    def wait_for(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns. Raises StopRequested if the bot is to stop, or was told so meanwhile."""
        self._raise_if_stopping()
        answer = call()
        self._raise_if_stopping()
        return answer

    def _raise_if_stopping(self) -> None:
        if self._stopping and not self._uninterruptible_depth:
            raise StopRequested("stopped while an answer was awaited")


class SystemClock(_Stoppable):
    """The real time. `stop()` may be called from a signal handler."""

    LOOP_SECONDS = 10.0
    COMMAND_POLL_SECONDS = 1.0
    ANSWER_POLL_SECONDS = 0.05

    def __init__(self) -> None:
        super().__init__()
        # Python's one lock that a signal handler may use, whatever it has interrupted: an Event waits for ever there.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self.on_read: Callable[[], object] = lambda: None
        """Called whenever somebody asks for the time."""
        self.has_pending_command: Callable[[], bool] = lambda: False
        """Whether somebody wants the loop to look at once; asked every second while it rests."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        self.on_read()
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let this much time pass. Raises StopRequested when the bot is to stop."""
        if self._stops_within(max(0.0, seconds)):
            raise StopRequested("stopped while waiting")

    def idle(self, until: datetime) -> None:
        """Rest ten seconds, or less if something is due before, or somebody calls."""
        left = min(self.LOOP_SECONDS, (until - self.now()).total_seconds())
        while (
            left > 0 and not self._stops_within(min(left, self.COMMAND_POLL_SECONDS)) and not self.has_pending_command()
        ):
            left -= self.COMMAND_POLL_SECONDS

    def wait_for(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns. Raises StopRequested when the bot is to stop: the answer is done without.

        Asked in a thread that the process does not wait for: a look-up of the host's name cannot be broken off.
        """
        # Nobody waits for the other threads, so they may take their time.
        if self._uninterruptible_depth or threading.current_thread() is not threading.main_thread():
            return call()
        if self._stopping:
            raise StopRequested("stopped before asking")
        answer = run_in_thread(call)
        while not futures.wait((answer,), self.ANSWER_POLL_SECONDS).done:
            if self._stopping:
                raise StopRequested("stopped while an answer was awaited")
        try:
            return answer.result()
        finally:
            del answer  # what it raised holds this frame, and this frame would hold it

    def stop(self) -> None:
        """Ask everybody who waits to come to an end."""
        super().stop()
        self._wake.put(None)

    def _stops_within(self, seconds: float) -> bool:
        """Return whether the bot is to stop, having waited this long for it at most."""
        if not self._stopping:
            with suppress(Empty):
                self._wake.get(timeout=seconds)
                self._wake.put(None)  # for whoever else waits
        return self._stopping


class VirtualClock(SimulatedClock):
    """A clock that jumps. `on_move` is called with every new time (unix seconds), for a stand-in market to follow."""

    def __init__(self, start: datetime, on_move: Callable[[float], None] | None = None) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a virtual clock must be aware UTC")
        super().__init__()
        self._now = start.astimezone(UTC)
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

    def _moved(self) -> None:
        if self._on_move is not None:
            self._on_move(self._now.timestamp())
