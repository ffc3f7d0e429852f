"""What an exchange lets an account do: the rules of each pair, the account's balances and permissions.

Frozen values; knows no exchange by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from marsshot.core.amounts import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """What an exchange accepts for MARKET orders of one pair.

    included_fee: the part of what it buys for, by which the amount of a purchase is more: an exchange may take its fee
    out of the amount.
    """

    pair: str
    base_asset: str
    quote_asset: str
    tradable: bool
    unavailable_reason: str  # empty when tradable
    lot_step: Decimal
    min_quantity: Decimal
    max_market_quantity: Decimal | None
    min_notional: Decimal
    quote_precision: int = 8
    included_fee: Decimal = ZERO
    permission_sets: tuple[frozenset[str], ...] = ()

    def permitted(self, account: Account) -> bool:
        """Return whether the account may trade this pair: one permission of every set, where both sides name any."""
        return not account.permissions or all(names & account.permissions for names in self.permission_sets if names)

    def smallest_order(self, price: Decimal | None) -> Decimal:
        """Return the smallest purchase in quote asset: the minimum notional, or the smallest lot if that is dearer."""
        smallest = self.min_notional
        if price is not None:
            smallest = max(smallest, max(self.min_quantity, self.lot_step) * price)
        if self.included_fee:
            cents = Decimal(1).scaleb(-self.quote_precision)
            return (smallest * (1 + self.included_fee)).quantize(cents, ROUND_CEILING)
        return smallest


@dataclass(frozen=True, slots=True)
class Account:
    """Balances by asset (free, locked in orders, lent to an earn product) and permissions of the exchange account.

    unreadable: the assets whose balance is not known, as the exchange told no number.
    """

    free: Mapping[str, Decimal]
    can_trade: bool = True
    permissions: frozenset[str] = frozenset()
    locked: Mapping[str, Decimal] = field(default_factory=dict)
    lent: Mapping[str, Decimal] = field(default_factory=dict)  # cannot be sold before the owner takes it back
    unreadable: frozenset[str] = frozenset()

    def total(self, asset: str) -> Decimal:
        """Return what the account holds of an asset, free or locked in orders."""
        return self.free.get(asset, ZERO) + self.locked.get(asset, ZERO)
