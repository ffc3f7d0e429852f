"""Client order ids in the one form that Bitvavo takes: a UUID. Ours tell what they are of.

A UUID of version 4 has 122 bits of one's own choice. 70 are drawn at random, so that no id comes twice; the others hold
the book's running number, the order's reason, and a check over all of these and the operator id: `recover` learns from
an id alone why the order was sent, and takes nobody else's for ours.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from marsshot.core.reasons import OrderReason

_SERIAL_BITS, _REASON_BITS, _CHECK_BITS, _RANDOM_BITS = 32, 4, 16, 70
# For ever in this order: ids at the exchange have it. A new reason goes to the end.
_REASONS = (
    OrderReason.DAILY_BUY,
    OrderReason.DAILY_SELL,
    OrderReason.STOP_LOSS,
    OrderReason.TRAILING_STOP,
    OrderReason.PARTIAL_TAKE_PROFIT,
    OrderReason.SELL_ALL,
    OrderReason.RECOVERED,
    OrderReason.SELL_TOKEN,
)
_OTHER_REASON = (1 << _REASON_BITS) - 1


class OrderIdContent(NamedTuple):
    """What an id tells. reason: None where it was sent for one that this version does not know."""

    serial: int
    reason: OrderReason | None


def new_order_id(
    operator_id: int, serial: int, reason: OrderReason, draw: Callable[[int], int] = secrets.randbits
) -> str:
    """Return a UUID that was never used. draw: so many random bits."""
    number = _REASONS.index(reason) if reason in _REASONS else _OTHER_REASON
    told = (serial % (1 << _SERIAL_BITS)) << _REASON_BITS | number
    content = told << _RANDOM_BITS | draw(_RANDOM_BITS)
    return str(_uuid(content << _CHECK_BITS | _check(content, operator_id)))


def is_uuid(text: str) -> bool:
    """Return whether a client order id is a UUID, as all that a program sends must be."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def read_order_id(client_order_id: str, operator_id: int) -> OrderIdContent | None:
    """Return what an id tells; None where this bot, under this operator id, has not made it."""
    if not is_uuid(client_order_id):
        return None
    bits = _free_bits(UUID(client_order_id))
    content, check = bits >> _CHECK_BITS, bits & (1 << _CHECK_BITS) - 1
    if check != _check(content, operator_id):
        return None
    told = content >> _RANDOM_BITS
    number = told & _OTHER_REASON
    return OrderIdContent(told >> _REASON_BITS, _REASONS[number] if number < len(_REASONS) else None)


def _check(content: int, operator_id: int) -> int:
    digest = hashlib.blake2b(f"{operator_id}:{content}".encode(), digest_size=_CHECK_BITS // 8).digest()
    return int.from_bytes(digest, "big")


def _uuid(bits: int) -> UUID:
    """Return the UUID of version 4 with these 122 bits around version (4 bits) and variant (2 bits)."""
    high, middle, low = bits >> 74, bits >> 62 & 0xFFF, bits & (1 << 62) - 1
    return UUID(int=high << 80 | 4 << 76 | middle << 64 | 2 << 62 | low)


def _free_bits(uuid: UUID) -> int:
    return uuid.int >> 80 << 74 | (uuid.int >> 64 & 0xFFF) << 62 | uuid.int & (1 << 62) - 1
