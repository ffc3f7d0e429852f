"""The one price of each token that rules may go by, and what the owner is told when it is unusual.

Knows what was seen before: a venue that was wrong when last compared, a price that jumps beyond belief. Holds no rule
of trading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence
from marsshot.core.errors import TemporaryError
from marsshot.exchange.base import Exchange
from marsshot.infra.background import Inbox
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import say, warn
from marsshot.market_data.coinbase import SpotPrices
from marsshot.market_data.price_aggregator import News, PriceRound, Quote
from positions_store import Store

COINBASE_STRAYS = "coinbase_strays"
BEYOND_BELIEF = 10  # times up or down since the last price, on the word of one venue alone
ALIKE = 2  # times up or down at most, for a second look to confirm such a price
MEMORY = timedelta(hours=1)  # an older price says nothing about a jump


class PriceDesk:
    """Prices for one book. all_at_once: hand them over together, in the book's order, once all are known.

    new_inbox: makes what each look hears its venues through.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        all_at_once: bool = False,
        new_inbox: Callable[[], Inbox[News]] = Inbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._all_at_once = all_at_once
        self._new_inbox = new_inbox
        self.last_quotes: dict[str, Quote] = {}
        self._believed: dict[str, tuple[Decimal, datetime]] = {}
        self._doubted: dict[str, tuple[Decimal, datetime]] = {}
        self._told: dict[str, str] = {}

    def prices_as_known(
        self, symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
    ) -> Iterator[Mapping[str, Decimal]]:
        """Yield the price to go by of each token that has one, some tokens at a time, as soon as they are known.

        What is unusual is told once, until it changes. Raises StopRequested while it waits.
        """
        memory = max(MEMORY, 2 * timedelta(seconds=settings.strategy.check_interval_seconds))
        look = PriceRound(symbols, settings, coinbase, exchange, self._new_inbox())
        for quotes in look.quotes(
            lambda symbol, quote: self._will_do(symbol, quote, memory),
            lambda: self._clock.stopping,
            all_at_once=self._all_at_once,
        ):
            self._remember_strays(quotes)
            believed = {
                symbol: self._believable(symbol, self._trusted(symbol, quote), memory)
                for symbol, quote in quotes.items()
            }
            self.last_quotes |= believed
            self._tell(believed, look.trouble)
            yield {symbol: quote.price for symbol, quote in believed.items() if quote.price is not None}

    def usable_prices(
        self, symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
    ) -> Mapping[str, Decimal]:
        """Return the price to go by of each token that has one, once all are known."""
        prices: dict[str, Decimal] = {}
        for known in self.prices_as_known(symbols, settings, coinbase, exchange):
            prices |= known
        return prices

    def _tell(self, quotes: Mapping[str, Quote], trouble: str) -> None:
        self._tell_once("*", Sentence("log.no_binance_prices", why=trouble) if trouble else "")
        for symbol, quote in quotes.items():
            # That Binance has none has just been told for all of them.
            note = "" if trouble and quote.source == "Coinbase" and quote.agrees is None else quote.note
            key = "log.blind" if quote.price is None else "log.about"
            self._tell_once(symbol, Sentence(key, subject=symbol, told=note) if note else "")

    def _will_do(self, symbol: str, quote: Quote, memory: timedelta) -> bool:
        """Return whether one venue's price will do while the other is silent: nothing is odd about it."""
        return self._trusted(symbol, quote).price is not None and not self._is_odd(symbol, quote, memory)

    def _remember_strays(self, quotes: Mapping[str, Quote]) -> None:
        """Keep in the book of which tokens Coinbase's price is another thing's (a currency of the same name, say)."""
        held = self._store.book.positions
        changed = {
            symbol: replace(held[symbol], said=held[symbol].said ^ {COINBASE_STRAYS})
            for symbol, quote in quotes.items()
            if symbol in held and quote.agrees is (COINBASE_STRAYS in held[symbol].said)
        }
        if not changed:
            return
        try:
            self._store.change(lambda book: replace(book, positions=dict(book.positions) | changed))
        except TemporaryError as error:
            warn("book.not_saved", error.said)

    def _trusted(self, symbol: str, quote: Quote) -> Quote:
        """Take Coinbase's price away where it cannot be compared now and was wrong when it last could."""
        held = self._store.book.positions.get(symbol)
        if held is None or quote.source != "Coinbase" or quote.agrees is not None or COINBASE_STRAYS not in held.said:
            return quote
        return Quote(None, "", Sentence("price.distrusted"))

    def _believable(self, symbol: str, quote: Quote, memory: timedelta) -> Quote:
        """Let a jump beyond belief that one venue alone tells of wait until it is seen again."""
        price = quote.price
        if price is None:
            return quote
        before = self._before(symbol, quote, memory)
        is_odd = self._is_odd(symbol, quote, memory)
        if before is not None and is_odd and not self._was_doubted(symbol, price, memory):
            self._doubted[symbol] = price, self._clock.now()
            return Quote(None, "", Sentence("price.jump", source=quote.source, price=price, before=before))
        self._doubted.pop(symbol, None)
        self._believed[symbol] = price, self._clock.now()
        return quote

    def _is_odd(self, symbol: str, quote: Quote, memory: timedelta) -> bool:
        before, price = self._before(symbol, quote, memory), quote.price
        if price is None or before is None or quote.agrees is True:
            return False
        return not _within(BEYOND_BELIEF, before, price)

    def _before(self, symbol: str, quote: Quote, memory: timedelta) -> Decimal | None:
        """Return the price to measure a jump from: the last one, or the book's where Coinbase alone has one."""
        since = self._clock.now() - memory
        price, moment = self._believed.get(symbol, (None, since))
        if price is not None and moment >= since:
            return price
        held = self._store.book.positions.get(symbol)
        return held.max_price if held is not None and quote.source == "Coinbase" and quote.agrees is None else None

    def _was_doubted(self, symbol: str, price: Decimal, memory: timedelta) -> bool:
        since = self._clock.now() - memory
        doubted, moment = self._doubted.get(symbol, (None, since))
        return doubted is not None and moment >= since and _within(ALIKE, doubted, price)

    def _tell_once(self, topic: str, sentence: str) -> None:
        if self._told.get(topic, "") == sentence:
            return
        if sentence:
            warn("price.note", sentence)
        else:
            back = Sentence("log.prices_back")
            say("price.normal", back if topic == "*" else Sentence("log.prices_normal", symbol=topic))
        self._told[topic] = sentence


def _within(times: int, before: Decimal, price: Decimal) -> bool:
    """Return whether a price is less than so many times another, and more than that part of it."""
    return before < price * times and price < before * times
