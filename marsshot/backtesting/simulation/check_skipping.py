"""A clock that skips price checks that would change nothing, and only those.

From one turning point of a position on, and under the next, a check does the same at every price. So once a check has
changed nothing, neither do the following ones, until some price leaves its band, the daily pass is due, or the book
changes. The last check before any of these is made as ever, for what the price feed remembers of it.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

import numpy as np
from numpy.typing import NDArray

from embedded_market.market_data.price_board import MAX_BASIS
from marsshot.backtesting.history.intraday_bars import Ints
from marsshot.backtesting.simulation.simulated_market import RecordedPrices
from marsshot.bot.bot import Bot
from marsshot.bot.price_feed import MAX_JUMP_FACTOR
from marsshot.core.domain import Book, Position
from marsshot.infra.clock import VirtualClock
from risk_manager import HIGH_PRECISION, same_decision_band

# In a band so narrow no price can be beyond belief after another of it.
MAX_BAND_RATIO = Decimal(MAX_JUMP_FACTOR) ** Decimal("0.45")
# More than Coinbase's price ever differs from Binance's, rounding included.
COINBASE_MARGIN = 1.5 * MAX_BASIS


class CheckSkippingClock(VirtualClock):
    """A virtual clock that looks ahead for a bot, once it has been told which (`watch`), but not beyond the end."""

    def __init__(self, start: datetime, end: datetime) -> None:
        super().__init__(start)
        self._end = end
        self._bot: Bot | None = None
        self._board: RecordedPrices | None = None
        self._book_before: Book | None = None
        self._looked_until = 0
        self._first_effect: dict[str, tuple[Position, int]] = {}  # by token: as it was, when its price leaves the band

    def attach(self, bot: Bot, board: RecordedPrices) -> None:
        """Skip checks for this bot in this market from now on."""
        self._bot, self._board = bot, board

    def idle(self, until: datetime) -> None:
        """Jump to the moment given, or to the last one of the checks from there on that surely change nothing."""
        super().idle(self._skip_target(until) or until)

    def _skip_target(self, until: datetime) -> datetime | None:
        bot, board = self._bot, self._board
        if bot is None or board is None:
            return None
        book, before = bot.store.book, self._book_before
        self._book_before = book
        if book is not before or book.intents or bot.last_check_at != self.now() or bot.daily_is_due():
            return None
        interval = timedelta(seconds=bot.settings.strategy.check_interval_seconds)
        if until < self.now() + interval:
            return None
        checks = self._checks_until(min(bot.next_daily(), self._end), interval)
        quiet = self._count_checks_without_effect(bot, board, checks) if len(checks) > 1 else 0
        if quiet <= 1:
            return None
        moment = self.now() + interval * quiet
        bot.skip_checks(moment)
        return moment

    def _checks_until(self, end: datetime, interval: timedelta) -> Ints:
        """Return the moments (unix seconds) of the checks before the end, the next one first."""
        step = int(interval.total_seconds())
        now = int(self.now().timestamp())
        return np.arange(now + step, int(end.timestamp()), step, dtype=np.int64)

    def _count_checks_without_effect(self, bot: Bot, board: RecordedPrices, checks: Ints) -> int:
        """Return how many of the checks to come change nothing."""
        if checks[-1] != self._looked_until:  # a new day: rules may have been loaded anew
            self._looked_until, self._first_effect = int(checks[-1]), {}
        rules, first_effect = bot.settings.exit_rules, self._looked_until + 1
        for symbol, held in bot.store.book.positions.items():
            quote = bot.price_feed.last_quotes.get(symbol)
            if quote is None or quote.price is None:
                return 0
            before = self._first_effect.get(symbol)
            if before is None or before[0] is not held or before[1] < checks[0]:
                band = same_decision_band(quote.price, bot.executor.turning_points(symbol, rules), MAX_BAND_RATIO)
                before = held, _first_outside(band, board, bot.settings.binance_asset(symbol), checks)
                self._first_effect[symbol] = before
            first_effect = min(first_effect, before[1])
        return int(np.searchsorted(checks, first_effect))


def _first_outside(band: tuple[Decimal, Decimal], board: RecordedPrices, coin: str, checks: Ints) -> int:
    """Return the first of these moments at which the price may lie outside the band; after the last one if none."""
    outside = _outside(band, board, coin, checks)
    return int(checks[np.argmax(outside)]) if outside.any() else int(checks[-1]) + 1


def _outside(band: tuple[Decimal, Decimal], board: RecordedPrices, coin: str, checks: Ints) -> NDArray[np.bool_]:
    """Return at which checks the price that the bot will go by may lie outside the band."""
    ticks, decimals, differs = board.ticks_at(coin, checks)
    low, high = (int(edge.scaleb(decimals, HIGH_PRECISION).to_integral_value(ROUND_CEILING)) for edge in band)
    if differs:  # the band is looked up in Binance's price, the bot goes by Coinbase's as well
        low, high = math.ceil(low * (1 + COINBASE_MARGIN)) + 1, math.floor(high * (1 - COINBASE_MARGIN)) - 1
    found: NDArray[np.bool_] = (ticks < low) | (ticks >= high)
    return found
