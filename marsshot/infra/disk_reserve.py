"""Room kept free for the book: a file that is given up when the disk is full, so that exits go on.

Knows nothing of what is saved in that room.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

from marsshot.infra.atomic_files import Disk

RESERVE_BYTES = 1_048_576
FREE_TO_LAY = 4 * RESERVE_BYTES  # with less than this the disk is still full: the reserve would be given up at once
_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_disk_full(error: OSError) -> bool:
    """Return whether the disk, or the quota on it, has no room left."""
    return error.errno in _FULL


class DiskReserve:
    """The reserve of one folder. `is_laid`: it is there, and the book can count on it."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self.is_laid = False

    def lay(self) -> bool:
        """Lay the reserve where it is missing and there is room for it; return whether it is there now."""
        if self.is_laid:
            return True
        try:
            if self._disk.size(self._path) != RESERVE_BYTES:
                if self._disk.free_bytes(self._path.parent) < FREE_TO_LAY:
                    return False
                self._disk.write(self._path, bytes(RESERVE_BYTES))
        except OSError:
            with suppress(OSError):
                self._disk.remove(self._path)
            return False
        self.is_laid = True
        return True

    def give_up(self) -> bool:
        """Free the room; return whether there was any."""
        self.is_laid = False
        try:
            had_room = self._disk.size(self._path) > 0
            self._disk.remove(self._path)
        except OSError:
            return False
        return had_room
