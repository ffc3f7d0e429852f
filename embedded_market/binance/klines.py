"""Binance's GET /api/v3/klines over the recorded history, oddities included. Knows no HTTP and no weight.

The running day's candle comes last and is not whole. A halted day is flat, at the last price, without volume; a day on
which the exchange was off is missing. Days are recorded; five-minute bars follow the made-up path inside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from embedded_market.binance.request_checks import SYMBOL, BinanceError
from embedded_market.market_data.history import MAX_DECIMALS, SECONDS_PER_DAY, unix_day
from embedded_market.market_data.price_path import STEP_SECONDS, STEPS_PER_DAY

if TYPE_CHECKING:
    from embedded_market.binance.request_checks import Parameters
    from embedded_market.market_data.price_board import PriceBoard

PARAMETERS = frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"})
INTERVAL_SECONDS = {"5m": STEP_SECONDS, "1d": SECONDS_PER_DAY}
DEFAULT_LIMIT, MAX_LIMIT = 500, 1000

Row = list[int | str]
Prices = tuple[Decimal, Decimal, Decimal, Decimal]


class Klines:
    """The bars of each coin, as rows of twelve. `halted` and `off`: days of history, by coin, that tests take away."""

    def __init__(self, board: PriceBoard, shift_days: int) -> None:
        self._board = board
        self._shift = shift_days * SECONDS_PER_DAY
        self.halted: defaultdict[str, set[date]] = defaultdict(set)
        """Trading stopped while the exchange ran."""
        self.off: defaultdict[str, set[date]] = defaultdict(set)
        """Maintenance: no bar at all."""
        self.began: dict[str, date] = {}
        """A pair that is younger than its coin's record: listed late, or renamed."""
        self.edit_rows: Callable[[str, list[Row]], object] | None = None
        """Called with the symbol and the rows, to harm the answer."""

    def answer(self, parameters: Parameters, base_of: Callable[[str], str], now: float) -> object:
        """Return the rows that a request asks for. base_of: gives the coin of a symbol, or raises Binance's error."""
        symbol, interval = parameters.required("symbol", SYMBOL), parameters.required("interval")
        parameters.check_all_known()
        if interval not in INTERVAL_SECONDS:
            raise BinanceError(-1120, "Invalid interval.")
        coin, length = base_of(symbol), INTERVAL_SECONDS[interval] * 1000
        start, end = parameters.integer("startTime"), parameters.integer("endTime")
        limit = min(parameters.integer("limit") or DEFAULT_LIMIT, MAX_LIMIT)
        first_ms, last_ms = self._span_ms(coin, now)
        first_ms = max(first_ms, 0 if start is None else -(-start // length) * length)
        last_ms = min(last_ms, last_ms if end is None else end)
        if start is None:  # the newest
            first_ms = max(first_ms, last_ms // length * length - (limit - 1) * length)
        rows: list[Row] = []
        opened = first_ms
        while opened <= last_ms and len(rows) < limit:
            row = self.row(coin, interval, opened // 1000, now)
            rows += [row] if row is not None else []
            opened += length
        return rows if self.edit_rows is None else self.edit_rows(symbol, rows)

    def row(self, coin: str, interval: str, opened: int, now: float) -> Row | None:
        """Return the bar that opens at this second of the wire; None where there is none."""
        day, second = divmod(opened - self._shift, SECONDS_PER_DAY)
        if day in map(unix_day, self.off[coin]):
            return None
        if day in map(unix_day, self.halted[coin]):
            price = self._board.path_of(coin, day).price(0)
            return _row(opened, INTERVAL_SECONDS[interval], (price,) * 4, Decimal(0))
        known = self._board.history.coins[coin].bars.get(day)
        if known is None:
            return None
        volume = Decimal(repr(round(float(known.volume), 2)))
        if interval == "5m":
            prices = self._step_prices(coin, day, second // STEP_SECONDS)
            return _row(opened, STEP_SECONDS, prices, volume / STEPS_PER_DAY)
        if opened + SECONDS_PER_DAY <= now:
            return _row(opened, SECONDS_PER_DAY, (known.open, known.high, known.low, known.close), volume)
        passed = Decimal(int(now) - opened) / SECONDS_PER_DAY
        return _row(opened, SECONDS_PER_DAY, self._board.bar_so_far(coin, now), volume * passed)

    def _step_prices(self, coin: str, day: int, step: int) -> Prices:
        path = self._board.path_of(coin, day)
        opening, close = path.price(step), path.price(min(step + 1, STEPS_PER_DAY - 1))
        return opening, max(opening, close), min(opening, close), close

    def _span_ms(self, coin: str, now: float) -> tuple[int, int]:
        """Return the moments of the coin's first bar and of its last, which may be running."""
        history = self._board.history.coins[coin]
        first = max(history.first_day, unix_day(self.began.get(coin, date.min)))
        end = min((history.last_day + 1) * SECONDS_PER_DAY + self._shift, int(now) + 1)
        return (first * SECONDS_PER_DAY + self._shift) * 1000, end * 1000 - 1


def _row(opened: int, length: int, prices: Prices, quote_volume: Decimal) -> Row:
    """Return the twelve fields. Trades and the takers' share are made up; nobody reads them."""
    base_volume = quote_volume / prices[3]
    trades = int(quote_volume / 500) + (1 if quote_volume else 0)
    return [
        opened * 1000,
        *(_text(price) for price in prices),
        _text(base_volume),
        (opened + length) * 1000 - 1,
        _text(quote_volume),
        trades,
        _text(base_volume / 2),
        _text(quote_volume / 2),
        "0",
    ]


def _text(amount: Decimal) -> str:
    return f"{amount:.{MAX_DECIMALS}f}"
