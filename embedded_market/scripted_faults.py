"""Faults on order: what the wire does to a request instead of, or after, answering it properly.

Holds the script only; the market asks for the next fault of each request and the server carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict, Unpack


class FaultKind(StrEnum):
    """What happens; `before`: the request is not executed, `after`: it is, but the answer is harmed."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    STATUS = "status"
    STATUS_AFTER = "status_after"
    TRUNCATE = "truncate"
    EMPTY_200 = "empty_200"
    EMPTY_200_BEFORE = "empty_200_before"
    TRICKLE = "trickle"  # the answer, a byte every so many seconds

    @property
    def executes(self) -> bool:
        """True if the request is executed before the fault."""
        return self not in _NOT_EXECUTED


_NOT_EXECUTED = frozenset({FaultKind.DROP_BEFORE, FaultKind.HANG_BEFORE, FaultKind.STATUS, FaultKind.EMPTY_200_BEFORE})


class FaultDetails(TypedDict, total=False):
    """Seconds of a hang, or from byte to byte; status, headers and body of an answer."""

    seconds: float
    status: int
    headers: dict[str, str]
    body: bytes | str


@dataclass(slots=True)
class Fault:
    """One scripted fault; `times` counts down, -1 is for ever."""

    service: str
    match: str
    kind: FaultKind
    times: int = 1
    seconds: float = 30.0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | str = b""

    def body_bytes(self) -> bytes:
        """Return the body of a status fault."""
        return self.body.encode() if isinstance(self.body, str) else self.body


class Faults:
    """The faults still to come, oldest first."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def add(self, *, service: str, match: str, kind: str, times: int = 1, **details: Unpack[FaultDetails]) -> Fault:
        """Script a fault for the next `times` requests (-1: all) of a service.

        service: binance, bitvavo, coinbase or lunarcrush. match: a part of "METHOD path?query body".
        kind: a FaultKind; `seconds` for hangs and trickles, `status`, `headers`, `body` for status and status_after.
        """
        if service not in ("binance", "bitvavo", "coinbase", "lunarcrush"):
            raise ValueError(f"no service {service!r}")
        fault = Fault(service, match, FaultKind(kind), times, **details)
        self.pending.append(fault)
        return fault

    def take(self, service: str, line: str) -> Fault | None:
        """Return the fault of this request, counting it down, or None."""
        for fault in self.pending:
            if fault.service == service and fault.match in line:
                fault.times -= 1
                if fault.times == 0:
                    self.pending.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget every fault."""
        self.pending.clear()
