"""Files and book of a run that lives in memory only: nothing outlives it but what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from marsshot.core.book import Book
from marsshot.core.reasons import DecisionReason
from marsshot.infra.atomic_files import Disk
from marsshot.strategy.daily_plan import settled_decisions
from marsshot.strategy.levers import LEVER_REASONS
from positions_store import Store


class InMemoryDisk(Disk):
    """Files by path, in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[Path, bytearray] = {}

    def read(self, path: Path) -> bytes:
        """Return the whole file. Raises FileNotFoundError."""
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return bytes(self.files[path])

    def read_tail(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the last bytes of a file, and how many there are before them. Raises FileNotFoundError."""
        content = self.read(path)
        before = max(0, len(content) - length)
        return content[before:], before

    def exists(self, path: Path) -> bool:
        """Return whether there is such a file."""
        return path in self.files

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder."""
        return [path.name for path in self.files if path.parent == folder]

    def write(self, path: Path, content: bytes) -> None:
        """Create or overwrite a file."""
        self.files[path] = bytearray(content)

    def append(self, path: Path, content: bytes) -> None:
        """Add to the end of a file."""
        self.files.setdefault(path, bytearray()).extend(content)

    def ensure_synced(self, path: Path) -> None:
        """Do nothing: no file here outlives the process."""

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to its first bytes."""
        del self.files[path][length:]

    def replace(self, source: Path, target: Path) -> None:
        """Rename over the target."""
        self.files[target] = self.files.pop(source)

    def remove(self, path: Path) -> None:
        """Take a file away if it is there."""
        self.files.pop(path, None)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A purchase that a lever left out, or cut: amount is then what was bought for, in quote asset."""

    day: date
    symbol: str
    reason: DecisionReason
    amount: Decimal | None


class InMemoryStore(Store):
    """A book that is kept as a value: nobody will read it as text. trades.csv is written as ever."""

    held_back: tuple[HeldBack, ...] = ()

    def _write_book(self, book: Book) -> None:
        """Keep what levers did about a plan that is done; the book itself is all there is."""
        plan = self.book.plan
        if plan is not None and book.plan is None:
            self.held_back += tuple(
                HeldBack(plan.day, one.symbol, one.reason, one.quote)
                for one in settled_decisions(plan)
                if one.reason in LEVER_REASONS
            )
