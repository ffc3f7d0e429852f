"""A computer whose files are lost as real ones are: what was not synced may be gone, torn, or there after all.

Implements the system calls of disk.py; each may fail, or be the last. Knows nothing of money.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from marsshot.chaos.fault_schedule import Fate
from marsshot.infra.atomic_files import System

_REFUSALS = (errno.ENOSPC, errno.EIO, errno.EROFS)


class _File:
    """Content as programs see it, and as it would be found after a power cut."""

    def __init__(self) -> None:
        self.seen = b""
        self.durable = b""
        self.safe = 0  # so many bytes of it no power cut can take: synced, and not cut off since


class SimulatedSystem(System):
    """One folder's files. A process that dies leaves what it wrote; a power cut takes what was not synced."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._names: dict[Path, _File] = {}
        self._durable_names: dict[Path, _File] = {}
        self._changes: list[Callable[[dict[Path, _File]], None]] = []  # of names, since the folder was last synced
        self._open: dict[int, _File | None] = {}  # None: the folder
        self._next_descriptor = 3
        self._refused_until = 0
        self._calls = 0
        self.on_rename: Callable[[Path, bytes], None] = lambda _path, _content: None

    # ------------------------------------------------------------------ what disk.py calls

    def read(self, path: Path) -> bytes:
        """Return what programs see."""
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self._names[path].seen

    def read_end(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the end of what programs see."""
        content = self.read(path)
        before = max(0, len(content) - length)
        return content[before:], before

    def exists(self, path: Path) -> bool:
        """Return whether there is such a name."""
        return path in self._names

    def open(self, path: Path, flags: int) -> int:
        """Open, make, or empty a file; or open the folder."""
        if path == Path() or path == Path("/"):
            return self._descriptor_of(None)
        self._fate.step(f"open {path.name}")
        if path not in self._names:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            self._may_refuse(path)
            file = _File()
            self._change(lambda names: names.__setitem__(path, file))
        file = self._names[path]
        if flags & os.O_TRUNC:
            file.seen, file.safe = b"", 0
        return self._descriptor_of(file)

    def restrict(self, descriptor: int) -> None:
        """Do nothing: there is one owner."""

    def write(self, descriptor: int, content: memoryview) -> int:
        """Add to the file, perhaps not all of it, perhaps with the process's last breath."""
        file = self._file(descriptor)
        length = len(content)
        if self._fate.chance(0.01) and length > 1:
            length = 1 + self._fate.below(length - 1)
        try:
            self._fate.step("write")
        except BaseException:
            file.seen += bytes(content[: self._fate.below(length + 1)])
            raise
        if self._is_refusing():
            file.seen += bytes(content[: length // 2])
            self._refuse("write")
        file.seen += bytes(content[:length])
        return length

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file."""
        self._fate.step("truncate")
        file = self._file(descriptor)
        file.seen, file.safe = file.seen[:length], min(file.safe, length)

    def sync(self, descriptor: int) -> None:
        """Make a file's content, or the folder's names, last."""
        self._fate.step("sync")
        if self._is_refusing():
            self._refuse("sync")
        file = self._open[descriptor]
        if file is None:
            self._durable_names = dict(self._names)
            self._changes = []
        else:
            file.durable, file.safe = file.seen, len(file.seen)

    def close(self, descriptor: int) -> None:
        """Close."""
        self._open.pop(descriptor, None)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        self._fate.step(f"rename to {target.name}", danger=2)
        if self._is_refusing():
            self._refuse(f"rename to {target.name}")
        self._change(lambda names: names.__setitem__(target, names.pop(source)))
        self.on_rename(target, self._names[target].seen)

    def remove(self, path: Path) -> None:
        """Take a name away."""
        self._fate.step(f"remove {path.name}")
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self._change(lambda names: names.pop(path, None))

    # ------------------------------------------------------------------ what the world does

    def put(self, path: Path, content: bytes) -> None:
        """Write a file as another program does, whole and for good."""
        file = _File()
        file.seen = file.durable = content
        file.safe = len(content)
        self._names[path] = self._durable_names[path] = file

    def take(self, path: Path) -> None:
        """Take a file away as another program does."""
        self._names.pop(path, None)
        self._durable_names.pop(path, None)

    def reboot(self, *, power_cut: bool) -> None:
        """Begin anew after a death. A power cut keeps names up to some change, and of unsynced contents anything."""
        self._open.clear()
        if not power_cut:
            return
        names = dict(self._durable_names)
        for change in self._changes[: self._fate.below(len(self._changes) + 1)]:
            change(names)
        for file in names.values():
            if file.seen != file.durable:
                file.durable = file.seen = self._what_is_left(file)
                file.safe = len(file.seen)
        self._names, self._durable_names, self._changes = names, dict(names), []

    def _what_is_left(self, file: _File) -> bytes:
        """Return the old content, the new, or a torn one: the new as far as it came. What is synced cannot be torn."""
        torn = file.seen[: file.safe + self._fate.below(len(file.seen) - file.safe + 1)]
        return self._fate.choose((file.durable, file.seen, torn))

    # ------------------------------------------------------------------ within

    def _change(self, change: Callable[[dict[Path, _File]], object]) -> None:
        change(self._names)
        self._changes.append(lambda names: _quietly(change, names))

    def _descriptor_of(self, file: _File | None) -> int:
        self._next_descriptor += 1
        self._open[self._next_descriptor] = file
        return self._next_descriptor

    def _file(self, descriptor: int) -> _File:
        file = self._open[descriptor]
        assert file is not None  # noqa: S101 - nobody writes into a folder
        return file

    def _may_refuse(self, path: Path) -> None:
        if self._is_refusing():
            self._refuse(f"open {path.name}")

    def _is_refusing(self) -> bool:
        """Return whether the disk is in trouble, now and for some calls to come."""
        self._calls += 1
        if self._fate.chance(self._fate.disk_trouble):
            self._refused_until = self._calls + self._fate.choose((1, 1, 3, 30))
        return not self._fate.is_calm and self._calls < self._refused_until

    def _refuse(self, what: str) -> None:
        number = self._fate.choose(_REFUSALS)
        self._fate.note("disk fault", f"{what}: {os.strerror(number)}")
        raise OSError(number, os.strerror(number))


def _quietly(change: Callable[[dict[Path, _File]], object], names: dict[Path, _File]) -> None:
    """Replay a change of names as far as it still makes sense."""
    try:
        change(names)
    except KeyError:
        return
