"""Files that another process writes: read whole, and again only when they have changed. Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from marsshot.infra.fingerprints import Fingerprint, file_fingerprint

Content = TypeVar("Content")


class FileCache:
    """What files hold, as values; made anew when a file has changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._cached: dict[Path, tuple[Fingerprint | None, Any]] = {}

    def get(self, path: Path, parse: Callable[[Path], Content]) -> Content:
        """Return what made_by makes of the file, which may be absent: one maker per file.

        What made_by raises is passed on, and not kept.
        """
        stamp = file_fingerprint(path)
        with self._lock:
            cached = self._cached.get(path)
        if cached is not None and cached[0] == stamp:
            return cast("Content", cached[1])
        content = parse(path)
        with self._lock:
            self._cached[path] = (stamp, content)
        return content


def read_or_empty(path: Path) -> bytes:
    """Return the content of a file; nothing where there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def read_tail(path: Path, most: int) -> bytes:
    """Return the last bytes of a file, from the beginning of a line on. Raises OSError."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            content = file.read(most)
    except FileNotFoundError:
        return b""
    return content if size <= most else content.partition(b"\n")[2]
