"""The owner's word to a bot that runs: small files that it looks for every cycle, so that any shell or phone can speak.

PAUSE: no new buys while it is there. SELL_ALL: sell every position; the bot takes the file away when it has taken note.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settings import Settings

PAUSE, SELL_ALL = "PAUSE", "SELL_ALL"


class Control:
    """The control files of one mode, in the working directory. The live bot's PAUSE pauses the others too."""

    def __init__(self, settings: Settings) -> None:
        self._pause = settings.file(PAUSE)
        self._sell_all = settings.file(SELL_ALL)

    def paused(self) -> str:
        """Return why no new buys are made, or nothing."""
        there = [str(path) for path in dict.fromkeys((self._pause, Path(PAUSE))) if path.exists()]
        return f"the file {there[0]} is there; python main.py resume" if there else ""

    def pause(self) -> None:
        """Ask for no new buys."""
        self._pause.touch(mode=0o600)

    def resume(self) -> bool:
        """Allow new buys again; return whether they were not allowed before."""
        was_paused = self._pause.exists()
        with suppress(FileNotFoundError):
            self._pause.unlink()
        return was_paused

    def ask_to_sell_all(self) -> None:
        """Ask for the sale of every position."""
        self._sell_all.touch(mode=0o600)

    def is_to_sell_all(self) -> bool:
        """Return whether the sale of every position is asked for and not yet taken note of."""
        return self._sell_all.exists()

    def sell_all_noted(self) -> None:
        """Take the request away: it stands in the book now."""
        with suppress(FileNotFoundError):
            self._sell_all.unlink()
