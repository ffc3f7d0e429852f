"""The few file operations that money depends on, made of single system calls, so that a simulated system can fail or
end the process at each of them.

Files are created readable by their owner only, or by his group where MARSSHOT_GROUP_READS says so. Knows nothing of
what they hold.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from marsshot.infra.fingerprints import Fingerprint, fingerprint

# What file systems answer that cannot sync a folder; on those a rename lasts by other means, or not at all.
_CANNOT_SYNC_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
BACKUP_ENDING, SCRATCH_ENDING = ".bak", ".tmp"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_AT_THE_END = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_NEVER_THERE_BEFORE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
GROUP_READS_VARIABLE = "MARSSHOT_GROUP_READS"  # 1 where another user, the dashboard's, is to read the bot's files


def group_may_read() -> bool:
    """Return whether the group of the bot's user may read what it writes: only where the owner has set that up."""
    return os.environ.get(GROUP_READS_VARIABLE) == "1"


def private_mode() -> int:
    """Return the rights that files are made with."""
    return 0o640 if group_may_read() else 0o600


def open_private(name: str, flags: int) -> int:
    """Open a file, made with those rights if it is new; for open()'s opener."""
    return os.open(name, flags, private_mode())


def _open_without_waiting(name: str, flags: int) -> int:
    """Open for reading; a pipe that somebody has put in a file's place keeps nobody waiting."""
    return os.open(name, flags | os.O_NONBLOCK)


