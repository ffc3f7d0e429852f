"""Five-minute and daily klines out of the zip files of data.binance.vision: fetched once, checked, kept, read.

A file is kept only when its checksum fits, so that what was begun is gone on with. Files of pairs that are traded no
more are there, too. Knows no rules and no tokens, only pairs.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.atomic_files import replace_file
from marsshot.market_data.binance_public import BinancePublic
from marsshot.market_data.public_host import NOT_FOUND, OK, SilentHostError

HOST = "https://data.binance.vision"
DAY = timedelta(days=1)
LATE_DAYS = 2  # a day's file is there the day after, or the day after that
YOUNG_DAYS = 62  # a month that began no longer ago may not have its file yet
ATTEMPTS = 3
MONTH_BYTES = {"1d": 3_000, "5m": 450_000}  # of a zip, about
PLACES = [0, 1, 2, 3, 4, 6, 7]  # open time, four prices, close time, quote volume
_MICROSECONDS_FROM = 1e13  # spot files count in microseconds from 2025 on

Rows = NDArray[np.float64]
"""Shape (bars, 7): the fields of PLACES, times in milliseconds."""


class FaultyFileError(MarsShotError):
    """A file is not what its checksum promises, or holds no klines; the message names it."""


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A file of the host: a month, or a day."""

    pair: str
    interval: str
    first: date
    is_month: bool

    @property
    def name(self) -> str:
        """Return its name."""
        period = f"{self.first:%Y-%m}" if self.is_month else f"{self.first:%Y-%m-%d}"
        return f"{self.pair}-{self.interval}-{period}.zip"

    @property
    def path(self) -> str:
        """Return its path at the host."""
        span = "monthly" if self.is_month else "daily"
        return f"/data/spot/{span}/klines/{self.pair}/{self.interval}/{self.name}"

    def days(self) -> tuple[BulkFile, ...]:
        """Return the files of its days."""
        return tuple(BulkFile(self.pair, self.interval, day, is_month=False) for day in _days_of_month(self.first))


def files_of(pair: str, interval: str, first: date, last: date, today: date) -> list[BulkFile]:
    """Return the files that hold these days: whole months that are over, and days; what is too new has none."""
    files, day = [], first
    while day <= min(last, today - LATE_DAYS * DAY):
        month_end = _days_of_month(day)[-1]
        is_month = month_end < today.replace(day=1) and (day.day == 1 or month_end <= last)
        files.append(BulkFile(pair, interval, day.replace(day=1) if is_month else day, is_month))
        day = month_end + DAY if is_month else day + DAY
    return files


def _days_of_month(day: date) -> list[date]:
    first = day.replace(day=1)
    length = ((first + 31 * DAY).replace(day=1) - first).days
    return [first + number * DAY for number in range(length)]


class BulkKlines:
    """The files of one host, and those that are on the disk already."""

    def __init__(self, public: BinancePublic, folder: Path) -> None:
        self._public = public
        self._folder = folder
        self.bytes_fetched = 0

    def rows(self, pair: str, interval: str, first: date, last: date, today: date) -> Rows:
        """Return the bars of these days that there are files of. Raises FaultyFileError, TemporaryError."""
        found = [self._rows_of(file, today) for file in files_of(pair, interval, first, last, today)]
        rows = np.concatenate([np.empty((0, len(PLACES))), *(part for one in found for part in one)])
        lowest, end = (_ms(day) for day in (first, last + DAY))
        return rows[(rows[:, 0] >= lowest) & (rows[:, 0] < end)]

    def _rows_of(self, file: BulkFile, today: date) -> Iterator[Rows]:
        """Yield what a file holds; a month that has none yet is made of its days."""
        content = self._content(file)
        if content is not None:
            yield read_zip(content, file.name)
        elif file.is_month and file.first > today - YOUNG_DAYS * DAY:
            for day in file.days():
                content = self._content(day)
                if content is not None:
                    yield read_zip(content, day.name)

    def _content(self, file: BulkFile) -> bytes | None:
        """Return a file, from the disk or the host; None where there is none."""
        kept = self._folder / file.pair / file.interval / file.name
        if kept.exists():
            return kept.read_bytes()
        content = self._fetched(file.path)
        if content is None:
            return None
        promised = self._fetched(f"{file.path}.CHECKSUM")
        if promised is not None and (found := re.match(rb"[0-9a-fA-F]{64}", promised)):
            if found[0].decode().lower() != sha256(content).hexdigest():
                raise FaultyFileError(LocalizedText("backtest.fault.checksum", file=file.name))
        else:
            raise FaultyFileError(LocalizedText("backtest.fault.no_checksum", file=file.name))
        read_zip(content, file.name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, content)
        self.bytes_fetched += len(content)
        return content

    def _fetched(self, path: str) -> bytes | None:
        trouble = ""
        for _ in range(ATTEMPTS):
            try:
                status, _headers, content = self._public.get(path)
            except SilentHostError as error:
                trouble = error.kind
                continue
            if status == OK:
                return content
            if status == NOT_FOUND:
                return None
            trouble = f"HTTP {status}"
        raise TemporaryError(LocalizedText("backtest.fault.not_now", file=path.rsplit("/", 1)[-1], why=trouble))


def read_zip(content: bytes, name: str) -> Rows:
    """Return the bars of a file, with or without a header. Raises FaultyFileError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = archive.read(archive.namelist()[0])
    except (zipfile.BadZipFile, IndexError, OSError, EOFError, ValueError, NotImplementedError):
        raise FaultyFileError(LocalizedText("backtest.fault.no_zip", file=name)) from None
    has_header = not text[:1].isdigit()
    try:
        table = pd.read_csv(io.BytesIO(text), header=None, skiprows=int(has_header), usecols=PLACES, dtype=np.float64)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise FaultyFileError(LocalizedText("backtest.fault.no_klines", file=name)) from None
    rows: Rows = table.to_numpy(dtype=np.float64)
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise FaultyFileError(LocalizedText("backtest.fault.no_klines", file=name))
    for place in (0, PLACES.index(6)):
        rows[:, place] = np.where(rows[:, place] > _MICROSECONDS_FROM, rows[:, place] // 1000, rows[:, place])
    return rows


def bytes_needed(interval: str, pairs: int, first: date, last: date) -> int:
    """Return how much the files of a span take on the disk, about."""
    return int(MONTH_BYTES[interval] * pairs * ((last - first).days / 30 + 1))


def _ms(day: date) -> float:
    return (day - date(1970, 1, 1)).days * 86_400_000.0
