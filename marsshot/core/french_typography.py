"""Where no line of a French text may break: before `: ; ? ! %` and units, and inside « ».

The catalogue's files are written with ordinary blanks, which an editor shows. Pure; changes blanks alone.
"""

from __future__ import annotations

import re

NO_BREAK = "\u00a0"
SEMICOLON = f"{NO_BREAK}; "

# A sign, but not Python's own `%(name)s`; what counts or measures the number, or the value in its place, before it.
_SIGN = r"(?<=\S) (?=[:;?!»]|%(?![(\w]))"
_UNIT = (
    r"(?<=[\d}]) (?=(?:s|min|h|j|ms|Mo|Go|jours?|secondes?|minutes?|euros?|USDT|USDC|EUR)\b"
    r"|\{(?:quote|asset|currency|symbol)\}|\{\w+:[^}]*/)"
)
_BLANKS = re.compile(rf"{_SIGN}|{_UNIT}|(?<=«) ")


def with_firm_blanks(text: str) -> str:
    """Return a sentence of the catalogue, or a text without values, with its blanks where no line may break."""
    return _BLANKS.sub(NO_BREAK, text)