class SystemCalls:
    """The operating system's calls, one to one. All raise OSError."""

    def read(self, path: Path) -> bytes:
        """Return the whole file."""
        return path.read_bytes()

    def read_tail(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the last bytes of a file, at most so many, and how many there are before them."""
        with open(path, "rb", opener=_open_without_waiting) as file:
            before = max(0, file.seek(0, os.SEEK_END) - length)
            file.seek(before)
            return file.read(length), before  # no more, of a file that has no end either

    def exists(self, path: Path) -> bool:
        """Return whether there is such a file."""
        return path.exists()

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder."""
        return os.listdir(folder)

    def size(self, path: Path) -> int:
        """Return a file's length in bytes."""
        return path.stat().st_size

    def modified_ns(self, path: Path) -> int:
        """Return when a file was last written, in nanoseconds since 1970."""
        return path.stat().st_mtime_ns

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes can still be written there."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def open(self, path: Path, flags: int) -> int:
        """Open a file, made private if it is new, or a folder; return its descriptor."""
        return os.open(path, flags, private_mode())

    def restrict(self, descriptor: int) -> None:
        """Give the file the rights that files are made with."""
        os.fchmod(descriptor, private_mode())

    def restrict_to_owner(self, descriptor: int) -> None:
        """Let the owner alone read the file, whatever the group may read."""
        os.fchmod(descriptor, 0o600)

    def write(self, descriptor: int, content: memoryview) -> int:
        """Write, perhaps not all; return how many bytes."""
        return os.write(descriptor, content)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file to its first bytes."""
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """See the file, or the folder's names, down to the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename over the target in one step."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """Take the file's name away."""
        path.unlink()


class SystemCallsWithoutSync(SystemCalls):
    """The same for files that a power cut may take: nothing waits for the disk."""

    def sync(self, descriptor: int) -> None:
        """Leave it to the system when the disk has it."""


class Disk:
    """Files as the bot needs them: what a call has written is on the disk when it returns."""

    def __init__(self, system: SystemCalls | None = None) -> None:
        self._system = system or SystemCalls()

    def read(self, path: Path) -> bytes:
        """Return the whole file. Raises OSError."""
        return self._system.read(path)

    def read_tail(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the last bytes of a file, at most so many, and how many there are before them. Raises OSError."""
        return self._system.read_tail(path, length)

    def exists(self, path: Path) -> bool:
        """Return whether there is such a file."""
        return self._system.exists(path)

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder. Raises OSError."""
        return self._system.names(folder)

    def size(self, path: Path) -> int:
        """Return a file's length in bytes, 0 where there is none. Raises OSError."""
        return self._system.size(path) if self._system.exists(path) else 0

    def modified_ns(self, path: Path) -> int:
        """Return when a file was last written, in nanoseconds since 1970, 0 where there is none. Raises OSError."""
        return self._system.modified_ns(path) if self._system.exists(path) else 0

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes can still be written in a folder. Raises OSError."""
        return self._system.free_bytes(folder)

    def write(self, path: Path, content: bytes) -> None:
        """Create or overwrite a private file, and see it down to the disk. Raises OSError."""
        self._write_synced(path, _NEW, content, self._system.restrict)

    def write_secret(self, path: Path, content: bytes) -> None:
        """Do the same with what may hold keys: nobody but its owner reads it, no group either. Raises OSError."""
        self._write_synced(path, _NEW, content, self._system.restrict_to_owner)

    def write_new(self, path: Path, content: bytes) -> None:
        """Create a file of whose name there is nothing, no link either, and see it down to the disk. Raises OSError."""
        self._write_synced(path, _NEVER_THERE_BEFORE, content, self._system.restrict)

    def _write_synced(self, path: Path, flags: int, content: bytes, restrict: Callable[[int], None]) -> None:
        descriptor = self._system.open(path, flags)
        try:
            restrict(descriptor)
            self._write_all(descriptor, content)
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)

    def append(self, path: Path, content: bytes) -> None:
        """Add to the end of a file and see it down to the disk, its name too if it is new. Raises OSError."""
        descriptor = self._system.open(path, _AT_THE_END)
        try:
            self._write_all(descriptor, content)
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)
        self._sync_folder(path.parent)

    def write_unsynced(self, path: Path, content: bytes) -> None:
        """Replace a small file in one step; a power cut may take it, which must harm nothing. Raises OSError."""
        scratch = scratch_path(path)
        self._put(scratch, _NEW, content)
        self._system.rename(scratch, path)

    def append_unsynced(self, path: Path, content: bytes) -> None:
        """Add to the end of a file; a power cut may take it, which must harm nothing. Raises OSError."""
        self._put(path, _AT_THE_END, content)

    def _put(self, path: Path, flags: int, content: bytes) -> None:
        descriptor = self._system.open(path, flags)
        try:
            self._system.restrict(descriptor)
            self._write_all(descriptor, content)
        finally:
            self._system.close(descriptor)

    def ensure_synced(self, path: Path) -> None:
        """See down to the disk what an earlier process may have written and not synced. Raises OSError."""
        descriptor = self._system.open(path, os.O_WRONLY)
        try:
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)
        self._sync_folder(path.parent)

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to its first bytes. Raises OSError."""
        descriptor = self._system.open(path, os.O_WRONLY)
        try:
            self._system.truncate(descriptor, length)
            self._system.sync(descriptor)
        finally:
            self._system.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Rename over the target in one step, and make the new name last. Raises OSError."""
        self._system.rename(source, target)
        self._sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Take a file away if it is there. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._system.remove(path)

    def _write_all(self, descriptor: int, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self._system.write(descriptor, view) :]

    def _sync_folder(self, folder: Path) -> None:
        try:
            descriptor = self._system.open(folder, os.O_RDONLY)
            try:
                self._system.sync(descriptor)
            finally:
                self._system.close(descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC_FOLDERS:
                raise


def backup_path(path: Path) -> Path:
    """Return where the previous content of a file is kept."""
    return path.with_name(path.name + BACKUP_ENDING)


def scratch_path(path: Path) -> Path:
    """Return where new content is written before it takes the file's place."""
    return path.with_name(path.name + SCRATCH_ENDING)


def replace_atomically(disk: Disk, path: Path, content: bytes, *, keep_backup: bool = False) -> None:
    """Replace a file in one step: a crash leaves the old one or the new one, never half of either.

    keep_backup: the previous content stays beside it as NAME.bak. Raises OSError.
    """
    if keep_backup and disk.exists(path):
        backup = backup_path(path)
        disk.write(scratch_path(backup), disk.read(path))
        disk.replace(scratch_path(backup), backup)
    scratch = scratch_path(path)
    disk.write(scratch, content)
    disk.replace(scratch, path)


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> Fingerprint:
    """Replace a file that others may read, whole: a crash leaves the old one or the new one. Raises OSError.

    durable: wait until the disk has it; not worth it for what can be had again. Returns the fingerprint of the new one.
    """
    scratch = Path(f"{path}.{os.getpid()}{SCRATCH_ENDING}")
    try:
        with scratch.open("wb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            os.fchmod(file.fileno(), mode & ~_OTHERS_WRITE)  # whatever the umask: such a model would be refused
            file.write(content)
            file.flush()
            written = fingerprint(os.fstat(file.fileno()))
            if durable:
                os.fsync(file.fileno())
        if durable:
            Disk().replace(scratch, path)
        else:
            scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return written


def replace_in_shared_folder(disk: Disk, path: Path, content: bytes) -> None:
    """Replace a file in a folder that another user writes to: no link or pipe of his is followed. Raises OSError."""
    scratch = scratch_path(path)
    disk.remove(scratch)
    disk.write_new(scratch, content)
    disk.replace(scratch, path)
