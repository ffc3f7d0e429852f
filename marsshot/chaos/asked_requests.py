"""What the owner asks of the bot in files of their own, and what has come of it by the bot's book.

A request counts from the book on that tells its answer, once; a book that the disk gave up again takes it back. Shares
no code with the bot's own bookkeeping of requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.filesystem import SimulatedFilesystem

ZERO = Decimal(0)
KINDS = ("deposit", "deposit", "withdraw", "sell", "exclude", "include")
AMOUNTS = (Decimal(30), Decimal("100.5"), Decimal(700))
MARKED = "done"


class AskedRequests:
    """Of one run. `moved`: what the owner has brought to the bot by now, less what he has taken, in quote asset."""

    def __init__(self, filesystem: SimulatedFilesystem, fault_schedule: FaultSchedule, tokens: Sequence[str]) -> None:
        self._filesystem = filesystem
        self._faults = fault_schedule
        self._tokens = tokens
        self._rate = fault_schedule.choose((0.0, 0.05, 0.3))
        self._asked: dict[str, dict[str, str]] = {}
        self._outcomes: dict[str, str] = {}  # by id, in the order of their answers
        self.to_be_sold: set[tuple[str, str]] = set()  # positions, by token and opening
        self.moved = ZERO

    def ask(self) -> None:
        """Ask for something, now and then."""
        if not self._faults.chance(self._rate):
            return
        kind, name = self._faults.choose(KINDS), f"{self._faults.below(1 << 128):032x}"
        if kind in ("deposit", "withdraw"):
            request = {"kind": kind, "amount": str(self._faults.choose(AMOUNTS))}
        else:
            request = {"kind": kind, "symbol": self._faults.choose(self._tokens)}
        self._asked[name] = request
        self._filesystem.put(_path(name), json.dumps(request).encode())
        self._faults.record_event("request", " ".join(request.values()))

    def note(self, book: Mapping[str, Any]) -> Iterator[str]:
        """Take up what a book tells that is on the disk now, and say what is wrong with it."""
        answers = book["answered_requests"]
        # What was saved and is not there any more has not been done, if it is still asked for.
        taken_back = [one for one in self._outcomes if one not in answers and self._filesystem.exists(_path(one))]
        for name in taken_back:
            del self._outcomes[name]
        for name, answer in answers.items():
            if name not in self._asked:
                yield f"a request is answered that nobody has made: {name}"
                continue
            if self._outcomes.get(name) not in (None, answer["outcome"]) and not self._filesystem.exists(_path(name)):
                yield f"{self._asked[name]} was {self._outcomes[name]}, and is {answer['outcome']} now"
            if name not in self._outcomes:
                self._mark(self._asked[name], answer["outcome"], book)
            self._outcomes[name] = answer["outcome"]
        self.moved = sum(self.flows(), ZERO)
        if set(book["excluded"]) != self.excluded:
            yield f"the book excludes {sorted(book['excluded'])}, asked for is {sorted(self.excluded)}"

    def _mark(self, request: Mapping[str, str], outcome: str, book: Mapping[str, Any]) -> None:
        symbol = request.get("symbol", "")
        if request["kind"] == "sell" and outcome == MARKED and symbol in book["positions"]:
            self.to_be_sold.add((symbol, book["positions"][symbol]["opened_at"]))

    def flows(self) -> list[Decimal]:
        """Return what was brought, and under 0 what was taken, in the order of the answers."""
        signs = {"deposit": 1, "withdraw": -1}
        done = [self._asked[name] for name, outcome in self._outcomes.items() if outcome == MARKED]
        return [signs[one["kind"]] * Decimal(one["amount"]) for one in done if one["kind"] in signs]

    @property
    def excluded(self) -> set[str]:
        """Tokens of which nothing may be bought."""
        found: set[str] = set()
        for name in self._outcomes:
            request = self._asked[name]
            if request["kind"] == "exclude":
                found.add(request["symbol"])
            elif request["kind"] == "include":
                found.discard(request["symbol"])
        return found

    def faults_at_the_end(self) -> Iterator[str]:
        """Say which requests were forgotten, or never answered."""
        for name, request in self._asked.items():
            if self._filesystem.exists(_path(name)):
                yield f"{' '.join(request.values())} was asked for, and its file is still there"
            elif name not in self._outcomes:
                yield f"{' '.join(request.values())} was asked for, and forgotten"


def _path(name: str) -> Path:
    return Path(f"REQUEST.{name}")
