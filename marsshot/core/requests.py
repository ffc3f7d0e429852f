"""What the owner asks of the bot besides pausing and selling everything, and how each request ended.

A request has a name of its own for ever: the book keeps what came of it, so that it is carried out once.
Imports no other module, reads no clock, file or network.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[^\W_a-z]{1,20}")


class RequestKind(StrEnum):
    """What is asked for."""

    SELL = "sell"  # one position, whole
    EXCLUDE = "exclude"  # no more purchases of a token
    INCLUDE = "include"


class RequestOutcome(StrEnum):
    """How a request ended."""

    DONE = "done"  # of a sale: the position is marked for it
    NOT_HELD = "not_held"
    NO_CHANGE = "no_change"  # it was like that already


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    """How a request ended, and when (UTC, milliseconds since 1970)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    outcome: RequestOutcome
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRequest:
    """One request."""

    request_id: str
    kind: RequestKind
    symbol: str


def is_request_id(text: str) -> bool:
    """Return whether this is the name of a request."""
    return _REQUEST_ID.fullmatch(text) is not None


def request_to_json(request: OwnerRequest) -> str:
    """Return a request as its file holds it."""
    return json.dumps({"kind": request.kind, "symbol": request.symbol})


def request_from_json(request_id: str, text: str) -> OwnerRequest:
    """Read a request. Raises ValueError where it is none."""
    try:
        content = json.loads(text)
        kind, symbol = RequestKind(content["kind"]), str(content["symbol"])
    except (TypeError, LookupError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if _TOKEN.fullmatch(symbol) is None:
        raise ValueError("no token's name")
    return OwnerRequest(request_id=request_id, kind=kind, symbol=symbol)
