"""What the sales brought, by token, month and reason: how many, how many won, profit, how long the coins were held.

Pure: trades in, values out. A partial sale counts as a sale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.orders import Side
from marsshot.portfolio.trades_file import Trade


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale with its profit in quote asset. opened_at: when its coins were bought; None where that is not recorded."""

    trade: Trade
    profit: Decimal
    opened_at: datetime | None

    @property
    def holding_time(self) -> timedelta | None:
        """Return how long the coins were held."""
        return None if self.opened_at is None else self.trade.time - self.opened_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleStatistics:
    """Sales taken together. wins: those with a profit above 0. holding_time: the mean of those that have one."""

    name: str
    sales: int
    wins: int
    profit: Decimal
    holding_time: timedelta | None

    @property
    def win_rate(self) -> Decimal:
        """Return the share of sales that won; 0 where there are none."""
        return Decimal(self.wins) / self.sales if self.sales else ZERO


def sales_of(trades: Iterable[Trade]) -> list[Sale]:
    """Return the sales, oldest first. A token is bought only while it is not held, so its last purchase opened it."""
    opened: dict[str, datetime] = {}
    found = []
    for trade in sorted(trades, key=lambda one: one.time):
        if trade.side == Side.BUY:
            opened[trade.symbol] = trade.time
        elif trade.profit is not None:
            found.append(Sale(trade, trade.profit, opened.get(trade.symbol)))
    return found


def statistics_of(name: str, sales: Sequence[Sale]) -> SaleStatistics:
    """Return the statistics of these sales together."""
    spans = [span for sale in sales if (span := sale.holding_time) is not None]
    return SaleStatistics(
        name=name,
        sales=len(sales),
        wins=sum(sale.profit > 0 for sale in sales),
        profit=sum((sale.profit for sale in sales), ZERO),
        holding_time=sum(spans, timedelta(0)) / len(spans) if spans else None,
    )


def by_token(sale: Sale) -> str:
    """Return the group of a sale: its token."""
    return sale.trade.symbol


def by_month(sale: Sale) -> str:
    """Return the group of a sale: its month in UTC, as 2021-05."""
    return f"{sale.trade.time:%Y-%m}"


def by_reason(sale: Sale) -> str:
    """Return the group of a sale: why it was made."""
    return sale.trade.reason


def grouped_statistics(sales: Iterable[Sale], group: Callable[[Sale], str]) -> list[SaleStatistics]:
    """Return the statistics of each group, in the order in which the groups first occur."""
    members = defaultdict[str, list[Sale]](list)
    for sale in sales:
        members[group(sale)].append(sale)
    return [statistics_of(name, found) for name, found in members.items()]
