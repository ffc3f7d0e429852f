"""What the owner asks of the bot besides pausing and selling everything, and how each request ended.

A request has a name of its own for ever: the book keeps what came of it, so that it is carried out once.
Imports no other module, reads no clock, file or network.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[^\W_a-z]{1,20}")
_AMOUNT = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{1,8})?", re.ASCII)
_MAY_BE_THOUSANDS = re.compile(r",[0-9]{3}$", re.ASCII)


class RequestKind(StrEnum):
    """What is asked for."""

    SELL = "sell"  # one position, whole
    EXCLUDE = "exclude"  # no more purchases of a token
    INCLUDE = "include"
    DEPOSIT = "deposit"  # the capital that the bot may use grows; coins and money do not move on the exchange
    WITHDRAW = "withdraw"


OF_MONEY = frozenset({RequestKind.DEPOSIT, RequestKind.WITHDRAW})


class RequestOutcome(StrEnum):
    """How a request ended."""

    DONE = "done"  # of a sale: the position is marked for it
    NOT_HELD = "not_held"
    NO_CHANGE = "no_change"  # it was like that already
    TOO_MUCH = "too_much"  # more than there is


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    """How a request ended, and when (UTC, milliseconds since 1970).

    amount, in quote asset: the capital after a deposit or withdrawal; what it could have been at most, of too much.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    outcome: RequestOutcome
    time_ms: int
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRequest:
    """One request: of a token, or of an amount in quote asset."""

    request_id: str
    kind: RequestKind
    symbol: str = ""
    amount: Decimal | None = None


def is_request_id(text: str) -> bool:
    """Return whether this is the name of a request."""
    return _REQUEST_ID.fullmatch(text) is not None


def read_amount(text: str) -> Decimal:
    """Read an amount of money: digits, and at most 8 after a point or a comma. Raises ValueError.

    A comma with three digits behind it may stand for thousands: it is refused.
    """
    if _AMOUNT.fullmatch(text) is None or _MAY_BE_THOUSANDS.search(text):
        raise ValueError(text)
    amount = Decimal(text.replace(",", "."))
    if amount == 0:
        raise ValueError(text)
    return amount


def request_to_json(request: OwnerRequest) -> str:
    """Return a request as its file holds it."""
    content = {"kind": request.kind.value}
    if request.amount is None:
        return json.dumps(content | {"symbol": request.symbol})
    return json.dumps(content | {"amount": format(request.amount, "f")})


def request_from_json(request_id: str, text: str) -> OwnerRequest:
    """Read a request. Raises ValueError where it is none."""
    try:
        content = json.loads(text)
        kind = RequestKind(content["kind"])
        if kind in OF_MONEY:
            return OwnerRequest(request_id=request_id, kind=kind, amount=read_amount(content["amount"]))
        symbol = str(content["symbol"])
    except (TypeError, LookupError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if _TOKEN.fullmatch(symbol) is None:
        raise ValueError("no token's name")
    return OwnerRequest(request_id=request_id, kind=kind, symbol=symbol)
