"""Numbers of money and quantity: Decimal, never float, and never rounded where a rule compares.

Imports no other module of the project.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Products of this context are exact or an error: thresholds are compared without rounding."""
ZERO, ONE = Decimal(0), Decimal(1)
MAX_EXPONENT = 40  # no price, amount or rate has more digits than this before or after the point


def is_usable_price(price: Decimal) -> bool:
    """Return whether rules can calculate with this price: a number above 0, of a size that prices have."""
    return (
        price.is_finite()
        and price > 0
        and abs(price.adjusted()) <= MAX_EXPONENT
        and len(price.as_tuple().digits) <= MAX_EXPONENT
    )


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of step not above quantity; a step of 0 (filter disabled) changes nothing."""
    if step == 0:
        return quantity
    return quantity // step * step
