"""`main.py export`: the year's orders, gains and holdings as CSV files for the accountant (`docs/taxes.md`).

Reads trades.csv and the book; changes neither, and needs no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from marsshot.accounting.accounts import Row, cash_after, fill_rows, gain_columns, gain_rows, held_after, holding_rows
from marsshot.accounting.euro_rates import read_euro_rates
from marsshot.accounting.trade_records import TradeRecord, records_of, unreadable_trade
from marsshot.config.bot_files import BOOK, CASH_FLOWS, EXPORT_FOLDER, TRADES
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import Disk, replace_atomically
from marsshot.infra.clock import SystemClock
from marsshot.infra.csv_rows import CsvLineError, csv_bytes
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.trades_file import Trade, parse_trades, with_trades_of_book
from positions_store import load_state


def run_export(settings: Settings, year: int, rates_file: Path | None) -> int:
    """Write the three files, say where they are and what does not add up. Raises InputError or TemporaryError."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    trades, quote_asset = settings.file(TRADES), book.quote_asset if book else settings.quote_asset
    records = records_of(_trades(trades, book, quote_asset), quote_asset, str(trades))
    if not records:
        raise InputError(LocalizedText("fault.trades.none", path=trades))
    rates = read_euro_rates(rates_file) if rates_file else None
    now, catalog = SystemClock().now(), Catalog(settings.language)
    flows_path = settings.file(CASH_FLOWS)
    flows = read_cash_flows(flows_path, Disk(), book.unwritten_cash_flows) if book else []
    gains = gain_rows(records, year, rates)
    tables = {
        "fills": fill_rows(records, year, rates),
        "gains": gains,
        "holdings": holding_rows(records, year, now, rates, book.capital_started if book else None, flows),
    }
    for name, rows in tables.items():
        path = Path(EXPORT_FOLDER) / settings.file(f"{year}_{name}.csv")
        _write(path, rows, gain_columns(in_euros=rates is not None) if name == "gains" else ())
        print(catalog.text("export.written", path=path, count=len(rows)))  # noqa: T201
    for line in [*_sums(gains, year, records[0].quote_asset, catalog), *_doubts(records, gains, book, catalog)]:
        print(line)  # noqa: T201
    return 0


def _trades(path: Path, book: Book | None, quote_asset: str) -> list[Trade]:
    """Return the trades of trades.csv, with those that it lacks yet. Raises InputError."""
    try:
        content = path.read_bytes() if path.exists() else b""
        content.decode("utf-8")
        return with_trades_of_book(list(parse_trades(content, strict=True)), book)
    except (OSError, UnicodeDecodeError):
        raise InputError(LocalizedText("fault.trades.unreadable", path=path)) from None
    except CsvLineError as error:
        raise unreadable_trade(str(path), error.line, quote_asset) from None


def _write(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    names = list(dict.fromkeys([*columns, *(column for row in rows for column in row)]))
    content = csv_bytes([names, *([row.get(name, "") for name in names] for row in rows)])
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_atomically(Disk(), path, content)
    except OSError as error:
        raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None


def _sums(gains: Sequence[Row], year: int, quote_asset: str, catalog: Catalog) -> list[str]:
    """Return the year's results in one line for each currency."""
    if not gains:
        return [catalog.text("export.no_sales", year=str(year))]
    lines = []
    for suffix, name in (("", quote_asset), ("_eur", "EUR")):
        if f"proceeds{suffix}" in gains[0]:
            proceeds, fifo, average = (
                sum((Decimal(row[f"{column}{suffix}"]) for row in gains), ZERO)
                for column in ("proceeds", "gain_fifo", "gain_average")
            )
            facts = {"year": str(year), "sales": len(gains), "currency": name}
            lines.append(catalog.text("export.sums", proceeds=proceeds, fifo=fifo, average=average, **facts))
    return lines


def _doubts(records: Sequence[TradeRecord], gains: Sequence[Row], book: Book | None, catalog: Catalog) -> list[str]:
    """Return what the accountant has to know before trusting the sums."""
    lines = []
    if count := sum(bool(row["quantity_without_cost"]) for row in gains):
        lines.append(catalog.text("export.without_cost", count=count))
    if count := sum(bool(record.unvalued_fees) for record in records):
        lines.append(catalog.text("export.fees_not_valued", count=count))
    if book is None:
        return [*lines, catalog.text("export.no_book")]
    left, held = held_after(records), _held_by(book, records)
    cash = cash_after(records, book.capital_started) + book.performance_base.net_flows
    left[book.quote_asset], held[book.quote_asset] = cash, book.capital
    return lines + [
        catalog.text("export.differs", asset=asset, orders=left.get(asset, ZERO), book=held.get(asset, ZERO))
        for asset in sorted(left | held)
        if left.get(asset, ZERO) != held.get(asset, ZERO)
    ]


def _held_by(book: Book, records: Sequence[TradeRecord]) -> dict[str, Decimal]:
    """Return what the book counts of each asset, dust included."""
    asset_of = {record.symbol: record.asset for record in records}
    held = dict(book.dust)
    for symbol, position in book.positions.items():
        asset = asset_of.get(symbol, symbol)
        held[asset] = held.get(asset, ZERO) + position.qty
    return held
