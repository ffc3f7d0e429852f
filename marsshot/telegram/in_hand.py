"""What the owner has asked for and is not done: kept in a file, so that after a death he is told, and nothing repeated.

Losing the file harms nothing: what is confirmed at Telegram is not delivered again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from marsshot.infra.atomic_files import Disk


class InHand:
    """What was asked for, as it was typed, by the number of its update. Safe for several threads."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._held: dict[int, str] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            content = json.loads(self._disk.read(path))
            self._held = {int(number): str(text)[:64] for number, text in content.items()}

    @property
    def held(self) -> Mapping[int, str]:
        """What is in hand."""
        with self._lock:
            return dict(self._held)

    def take(self, number: int, text: str) -> None:
        """Note what is about to be done. Never raises: a full disk stops no sale."""
        with self._lock:
            self._held[number] = text
            self._save()

    def done(self, number: int) -> None:
        """Note that it is over."""
        with self._lock:
            if self._held.pop(number, None) is not None:
                self._save()

    def _save(self) -> None:
        with suppress(OSError):
            self._disk.write_unsynced(self._path, f"{json.dumps(self._held)}\n".encode())
