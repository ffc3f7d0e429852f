"""What the performance page shows: the sales by token, month and reason, each table in the order asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marsshot.dashboard.presentation.table_order import TableOrder, ordered
from marsshot.portfolio.trade_statistics import (
    Sale,
    SaleStatistics,
    by_month,
    by_reason,
    by_token,
    grouped_statistics,
    sales_of,
    statistics_of,
)
from marsshot.portfolio.trades_file import Trade

ORDER_KEYS: Mapping[str, Callable[[SaleStatistics], Any]] = {
    "name": lambda row: row.name,
    "sales": lambda row: row.sales,
    "won": lambda row: row.win_rate,
    "profit": lambda row: row.profit,
    "held": lambda row: row.holding_time,
}


@dataclass(frozen=True, slots=True)
class PerformanceTable:
    """One table. kind: token, month or reason: what its rows are."""

    kind: str
    rows: tuple[SaleStatistics, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """All sales together, and one by one: by token, by month, by reason. best, worst: None without a sale."""

    total: SaleStatistics
    tables: tuple[PerformanceTable, ...]
    best: Sale | None
    worst: Sale | None


def performance_of(trades: Sequence[Trade], order: TableOrder) -> Performance:
    """Return what the sales brought. Without an order the largest profit comes first, and the newest month."""
    sales = sales_of(trades)
    best_first = order if order.column else TableOrder("profit", descending=True)
    newest_first = order if order.column else TableOrder("name", descending=True)
    tables = (("token", by_token, best_first), ("month", by_month, newest_first), ("reason", by_reason, best_first))
    return Performance(
        total=statistics_of("", sales),
        tables=tuple(
            PerformanceTable(kind, tuple(ordered(grouped_statistics(sales, group), wanted, ORDER_KEYS)))
            for kind, group, wanted in tables
        ),
        best=max(sales, key=lambda sale: sale.profit, default=None),
        worst=min(sales, key=lambda sale: sale.profit, default=None),
    )
