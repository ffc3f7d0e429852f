"""The owner's word to a bot that runs: small files that it looks for every cycle, so that any shell or phone can speak.

PAUSE: no new buys while it is there; the bot makes it too, with the reason in it, when the owner has to look first.
SELL_ALL: sell every position; the bot takes the file away when it has taken note.
DAILY: make the pass of the day that stands in it now, whatever the hour; the bot takes the file away when that is done
or has to wait.
heard.json: the bot's answer, for the command that waits for it: what it has heard, and what it could not sell, and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marsshot.core.catalog import Sentence
from marsshot.core.errors import TemporaryError
from marsshot.infra.atomic_files import Disk, replace_whole

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

PAUSE, SELL_ALL, DAILY, HEARD = "PAUSE", "SELL_ALL", "DAILY", "heard.json"


class Word(NamedTuple):
    """What the owner asks for."""

    paused: bool
    to_sell_all: bool
    asks_for_daily: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What the bot has heard: whether buying is paused, and of what it was to sell the rest, by token, and why."""

    paused: bool
    sold_all: bool = False  # an answer to SELL_ALL
    left: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # a code of the catalogue, and what was said


class Control:
    """The control files of one mode, in the working directory. The live bot's PAUSE pauses the others too."""

    def __init__(self, settings: Settings, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self._pause = settings.file(PAUSE)
        self._sell_all = settings.file(SELL_ALL)
        self._daily = settings.file(DAILY)
        self._heard = settings.file(HEARD)

    def paused(self) -> str:
        """Return why no new buys are made, or nothing."""
        there = [path for path in self._pausing() if self._disk.exists(path)]
        if not there:
            return ""
        reason = self._reason(there[0])
        return Sentence("pause.file", path=there[0], reason=reason)

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

    def word(self) -> Word:
        """Return the owner's word as it stands."""
        return Word(bool(self.paused()), self.is_to_sell_all(), self.is_daily_asked())

    def ask_to_sell_all(self) -> None:
        """Ask for the sale of every position. Raises TemporaryError."""
        self._write(self._sell_all, "")

    def answer(self, heard: Heard) -> None:
        """Say what the bot has heard, to a command that may wait for it. Raises OSError; nothing depends on it."""
        replace_whole(self._disk, self._heard, f"{json.dumps(asdict(heard))}\n".encode())

    def forget_answers(self) -> None:
        """Take an earlier answer away, so that the next one is known to be new."""
        with suppress(OSError):
            self._disk.remove(self._heard)

    def answered(self) -> Heard | None:
        """Return the bot's answer, or None while there is none."""
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError):
            content = json.loads(self._disk.read(self._heard))
            left = {symbol: (str(code), str(said)) for symbol, (code, said) in content["left"].items()}
            return Heard(bool(content["paused"]), bool(content["sold_all"]), left)
        return None

    def is_to_sell_all(self) -> bool:
        """Return whether the sale of every position is asked for and not yet taken note of."""
        return self._disk.exists(self._sell_all)

    def sell_all_noted(self) -> None:
        """Take the request away: it stands in the book now. Raises TemporaryError."""
        self._take_away(self._sell_all)

    def ask_for_daily(self, today: date) -> None:
        """Ask for the pass of this UTC day now. Raises TemporaryError."""
        self._write(self._daily, today.isoformat())

    def is_daily_asked(self) -> bool:
        """Return whether a pass is asked for, of whatever day, and not answered yet. Never raises."""
        with suppress(OSError):
            return self._disk.exists(self._daily)
        return False

    def is_daily_wanted(self, today: date) -> bool:
        """Return whether the pass of this UTC day is asked for; a file made by hand says no day. Never raises."""
        return self.is_daily_asked() and self._reason(self._daily) in {"", today.isoformat()}

    def daily_answered(self) -> None:
        """Take the request away: the pass is done, or put off. Raises TemporaryError."""
        self._take_away(self._daily)

    def _take_away(self, path: Path) -> None:
        try:
            self._disk.remove(path)
        except OSError as error:
            raise TemporaryError(Sentence("fault.file.stays", path=path, why=error.strerror)) from None

    def _write(self, path: Path, text: str) -> None:
        try:
            self._disk.write(path, f"{text}\n".encode() if text else b"")
        except OSError as error:
            raise TemporaryError(Sentence("fault.file.unwritable", path=path, why=error.strerror)) from None
