"""Bitvavo's candles: recorded daily bars in euros, newest first; days without a trade are missing rows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from embedded_market.bitvavo.markets import in_euros, price_text
from embedded_market.bitvavo.request_checks import Query, invalid
from embedded_market.market_data.history import SECONDS_PER_DAY

if TYPE_CHECKING:
    from embedded_market.market_data.price_board import PriceBoard

CANDLES = frozenset({"interval", "limit", "start", "end"})
_MAX_ROWS = 1440
_DAY_MS = SECONDS_PER_DAY * 1000


class Candles:
    """Daily candles of every coin on record. The running day's row comes first and is not whole."""

    def __init__(self, board: PriceBoard, shift_days: int) -> None:
        self._board = board
        self._shift = shift_days * SECONDS_PER_DAY
        self.missing: set[tuple[str, int]] = set()
        """Coin and unix day (of history) without a trade."""

    def rows(self, coin: str, query: Query, now: float) -> list[list[object]]:
        """Return GET {market}/candles."""
        if query.required("interval") != "1d":
            raise invalid("interval")
        limit = query.integer("limit", _MAX_ROWS)
        if not 1 <= limit <= _MAX_ROWS:
            raise invalid("limit")
        start, end = query.integer("start", 0), query.integer("end", round(now * 1000))
        today, bars = self._board.moment(now)[0], self._board.history.coins[coin].bars
        rows: list[list[object]] = []
        for day in range(today, min(bars) - 1, -1):
            opened_ms = (day * SECONDS_PER_DAY + self._shift) * 1000
            if day in bars and (coin, day) not in self.missing and start <= opened_ms <= end:
                rows.append(self._row(coin, day, opened_ms, now))
            if len(rows) == limit or opened_ms < start:
                break
        return rows

    def _row(self, coin: str, day: int, opened_ms: int, now: float) -> list[object]:
        bar = self._board.history.coins[coin].bars[day]
        prices: tuple[Decimal, ...] = (bar.open, bar.high, bar.low, bar.close)
        volume = bar.volume / bar.close  # in coins
        if (passed := now * 1000 - opened_ms) < _DAY_MS:
            prices = self._board.bar_so_far(coin, now)
            volume *= Decimal(int(passed)) / _DAY_MS
        return [opened_ms, *(price_text(in_euros(price)) for price in prices), f"{volume:.8f}"]
