"""The few file operations that money depends on, each its own step so that a test can end the process between any two.

Files are created readable by their owner only. Knows nothing of what they hold.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Disk:
    """The real file system."""

    def read(self, path: Path) -> bytes:
        """Return the whole file. Raises OSError."""
        return path.read_bytes()

    def exists(self, path: Path) -> bool:
        """Return whether there is such a file."""
        return path.exists()

    def write(self, path: Path, content: bytes) -> None:
        """Create or overwrite a file, readable by its owner only, and see it down to the disk. Raises OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, path: Path, content: bytes) -> None:
        """Add to the end of a file and see it down to the disk. Raises OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to its first bytes. Raises OSError."""
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename over the target in one step, and make the new name last. Raises OSError."""
        os.replace(source, target)
        self._sync_folder(target.parent)

    def _sync_folder(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # some file systems cannot sync a folder; the rename itself has happened
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_whole(disk: Disk, path: Path, content: bytes, *, keep_backup: bool = False) -> None:
    """Replace a file in one step: a crash leaves the old one or the new one, never half of either.

    keep_backup: the previous content stays beside it as NAME.bak. Raises OSError.
    """
    if keep_backup and disk.exists(path):
        scratch = path.with_name(path.name + ".bak.tmp")
        disk.write(scratch, disk.read(path))
        disk.replace(scratch, path.with_name(path.name + ".bak"))
    scratch = path.with_name(path.name + ".tmp")
    disk.write(scratch, content)
    disk.replace(scratch, path)
