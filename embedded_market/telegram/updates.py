"""The queue of updates that one bot has not read: as Telegram keeps, numbers and forgets them. Owns no clock."""

from __future__ import annotations

from typing import Any, NamedTuple

MESSAGE_SECONDS, CALLBACK_SECONDS = 24 * 3600.0, 150.0
MAX_LIMIT = 100
_LIFETIMES = {"callback_query": CALLBACK_SECONDS}


class _Kept(NamedTuple):
    number: int
    kind: str
    content: dict[str, Any]
    arrived: float


class UpdateQueue:
    """Updates, oldest first. A message waits 24 hours to be read, a tap on a button 150 seconds."""

    def __init__(self, first_number: int = 1) -> None:
        self._next = first_number
        self._kept: list[_Kept] = []

    def add(self, kind: str, content: dict[str, Any], now: float) -> int:
        """Put an update at the end; return its number."""
        self._kept.append(_Kept(self._next, kind, content, now))
        self._next += 1
        return self._next - 1

    def confirm(self, offset: int) -> None:
        """Forget what is older than an offset; a negative one keeps only so many of the newest."""
        if offset < 0:
            self._kept = self._kept[offset:]
        elif offset > 0:
            self._kept = [one for one in self._kept if one.number >= offset]

    def waiting(self, limit: int, allowed: frozenset[str], now: float) -> list[dict[str, Any]]:
        """Return the oldest updates of the kinds that are asked for; the others are not delivered at all."""
        self._kept = [
            one
            for one in self._kept
            if one.kind in allowed and now - one.arrived < _LIFETIMES.get(one.kind, MESSAGE_SECONDS)
        ]
        return [{"update_id": one.number, one.kind: one.content} for one in self._kept[:limit]]

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)
