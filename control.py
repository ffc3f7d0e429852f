"""The owner's word to a bot that runs: small files that it looks for every cycle, so that any shell or phone can speak.

PAUSE: no new buys while it is there; the bot makes it too, with the reason in it, when the owner has to look first.
SELL_ALL: sell every position; the bot takes the file away when it has taken note.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from disk import Disk
from errors import TemporaryError

if TYPE_CHECKING:
    from settings import Settings

PAUSE, SELL_ALL = "PAUSE", "SELL_ALL"


class Control:
    """The control files of one mode, in the working directory. The live bot's PAUSE pauses the others too."""

    def __init__(self, settings: Settings, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self._pause = settings.file(PAUSE)
        self._sell_all = settings.file(SELL_ALL)

    def paused(self) -> str:
        """Return why no new buys are made, or nothing."""
        there = [path for path in self._pausing() if self._disk.exists(path)]
        if not there:
            return ""
        reason = self._reason(there[0])
        return f"the file {there[0]} is there{f' ({reason})' if reason else ''}; python main.py resume"

    def reason(self) -> str:
        """Return what stands in the file that pauses buying; nothing where the owner made it."""
        there = [path for path in self._pausing() if self._disk.exists(path)]
        return self._reason(there[0]) if there else ""

    def _pausing(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self._pause, Path(PAUSE))))

    def _reason(self, path: Path) -> str:
        with suppress(OSError):
            return " ".join(self._disk.read(path).decode("utf-8", errors="replace").split())[:500]
        return ""

    def pause(self, reason: str = "") -> None:
        """Ask for no new buys; a reason is added to those that are there. Raises TemporaryError."""
        before = self._reason(self._pause) if self._disk.exists(self._pause) else ""
        self._write(self._pause, "\n".join(line for line in (before, reason) if line))

    def resume(self) -> bool:
        """Allow new buys again; return whether they were not allowed before. Raises OSError."""
        was_paused = self._disk.exists(self._pause)
        self._disk.remove(self._pause)
        return was_paused

    def ask_to_sell_all(self) -> None:
        """Ask for the sale of every position. Raises TemporaryError."""
        self._write(self._sell_all, "")

    def is_to_sell_all(self) -> bool:
        """Return whether the sale of every position is asked for and not yet taken note of."""
        return self._disk.exists(self._sell_all)

    def sell_all_noted(self) -> None:
        """Take the request away: it stands in the book now. Raises TemporaryError."""
        try:
            self._disk.remove(self._sell_all)
        except OSError as error:
            raise TemporaryError(f"{self._sell_all}: cannot be taken away ({error.strerror})") from None

    def _write(self, path: Path, text: str) -> None:
        try:
            self._disk.write(path, f"{text}\n".encode() if text else b"")
        except OSError as error:
            raise TemporaryError(
                f"{path}: cannot be written ({error.strerror}); make room or mend the folder"
            ) from None
