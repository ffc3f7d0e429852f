"""Reads the rows of the bot's CSV files as values; a fault names its line. Bytes in, values out: opens no file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import TypeVar

Cells = Mapping[str, str]
Value = TypeVar("Value")
# What a function that makes values of a row's texts is known to end with where they are none.
NO_VALUES = (ValueError, ArithmeticError, KeyError, TypeError)


class CsvLineError(ValueError):
    """A line that the bot did not write like this."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


def read_rows(
    content: bytes, needed: Collection[str], parse: Callable[[Cells], Value], *, strict: bool = False
) -> Iterator[Value]:
    """Yield what parse makes of each row, the first line naming the columns. Raises CsvLineError.

    needed: columns that must be there. strict: in every line too; else lines that are cut short, and a last one without
    its end, are left out: the bot may be writing it.
    """
    whole = content if strict else content[: content.rfind(b"\n") + 1]
    for line, cells in read_lines(whole, needed):
        if not strict and any(cells[column] is None for column in needed):
            continue
        try:
            yield parse(cells)
        except NO_VALUES:
            raise CsvLineError(line) from None


def read_lines(content: bytes, needed: Collection[str] = ()) -> Iterator[tuple[int, Cells]]:
    """Yield the number and the cells of each line; a cell that is not there is None. Raises CsvLineError."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8", errors="replace"), newline=""))
    try:
        if content and not set(needed) <= set(rows.fieldnames or ()):
            raise CsvLineError(rows.line_num)
        for row in rows:
            yield rows.line_num, row
    except csv.Error:
        raise CsvLineError(rows.line_num) from None


def finite_number(text: str) -> Decimal:
    """Return the number in a cell. Raises ValueError or ArithmeticError where there is none that is finite."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def number_or_none(text: str) -> Decimal | None:
    """Return the number in a cell that may be empty. Raises as `finite_number`."""
    return finite_number(text) if text else None
