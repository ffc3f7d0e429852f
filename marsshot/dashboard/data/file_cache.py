"""Files that another process writes: read whole, and again only when they have changed. Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

Content = TypeVar("Content")
Stamp = tuple[int, int, int] | None


def stamp_of(path: Path) -> Stamp:
    """Return what changes when the file does: its number, its size, its time. None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class Files:
    """What files hold, as values; made anew when a file has changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[Path, tuple[Stamp, Any]] = {}

    def get(self, path: Path, made_by: Callable[[Path], Content]) -> Content:
        """Return what made_by makes of the file, which may be absent: one maker per file.

        What made_by raises is passed on, and not kept.
        """
        stamp = stamp_of(path)
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None and kept[0] == stamp:
            return cast("Content", kept[1])
        content = made_by(path)
        with self._lock:
            self._kept[path] = (stamp, content)
        return content


def read_whole(path: Path) -> bytes:
    """Return the content of a file; nothing where there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def read_end(path: Path, most: int) -> bytes:
    """Return the last bytes of a file, from the beginning of a line on. Raises OSError."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            content = file.read(most)
    except FileNotFoundError:
        return b""
    return content if size <= most else content.partition(b"\n")[2]
