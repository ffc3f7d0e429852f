"""The owner's commands to a running bot: small files that it looks for in every cycle; any shell can write one.

PAUSE: no new buys while it is there; the bot makes it too, with the reason in it, when the owner has to look first.
RESUME: compare book and account, and count what is there; the bot takes the file away.
SELL_ALL: sell every position; the bot takes the file away when it has taken note.
DAILY: make the daily update of the day that stands in it now, whatever the hour; the bot takes the file away when that
is done or has to wait. heard.json: the bot's reply, for the command that waits for it: what it has read, and what it
could not sell, and why.
REQUEST.<id>: one request of another kind (core/requests.py), each in a file of its own; the bot takes it away when the
book has it.

Where the working directory has a folder `control`, requests are made there: the dashboard's user may write to it and to
nothing else of the bot's. What lies in the working directory itself counts as ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marsshot.config.bot_files import (
    CONTROL_FOLDER,
    DAILY,
    PAUSE,
    REPLY,
    RESUME,
    SELL_ALL,
    request_id_in,
    request_path,
)
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.foreign_text import one_line
from marsshot.core.reasons import UnsoldReason
from marsshot.core.requests import OwnerRequest, request_from_json, request_to_json
from marsshot.infra.atomic_files import Disk, replace_atomically, replace_in_shared_folder

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

BY_DIFFERENCE = "[book.differs]"  # a line of PAUSE: the bot made it, as book and exchange differ
_LONGEST_REASON = 2000  # bytes; in the folder another user may leave a file of any length


class PendingCommands(NamedTuple):
    """What the owner asks for; looked at as a whole, whether anything is new."""

    paused: bool
    sell_all_requested: bool
    daily_update_requested: bool
    request_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The bot's reply: whether buying is paused, and of what it was to sell the rest, by token, and why."""

    paused: bool
    sold_all: bool = False  # an answer to SELL_ALL
    left: Mapping[str, tuple[UnsoldReason, str]] = field(default_factory=dict)  # and what was said besides


