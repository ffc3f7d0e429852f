"""The one price of each token that rules may go by, and what the owner is told when it is unusual.

Knows what was seen before: a venue that was wrong when last compared, a price that jumps beyond belief. Holds no rule
of trading.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from clock import Clock
from coinbase import Quote, SpotPrices, fetch_prices_for_symbols
from domain import Position
from errors import TemporaryError
from events import say, warn
from exchange import Exchange
from positions_store import Store
from settings import Settings

COINBASE_STRAYS = "coinbase_strays"
BEYOND_BELIEF = 10  # times up or down since the last price, on the word of one venue alone
MEMORY = timedelta(hours=1)  # an older price says nothing about a jump


class PriceDesk:
    """Prices for one book."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.last_quotes: dict[str, Quote] = {}
        self._believed: dict[str, tuple[Decimal, datetime]] = {}
        self._doubted: dict[str, Decimal] = {}
        self._told: dict[str, str] = {}

    def usable_prices(
        self, symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
    ) -> Mapping[str, Decimal]:
        """Return the price to go by of each token that has one; what is unusual is told once, until it changes."""
        quotes, trouble = fetch_prices_for_symbols(symbols, settings, coinbase, exchange)
        self._remember_strays(quotes)
        memory = max(MEMORY, 2 * timedelta(seconds=settings.strategy.check_interval_seconds))
        quotes = {
            symbol: self._believable(symbol, self._trusted(symbol, quote), memory) for symbol, quote in quotes.items()
        }
        self.last_quotes |= quotes
        self._tell_once("*", f"Binance's prices cannot be had: {trouble}" if trouble else "")
        for symbol, quote in quotes.items():
            blind = "; no rule can act until there is one" if quote.price is None else ""
            self._tell_once(symbol, f"{symbol}: {quote.note}{blind}" if quote.note else "")
        return {symbol: quote.price for symbol, quote in quotes.items() if quote.price is not None}

    def _remember_strays(self, quotes: Mapping[str, Quote]) -> None:
        """Keep in the book of which tokens Coinbase's price is another thing's (a currency of the same name, say)."""

        def remembered(symbol: str, held: Position) -> Position:
            quote = quotes.get(symbol)
            if quote is None or quote.agrees is None:
                return held
            if quote.agrees is not (COINBASE_STRAYS in held.said):
                return held
            return replace(held, said=held.said ^ {COINBASE_STRAYS})

        try:
            self._store.change(
                lambda book: replace(
                    book, positions={one: remembered(one, held) for one, held in book.positions.items()}
                )
            )
        except TemporaryError as error:
            warn("book.not_saved", str(error))

    def _trusted(self, symbol: str, quote: Quote) -> Quote:
        """Take Coinbase's price away where it cannot be compared now and was wrong when it last could."""
        held = self._store.book.positions.get(symbol)
        if held is None or quote.source != "Coinbase" or quote.agrees is not None or COINBASE_STRAYS not in held.said:
            return quote
        return Quote(None, "", "Coinbase's price was wrong when last compared, and Binance has none now")

    def _believable(self, symbol: str, quote: Quote, memory: timedelta) -> Quote:
        """Let a jump beyond belief that one venue alone tells of wait until it is seen again."""
        price, now = quote.price, self._clock.now()
        if price is None:
            return quote
        before = self._before(symbol, quote, now - memory)
        is_odd = before is not None and _jumps(before, price) and quote.agrees is not True
        if before is not None and is_odd and not self._was_doubted(symbol, price):
            self._doubted[symbol] = price
            jump = f"{quote.source} says {price:f} after {before:f}, and no other venue does"
            return Quote(None, "", f"{jump}: it counts if the next check sees it again")
        self._doubted.pop(symbol, None)
        self._believed[symbol] = price, now
        return quote

    def _before(self, symbol: str, quote: Quote, since: datetime) -> Decimal | None:
        """Return the price to measure a jump from: the last one, or the book's where Coinbase alone has one."""
        price, moment = self._believed.get(symbol, (None, since))
        if price is not None and moment >= since:
            return price
        held = self._store.book.positions.get(symbol)
        return held.max_price if held is not None and quote.source == "Coinbase" and quote.agrees is None else None

    def _was_doubted(self, symbol: str, price: Decimal) -> bool:
        doubted = self._doubted.get(symbol)
        return doubted is not None and not _jumps(doubted, price)

    def _tell_once(self, topic: str, sentence: str) -> None:
        if self._told.get(topic, "") == sentence:
            return
        if sentence:
            warn("price.note", sentence)
        else:
            say("price.normal", f"{topic}: prices are as usual again" if topic != "*" else "Binance's prices are back")
        self._told[topic] = sentence


def _jumps(before: Decimal, price: Decimal) -> bool:
    """Return whether a price is a tenth of another or less, or ten times it or more."""
    return price >= before * BEYOND_BELIEF or price * BEYOND_BELIEF <= before
