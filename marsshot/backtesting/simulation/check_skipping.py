"""Skips price checks that would change nothing, and only those.

Every exit rule acts on one side of a price and from a moment on. So what the bot's own rules decide alike at the lowest
and the highest price of some checks, at the first and at the last of them, they decide at all of them. Checks go on
being skipped until that ends, the daily pass is due, or the book changes. The last check before any of these is made as
ever, for what the price feed remembers of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import numpy as np

from embedded_market.market_data.price_board import MAX_BASIS
from marsshot.backtesting.history.intraday_bars import Ints
from marsshot.backtesting.simulation.simulated_market import FINER, RecordedPrices, is_at_coinbase
from marsshot.bot.bot import Bot
from marsshot.config.settings import Settings
from marsshot.core.book import Position
from marsshot.core.exit_settings import ExitRules
from marsshot.strategy.second_look import BEYOND_BELIEF
from risk_manager import ExitDecision, decide_exit, with_price_seen
from trade_executor import TradeExecutor

# So near to the price that was seen no price can be beyond belief after another one.
MAX_PRICE_FACTOR = BEYOND_BELIEF ** Decimal("0.45")
# More than Coinbase's price ever differs from Binance's, rounding included.
COINBASE_MARGIN = 1.5 * MAX_BASIS


class CheckSkipper:
    """Looks ahead for a bot in a recorded market, after each of its cycles, but not beyond the end."""

    def __init__(self, bot: Bot, board: RecordedPrices, end: datetime) -> None:
        self._bot = bot
        self._board = board
        self._end = end
        self._looked_until = 0
        self._first_effect: dict[str, tuple[Position, int]] = {}  # by token: as it was, the first check that may matter

    def skip(self) -> Sequence[datetime]:
        """Move the clock to the last one of the checks to come that surely change nothing; return those before it."""
        bot, now = self._bot, self._bot.clock.now()
        if bot.store.book.intents or bot.price_check.last_at != now or bot.daily_is_due():
            return ()
        interval = timedelta(seconds=bot.settings.strategy.check_interval_seconds)
        if bot.next_due() < now + interval:
            return ()
        checks = self._checks_until(min(bot.next_daily(), self._end), interval)
        quiet = self._count_checks_without_effect(bot, self._board, checks) if len(checks) > 1 else 0
        if quiet <= 1:
            return ()
        last_quiet = now + interval * quiet
        bot.price_check.skip(last_quiet)
        bot.clock.idle(last_quiet)
        return [now + interval * number for number in range(1, quiet)]

    def _checks_until(self, end: datetime, interval: timedelta) -> Ints:
        """Return the moments (unix seconds) of the checks before the end, the next one first."""
        step = int(interval.total_seconds())
        now = int(self._bot.clock.now().timestamp())
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
                ranges = PriceRanges(board, symbol, bot.settings, checks)
                span = _CheckSpan(symbol, held, quote.price, rules, bot.executor)
                before = held, span.first_with_effect(ranges, checks)
                self._first_effect[symbol] = before
            first_effect = min(first_effect, before[1])
        return int(np.searchsorted(checks, first_effect))


class PriceRanges:
    """Between which prices the one that is gone by stays over the first so many of some checks."""

    def __init__(self, board: RecordedPrices, symbol: str, settings: Settings, checks: Ints) -> None:
        coin = settings.binance_asset(symbol)
        ticks, decimals, differs = board.ticks_at(coin, checks)
        self._quoted, self._margin = board.quoted, COINBASE_MARGIN if differs else 0.0
        if differs and not is_at_coinbase(coin):
            self._margin = 0.0
        elif differs and settings.coinbase_asset(symbol) == coin:
            spot = board.coinbase_ticks_at(coin, checks)
            if _is_surely_near(spot, ticks * FINER, float(settings.strategy.max_price_divergence)):
                ticks, decimals, self._quoted, self._margin = spot, decimals + 1, board.coinbase_quoted, 0.0
        self._decimals = decimals
        self._lowest, self._highest = np.minimum.accumulate(ticks), np.maximum.accumulate(ticks)

    def over(self, count: int) -> tuple[Decimal, Decimal]:
        """Return the lowest and the highest price that the bot may go by at the first so many checks."""
        low, high = int(self._lowest[count - 1]), int(self._highest[count - 1])
        if self._margin:
            low, high = math.floor(low * (1 - self._margin)) - 1, math.ceil(high * (1 + self._margin)) + 1
        lowest, highest = (Decimal(max(ticks, 1)).scaleb(-self._decimals) for ticks in (low, high))
        return self._quoted(lowest), self._quoted(highest)


def _is_surely_near(spot: Ints, exchange: Ints, limit: float) -> bool:
    """Return whether Coinbase's price is gone by at all of these checks: it never comes near the limit."""
    return bool((np.abs(spot - exchange) < limit / 2 * exchange).all())


@dataclass(frozen=True, slots=True)
class _CheckSpan:
    """The checks of one position that lie before us; it was last seen at a price."""

    symbol: str
    held: Position
    price: Decimal
    rules: ExitRules
    executor: TradeExecutor

    def first_with_effect(self, ranges: PriceRanges, checks: Ints) -> int:
        """Return the moment of the first check that may change something; after the last one if none."""
        if self._changes_nothing(ranges, checks, len(checks)):
            return int(checks[-1]) + 1
        counts = range(1, len(checks))
        quiet = bisect_left(counts, True, key=lambda count: not self._changes_nothing(ranges, checks, count))
        return int(checks[quiet])

    def _changes_nothing(self, ranges: PriceRanges, checks: Ints, count: int) -> bool:
        low, high = ranges.over(count)
        if low * MAX_PRICE_FACTOR < self.price or high > self.price * MAX_PRICE_FACTOR:
            return False
        moments = (datetime.fromtimestamp(int(checks[number]), UTC) for number in (0, count - 1))
        decision = decision_at_all_corners(self.held, (low, high), tuple(moments), self.rules)
        return decision is not None and not self.executor.would_sell(self.symbol, decision, high)


def decision_at_all_corners(
    held: Position, prices: tuple[Decimal, Decimal], moments: tuple[datetime, ...], rules: ExitRules
) -> ExitDecision | None:
    """Return what the rules decide at these prices and moments, and so at all between them; None if they differ.

    Or if a position that sees one of the prices is another one afterwards.
    """
    if any(with_price_seen(held, price, rules) is not held for price in prices):
        return None
    decisions = {decide_exit(held, price, moment, rules) for price, moment in product(prices, moments)}
    return decisions.pop() if len(decisions) == 1 else None
