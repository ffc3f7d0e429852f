"""Numbers and moments of an exchange's answers, checked at the door: nobody calculates with what is none. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from marsshot.core.amounts import MAX_EXPONENT

# What reading an answer of another form raises.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, InvalidOperation)

_EARLIEST_MS, _LATEST_MS = 1_262_304_000_000, 4_102_444_800_000  # 2010 and 2100
_MICROSECONDS_FROM = 100_000_000_000_000  # some tell moments in these, too


def read_decimal(value: object) -> Decimal:
    """Return an amount, told as a text or as a number. Raises one of UNREADABLE, also for NaN and the like."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no number")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT or len(number.as_tuple().digits) > MAX_EXPONENT:
        raise ValueError("no amount")
    return number


def read_amount(value: object) -> Decimal:
    """Return an amount that cannot be under 0. Raises one of UNREADABLE."""
    if (number := read_decimal(value)) < 0:
        raise ValueError("under 0")
    return number


def read_time_ms(value: object) -> int:
    """Return a moment in milliseconds. Raises one of UNREADABLE."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("no moment")
    moment = int(value)
    if moment >= _MICROSECONDS_FROM:
        moment //= 1000
    if not _EARLIEST_MS <= moment < _LATEST_MS:
        raise ValueError("no moment of this century")
    return moment
