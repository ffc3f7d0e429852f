"""The order of a table's rows, as an address asks for it: a column's name, with a minus for the largest first.

Pure: values in, values out. Works without a script in the browser, and stays while a page follows the bot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class TableOrder:
    """The column that rows are ordered by; empty: as they come."""

    column: str = ""
    descending: bool = False

    @property
    def text(self) -> str:
        """Return the order as an address has it."""
        return f"{'-' * self.descending}{self.column}"

    def next_for(self, column: str) -> str:
        """Return what a click on a column asks for: the largest first; where it is so already, the smallest."""
        return column if self == TableOrder(column, descending=True) else f"-{column}"

    def aria_of(self, column: str) -> str:
        """Return what a screen reader is told of a column."""
        if column != self.column:
            return "none"
        return "descending" if self.descending else "ascending"


AS_IT_COMES = TableOrder()


def parse_order(text: str, columns: Iterable[str]) -> TableOrder:
    """Return the order that an address asks for; none where there is no such column."""
    column = text.removeprefix("-")
    return TableOrder(column, text.startswith("-")) if column in set(columns) else AS_IT_COMES


def ordered(rows: Iterable[Row], order: TableOrder, keys: Mapping[str, Callable[[Row], Any]]) -> list[Row]:
    """Return the rows in this order; those without a value come last, whichever way."""
    if order.column not in keys:
        return list(rows)
    key = keys[order.column]
    known, unknown = list[Row](), list[Row]()
    for row in rows:
        (unknown if key(row) is None else known).append(row)
    return [*sorted(known, key=key, reverse=order.descending), *unknown]
