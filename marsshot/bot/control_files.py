"""The owner's commands to a running bot: small files that it looks for in every cycle; any shell can write one.

PAUSE: no new buys while it is there; the bot makes it too, with the reason in it, when the owner has to look first.
RESUME: compare book and account, and count what is there; the bot takes the file away.
SELL_ALL: sell every position; the bot takes the file away when it has taken note.
DAILY: make the daily update of the day that stands in it now, whatever the hour; the bot takes the file away when that
is done or has to wait. heard.json: the bot's reply, for the command that waits for it: what it has read, and what it
could not sell, and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marsshot.config.bot_files import DAILY, PAUSE, REPLY, RESUME, SELL_ALL
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.reasons import UnsoldReason
from marsshot.infra.atomic_files import Disk, replace_atomically

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

BY_DIFFERENCE = "[book.differs]"  # a line of PAUSE: the bot made it, as book and exchange differ


class PendingCommands(NamedTuple):
    """What the owner asks for."""

    paused: bool
    sell_all_requested: bool
    daily_update_requested: bool


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The bot's reply: whether buying is paused, and of what it was to sell the rest, by token, and why."""

    paused: bool
    sold_all: bool = False  # an answer to SELL_ALL
    left: Mapping[str, tuple[UnsoldReason, str]] = field(default_factory=dict)  # and what was said besides


class ControlFiles:
    """The control files of one mode, in the working directory. The live bot's PAUSE pauses the others too."""

    def __init__(self, settings: Settings, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self._pause = settings.file(PAUSE)
        self.sell_all_path = settings.file(SELL_ALL)
        self._resume = settings.file(RESUME)
        self._daily = settings.file(DAILY)
        self._reply_path = settings.file(REPLY)

    def paused(self) -> str:
        """Return why no new buys are made, or nothing."""
        there = [path for path in self._pause_files() if self._disk.exists(path)]
        if not there:
            return ""
        reason = self._reason(there[0])
        return LocalizedText("pause.file", path=there[0], reason=reason)

    def reason(self) -> str:
        """Return what stands in the file that pauses buying; nothing where the owner made it."""
        there = [path for path in self._pause_files() if self._disk.exists(path)]
        return self._reason(there[0]) if there else ""

    def _pause_files(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self._pause, Path(PAUSE))))

    def _reason(self, path: Path) -> str:
        return " ".join(" ".join(line for line in self._lines(path) if line != BY_DIFFERENCE).split())[:500]

    def _lines(self, path: Path) -> list[str]:
        with suppress(OSError):
            return self._disk.read(path).decode("utf-8", errors="replace").splitlines()
        return []

    def is_paused_by_difference(self) -> bool:
        """Return whether the bot has paused buying because book and exchange differ."""
        there = [path for path in self._pause_files() if self._disk.exists(path)]
        return bool(there) and BY_DIFFERENCE in self._lines(there[0])

    def pause(self, reason: str = "", *, by_difference: bool = False) -> None:
        """Ask for no new buys; a reason is added to those that are there. Raises TemporaryError."""
        is_there = self._disk.exists(self._pause)
        before = self._reason(self._pause) if is_there else ""
        marked = by_difference or (is_there and BY_DIFFERENCE in self._lines(self._pause))
        lines = (before, reason, BY_DIFFERENCE if marked else "")
        self._write(self._pause, "\n".join(line for line in lines if line))

    def resume(self) -> bool:
        """Allow new buys again, and let the book count what the account has of what the owner was told differs.

        Return whether buying was paused. Raises OSError or TemporaryError.
        """
        was_paused = self._disk.exists(self._pause)
        self._write(self._resume, "")
        self._disk.remove(self._pause)
        return was_paused

    def is_resume_requested(self) -> bool:
        """Return whether the owner has resumed, and book and account were not compared since. Never raises."""
        with suppress(OSError):
            return self._disk.exists(self._resume)
        return False

    def acknowledge_resume(self) -> None:
        """Take the request away: book and account were compared, and what came of it is in the book."""
        if self.is_resume_requested():
            with suppress(OSError):  # it only asks for another comparison
                self._disk.remove(self._resume)

    def pending_commands(self) -> PendingCommands:
        """Return the commands that are pending."""
        return PendingCommands(bool(self.paused()), self.is_sell_all_requested(), self.is_daily_update_requested())

    def request_sell_all(self) -> None:
        """Ask for the sale of every position. Raises TemporaryError."""
        self._write(self.sell_all_path, "")

    def write_reply(self, reply: CommandReply) -> None:
        """Write the reply, for a command that may wait for it. Raises OSError; nothing depends on it."""
        replace_atomically(self._disk, self._reply_path, f"{json.dumps(asdict(reply))}\n".encode())

    def clear_reply(self) -> None:
        """Remove an earlier reply, so that the next one is known to be new."""
        with suppress(OSError):
            self._disk.remove(self._reply_path)

    def read_reply(self) -> CommandReply | None:
        """Return the bot's reply, or None while there is none."""
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError):
            content = json.loads(self._disk.read(self._reply_path))
            left = {symbol: (UnsoldReason(reason), str(said)) for symbol, (reason, said) in content["left"].items()}
            return CommandReply(bool(content["paused"]), bool(content["sold_all"]), left)
        return None

    def is_sell_all_requested(self) -> bool:
        """Return whether the sale of every position is asked for and not yet taken note of."""
        return self._disk.exists(self.sell_all_path)

    def acknowledge_sell_all(self) -> None:
        """Take the request away: it stands in the book now. Raises TemporaryError."""
        self._remove(self.sell_all_path)

    def request_daily_update(self, today: date) -> None:
        """Request the daily update of this UTC day now. Raises TemporaryError."""
        self._write(self._daily, today.isoformat())

    def is_daily_update_requested(self) -> bool:
        """Return whether a daily update is requested, of whatever day, and not acknowledged yet. Never raises."""
        with suppress(OSError):
            return self._disk.exists(self._daily)
        return False

    def is_daily_update_requested_for(self, today: date) -> bool:
        """Return whether the update of this UTC day is requested; a file made by hand is for any. Never raises."""
        return self.is_daily_update_requested() and self._reason(self._daily) in {"", today.isoformat()}

    def acknowledge_daily_request(self) -> None:
        """Take the request away: the daily update is done, or postponed. Raises TemporaryError."""
        self._remove(self._daily)

    def _remove(self, path: Path) -> None:
        try:
            self._disk.remove(path)
        except OSError as error:
            raise TemporaryError(LocalizedText("fault.file.stays", path=path, why=error.strerror)) from None

    def _write(self, path: Path, text: str) -> None:
        try:
            self._disk.write(path, f"{text}\n".encode() if text else b"")
        except OSError as error:
            raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None
