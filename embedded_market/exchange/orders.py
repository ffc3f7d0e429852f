"""Values of the stand-in exchange: a market order as asked, the moment it meets, its fills, its record.

Values only: no balance, no rule, no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

_UNIT = Decimal("0.00000001")


class OrderRejectedError(Exception):
    """The order may not be placed; code and message are Binance's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """Exactly one of quantity (base asset) and quote_quantity (to spend, or to receive) is given."""

    symbol: str
    is_buy: bool
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What an order meets: time, last price, mean of five minutes, BNB's price, whether the pair's history is over."""

    time_ms: int
    price: Decimal
    average: Decimal
    bnb_price: Decimal | None = None
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade. Commission in commission_asset."""

    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    trade_id: int

    @property
    def value(self) -> Decimal:
        """Return the quote asset that changed hands, fee apart: with eight decimals, as balances have."""
        return (self.price * self.quantity).quantize(_UNIT, ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class Order:
    """The record of an order that was taken. Market orders end at once: FILLED, or EXPIRED with a part done."""

    request: MarketOrder
    order_id: int
    client_order_id: str
    time_ms: int
    executed_quantity: Decimal
    executed_quote: Decimal
    status: str
    fills: tuple[Fill, ...]

    @property
    def symbol(self) -> str:
        """Return the pair's symbol."""
        return self.request.symbol

    @property
    def original_quantity(self) -> Decimal:
        """Return the quantity asked for; of an order by quote quantity, what was executed."""
        return self.executed_quantity if self.request.quantity is None else self.request.quantity
