"""A simulated file system: after a power cut, what was not synced may be gone, torn, or there after all.

Implements the system calls of atomic_files.py; each may fail, or be the last. Knows nothing of money.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.infra.atomic_files import SystemCalls

PLENTY = 10**9  # bytes
_ERROR_NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS)


class _File:
    """Content as programs see it, and as it would be found after a power cut."""

    def __init__(self, serial: int) -> None:
        self.serial = serial  # stands for the time it was made
        self.visible = b""
        self.durable = b""
        self.synced_length = 0  # so many bytes of it no power cut can take: synced, and not cut off since


class SimulatedFilesystem(SystemCalls):
    """One folder's files. A process that crashes leaves what it wrote; a power cut takes what was not synced."""

    def __init__(self, fault_schedule: FaultSchedule) -> None:
        self._faults = fault_schedule
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._changes: list[Callable[[dict[str, _File]], None]] = []  # of names, since the folder was last synced
        self._open: dict[int, _File | None] = {}  # None: the folder
        self._next_descriptor = 3
        self._files_made = 0
        self._failing_until = 0
        self._calls = 0
        self._capacity: int | None = None  # bytes that the bot's files may take; None: as many as they like
        self.on_rename: Callable[[Path, bytes], None] = lambda _path, _content: None

    # ------------------------------------------------------------------ what atomic_files.py calls

    def read(self, path: Path) -> bytes:
        """Return what programs see."""
        return self._named(path).visible

    def read_tail(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the end of what programs see."""
        content = self.read(path)
        before = max(0, len(content) - length)
        return content[before:], before

    def exists(self, path: Path) -> bool:
        """Return whether there is such a name."""
        return path.name in self._names

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder."""
        return [] if folder.name else list(self._names)

    def size(self, path: Path) -> int:
        """Return a file's length."""
        return len(self.read(path))

    def modified_ns(self, path: Path) -> int:
        """Return a number that no other file of this run has."""
        return self._named(path).serial

    def free_bytes(self, folder: Path) -> int:
        """Return how much can still be written."""
        return PLENTY if self._capacity is None else max(0, self._capacity - self._used())

    def open(self, path: Path, flags: int) -> int:
        """Open, make, or empty a file; or open the folder."""
        name = path.name
        if not name:
            return self._descriptor_of(None)
        self._faults.crash_point(f"open {name}")
        if name not in self._names:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            self._fail_if_due(path)
            file = self._new_file()
            self._change(lambda names: names.__setitem__(name, file))
        file = self._names[name]
        if flags & os.O_TRUNC:
            file.visible, file.synced_length = b"", 0
        return self._descriptor_of(file)

    def restrict(self, descriptor: int) -> None:
        """Do nothing: there is one owner."""

    def restrict_to_owner(self, descriptor: int) -> None:
        """Do nothing: there is one owner."""

    def write(self, descriptor: int, content: memoryview) -> int:
        """Add to the file, perhaps not all of it, perhaps with the process's last breath."""
        file = self._file(descriptor)
        length = len(content)
        if self._faults.chance(0.01) and length > 1:
            length = 1 + self._faults.below(length - 1)
        try:
            self._faults.crash_point("write")
        except BaseException:
            file.visible += bytes(content[: self._faults.below(length + 1)])
            raise
        if self._is_failing():
            file.visible += bytes(content[: length // 2])
            self._fail("write")
        if self._capacity is not None and length > (room := self.free_bytes(Path())):
            file.visible += bytes(content[:room])
            self._faults.record_event("disk fault", "write: the disk is full")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.visible += bytes(content[:length])
        return length

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file."""
        self._faults.crash_point("truncate")
        file = self._file(descriptor)
        file.visible, file.synced_length = file.visible[:length], min(file.synced_length, length)

    def sync(self, descriptor: int) -> None:
        """Make a file's content, or the folder's names, last."""
        self._faults.crash_point("sync")
        if self._is_failing():
            self._fail("sync")
        file = self._open[descriptor]
        if file is None:
            self._durable_names = dict(self._names)
            self._changes = []
        else:
            file.durable, file.synced_length = file.visible, len(file.visible)

    def close(self, descriptor: int) -> None:
        """Close."""
        self._open.pop(descriptor, None)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        self._faults.crash_point(f"rename to {target.name}", weight=2)
        if self._is_failing():
            self._fail(f"rename to {target.name}")
        before, after = source.name, target.name
        self._change(lambda names: names.__setitem__(after, names.pop(before)))
        self.on_rename(target, self._names[after].visible)

    def remove(self, path: Path) -> None:
        """Take a name away."""
        self._faults.crash_point(f"remove {path.name}")
        self._named(path)
        self._change(lambda names: names.pop(path.name, None))

    # ------------------------------------------------------------------ what the world does

    def put(self, path: Path, content: bytes) -> None:
        """Write a file as another program does, whole and for good."""
        file = self._new_file()
        file.visible = file.durable = content
        file.synced_length = len(content)
        self._names[path.name] = self._durable_names[path.name] = file

    def take(self, path: Path) -> None:
        """Take a file away as another program does."""
        self._names.pop(path.name, None)
        self._durable_names.pop(path.name, None)

    def fill(self, room: int | None) -> None:
        """Let other programs take the disk but for so many bytes; None: let them go again."""
        self._capacity = None if room is None else self._used() + room
        self._faults.record_event("disk", "has room again" if room is None else f"has {room} bytes left")

    @property
    def is_limited(self) -> bool:
        """Whether other programs have left little of the disk."""
        return self._capacity is not None

    def _used(self) -> int:
        return sum(len(file.visible) for file in self._names.values())

    def reboot(self, *, power_cut: bool) -> None:
        """Begin anew after a death. A power cut keeps names up to some change, and of unsynced contents anything."""
        self._open.clear()
        if not power_cut:
            return
        names = dict(self._durable_names)
        for change in self._changes[: self._faults.below(len(self._changes) + 1)]:
            change(names)
        for file in names.values():
            if file.visible != file.durable:
                file.durable = file.visible = self._content_after_power_cut(file)
                file.synced_length = len(file.visible)
        self._names, self._durable_names, self._changes = names, dict(names), []

    def _content_after_power_cut(self, file: _File) -> bytes:
        """Return the old content, the new, or a torn one: the new as far as it came. What is synced cannot be torn."""
        torn = file.visible[: file.synced_length + self._faults.below(len(file.visible) - file.synced_length + 1)]
        return self._faults.choose((file.durable, file.visible, torn))

    # ------------------------------------------------------------------ within

    def _named(self, path: Path) -> _File:
        if (file := self._names.get(path.name)) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return file

    def _change(self, change: Callable[[dict[str, _File]], object]) -> None:
        change(self._names)
        self._changes.append(lambda names: _apply_if_possible(change, names))

    def _new_file(self) -> _File:
        self._files_made += 1
        return _File(self._files_made)

    def _descriptor_of(self, file: _File | None) -> int:
        self._next_descriptor += 1
        self._open[self._next_descriptor] = file
        return self._next_descriptor

    def _file(self, descriptor: int) -> _File:
        file = self._open[descriptor]
        assert file is not None  # noqa: S101 - nobody writes into a folder
        return file

    def _fail_if_due(self, path: Path) -> None:
        if self._is_failing():
            self._fail(f"open {path.name}")

    def _is_failing(self) -> bool:
        """Return whether the disk is in trouble, now and for some calls to come."""
        self._calls += 1
        if self._faults.chance(self._faults.disk_fault_rate):
            self._failing_until = self._calls + self._faults.choose((1, 1, 3, 30))
        return not self._faults.is_fault_free and self._calls < self._failing_until

    def _fail(self, what: str) -> None:
        number = self._faults.choose(_ERROR_NUMBERS)
        self._faults.record_event("disk fault", f"{what}: {os.strerror(number)}")
        raise OSError(number, os.strerror(number))


def _apply_if_possible(change: Callable[[dict[str, _File]], object], names: dict[str, _File]) -> None:
    """Replay a change of names as far as it still makes sense."""
    try:
        change(names)
    except KeyError:
        return
