"""The euro's daily rates, from a file that the owner or the accountant provides. Fetches and invents nothing."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

COLUMNS = ("date", "eur_per_quote")
_MAX_RATE_AGE = timedelta(
    days=7
)  # the ECB publishes on working days; Easter and Christmas leave four days without a rate


class EuroRates:
    """Euros for one unit of quote asset, by day."""

    def __init__(self, by_day: dict[date, Decimal], name: str) -> None:
        self._by_day = by_day
        self._name = name

    def on(self, day: date) -> tuple[Decimal, date]:
        """Return the day's rate, or the last one before it, and its day. Raises InputError."""
        for age in range(_MAX_RATE_AGE.days + 1):
            published = day - timedelta(days=age)
            if rate := self._by_day.get(published):
                return rate, published
        raise InputError(LocalizedText("fault.rates.no_day", path=self._name, day=day, days=_MAX_RATE_AGE.days))


def read_euro_rates(path: Path) -> EuroRates:
    """Read a CSV file with the columns date,eur_per_quote. Raises InputError naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
                columns = ",".join(COLUMNS)
                raise InputError(LocalizedText("fault.rates.no_column", path=path, column=missing[0], columns=columns))
            by_day = dict(_rate_of(row, path, rows.line_num) for row in rows)
    except OSError as error:
        raise InputError(LocalizedText("fault.rates.unreadable", path=path, why=error.strerror)) from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(LocalizedText("fault.rates.no_csv", path=path)) from None
    return EuroRates(by_day, str(path))


def _rate_of(row: dict[str | None, str], path: Path, line: int) -> tuple[date, Decimal]:
    if None in row:  # 0,92 for 0.92 is one cell too many
        raise InputError(LocalizedText("fault.rates.commas", path=path, line=line))
    try:
        day, rate = date.fromisoformat(row["date"].strip()), Decimal(row["eur_per_quote"].strip())
    except (ValueError, ArithmeticError, AttributeError):
        raise InputError(LocalizedText("fault.rates.no_rate", path=path, line=line)) from None
    if not (rate.is_finite() and 0 < rate < 1000):  # noqa: PLR2004 - beyond is a slip of the point
        raise InputError(LocalizedText("fault.rates.odd", path=path, line=line, rate=str(rate)))
    return day, rate
