"""trades.csv for the accountant: what each order was worth, what its fees were, what it did to the holding.

Pure: values in, values out. No rate is ever invented: a fee in a third asset (BNB) stays an amount of that asset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marsshot.accounting.gains import Movement
from marsshot.core.amounts import ZERO
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.orders import Side
from marsshot.portfolio.trades_file import Trade, base_asset_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """One executed order. Quantities in `asset`, `quote` in `quote_asset`."""

    time: datetime
    symbol: str  # as config.yaml calls the token
    asset: str  # as Binance calls it
    quote_asset: str
    pair: str
    side: Side
    reason: str
    quantity: Decimal
    quote: Decimal
    fees: Mapping[str, Decimal]  # by asset
    client_order_id: str
    order_id: str

    @property
    def fee_value(self) -> Decimal:
        """What is known of the fees in quote asset: those in it, and those in the token at the order's own price."""
        in_token = self.fees.get(self.asset, ZERO)
        return self.fees.get(self.quote_asset, ZERO) + in_token * self.quote / self.quantity

    @property
    def unvalued_fees(self) -> Mapping[str, Decimal]:
        """The fees in third assets: the order says nothing of their worth."""
        return {asset: fee for asset, fee in self.fees.items() if asset not in {self.asset, self.quote_asset}}

    @property
    def net_quote(self) -> Decimal:
        """What was paid in all, or got in the end; fees in third assets are not in it."""
        fee = self.fees.get(self.quote_asset, ZERO)
        return self.quote + fee if self.side is Side.BUY else self.quote - fee

    def movement(self) -> Movement:
        """Return what the order did to the holding."""
        fee = self.fees.get(self.asset, ZERO)
        quantity = self.quantity - fee if self.side is Side.BUY else -(self.quantity + fee)
        return Movement(self.asset, quantity, self.net_quote)


def records_of(trades: Sequence[Trade], quote_asset: str, name: str) -> list[TradeRecord]:
    """Return the orders, oldest first. Raises InputError naming the one that cannot be right."""
    records = []
    for trade in trades:
        try:
            records.append(_record_of(trade, quote_asset))
        except (ValueError, ArithmeticError):
            # Line 1 holds the names of the columns.
            raise unreadable_trade(name, len(records) + 2, quote_asset) from None
    return sorted(records, key=lambda record: record.time)


def unreadable_trade(name: str, line: int, quote_asset: str) -> InputError:
    """Return the error of a line of trades.csv that is no trade in the quote asset."""
    return InputError(LocalizedText("fault.trades.bad_line", path=name, line=line, quote=quote_asset))


def _record_of(trade: Trade, quote_asset: str) -> TradeRecord:
    asset = base_asset_of(trade.pair, quote_asset)
    record = TradeRecord(
        time=trade.time,
        symbol=trade.symbol,
        asset=asset,
        quote_asset=quote_asset,
        pair=trade.pair,
        side=Side(trade.side),
        reason=trade.reason,
        quantity=trade.qty,
        quote=trade.quote,
        fees=trade.fees,
        client_order_id=trade.client_order_id,
        order_id=trade.order_id,
    )
    numbers = (record.quantity, record.quote, *record.fees.values())
    if asset in {trade.pair, ""} or not all(number.is_finite() for number in numbers):
        raise ValueError
    if record.quantity <= 0 or min(numbers) < 0:
        raise ValueError
    return record
