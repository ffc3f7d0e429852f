"""How many connections there may be and how long each may take, so that slow ones keep nobody out.

A new connection is always taken; where that is one too many, the one that has been waiting longest for a request gives
way. Values in, values out; the clock is passed in. Knows nothing of sockets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """overall, per_address: connections at one time. request: from a request's first byte to its last, and from a new
    connection to its first request. idle: between two requests. sending: for an answer to be taken.
    """

    overall: int = 200
    per_address: int = 40
    request_seconds: float = 10
    idle_seconds: float = 30
    sending_seconds: float = 120


class Connection(Protocol):
    """What the choice needs to know of a connection."""

    @property
    def address(self) -> str:
        """Who is at its other end."""

    @property
    def is_busy(self) -> bool:
        """Whether a request of it is being answered."""

    @property
    def waiting_since(self) -> float:
        """When its last request was answered, else when it was opened."""


OneConnection = TypeVar("OneConnection", bound=Connection)


class RequestDeadline:
    """Until when a connection has to have made its next step. Bytes that trickle in do not put it off."""

    def __init__(self, limits: ConnectionLimits, now: float) -> None:
        self._limits = limits
        self._at = now + limits.request_seconds

    def request_begins(self, now: float) -> None:
        """Note that the first byte of a request has come: never later than it was due already."""
        self._at = min(self._at, now + self._limits.request_seconds)

    def answer_begins(self) -> None:
        """Note that a request is whole: how long its answer takes is not the visitor's doing."""
        self._at = float("inf")

    def answer_ends(self, now: float, *, is_sent: bool) -> None:
        """Note that the answer is made. is_sent: nothing of it waits for the visitor to take it."""
        self._at = now + (self._limits.idle_seconds if is_sent else self._limits.sending_seconds)

    def is_over(self, now: float) -> bool:
        """Return whether the connection has taken too long."""
        return now > self._at


def connections_to_close(connections: Iterable[OneConnection], limits: ConnectionLimits) -> list[OneConnection]:
    """Return which connections are too many: of an address that has too many its oldest waiting ones, then, if there
    are too many in all, the oldest waiting ones of whoever has the most.
    """
    left, closed = list(connections), list[OneConnection]()

    def close_oldest(address: str) -> bool:
        waiting = [one for one in left if one.address == address and not one.is_busy]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one.waiting_since)
        left.remove(oldest)
        closed.append(oldest)
        return True

    for address, count in Counter(one.address for one in left).items():
        for _ in range(count - limits.per_address):
            close_oldest(address)
    while len(left) > limits.overall:
        by_count = Counter(one.address for one in left).most_common()
        if not any(close_oldest(address) for address, _ in by_count):
            break
    return closed
