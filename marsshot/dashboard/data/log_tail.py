"""The end of bot.log, line by line, newest first. Pure but for the reading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from marsshot.dashboard.data.file_cache import read_end

MOST_BYTES = 256_000
MOST_LINES = 300
LEVELS = ("INFO", "WARNING", "ERROR")
_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<level>[A-Z]+) (?P<event>\S+)(?P<fields>.*?) \| (?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log; what has no form of its own (a traceback) is text alone."""

    time: str
    level: str
    event: str
    fields: str
    text: str


def last_lines(path: Path, level: str, wanted: str) -> list[Line]:
    """Return the last lines of at least this level that have the wanted text in them, newest first. Raises OSError."""
    least = LEVELS.index(level) if level in LEVELS else 0
    found: list[Line] = []
    for text in reversed(read_end(path, MOST_BYTES).decode("utf-8", errors="replace").splitlines()):
        line = _line(text)
        if _weight(line) >= least and wanted.casefold() in text.casefold():
            found.append(line)
            if len(found) == MOST_LINES:
                break
    return found


def _line(text: str) -> Line:
    match = _LINE.fullmatch(text)
    return Line(**match.groupdict()) if match else Line("", "", "", "", text)


def _weight(line: Line) -> int:
    return LEVELS.index(line.level) if line.level in LEVELS else 0
