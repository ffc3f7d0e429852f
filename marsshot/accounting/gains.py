"""What a sale earned, by both usual methods: first in, first out, and at the average cost of what is held.

Pure: movements in, costs out. Knows no currency: whoever wants euros calls with amounts in euros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, localcontext
from enum import StrEnum

from marsshot.core.amounts import ZERO

# Sums stay exact: 60 digits hold every amount, and only a sale's share of a lot is rounded.
_WIDE = Context(prec=60, traps=[InvalidOperation])
_SHARE = Decimal("0.00000001")  # Binance's amounts have eight decimals


class Method(StrEnum):
    """Which of the units held are taken for sold."""

    FIFO = "fifo"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class Movement:
    """What one order did to the holding of one asset."""

    asset: str
    quantity: Decimal  # above 0 it came, under 0 it went; fees taken in the asset itself included
    amount: Decimal  # what was paid, or got, fees in that currency included


@dataclass(frozen=True, slots=True)
class Lot:
    """Units held, and what was paid for them."""

    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Disposal:
    """What the units of one sale had cost."""

    cost: Decimal
    without_cost: Decimal  # units that were sold but never bought here: nothing is known of their cost


Holding = tuple[Lot, ...]


def after_purchase(held: Holding, lot: Lot, method: Method) -> Holding:
    """Return what is held after a purchase, oldest first; at average cost it is all one lot."""
    if method is Method.FIFO:
        return (*held, lot)
    with localcontext(_WIDE):
        lots = (*held, lot)
        return (Lot(sum((one.quantity for one in lots), ZERO), sum((one.cost for one in lots), ZERO)),)


def after_sale(held: Holding, quantity: Decimal) -> tuple[Holding, Disposal]:
    """Return what is left after a sale of the oldest units, and what these had cost.

    A share of a lot is rounded to eight decimals; what is left of the lot keeps the remainder, so nothing is lost.
    """
    cost, kept = ZERO, list[Lot]()
    with localcontext(_WIDE):
        for lot in held:
            part = min(lot.quantity, quantity)
            share = lot.cost if part == lot.quantity else (lot.cost * part / lot.quantity).quantize(_SHARE)
            cost, quantity = cost + share, quantity - part
            if part < lot.quantity:
                kept.append(Lot(lot.quantity - part, lot.cost - share))
    return tuple(kept), Disposal(cost, quantity)


def disposals(movements: Sequence[Movement], method: Method) -> tuple[list[Disposal | None], dict[str, Holding]]:
    """Return, for each movement, what a sale's units had cost (None for a purchase), and what is held at the end.

    movements: oldest first.
    """
    found, held = list[Disposal | None](), dict[str, Holding]()
    for movement in movements:
        lots = held.get(movement.asset, ())
        if movement.quantity < 0:
            held[movement.asset], disposal = after_sale(lots, -movement.quantity)
            found.append(disposal)
        else:
            held[movement.asset] = after_purchase(lots, Lot(movement.quantity, movement.amount), method)
            found.append(None)
    return found, {asset: lots for asset, lots in held.items() if lots}
