"""The zip files of data.binance.vision over the recorded history: months and days of klines, each with its checksum.

Times are milliseconds, from the wire's 2025 on microseconds. Knows no HTTP.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from embedded_market.market_data.history import SECONDS_PER_DAY, day_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedded_market.binance.klines import Klines

_PATH = re.compile(r"/data/spot/(monthly|daily)/klines/(\w+)/(5m|1d)/\2-\3-(\d{4}-\d{2}(?:-\d{2})?)\.zip(\.CHECKSUM)?")
_MICROSECONDS_FROM = date(2025, 1, 1)
_HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote,ignore"
PREFIX = "/data/spot/"


class BulkFiles:
    """Files are there from the day after their last day on. `spoil` harms a zip by its name, after its checksum."""

    def __init__(self, klines: Klines, base_of: Callable[[str, float], str | None]) -> None:
        self._klines = klines
        self._base_of = base_of
        self.has_header = False
        """Begin each file with the names of its columns."""
        self.spoil: Callable[[str, bytes], bytes] | None = None

    def content(self, path: str, now: float) -> bytes | None:
        """Return a file, or None where there is none."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        span, symbol, interval, period, wants_checksum = found.groups()
        first = date.fromisoformat(period if span == "daily" else f"{period}-01")
        end = first + timedelta(days=1) if span == "daily" else (first + timedelta(days=31)).replace(day=1)
        coin = self._base_of(symbol, now)
        if coin is None or day_start(end) > now:
            return None
        lines = self._lines(coin, interval, first, end, now)
        if not lines:
            return None
        name = path.rsplit("/", 1)[-1].removesuffix(".CHECKSUM")
        content = _zipped(name, ([_HEADER] if self.has_header else []) + lines)
        if wants_checksum:
            return f"{sha256(content).hexdigest()}  {name}\n".encode()
        return content if self.spoil is None else self.spoil(name, content)

    def _lines(self, coin: str, interval: str, first: date, end: date, now: float) -> list[str]:
        step = SECONDS_PER_DAY if interval == "1d" else 300
        factor = 1000 if first >= _MICROSECONDS_FROM else 1
        lines = []
        for opened in range(int(day_start(first)), int(day_start(end)), step):
            row = self._klines.row(coin, interval, opened, now)
            if row is not None:
                stamps = int(row[0]) * factor, (int(row[6]) + 1) * factor - 1
                lines.append(",".join(map(str, [stamps[0], *row[1:6], stamps[1], *row[7:]])))
        return lines


def _zipped(name: str, lines: list[str]) -> bytes:
    buffer = io.BytesIO()
    entry = zipfile.ZipInfo(name.replace(".zip", ".csv"), datetime(2021, 1, 1, tzinfo=UTC).timetuple()[:6])
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, "\n".join(lines) + "\n")
    return buffer.getvalue()
