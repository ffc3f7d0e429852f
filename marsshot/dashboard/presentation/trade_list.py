"""The list of trades as the page shows it: filtered, newest first, a page at a time. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from marsshot.core.orders import Side
from marsshot.core.reasons import OrderReason
from marsshot.dashboard.presentation.table_order import AS_IT_COMES, TableOrder, ordered
from marsshot.portfolio.trades_file import Trade, realised_profit

ROWS_PER_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFilter:
    """What to list; empty: all."""

    symbol: str = ""
    side: str = ""
    reason: str = ""
    first: date | None = None
    last: date | None = None

    def matches(self, trade: Trade) -> bool:
        """Return whether a trade is to be listed."""
        day = trade.time.date()
        return (
            self.symbol in {"", trade.symbol}
            and self.side in {"", trade.side}
            and self.reason in {"", trade.reason}
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
        )

    def query(self) -> dict[str, str]:
        """Return what asks for this filter in an address."""
        values = {
            "symbol": self.symbol,
            "side": self.side,
            "reason": self.reason,
            "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat() if self.last else "",
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of trades. number counts from 1; found and profit are of all pages."""

    rows: tuple[Trade, ...]
    number: int
    pages: int
    found: int
    profit: Decimal


def parse_filter(query: Mapping[str, str]) -> TradeFilter:
    """Return the filter that an address asks for; what makes no sense in it is left out."""
    side, reason = query.get("side", ""), query.get("reason", "")
    return TradeFilter(
        symbol=query.get("symbol", "")[:20],
        side=side if side in set(Side) else "",
        reason=reason if reason in set(OrderReason) else "",
        first=_parse_date(query.get("first", "")),
        last=_parse_date(query.get("last", "")),
    )


TRADE_ORDER_KEYS: Mapping[str, Callable[[Trade], Any]] = {
    "time": lambda trade: trade.time,
    "token": lambda trade: trade.symbol,
    "side": lambda trade: trade.side,
    "qty": lambda trade: trade.qty,
    "price": lambda trade: trade.price,
    "amount": lambda trade: trade.quote,
    "profit": lambda trade: trade.profit,
    "why": lambda trade: trade.reason,
}


def listing(trades: Sequence[Trade], wanted: TradeFilter, number: int, order: TableOrder = AS_IT_COMES) -> Listing:
    """Return a page of the trades that the filter keeps, newest first or in the order asked for.

    The nearest page where there is none of this number.
    """
    found = ordered((trade for trade in reversed(trades) if wanted.matches(trade)), order, TRADE_ORDER_KEYS)
    pages = max(1, -(-len(found) // ROWS_PER_PAGE))
    number = min(max(1, number), pages)
    rows = found[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
    return Listing(rows=tuple(rows), number=number, pages=pages, found=len(found), profit=realised_profit(found))


def parse_page_number(text: str) -> int:
    """Return the number of a page in an address; 1 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1  # noqa: PLR2004 - digits


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
