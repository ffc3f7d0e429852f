"""The price of every coin at a moment of the wire, on Binance and on Coinbase.

Reads history and the paths inside its days; knows no HTTP and no clock: the moment (unix seconds) is an argument.
Prices set by hand (tests) win over history until they are taken back.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import numpy as np

from embedded_market.market_data.history import MAX_DECIMALS, SECONDS_PER_DAY, CoinHistory, DailyBar, History, date_of
from embedded_market.market_data.price_path import STEP_SECONDS, STEPS_PER_DAY, DayPath, day_path, seeded

QUOTES = ("USDT", "USDC")
_CACHED_DAYS = 256
MAX_BASIS = 0.002
"""How far Coinbase's price is from Binance's at most, as a fraction."""


class PriceBoard:
    """Prices by base asset and wire time. A wire day shows the history day that lies `shift_days` before it."""

    def __init__(self, history: History, seed: int, shift_days: int) -> None:
        self.history = history
        self.version = 0
        """Grows with every price set by hand, for caches of answers."""
        self._seed = seed
        self._shift = shift_days * SECONDS_PER_DAY
        self._overrides: dict[str, Decimal] = {}
        self._coinbase_overrides: dict[str, Decimal] = {}
        self._path = lru_cache(maxsize=_CACHED_DAYS)(self._compute_path)
        self._coinbase_path = lru_cache(maxsize=_CACHED_DAYS)(self._compute_coinbase_path)

    def moment(self, now: float) -> tuple[int, int]:
        """Return the history day and the five-minute step of a wire time."""
        day, second = divmod(int(now) - self._shift, SECONDS_PER_DAY)
        return day, second // STEP_SECONDS

    def base_of(self, symbol: str) -> str:
        """Return the coin of `BTC`, `BTCUSDT` or `BTCUSDC`. Raises KeyError for an unknown one."""
        names = [symbol, *(symbol.removesuffix(quote) for quote in QUOTES)]
        return next((n for n in names if n in self.history.coins), None) or self._unknown(symbol)

    def is_listed(self, coin: str, now: float) -> bool:
        """True from the coin's first recorded day on."""
        return coin in self.history.coins and self.moment(now)[0] >= self.history.coins[coin].first_day

    def has_ended(self, coin: str, now: float) -> bool:
        """True after the coin's last recorded day: its price stands still at the last close."""
        return self.moment(now)[0] > self.history.coins[coin].last_day

    def price(self, coin: str, now: float) -> Decimal:
        """Return Binance's last price."""
        if coin in self._overrides:
            return self._overrides[coin]
        day, step = self.moment(now)
        return self._path(coin, day).price(step)

    def text(self, coin: str, now: float) -> str:
        """Return Binance's last price with eight decimals, as it stands on the wire."""
        if coin in self._overrides:
            return f"{self._overrides[coin]:.{MAX_DECIMALS}f}"
        day, step = self.moment(now)
        path = self._path(coin, day)
        whole, part = divmod(path.ticks[step], 10**path.decimals)
        return f"{whole}.{part:0{path.decimals}d}".ljust(len(str(whole)) + 1 + MAX_DECIMALS, "0")

    def path_of(self, coin: str, day: int) -> DayPath:
        """Return the way of Binance's price through a unix day of history."""
        return self._path(coin, day)

    def coinbase_path_of(self, coin: str, day: int) -> DayPath:
        """Return the way of Coinbase's price through a unix day of history, in ticks of one decimal more."""
        return self._coinbase_path(coin, day)

    def average(self, coin: str, now: float) -> Decimal:
        """Return the mean of the last five minutes, eight decimals."""
        elapsed = int(now) % STEP_SECONDS
        before, current = self.price(coin, now - STEP_SECONDS), self.price(coin, now)
        mean = (before * (STEP_SECONDS - elapsed) + current * elapsed) / STEP_SECONDS
        return mean.quantize(Decimal(1).scaleb(-MAX_DECIMALS))

    def coinbase_text(self, coin: str, now: float) -> str:
        """Return Coinbase's spot price: Binance's with a small seeded difference, at most 0.2 %."""
        by_hand = self._coinbase_overrides.get(coin, self._overrides.get(coin))
        if by_hand is not None:
            return format(by_hand, "f")
        day, step = self.moment(now)
        path = self._coinbase_path(coin, day)
        text = format(path.price(step), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    def bar_so_far(self, coin: str, now: float) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return open, high, low of the running day up to now, and the price now."""
        day, step = self.moment(now)
        path = self._path(coin, day)
        seen, price = path.ticks[: step + 1], self.price(coin, now)
        high, low = (Decimal(t).scaleb(-path.decimals) for t in (max(seen), min(seen)))
        return path.price(0), max(high, price), min(low, price), price

    def set_price(self, symbol: str, price: str | None) -> None:
        """Hold the price of a coin (or pair) on Binance, and on Coinbase unless set there; None: history again."""
        self._override_price(self._overrides, symbol, price)

    def set_coinbase_price(self, symbol: str, price: str | None) -> None:
        """Hold the price of a coin on Coinbase alone; None: history again."""
        self._override_price(self._coinbase_overrides, symbol, price)

    def _override_price(self, held: dict[str, Decimal], symbol: str, price: str | None) -> None:
        coin = self.base_of(symbol)
        held.pop(coin, None)
        if price is not None:
            held[coin] = Decimal(price)
        self.version += 1

    def _compute_path(self, coin: str, day: int) -> DayPath:
        known = self.history.coins[coin]
        bar = known.bars.get(day) or _flat_bar(known, day)
        return day_path(bar, seed=self._seed, symbol=coin, day=date_of(day), decimals=known.decimals)

    def _compute_coinbase_path(self, coin: str, day: int) -> DayPath:
        path = self._path(coin, day)
        random = seeded("coinbase", self._seed, coin, day)
        basis = 0.0006 * random.standard_normal() + 0.0003 * random.standard_normal(STEPS_PER_DAY)
        ticks = np.rint(np.array(path.ticks) * 10 * (1 + np.clip(basis, -MAX_BASIS, MAX_BASIS)))
        return DayPath(tuple(ticks.astype(np.int64).tolist()), path.decimals + 1)

    @staticmethod
    def _unknown(symbol: str) -> str:
        raise KeyError(f"no coin {symbol} in the history")


def _flat_bar(coin: CoinHistory, day: int) -> DailyBar:
    """Return a flat bar at the last close before a day without one (a gap, or after the end)."""
    before = [known for known in coin.bars if known < day]
    price = coin.bars[max(before)].close if before else coin.bars[coin.first_day].open
    return DailyBar(price, price, price, price, Decimal(0), coin.bars[max(before, default=coin.first_day)].market_cap)
