"""Daily bars of one token, and the closed ones kept on disk so that they are asked for once.

One file per coin: a line of JSON, then the raw numbers. A file that is broken, of another server or of another
layout counts as absent. Knows no HTTP and no clock.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marsshot.config.bot_files import CACHE_FOLDER
from marsshot.infra.atomic_files import replace_file

FIELDS = ("open", "high", "low", "close", "volume", "market_cap", "galaxy_score", "alt_rank", "sentiment")
CLOSE = FIELDS.index("close")

_LAYOUT = 1
_ROW_BYTES = 8 * (1 + len(FIELDS))


@dataclass(frozen=True, slots=True, eq=False)
class DailyBars:
    """Closed UTC days of one token, oldest first; NaN is what the source did not say. Prices and amounts in the
    source's currency."""

    symbol: str
    days: NDArray[np.datetime64]  # datetime64[D], strictly increasing
    values: NDArray[np.float64]  # shape (n, 9), columns in the order of FIELDS

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together or are out of order."""
        if self.values.shape != (len(self.days), len(FIELDS)):
            raise ValueError(f"{self.symbol}: {len(self.days)} days with values of shape {self.values.shape}")
        if not (self.days[1:] > self.days[:-1]).all():
            raise ValueError(f"{self.symbol}: days are not strictly increasing")

    def has_close(self) -> NDArray[np.bool_]:
        """Return which days have a close above zero."""
        usable: NDArray[np.bool_] = self.values[:, CLOSE] > 0
        return usable

    def between(self, first: np.datetime64, end: np.datetime64) -> DailyBars:
        """Return the days from first on, before end."""
        inside = slice(*np.searchsorted(self.days, np.array([first, end])))
        return DailyBars(self.symbol, self.days[inside], self.values[inside])


def merged(old: DailyBars, new: DailyBars) -> DailyBars:
    """Return the days of both; on a day of both the new one wins, unless only the old one has a close."""
    before = int(np.searchsorted(old.days, new.days[0])) if len(new.days) else len(old.days)  # these stay as they are
    days = np.concatenate([old.days[before:], new.days])
    values = np.concatenate([old.values[before:], new.values])
    is_new = np.arange(len(days)) >= len(old.days) - before
    order = np.lexsort((is_new, values[:, CLOSE] > 0, days))  # of the rows of one day the last one wins
    days, values = days[order], values[order]
    wins = np.ones(len(days), dtype=np.bool_)
    wins[:-1] = days[1:] != days[:-1]
    return DailyBars(
        new.symbol, np.concatenate([old.days[:before], days[wins]]), np.concatenate([old.values[:before], values[wins]])
    )


@dataclass(frozen=True, slots=True)
class CachedBars:
    """What the cache holds of a coin, and what was asked for to get it."""

    bars: DailyBars
    asked_from: np.datetime64  # the earliest day ever asked for: a young token has no bar there
    asked_on: np.datetime64  # the UTC day of the last question


def cache_folder(mode: str, source: str = "lunarcrush") -> Path:
    """Return where the bars of a mode are kept, by their source."""
    return Path(CACHE_FOLDER) / mode / source


class BarCache:
    """The folder of cached bars of one server."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder = folder
        self._base_url = base_url
        self._paths: dict[str, Path] = {}

    def load(self, symbol: str, coin: str) -> CachedBars | None:
        """Return what is held of a coin, or None if there is nothing usable."""
        try:
            content = self._path(coin).read_bytes()
            return self._parse(content, symbol, coin)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, coin: str, cached: CachedBars, *, durable: bool = False) -> None:
        """Replace what is held of a coin; durable: wait until the disk has it. Raises OSError."""
        days = cached.bars.days.astype("datetime64[D]").astype("<i8").tobytes()
        numbers = days + cached.bars.values.astype("<f8").tobytes()
        head = {
            **self._identity(coin),
            "asked_from": str(cached.asked_from),
            "asked_on": str(cached.asked_on),
            "rows": len(cached.bars.days),
            "crc32": zlib.crc32(numbers),
        }
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._path(coin), json.dumps(head).encode() + b"\n" + numbers, durable=durable)

    def _identity(self, coin: str) -> dict[str, object]:
        return {"layout": _LAYOUT, "fields": list(FIELDS), "base_url": self._base_url, "coin": coin}

    def _path(self, coin: str) -> Path:
        if coin not in self._paths:
            # The plain name is for people; the digest keeps names apart that differ in case or in signs only.
            plain, digest = re.sub(r"[^A-Za-z0-9]", "_", coin)[:24], sha256(coin.encode()).hexdigest()[:8]
            self._paths[coin] = self._folder / f"{plain}-{digest}.bars"
        return self._paths[coin]

    def _parse(self, content: bytes, symbol: str, coin: str) -> CachedBars:
        line, _, numbers = content.partition(b"\n")
        head = json.loads(line)
        rows = int(head["rows"])
        if any(head[key] != value for key, value in self._identity(coin).items()):
            raise ValueError("held for another server, coin or layout")
        if len(numbers) != rows * _ROW_BYTES or zlib.crc32(numbers) != head["crc32"]:
            raise ValueError("broken")
        days = np.frombuffer(numbers, "<i8", rows).astype("datetime64[D]")
        values = np.frombuffer(numbers, "<f8", offset=8 * rows).reshape(rows, len(FIELDS)).astype(np.float64)
        asked = (np.datetime64(head["asked_from"], "D"), np.datetime64(head["asked_on"], "D"))
        return CachedBars(DailyBars(symbol, days, values), *asked)
