"""Numbers of things in English, the language of the backtest's reports. Pure."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """Return a number and its noun: 1 token, 2 tokens."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
