"""Orders: as they are meant, as an exchange reports them, as they were filled; and the ids that this bot gives them.

Frozen values. Sends nothing and reads no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from marsshot.core.amounts import ZERO
from marsshot.core.reasons import OrderReason

OrderId = int | str
"""An exchange's own name of an order; some count, some draw a UUID."""


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One MARKET order, written to the book before anything is sent.

    Exactly one of quantity (base asset) and quote_amount (quote asset) is set.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    client_order_id: str
    symbol: str
    pair: str
    base_asset: str
    lot_step: Decimal  # what a full sale leaves under one step is dust
    side: Side
    reason: OrderReason
    created_ms: int  # exchange time
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse an order of two amounts, of none, or of nothing."""
        amounts = [amount for amount in (self.quantity, self.quote_amount) if amount is not None]
        if len(amounts) != 1 or amounts[0] <= 0:
            raise ValueError(f"an order needs exactly one amount above 0: {self}")


_OUR_ORDER = re.compile(r"ms-([0-9]+)-([0-9]+)(?:-([a-z]+))?")


def new_client_order_id(moment_ms: int, serial: int, reason: OrderReason) -> str:
    """Return the id of a new order: exchange time, the book's running number, and why it is sent, for `recover`."""
    return f"ms-{moment_ms}-{serial}-{reason.initials}"


def is_our_order(client_order_id: str) -> bool:
    """Return whether a client order id has the form of those that this bot gives."""
    return _OUR_ORDER.fullmatch(client_order_id) is not None


def reason_in_id(client_order_id: str) -> OrderReason | None:
    """Return why an order was sent, where its id says so: those of older versions do not."""
    match = _OUR_ORDER.fullmatch(client_order_id)
    initials = match.group(3) if match else None
    return next((reason for reason in OrderReason if reason.initials == initials), None)


def serial_in_id(client_order_id: str) -> int:
    """Return the running number that an order has in its book; 0 where the id has none."""
    match = _OUR_ORDER.fullmatch(client_order_id)
    return int(match.group(2)) if match else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedOrder:
    """An order that the exchange says the account has executed, whoever sent it."""

    client_order_id: str
    pair: str
    side: str
    executed_base: Decimal
    time_ms: int  # exchange time
    is_own: bool  # sent by this bot, as far as the exchange's memory of it tells
    quote: Decimal = ZERO  # executed
    fees: Mapping[str, Decimal] = field(default_factory=dict)  # by asset


@dataclass(frozen=True, slots=True)
class PartFill:
    """One trade of an order: quantity in base asset, price in quote per base, commission in its asset."""

    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str


def fees_by_asset(parts: Iterable[PartFill]) -> dict[str, Decimal]:
    """Return the commissions of an order's trades, summed by asset."""
    fees: dict[str, Decimal] = {}
    for part in parts:
        if part.commission:
            fees[part.commission_asset] = fees.get(part.commission_asset, ZERO) + part.commission
    return fees


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the exchange says about an order. `parts` is None when its fills are not (all) known yet."""

    client_order_id: str
    order_id: OrderId
    status: str
    executed_base: Decimal
    executed_quote: Decimal | None  # None when the exchange does not say; its trades then tell
    transact_ms: int
    parts: tuple[PartFill, ...] | None

    @property
    def is_final(self) -> bool:
        """True once the order can execute no more: FILLED, or ended otherwise, with or without a part."""
        return self.status in {"FILLED", "EXPIRED", "EXPIRED_IN_MATCH", "CANCELED", "REJECTED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What one order executed, its trades summed."""

    client_order_id: str
    order_id: OrderId
    status: str
    base: Decimal
    quote: Decimal
    fees: Mapping[str, Decimal]  # by asset
    time_ms: int  # exchange time

    @property
    def price(self) -> Decimal:
        """Average price in quote asset per base asset, fees apart."""
        return self.quote / self.base

    def fee_in(self, asset: str) -> Decimal:
        """Return the commission taken in this asset."""
        return self.fees.get(asset, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """An order of this bot as the exchange remembers it: what was asked for, and what it executed.

    At most one of quantity (base asset) and quote_amount (quote asset) is known.
    """

    pair: str
    side: Side
    fill: Fill
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None
    is_final: bool = True  # it can execute no more
    reason: OrderReason | None = None  # why it was sent, where its id tells
    serial: int = 0  # the running number that it has in its book, where its id tells
    sender: int = 0  # which program sent it, where the exchange keeps that


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentOrder:
    """An order that an exchange's lists proved never taken, and that is still asked for: where lists lag, it may come.

    replaced_by: client order id of another order of its token and side that has executed since. is_told: both have
    executed, and the owner knows: it is asked for no more, and stays until he resumes, or `recover` takes it in.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    intent: Intent
    replaced_by: str = ""
    is_told: bool = False