class ControlFiles:
    """The control files of one mode, in the working directory and its folder `control`.

    The live bot's PAUSE pauses the others too.
    """

    def __init__(self, settings: Settings, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        folder = Path(CONTROL_FOLDER)
        self._places = (folder, Path()) if self._disk.exists(folder) else (Path(),)
        self._pause = self._paths(settings.file(PAUSE))
        self._live_pause = self._paths(Path(PAUSE))
        self._sell_all = self._paths(settings.file(SELL_ALL))
        self._resume = self._paths(settings.file(RESUME))
        self._daily = self._paths(settings.file(DAILY))
        self._reply_path = settings.file(REPLY)
        self._mode = settings.mode

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return where a request may lie, there or not."""
        return (*self._pause_files(), *self._sell_all, *self._resume, *self._daily, *self._request_files())

    @property
    def sell_all_path(self) -> Path:
        """Return where the request to sell everything lies, or would."""
        return (self._there(self._sell_all) or self._sell_all)[0]

    def _paths(self, name: Path) -> tuple[Path, ...]:
        """Return where a request of this name may lie; the first is where it is made."""
        return tuple(place / name for place in self._places)

    def _there(self, paths: Sequence[Path]) -> Sequence[Path]:
        return [path for path in paths if self._disk.exists(path)]

    def paused(self) -> str:
        """Return why no new buys are made, or nothing."""
        there = self._there(self._pause_files())
        if not there:
            return ""
        reason = self._reason(there)
        return LocalizedText("pause.file", path=there[0], reason=reason)

    def reason(self) -> str:
        """Return what stands in the file that pauses buying; nothing where the owner made it."""
        return self._reason(self._pause_files())

    def _pause_files(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self._pause, *self._live_pause)))

    def _reason(self, paths: Sequence[Path]) -> str:
        return one_line(" ".join(line for line in self._lines(paths) if line != BY_DIFFERENCE).strip())

    def _lines(self, paths: Sequence[Path]) -> list[str]:
        """Return what stands in the first of these files that is there."""
        for path in self._there(paths)[:1]:
            with suppress(OSError):
                content, _ = self._disk.read_tail(path, _LONGEST_REASON)
                return content.decode("utf-8", errors="replace").splitlines()
        return []

    def is_paused_by_difference(self) -> bool:
        """Return whether the bot has paused buying because book and exchange differ."""
        return BY_DIFFERENCE in self._lines(self._pause_files())

    def pause(self, reason: str = "", *, by_difference: bool = False) -> None:
        """Ask for no new buys; a reason is added to those that are there. Raises TemporaryError."""
        marked = by_difference or BY_DIFFERENCE in self._lines(self._pause)
        lines = (self._reason(self._pause), reason, BY_DIFFERENCE if marked else "")
        self._write(self._pause[0], "\n".join(line for line in lines if line))

    def resume(self) -> bool:
        """Allow new buys again, and let the book count what the account has of what the owner was told differs.

        Return whether buying was paused. Raises OSError or TemporaryError.
        """
        was_paused = bool(self._there(self._pause))
        self._write(self._resume[0], "")
        for path in self._pause:
            self._disk.remove(path)
        return was_paused

    def is_resume_requested(self) -> bool:
        """Return whether the owner has resumed, and book and account were not compared since. Never raises."""
        with suppress(OSError):
            return bool(self._there(self._resume))
        return False

    def acknowledge_resume(self) -> None:
        """Take the request away: book and account were compared, and what came of it is in the book."""
        if self.is_resume_requested():
            with suppress(TemporaryError):  # it only asks for another comparison
                self._remove(self._resume)

    def pending_commands(self) -> PendingCommands:
        """Return the commands that are pending."""
        return PendingCommands(
            bool(self.paused()),
            self.is_sell_all_requested(),
            self.is_daily_update_requested(),
            frozenset(path.name.rpartition(".")[2] for path in self._request_files()),
        )

    def request_sell_all(self) -> None:
        """Ask for the sale of every position. Raises TemporaryError."""
        self._write(self._sell_all[0], "")

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
        return bool(self._there(self._sell_all))

    def sell_all_made_ns(self) -> int:
        """Return when the request to sell everything was made, in nanoseconds since 1970; 0 where there is none."""
        return max(map(self._disk.modified_ns, self._sell_all))

    def acknowledge_sell_all(self) -> None:
        """Take the request away: it stands in the book now. Raises TemporaryError."""
        self._remove(self._sell_all)

    def request_daily_update(self, today: date) -> None:
        """Request the daily update of this UTC day now. Raises TemporaryError."""
        self._write(self._daily[0], today.isoformat())

    def is_daily_update_requested(self) -> bool:
        """Return whether a daily update is requested, of whatever day, and not acknowledged yet. Never raises."""
        with suppress(OSError):
            return bool(self._there(self._daily))
        return False

    def is_daily_update_requested_for(self, today: date) -> bool:
        """Return whether the update of this UTC day is requested; a file made by hand is for any. Never raises."""
        return self.is_daily_update_requested() and self._reason(self._daily) in {"", today.isoformat()}

    def acknowledge_daily_request(self) -> None:
        """Take the request away: the daily update is done, or postponed. Raises TemporaryError."""
        self._remove(self._daily)

    # ------------------------------------------------------------------ requests in files of their own

    def _request_files(self) -> list[Path]:
        """Return where requests lie, in an order that does not change; none while the disk is in trouble."""
        with suppress(OSError):
            return [
                place / name
                for place in self._places
                for name in sorted(name for name in self._disk.names(place) if request_id_in(name, self._mode))
            ]
        return []

    def write_request(self, request: OwnerRequest) -> None:
        """Ask for it. Raises TemporaryError."""
        path = self._places[0] / request_path(request.request_id, self._mode)
        try:
            replace_in_shared_folder(self._disk, path, f"{request_to_json(request)}\n".encode())
        except OSError as error:
            raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None

    def owner_requests(self) -> tuple[list[OwnerRequest], list[Path]]:
        """Return the requests that are there, and the files of that name that hold none. Raises OSError."""
        found: list[OwnerRequest] = []
        unreadable: list[Path] = []
        for path in self._request_files():
            with suppress(FileNotFoundError):
                try:
                    content, _ = self._disk.read_tail(path, _LONGEST_REASON)
                    found.append(request_from_json(path.name.rpartition(".")[2], content.decode("utf-8")))
                except FileNotFoundError:
                    raise
                except (OSError, ValueError):
                    unreadable.append(path)
        return found, unreadable

    def remove_request(self, request_id: str) -> None:
        """Take a request away, wherever it lies. Raises TemporaryError."""
        self._remove([place / request_path(request_id, self._mode) for place in self._places])

    def _remove(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                self._disk.remove(path)
            except OSError as error:
                raise TemporaryError(LocalizedText("fault.file.stays", path=path, why=error.strerror)) from None

    def _write(self, path: Path, text: str) -> None:
        content = f"{text}\n".encode() if text else b""
        try:
            if path.parent == Path(CONTROL_FOLDER):
                replace_in_shared_folder(self._disk, path, content)
            else:
                self._disk.write(path, content)
        except OSError as error:
            raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None
