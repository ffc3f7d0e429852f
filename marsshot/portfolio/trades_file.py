"""trades.csv: its columns, its rows as text, and its one reader; what its callers need differently is a parameter.

Opens the file for reading only; it is written by positions_store.py.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book, TradeRow
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import (
    NO_VALUES,
    Cells,
    CsvLineError,
    csv_bytes,
    finite_number,
    number_or_none,
    read_lines,
    read_rows,
)
from marsshot.portfolio.serialization import decimal_text

TRADE_COLUMNS = tuple(field.name for field in fields(TradeRow))
# What every file has, however old; the others are empty where it lacks them.
_NEEDED = ("time", "symbol", "side", "reason", "qty", "price", "quote", "profit", "client_order_id")


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
    fee: str  # amounts joined with + in the order of fee_asset
    fee_asset: str
    client_order_id: str
    pair: str
    order_id: str
    status: str
    profit: Decimal | None

    @property
    def fees(self) -> dict[str, Decimal]:
        """The fees by asset. Raises ValueError or ArithmeticError where amounts and assets do not match."""
        names = self.fee_asset.split("+") if self.fee_asset else []
        amounts = self.fee.split("+") if self.fee else []
        return dict(zip(names, map(Decimal, amounts), strict=True))

    def fee_in_quote(self, quote_asset: str) -> Decimal:
        """Return the fees that are in quote asset, and those in base asset at the price of this trade."""
        fees, base = self.fees, base_asset_of(self.pair, quote_asset)
        return fees.get(quote_asset, ZERO) + fees.get(base, ZERO) * self.price


def csv_rows(rows: Iterable[TradeRow], *, header: bool) -> bytes:
    """Return rows as the file has them."""
    head = [TRADE_COLUMNS] if header else []
    return csv_bytes([*head, *(_cells(row).values() for row in rows)])


def _cells(row: TradeRow) -> dict[str, str]:
    return {
        name: decimal_text(value) if isinstance(value, Decimal) else str(value) for name, value in asdict(row).items()
    }


def client_order_ids(content: bytes) -> set[str]:
    """Return the client order ids of whole lines, whatever else stands in them."""
    return {row.get("client_order_id") or "" for _, row in read_lines(content)}


def has_our_columns(content: bytes) -> bool:
    """Return whether rows may be added to this content: it is empty, or its first line names our columns in our way.

    A spreadsheet may have left other separators, other letters (Latin-1), or a mark at the beginning. A first line
    without an end is a header that a death cut off, where it begins like ours.
    """
    header = ",".join(TRADE_COLUMNS).encode()
    first, end, _ = content.partition(b"\n")
    if not end:
        return header.startswith(first) or first.startswith(header[: header.index(b",client_order_id")])
    names = first.rstrip(b"\r").split(b",")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return set(map(str.encode, _NEEDED)) <= set(names) and b"\0" not in content


_ID = re.compile(rb"ms-[0-9A-Za-z-]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # ours, or a UUID


def base_asset_of(pair: str, quote_asset: str) -> str:
    """Return what a pair trades: its name is both assets', with or without a mark between them."""
    return pair.removesuffix(quote_asset).removesuffix("-")


def ids_anywhere(content: bytes) -> set[str]:
    """Return what looks like a client order id of ours, whatever form the content has."""
    return {found.decode() for found in _ID.findall(content)}


def is_whole_line(line: bytes, in_book: Collection[str]) -> bool:
    """Return whether a line without its end is whole all the same: an editor may save the last one so.

    in_book: client order ids that the book still has; a line of one of these may have been cut off by a death. A header
    may have been, too: within its last column the number of its cells does not show it.
    """
    cells = next(csv.reader([line.decode("utf-8", errors="replace")]), [])
    if tuple(cells[:1]) == TRADE_COLUMNS[:1]:
        return tuple(cells) == TRADE_COLUMNS
    return len(cells) == len(TRADE_COLUMNS) and cells[TRADE_COLUMNS.index("client_order_id")] not in in_book


def parse_trades(content: bytes, *, strict: bool = False) -> Iterator[Trade]:
    """Yield the rows of trades.csv, oldest first. Raises CsvLineError at a line that the bot did not write like this.

    strict: as in `read_rows`; every column of the file is there then, and every time says that it is UTC.
    """
    if strict:
        return read_rows(content, (), _whole_trade, strict=True)
    return read_rows(content, _NEEDED, _trade)


def read_trades(path: Path) -> list[Trade]:
    """Return what `parse_trades` yields of a file; nothing where there is none. Raises OSError, CsvLineError."""
    with suppress(FileNotFoundError):
        return list(parse_trades(path.read_bytes()))
    return []


def readable_trades(path: Path, disk: Disk | None = None) -> list[Trade]:
    """Return what can be read of a file, for those who must go on without the rest. Never raises."""
    found = []
    with suppress(OSError, CsvLineError):
        for _, cells in read_lines((disk or Disk()).read(path)):
            with suppress(*NO_VALUES):
                found.append(_trade(cells))
    return found


def with_trades_of_book(written: Sequence[Trade], book: Book | None) -> list[Trade]:
    """Return the trades of the file, and those that the book has and the file has not got yet."""
    known = {trade.client_order_id for trade in written}
    waiting = book.unwritten_trades if book else ()
    return [*written, *(_trade(_cells(row)) for row in waiting if row.client_order_id not in known)]


def realised_profit(trades: Iterable[Trade]) -> Decimal:
    """Return the profit of all sales."""
    return sum((trade.profit for trade in trades if trade.profit is not None), ZERO)


def _trade(row: Cells) -> Trade:
    """Return the values of a row's texts. Raises one of several errors where there is none."""
    moment = datetime.fromisoformat(row["time"])
    return Trade(
        time=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        symbol=row["symbol"],
        side=row["side"],
        reason=row["reason"],
        qty=finite_number(row["qty"]),
        price=finite_number(row["price"]),
        quote=finite_number(row["quote"]),
        fee=row.get("fee") or "",
        fee_asset=row.get("fee_asset") or "",
        client_order_id=row["client_order_id"],
        pair=row.get("pair") or "",
        order_id=row.get("order_id") or "",
        status=row.get("status") or "",
        profit=number_or_none(row["profit"]),
    )


def _whole_trade(row: Cells) -> Trade:
    if any(row.get(column) is None for column in TRADE_COLUMNS):
        raise ValueError("cut short")
    if datetime.fromisoformat(row["time"]).tzinfo is None:
        raise ValueError("of what time zone?")
    return _trade(row)
