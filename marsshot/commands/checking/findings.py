"""What `main.py check` finds: a value. Imports no other module."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a thing stands."""

    GOOD = "good"
    NOTE = "note"  # worth knowing; the bot works all the same, or it cannot be told
    BAD = "bad"  # to be mended


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for the owner."""

    level: Level
    subject: str
    text: str
    remedy: str = ""
