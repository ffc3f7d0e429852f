"""What `main.py recover` shows: the orders found, the book that follows, what does not fit, what cannot be known.

Values in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from marsshot.commands.recovery.recovery_survey import Survey
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog
from marsshot.portfolio.recovery import Finding, RecoveredOrder
from marsshot.portfolio.serialization import decimal_text


def survey_lines(found: Survey, catalog: Catalog) -> Iterator[str]:
    """Yield what was found, a line each."""
    book, orders = found.recovery.book, found.recovery.orders
    yield catalog.text("recover.from_book" if found.base else "recover.from_orders", count=len(orders))
    for one in orders:
        yield f"  {_order_line(one, book, catalog)}"
    if found.missing_rows:
        yield catalog.text("recover.missing_rows", count=found.missing_rows)
    yield catalog.text("recover.book")
    yield f"  {catalog.text('recover.capital', capital=book.capital, quote=book.quote_asset)}"
    for symbol in book.positions:
        yield f"  {_position_line(symbol, book, catalog)}"
    if not book.positions:
        yield f"  {catalog.text('recover.no_positions')}"
    if found.recovery.findings:
        yield catalog.text("recover.does_not_fit")
        yield from (f"  {finding_line(one, book, catalog)}" for one in found.recovery.findings)
    yield catalog.text("recover.not_known")
    yield from (f"  {line}" for line in _unknown_lines(found, catalog))


def finding_line(finding: Finding, book: Book, catalog: Catalog) -> str:
    """Return what does not fit, as a sentence for people."""
    amounts = {"counted": _plain(finding.counted), "there": _plain(finding.there)}
    key = f"recover.misfit.{finding.misfit}"
    return catalog.text(key, symbol=finding.symbol, quote=book.quote_asset, **amounts)


def _order_line(one: RecoveredOrder, book: Book, catalog: Catalog) -> str:
    fill = one.order.fill
    return catalog.text(
        "recover.order_presumed" if one.is_presumed else "recover.order",
        time=datetime.fromtimestamp(fill.time_ms / 1000, UTC),
        side=catalog.text(f"action.{one.order.side.lower()}"),
        qty=_plain(fill.base),
        symbol=one.symbol,
        amount=fill.quote,
        quote=book.quote_asset,
        price=fill.price,
        reason=catalog.text(f"reason.{one.reason}"),
        order=fill.client_order_id,
    )


def _position_line(symbol: str, book: Book, catalog: Catalog) -> str:
    held = book.positions[symbol]
    amounts = {"qty": _plain(held.qty), "entry": held.entry_price, "cost": held.cost}
    parts = [catalog.text("status.position", symbol=symbol, quote=book.quote_asset, **amounts)]
    if held.partial_sold:
        parts.append(catalog.text("status.partial_done"))
    if held.trailing_armed:
        parts.append(catalog.text("recover.armed", top=held.max_price))
    if held.exit_pending:
        parts.append(catalog.text("status.pending", reason=catalog.text(f"reason.{held.exit_pending}")))
    return ", ".join(parts)


def _unknown_lines(found: Survey, catalog: Catalog) -> Iterator[str]:
    yield catalog.text("recover.unknown.tops")
    for symbol, why in found.unread_tops.items():
        yield catalog.text("recover.unknown.top", symbol=symbol, why=catalog.render(why))
    yield catalog.text("recover.unknown.skips")
    if found.base is None:
        started = found.recovery.book.capital_started
        yield catalog.text("recover.unknown.capital", started=started, quote=found.recovery.book.quote_asset)
    if any(one.is_presumed for one in found.recovery.orders):
        yield catalog.text("recover.unknown.reasons")


def _plain(amount: Decimal) -> Decimal:
    return Decimal(decimal_text(amount))
