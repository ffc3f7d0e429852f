"""English words that the scripts need in more than one place. Knows nobody."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 token", "2 tokens"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
