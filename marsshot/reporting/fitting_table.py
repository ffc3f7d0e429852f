"""A table for the terminal that fits its width: columns that do not fit are left out whole, and no number is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column. need: 0: always shown; of the others those with the highest number go first."""

    title: str
    is_number: bool = False
    need: int = 0


def fits(table: Table, console: Console) -> bool:
    """Return whether nothing of a table has to be cut or broken on this console."""
    endless = console.options.update(width=console.width * 100)
    return Measurement.get(console, endless, table).maximum <= console.width


class FittingTable:
    """Rows under columns, of which as many are shown as fit."""

    def __init__(self, title: str, columns: list[Column]) -> None:
        self._title = title
        self._columns = columns
        self._rows: list[tuple[str, ...]] = []

    def add(self, *cells: str) -> None:
        """Add a row; cells may hold rich's markup, and the last ones may be left out."""
        self._rows.append(cells + ("",) * (len(self._columns) - len(cells)))

    def render(self, width: int) -> Table:
        """Return the table for a terminal of this width."""
        kept = self._kept(width)
        table = Table(
            title=self._title, title_justify="left", box=None, header_style="bold", pad_edge=False, padding=(0, 1)
        )
        for number in kept:
            column = self._columns[number]
            justify: Literal["left", "right"] = "right" if column.is_number else "left"
            table.add_column(column.title, justify=justify, vertical="bottom", no_wrap=True)
        for row in self._rows:
            table.add_row(*(row[number] for number in kept))
        return table

    def _kept(self, width: int) -> list[int]:
        widths = [self._width(number) for number in range(len(self._columns))]
        kept = list(range(len(self._columns)))
        while sum(widths[number] + 2 for number in kept) - 2 > width:
            least = max(kept, key=lambda number: self._columns[number].need)
            if not self._columns[least].need:
                break
            kept.remove(least)
        return kept

    def _width(self, number: int) -> int:
        cells = (Text.from_markup(row[number]).cell_len for row in self._rows)
        return max((*map(len, self._columns[number].title.splitlines()), *cells), default=0)
