"""cash_flows.csv: what the owner has brought and taken, each row once, whatever happens.

Its rows stay in the book until the file takes them; what cannot be added to is kept aside, never overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from itertools import count
from pathlib import Path

from marsshot.core.book import CashFlow
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import NO_VALUES, CsvLineError, finite_number, read_lines
from marsshot.portfolio.serialization import decimal_text

COLUMNS = tuple(field.name for field in fields(CashFlow))
_HEADER = f"{','.join(COLUMNS)}\n".encode()


def add_missing_rows(path: Path, rows: Sequence[CashFlow], disk: Disk) -> Path | None:
    """Append the rows that the file lacks; return where it was put where it could not be added to. Raises OSError."""
    if not disk.exists(path):
        disk.append(path, _HEADER + b"".join(map(_line, rows)))
        return None
    disk.ensure_synced(path)  # rows that are found here are dropped from the book
    content = disk.read(path)
    if not (content.startswith(_HEADER) or _HEADER.startswith(content)):
        aside = _name_aside(path, disk)
        disk.replace(path, aside)
        disk.append(path, _HEADER + b"".join(map(_line, rows)))
        return aside
    whole = content.rfind(b"\n") + 1
    rest = content[whole:]
    if rest and (not whole or any(_line(row).startswith(rest) for row in rows)):  # a death has cut it off
        disk.truncate(path, whole)
    elif rest:  # an editor has saved it without the last line's end
        disk.append(path, b"\n")
    written = set(content[:whole].splitlines(keepends=True))
    missing = b"".join(line for line in map(_line, rows) if line not in written)
    if missing or not whole:
        disk.append(path, missing if whole else _HEADER + missing)
    return None


def _line(row: CashFlow) -> bytes:
    return f"{row.time},{decimal_text(row.amount)},{decimal_text(row.capital_after)}\n".encode()


def _name_aside(path: Path, disk: Disk) -> Path:
    names = (path.with_name(f"{path.stem}.aside{number}{path.suffix}") for number in count(1))
    return next(name for name in names if not disk.exists(name))


def read_cash_flows(path: Path, disk: Disk, unwritten: Sequence[CashFlow] = ()) -> list[CashFlow]:
    """Return the rows of the file that can be read, and those that it lacks, oldest first. Never raises."""
    found: list[CashFlow] = []
    with suppress(OSError, CsvLineError):
        for _, cells in read_lines(disk.read(path)):
            with suppress(*NO_VALUES):
                found.append(_flow(cells["time"], cells["amount"], cells["capital_after"]))
    return found + [row for row in unwritten if row not in found]


def _flow(time: str, amount: str, capital_after: str) -> CashFlow:
    if datetime.fromisoformat(time).tzinfo is None:
        raise ValueError("of what time zone?")
    return CashFlow(time=time, amount=finite_number(amount), capital_after=finite_number(capital_after))
