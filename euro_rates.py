"""The euro's daily rates, from a file that the owner or the accountant provides. Fetches and invents nothing."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from errors import InputError

COLUMNS = ("date", "eur_per_quote")
_OLDEST = timedelta(days=7)  # the ECB publishes on working days; Easter and Christmas leave four days without a rate


class EuroRates:
    """Euros for one unit of quote asset, by day."""

    def __init__(self, by_day: dict[date, Decimal], name: str) -> None:
        self._by_day = by_day
        self._name = name

    def on(self, day: date) -> tuple[Decimal, date]:
        """Return the day's rate, or the last one before it, and its day. Raises InputError."""
        for age in range(_OLDEST.days + 1):
            published = day - timedelta(days=age)
            if rate := self._by_day.get(published):
                return rate, published
        raise InputError(
            f"{self._name}: has no rate for {day}, nor for the {_OLDEST.days} days before; every day on which the bot "
            "has traded since its first purchase needs one"
        )


def read_euro_rates(path: Path) -> EuroRates:
    """Read a CSV file with the columns date,eur_per_quote. Raises InputError naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
                raise InputError(f"{path}: lacks the column {missing[0]}; its first line must be: {','.join(COLUMNS)}")
            by_day = dict(_rate_of(row, f"{path}, line {rows.line_num}") for row in rows)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is not a CSV file in UTF-8") from None
    return EuroRates(by_day, str(path))


def _rate_of(row: dict[str | None, str], place: str) -> tuple[date, Decimal]:
    if None in row:  # 0,92 for 0.92 is one cell too many
        raise InputError(f"{place}: has too many commas; the decimal sign is a point")
    try:
        day, rate = date.fromisoformat(row["date"].strip()), Decimal(row["eur_per_quote"].strip())
    except (ValueError, ArithmeticError, AttributeError):
        raise InputError(f"{place}: needs a day and a number, such as 2026-01-02,0.9213") from None
    if not (rate.is_finite() and 0 < rate < 1000):  # noqa: PLR2004 - beyond is a slip of the point
        raise InputError(f"{place}: {rate} is not allowed; it is what one unit of quote asset is worth in euros")
    return day, rate
