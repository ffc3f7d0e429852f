"""The accountant's three tables: a year's orders, what its sales earned, what was held at each year's end.

Pure: records in, rows of texts out. `docs/taxes.md` explains every column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Protocol

from marsshot.accounting.gains import Disposal, Holding, Method, Movement, disposals
from marsshot.accounting.trade_records import TradeRecord
from marsshot.core.amounts import ZERO
from marsshot.core.book import CashFlow
from marsshot.core.moments import utc_text
from marsshot.core.orders import Side
from marsshot.portfolio.serialization import decimal_text

_EIGHT, _CENT = Decimal("0.00000001"), Decimal("0.01")
_TWELVE_DIGITS = Context(prec=12)

Row = dict[str, str]


class Rates(Protocol):
    """Euros for one unit of quote asset."""

    def on(self, day: date) -> tuple[Decimal, date]:
        """Return the rate for a day, and the day it is of. Raises InputError where there is none."""


@dataclass(frozen=True, slots=True)
class _Ledger:
    """All movements in one currency, and what the sales had cost by both methods."""

    suffix: str  # of its columns
    movements: Sequence[Movement]
    of_sales: Mapping[Method, Sequence[Disposal | None]]
    held: Mapping[Method, Mapping[str, Holding]]


def _ledger(suffix: str, movements: Sequence[Movement]) -> _Ledger:
    both = {method: disposals(movements, method) for method in Method}
    return _Ledger(
        suffix,
        movements,
        {method: of_sales for method, (of_sales, _) in both.items()},
        {method: held for method, (_, held) in both.items()},
    )


def _ledgers(records: Sequence[TradeRecord], rates: Rates | None) -> list[_Ledger]:
    in_quote = [record.movement() for record in records]
    if rates is None:
        return [_ledger("", in_quote)]
    in_euros = [
        Movement(one.asset, one.quantity, (one.amount * rates.on(record.time.date())[0]).quantize(_EIGHT))
        for one, record in zip(in_quote, records, strict=True)
    ]
    return [_ledger("", in_quote), _ledger("_eur", in_euros)]


def fill_rows(records: Sequence[TradeRecord], year: int, rates: Rates | None) -> list[Row]:
    """Return a row for each order of the year (UTC)."""
    return [_fill_row(record, rates) for record in records if record.time.year == year]


def _fill_row(record: TradeRecord, rates: Rates | None) -> Row:
    row = {
        "time": utc_text(record.time),
        "asset": record.asset,
        "pair": record.pair,
        "side": record.side.value,
        "reason": record.reason,
        "quantity": decimal_text(record.quantity),
        "price": decimal_text(_TWELVE_DIGITS.divide(record.quote, record.quantity)),
        "quote_asset": record.quote_asset,
        "value": decimal_text(record.quote),
        "fee": "+".join(map(decimal_text, record.fees.values())),
        "fee_asset": "+".join(record.fees),
        "fee_value": decimal_text(record.fee_value.quantize(_EIGHT)),
        "fee_not_valued": _not_valued(record),
        "client_order_id": record.client_order_id,
        "order_id": record.order_id,
    }
    if rates is not None:
        rate, published = rates.on(record.time.date())
        row |= {
            "eur_per_quote": decimal_text(rate),
            "rate_of": published.isoformat(),
            "value_eur": decimal_text((record.quote * rate).quantize(_CENT)),
            "fee_value_eur": decimal_text((record.fee_value * rate).quantize(_EIGHT)),
        }
    return row


def _not_valued(record: TradeRecord) -> str:
    return " + ".join(f"{decimal_text(fee)} {asset}" for asset, fee in record.unvalued_fees.items())


def gain_columns(*, in_euros: bool) -> list[str]:
    """Return the columns of `gain_rows`, for a year without a sale too."""
    kinds = ["proceeds", *(f"{kind}_{method}" for method in Method for kind in ("cost", "gain"))]
    amounts = [f"{kind}{suffix}" for suffix in (("", "_eur") if in_euros else ("",)) for kind in kinds]
    return [
        "time",
        "asset",
        "reason",
        "quantity",
        *amounts,
        "quantity_without_cost",
        "fee_not_valued",
        "client_order_id",
    ]


def gain_rows(records: Sequence[TradeRecord], year: int, rates: Rates | None) -> list[Row]:
    """Return a row for each sale of the year (UTC). records: all since the first purchase, oldest first."""
    ledgers = _ledgers(records, rates)
    return [
        _gain_row(number, record, ledgers)
        for number, record in enumerate(records)
        if record.side is Side.SELL and record.time.year == year
    ]


def _gain_row(number: int, record: TradeRecord, ledgers: Sequence[_Ledger]) -> Row:
    row = {
        "time": utc_text(record.time),
        "asset": record.asset,
        "reason": record.reason,
        "quantity": decimal_text(-ledgers[0].movements[number].quantity),
    }
    without_cost = ZERO
    for ledger in ledgers:
        proceeds = ledger.movements[number].amount
        row[f"proceeds{ledger.suffix}"] = decimal_text(proceeds)
        for method, of_sales in ledger.of_sales.items():
            disposal = of_sales[number] or Disposal(ZERO, ZERO)
            row[f"cost_{method}{ledger.suffix}"] = decimal_text(disposal.cost)
            row[f"gain_{method}{ledger.suffix}"] = decimal_text(proceeds - disposal.cost)
            without_cost = disposal.without_cost
    row["quantity_without_cost"] = decimal_text(without_cost) if without_cost else ""
    row["fee_not_valued"] = _not_valued(record)
    row["client_order_id"] = record.client_order_id
    return row


def holding_rows(
    records: Sequence[TradeRecord],
    last_year: int,
    now: datetime,
    rates: Rates | None,
    started_with: Decimal | None,
    flows: Sequence[CashFlow] = (),
) -> list[Row]:
    """Return what was held at the end of each year (UTC) up to last_year, and at present where that is not over.

    started_with: the quote asset that the bot began with, for a row of what it had of it; None where not known. flows:
    what the owner has brought and taken since.
    """
    ends = [datetime(year + 1, 1, 1, tzinfo=UTC) for year in range(records[0].time.year, last_year + 1)]
    moments = dict.fromkeys(min(end, now) for end in ends)
    rows = list[Row]()
    for moment in moments:
        before = [record for record in records if record.time < moment]
        held = _held_rows(_ledgers(before, rates))
        if started_with is not None:
            moved = sum((one.amount for one in flows if datetime.fromisoformat(one.time) < moment), started_with)
            held.append({"asset": records[0].quote_asset, "quantity": decimal_text(cash_after(before, moved))})
        rows += [{"before": utc_text(moment), **row} for row in held]
    return rows


def _held_rows(ledgers: Sequence[_Ledger]) -> list[Row]:
    rows = []
    for asset, quantity in sorted(_quantities(ledgers[0].held[Method.FIFO]).items()):
        row = {"asset": asset, "quantity": decimal_text(quantity)}
        for ledger in ledgers:
            for method, held in ledger.held.items():
                cost = sum((lot.cost for lot in held[asset]), ZERO)
                row[f"cost_{method}{ledger.suffix}"] = decimal_text(cost)
        rows.append(row)
    return rows


def _quantities(held: Mapping[str, Holding]) -> dict[str, Decimal]:
    return {asset: sum((lot.quantity for lot in lots), ZERO) for asset, lots in held.items()}


def held_after(records: Sequence[TradeRecord]) -> dict[str, Decimal]:
    """Return what the orders leave of each asset."""
    return _quantities(disposals([record.movement() for record in records], Method.FIFO)[1])


def cash_after(records: Sequence[TradeRecord], started_with: Decimal) -> Decimal:
    """Return the quote asset after these orders: what the bot began with, plus sales, less purchases."""
    flows = (-record.net_quote if record.side is Side.BUY else record.net_quote for record in records)
    return sum(flows, started_with)
