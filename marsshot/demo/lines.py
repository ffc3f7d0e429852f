"""Lines that fit: what does not is left out whole, or said to be more, and never cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from marsshot.core.catalog import Catalog

GAP = "   "


def fitting(parts: Sequence[Text | str], width: int, gap: str = GAP) -> Text:
    """Return as many of the parts, from the first on, as stand side by side in this width."""
    line = Text(no_wrap=True)
    for part in parts:
        added = Text(gap if line else "", end="").append_text(part if isinstance(part, Text) else Text(part))
        if line.cell_len + added.cell_len > width:
            break
        line.append_text(added)
    return line


def with_rest_counted(parts: Sequence[str], width: int, catalog: Catalog, gap: str = GAP) -> Text:
    """Return as many of the parts as fit, and how many more there are."""
    for count in range(len(parts), -1, -1):
        more = [catalog.text("demo.more", count=len(parts) - count)] if count < len(parts) else []
        line = gap.join((*parts[:count], *more))
        if Text(line).cell_len <= width:
            return Text(line, no_wrap=True)
    return Text()


def columns(cells: Sequence[Text | str], widths: Sequence[int], left: frozenset[int]) -> Text:
    """Return one row of a table. left: the columns that stand to the left; numbers stand to the right."""
    line = Text(no_wrap=True)
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = cell.copy() if isinstance(cell, Text) else Text(cell)
        if number in left:
            text.pad_right(width - text.cell_len)
        else:
            text.pad_left(width - text.cell_len)
        line.append_text(text).append(" " if number < len(widths) - 1 else "")
    return line


def table(rows: Sequence[Sequence[Text | str]], left: frozenset[int], width: int) -> list[Text]:
    """Return the rows, the heading first, under each other; the last columns that do not fit are left out whole."""
    widths = [max(Text.assemble(cell).cell_len for cell in column) for column in zip(*rows, strict=True)]
    while sum(widths) + len(widths) - 1 > width and len(widths) > 1:
        widths.pop()
    return [columns(row[: len(widths)], widths, left) for row in rows]
