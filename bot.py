"""The bot: what happens in one cycle, in which order. What is unknown is looked up first; exits go before entries.

The same cycle serves live, paper and demo; only exchange, clock, disk and scorer differ. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from bookkeeping import with_everything_for_sale
from clock import Clock
from coinbase import Coinbase, Quote, fetch_prices_for_symbols
from control import Control
from daily_pass import DailyPass, Progress
from daily_plan import is_daily_update_due
from domain import Position, Scoring
from errors import TemporaryError
from events import say, warn
from exchange import Exchange
from positions_store import Store
from risk_manager import update_positions_in_intraday
from settings import Settings
from trade_executor import TradeExecutor

COINBASE_STRAYS = "coinbase_strays"

Scores = Callable[[Collection[str], Settings], Scoring | None]


class Bot:
    """One book, one exchange, one clock."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        store: Store,
        exchange: Exchange,
        coinbase: Coinbase,
        scores: Scores,
        control: Control,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = store
        self.coinbase = coinbase
        self.control = control
        self.executor = TradeExecutor(exchange, store, clock, self._pair)
        self.daily_pass = DailyPass(
            store=store,
            clock=clock,
            scores=lambda symbols: scores(symbols, self.settings),
            prices=self.usable_prices,
            paused=control.paused,
        )
        self.last_quotes: dict[str, Quote] = {}
        self._last_check: datetime | None = None
        self._told: dict[str, str] = {}

    def _pair(self, symbol: str) -> str:
        return self.settings.pair(symbol)

    # ------------------------------------------------------------------ the cycle

    def cycle(self) -> None:
        """Do what is due now, and return."""
        self.store.write_trades()
        self.executor.settle_unknown()
        if self.control.is_to_sell_all():
            self.sell_all()
        elif self._check_is_due():
            self.intraday_check()
        if self.daily_is_due() and not self.clock.stopping:
            self.daily_pass.daily_update(self.settings, self.executor)

    def next_due(self) -> datetime:
        """Return when the loop should look again at the latest."""
        now = self.clock.now()
        moments = [now + timedelta(seconds=self.settings.strategy.check_interval_seconds)]
        if self._last_check is not None:
            moments.append(self._last_check + timedelta(seconds=self.settings.strategy.check_interval_seconds))
        if self.daily_is_due():
            moments.append(self.daily_pass.not_before or now + timedelta(seconds=10))
        else:
            moments.append(self.next_daily())
        if self.store.book.intents:
            moments.append(now + timedelta(seconds=10))
        return max(now, min(moments))

    # ------------------------------------------------------------------ the daily pass

    def daily_is_due(self) -> bool:
        """Return whether today's pass is due and not done."""
        strategy = self.settings.strategy
        return is_daily_update_due(
            self.clock.now(),
            self.store.book.last_daily_update,
            strategy.daily_update_hour_utc,
            strategy.daily_update_minute_utc,
        )

    def daily_is_done(self) -> bool:
        """Return whether today's pass is done."""
        done = self.store.book.last_daily_update
        return done is not None and done >= self.clock.now().date()

    def next_daily(self) -> datetime:
        """Return the moment of the next daily pass that is not done."""
        now = self.clock.now()
        strategy = self.settings.strategy
        today = now.replace(
            hour=strategy.daily_update_hour_utc, minute=strategy.daily_update_minute_utc, second=0, microsecond=0
        )
        return today if today > now and not self.daily_is_done() else today + timedelta(days=1)

    def daily_update(self) -> Progress:
        """Begin or go on with today's pass, whatever the hour."""
        return self.daily_pass.daily_update(self.settings, self.executor)

    # ------------------------------------------------------------------ the five-minute check

    def _check_is_due(self) -> bool:
        if self._last_check is None:
            return True
        since = (self.clock.now() - self._last_check).total_seconds()
        # A clock that was set back would otherwise keep the stop-loss waiting.
        return since < 0 or since >= self.settings.strategy.check_interval_seconds

    def intraday_check(self) -> bool:
        """Price every position and apply the exit rules; return False if anything has to be tried again."""
        self._last_check = self.clock.now()
        symbols = list(self.store.book.positions)
        if not symbols:
            return True
        prices = self.usable_prices(symbols)
        unsold = update_positions_in_intraday(prices, self.settings.exit_rules, self.executor)
        return not unsold and len(prices) == len(symbols)

    def sell_all(self) -> bool:
        """Mark every position for sale, in the book, and sell; what cannot be sold now goes at the next checks.

        Returns False if anything has to be tried again.
        """
        before = self.store.book
        self.store.change(with_everything_for_sale)
        if self.store.book is not before:
            say("control.sell_all", "Every position is to be sold, as asked for")
        if not self.store.book.intents:  # a purchase in doubt may turn out to be one more position to sell
            self.control.sell_all_noted()
        return self.intraday_check()

    def usable_prices(self, symbols: Collection[str]) -> Mapping[str, Decimal]:
        """Return the price to go by of each token that has one; what is unusual is told once, until it changes."""
        quotes, trouble = fetch_prices_for_symbols(symbols, self.settings, self.coinbase, self.executor.exchange)
        self._remember_strays(quotes)
        quotes = {symbol: self._trusted(symbol, quote) for symbol, quote in quotes.items()}
        self.last_quotes |= quotes
        self._tell_once("*", f"Binance's prices cannot be had: {trouble}" if trouble else "")
        for symbol, quote in quotes.items():
            blind = quote.price is None
            self._tell_once(
                symbol,
                f"{symbol}: {quote.note}{'; no rule can act until there is one' if blind else ''}"
                if quote.note
                else "",
            )
        return {symbol: quote.price for symbol, quote in quotes.items() if quote.price is not None}

    def _remember_strays(self, quotes: Mapping[str, Quote]) -> None:
        """Keep in the book of which tokens Coinbase's price is another thing's (a currency of the same name, say)."""

        def remembered(symbol: str, held: Position) -> Position:
            quote = quotes.get(symbol)
            if quote is None or quote.agrees is None:
                return held
            return replace(held, said=held.said - {COINBASE_STRAYS} if quote.agrees else held.said | {COINBASE_STRAYS})

        try:
            self.store.change(
                lambda book: replace(
                    book, positions={one: remembered(one, held) for one, held in book.positions.items()}
                )
            )
        except TemporaryError as error:
            warn("book.not_saved", str(error))

    def _trusted(self, symbol: str, quote: Quote) -> Quote:
        """Take Coinbase's price away where it cannot be compared now and was wrong when it last could."""
        held = self.store.book.positions.get(symbol)
        if held is None or quote.source != "Coinbase" or quote.agrees is not None or COINBASE_STRAYS not in held.said:
            return quote
        return Quote(None, "", "Coinbase's price was wrong when last compared, and Binance has none now")

    def _tell_once(self, topic: str, sentence: str) -> None:
        if self._told.get(topic, "") == sentence:
            return
        if sentence:
            warn("price.note", sentence)
        else:
            say("price.normal", f"{topic}: prices are as usual again" if topic != "*" else "Binance's prices are back")
        self._told[topic] = sentence
