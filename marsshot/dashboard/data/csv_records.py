"""The rows of trades.csv and decisions.csv as values. A last line that is still being written is left out.

Pure: bytes in, values out. Raises InputError where a file is not what the bot writes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

from marsshot.core.domain import ZERO, TradeRow
from marsshot.core.errors import InputError

Row = Mapping[str, str]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """An executed order. Amounts in quote asset, quantity in base asset; no profit: a purchase."""

    time: datetime
    symbol: str
    side: str
    reason: str
    qty: Decimal
    price: Decimal
    quote: Decimal
    fee: str
    fee_asset: str
    profit: Decimal | None
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """What a daily pass decided about one token. hit_rate: how often such a score was right, of hit_rows cases."""

    day: date
    symbol: str
    held: bool
    probability: Decimal | None
    hit_rate: Decimal | None
    hit_rows: int | None
    action: str
    quote: Decimal | None
    reason: str
    detail: str


def parse_trades(content: bytes, name: str) -> tuple[Trade, ...]:
    """Return the rows of trades.csv, oldest first."""
    needed = {"time", "symbol", "side", "reason", "qty", "price", "quote", "profit", "client_order_id"}
    return _parse_rows(content, name, needed, _trade)


def trades_from_book(rows: Iterable[TradeRow]) -> tuple[Trade, ...]:
    """Return the trades that the book has and trades.csv may lack."""
    return tuple(
        Trade(
            time=_moment(row.time),
            symbol=row.symbol,
            side=row.side,
            reason=row.reason,
            qty=row.qty,
            price=row.price,
            quote=row.quote,
            fee=row.fee,
            fee_asset=row.fee_asset,
            profit=_amount(row.profit),
            client_order_id=row.client_order_id,
        )
        for row in rows
    )


def parse_decisions(content: bytes, name: str) -> tuple[DecisionRow, ...]:
    """Return the rows of decisions.csv, oldest first."""
    return _parse_rows(content, name, {"day", "symbol", "held", "probability", "action", "reason", "detail"}, _decision)


def _parse_rows(content: bytes, name: str, needed: Collection[str], parse: Callable[[Row], Value]) -> tuple[Value, ...]:
    whole = content[: content.rfind(b"\n") + 1]
    rows = csv.DictReader(io.StringIO(whole.decode("utf-8", errors="replace")))
    try:
        if whole and not set(needed) <= set(rows.fieldnames or ()):
            raise ValueError("other columns")
        return tuple(parse(row) for row in rows if not any(row[column] is None for column in needed))
    except (ValueError, ArithmeticError, KeyError, TypeError, csv.Error):
        raise InputError(f"{name}: cannot be read (line {rows.line_num}); it must stay as the bot writes it") from None


def _trade(row: Row) -> Trade:
    return Trade(
        time=_moment(row["time"]),
        symbol=row["symbol"],
        side=row["side"],
        reason=row["reason"],
        qty=_number(row["qty"]),
        price=_number(row["price"]),
        quote=_number(row["quote"]),
        fee=row.get("fee") or "",
        fee_asset=row.get("fee_asset") or "",
        profit=_amount(row["profit"]),
        client_order_id=row["client_order_id"],
    )


def _decision(row: Row) -> DecisionRow:
    rows = row.get("hit_rows") or ""
    return DecisionRow(
        day=date.fromisoformat(row["day"]),
        symbol=row["symbol"],
        held=row["held"].lower() in {"true", "yes", "1"},
        probability=_amount(row["probability"]),
        hit_rate=_amount(row.get("hit_rate") or ""),
        hit_rows=int(rows) if rows else None,
        action=row["action"],
        quote=_amount(row.get("quote") or ""),
        reason=row["reason"],
        detail=row["detail"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def _amount(text: str) -> Decimal | None:
    return _number(text) if text else None


def realised_profit(trades: Iterable[Trade]) -> Decimal:
    """Return the profit of all sales."""
    return sum((trade.profit for trade in trades if trade.profit is not None), ZERO)
