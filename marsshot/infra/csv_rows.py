"""The rows of the bot's CSV files: written as cells that no spreadsheet runs, read back as the same values.

A fault names its line. Bytes in, values out: opens no file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from marsshot.core.catalog import CatalogText
from marsshot.core.foreign_text import one_line, printable

Cells = Mapping[str, str]
Value = TypeVar("Value")
# What a function that makes values of a row's texts is known to end with where they are none.
NO_VALUES = (ValueError, ArithmeticError, KeyError, TypeError)
_QUOTE = "'"
_FORMULA = re.compile(rf"{_QUOTE}*[=+@-]")  # with quotes before it, so that each quoting can be taken back


class CsvLineError(ValueError):
    """A line that the bot did not write like this."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


def csv_bytes(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as the lines of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(_cell, row) for row in rows])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return what stands in a cell: text on one line, and quoted where a spreadsheet would take it for a formula."""
    text = printable(value) if isinstance(value, CatalogText) else one_line(str(value))
    return _QUOTE + text if _FORMULA.match(text) and not _is_number(text) else text


def _read_cell(cell: Any) -> Any:
    """Return the text that stands in a cell; cells beyond the columns are a list, those that are not there None."""
    if not isinstance(cell, str):
        return cell
    return one_line(cell[1:] if cell.startswith(_QUOTE) and _FORMULA.match(cell) else cell)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


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
            yield rows.line_num, {name: _read_cell(cell) for name, cell in row.items()}
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
