"""The last lines of bot.log, newest first, filtered by level and text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from marsshot.core.foreign_text import printable
from marsshot.dashboard.data.file_cache import read_tail

MAX_BYTES = 256_000
MAX_LINES = 300
LEVELS = ("INFO", "WARNING", "ERROR")
_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<level>[A-Z]+) (?P<event>\S+)(?P<fields>.*?) \| (?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log; what has no form of its own (a traceback) is text alone."""

    time: str
    level: str
    event: str
    fields: str
    text: str


def tail_log(path: Path, level: str, wanted: str) -> list[LogLine]:
    """Return the last lines of at least this level that have the wanted text in them, newest first. Raises OSError."""
    least = LEVELS.index(level) if level in LEVELS else 0
    found: list[LogLine] = []
    for text in reversed(read_tail(path, MAX_BYTES).decode("utf-8", errors="replace").splitlines()):
        line = _parse_line(text)
        if _severity(line) >= least and wanted.casefold() in text.casefold():
            found.append(line)
            if len(found) == MAX_LINES:
                break
    return found


def _parse_line(text: str) -> LogLine:
    text = printable(text)
    match = _LINE.fullmatch(text)
    return LogLine(**match.groupdict()) if match else LogLine("", "", "", "", text)


def _severity(line: LogLine) -> int:
    return LEVELS.index(line.level) if line.level in LEVELS else 0
