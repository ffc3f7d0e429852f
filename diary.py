"""What the bot writes down for its owner to look up, and never needs itself: decisions.csv.

Losing it harms nothing, so no trouble with it ever reaches a pass or a check: it is told, once, and that is all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from daily_plan import settled_decisions
from disk import Disk
from domain import DailyPlan
from events import warn
from settings import Settings
from why import COLUMNS, csv_row, in_order
from words import Words

DECISIONS = "decisions.csv"
_END_BYTES = 1_000_000  # of a file, to be looked at: a day's rows are far fewer


class Diary:
    """The files of one mode."""

    def __init__(self, settings: Settings, disk: Disk) -> None:
        self._decisions = Table(settings.file(DECISIONS), COLUMNS, disk)
        self._in_trouble = set[Path]()

    def note_decisions(self, plan: DailyPlan, settings: Settings) -> None:
        """Put what the plan decided into decisions.csv, in place of what is there of this day already."""
        if not plan.decisions:
            return
        day, words = plan.day.isoformat(), Words(settings.language)
        decisions = in_order(settled_decisions(plan))
        rows = [csv_row(day, plan.decided_at, one, settings.daily_rules, words) for one in decisions]
        self._write(self._decisions, rows, f"{day},")

    def _write(self, table: Table, rows: Sequence[Sequence[str]], instead_of: str = "") -> None:
        try:
            table.append(rows, instead_of=instead_of)
        except OSError as error:
            if table.path not in self._in_trouble:
                warn("diary.not_written", f"{table.path}: cannot be written ({error.strerror}); nothing depends on it")
            self._in_trouble.add(table.path)
        else:
            self._in_trouble.discard(table.path)


class Table:
    """A CSV file that grows at its end."""

    def __init__(self, path: Path, columns: Sequence[str], disk: Disk) -> None:
        self.path = path
        self._columns = columns
        self._disk = disk

    def append(self, rows: Iterable[Sequence[str]], *, instead_of: str = "") -> None:
        """Add rows, after mending a last line that a death left unfinished. Raises OSError.

        instead_of: rows at the file's end that begin like this are taken away, unless they are the same as the new.
        """
        rows = list(rows)
        if not self._disk.exists(self.path):
            self._disk.append(self.path, csv_bytes([self._columns, *rows]))
            return
        end, before = self._disk.read_end(self.path, _END_BYTES)
        whole = end.rfind(b"\n") + 1
        kept = _without_last(end[:whole], instead_of.encode()) if instead_of else whole
        if end[kept:] == csv_bytes(rows):
            return
        if kept < len(end):
            self._disk.truncate(self.path, before + kept)
        is_empty = before + kept == 0
        self._disk.append(self.path, csv_bytes([self._columns, *rows] if is_empty else rows))


def _without_last(content: bytes, beginning: bytes) -> int:
    """Return the length of whole lines without those at the end that begin like this."""
    length = len(content)
    for line in reversed(content.splitlines(keepends=True)):
        if not line.startswith(beginning):
            break
        length -= len(line)
    return length


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
