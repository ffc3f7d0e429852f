"""Text from outside (an exchange's answer, a file, the environment) as one line of printable characters.

So that nobody out there writes a line of the log, steers the terminal, or has a spreadsheet run something. Pure.
"""

from __future__ import annotations

import re

MAX_LENGTH = 300
_CUT = "…"
_UNREADABLE = "?"
_READ_AT_MOST = 20 * MAX_LENGTH  # of a text: an answer may have megabytes
_BLANK_SIGNS = " \u00a0\u202f"  # French numbers have the narrow ones
_BREAKS = re.compile(rf" *[^\S{_BLANK_SIGNS}]+ *")


def printable(text: str) -> str:
    """Return a text as one line: breaks and tabs as a blank, what cannot be printed as a question mark."""
    if text.isprintable():
        return text
    line = _BREAKS.sub(" ", text)
    return "".join(sign if sign.isprintable() or sign in _BLANK_SIGNS else _UNREADABLE for sign in line)


def one_line(text: str) -> str:
    """Return a text from outside as one printable line of at most MAX_LENGTH characters."""
    line = printable(text[:_READ_AT_MOST])
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - len(_CUT)] + _CUT
