"""How one tells that a file is another one: by what the system says of it, or by its content."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

Fingerprint = tuple[int, int, int]


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what changes when somebody replaces or rewrites a file: its number, its time, its size."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def file_fingerprint(path: Path) -> Fingerprint | None:
    """Return the fingerprint of a file as it is now. None: there is none, or it cannot be looked at."""
    try:
        return fingerprint(path.stat())
    except OSError:
        return None


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    return sha256(content).hexdigest()
