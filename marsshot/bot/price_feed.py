"""The one price of each token that rules may go by, and what the owner is told when it is unusual.

Knows what was seen before: a venue that was wrong when last compared, a price that jumps beyond belief. Reads the book
and never writes it: whoever looks is told what was seen, and saves it. Holds no rule of trading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.domain import Book, Position
from marsshot.exchange.base import Exchange
from marsshot.infra.background import Inbox
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_info, log_warning
from marsshot.market_data.coinbase import SpotPrices
from marsshot.market_data.price_aggregator import PriceAggregator, PriceSource, PriceUpdate, Quote

COINBASE_DIVERGES = "coinbase_strays"
MAX_JUMP_FACTOR = 10  # times up or down since the last price, on the word of one venue alone
CONFIRMATION_FACTOR = 2  # times up or down at most, for a second look to confirm such a price
MAX_PRICE_AGE = timedelta(hours=1)  # an older price says nothing about a jump


class BookView(Protocol):
    """Where the book is looked up as it stands."""

    @property
    def book(self) -> Book:
        """The book."""


@dataclass(frozen=True, slots=True)
class PriceLook:
    """What one look saw. prices: those to go by. coinbase_agrees: where both venues could be compared."""

    prices: Mapping[str, Decimal]
    coinbase_agrees: Mapping[str, bool]

    def positions_changed(self, positions: Mapping[str, Position]) -> dict[str, Position]:
        """Return, of the positions, those of which it is news whether Coinbase's price is another thing's.

        A currency of the same name, say.
        """
        return {
            symbol: replace(positions[symbol], said=positions[symbol].said ^ {COINBASE_DIVERGES})
            for symbol, agrees in self.coinbase_agrees.items()
            if symbol in positions and agrees is (COINBASE_DIVERGES in positions[symbol].said)
        }


class PriceFeed:
    """Prices for one book. all_at_once: hand them over together, in the book's order, once all are known.

    make_inbox: makes the inbox that each round receives its prices through.
    """

    def __init__(
        self,
        store: BookView,
        clock: Clock,
        *,
        all_at_once: bool = False,
        make_inbox: Callable[[], Inbox[PriceUpdate]] = Inbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._all_at_once = all_at_once
        self._make_inbox = make_inbox
        self.last_quotes: dict[str, Quote] = {}
        self._accepted: dict[str, tuple[Decimal, datetime]] = {}
        self._unconfirmed: dict[str, tuple[Decimal, datetime]] = {}
        self._last_logged: dict[str, str] = {}

    def stream_prices(
        self, symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
    ) -> Iterator[PriceLook]:
        """Yield the price to go by of each token that has one, some tokens at a time, as soon as they are known.

        What is unusual is told once, until it changes. Raises StopRequested while it waits.
        """
        max_age = max(MAX_PRICE_AGE, 2 * timedelta(seconds=settings.strategy.check_interval_seconds))
        aggregator = PriceAggregator(symbols, settings, coinbase, exchange, self._make_inbox())
        for quotes in aggregator.quotes(
            lambda symbol, quote: self._accepts_single_source(symbol, quote, max_age),
            lambda: self._clock.stopping,
            all_at_once=self._all_at_once,
        ):
            accepted = {
                symbol: self._hold_back_jump(symbol, self._drop_distrusted(symbol, quote), max_age)
                for symbol, quote in quotes.items()
            }
            self.last_quotes |= accepted
            self._log_changes(accepted, aggregator.binance_problem)
            yield PriceLook(
                {symbol: quote.price for symbol, quote in accepted.items() if quote.price is not None},
                {symbol: quote.agrees for symbol, quote in quotes.items() if quote.agrees is not None},
            )

    def _log_changes(self, quotes: Mapping[str, Quote], binance_problem: str) -> None:
        self._log_once("*", LocalizedText("log.no_binance_prices", why=binance_problem) if binance_problem else "")
        for symbol, quote in quotes.items():
            # That Binance has none has just been told for all of them.
            note = "" if binance_problem and _is_coinbase_alone(quote) else quote.note
            key = "log.blind" if quote.price is None else "log.about"
            self._log_once(symbol, LocalizedText(key, subject=symbol, told=note) if note else "")

    def _accepts_single_source(self, symbol: str, quote: Quote, max_age: timedelta) -> bool:
        """Return whether one venue's price will do while the other is silent: nothing is odd about it."""
        return self._drop_distrusted(symbol, quote).price is not None and not self._is_suspicious(
            symbol, quote, max_age
        )

    def _drop_distrusted(self, symbol: str, quote: Quote) -> Quote:
        """Take Coinbase's price away where it cannot be compared now and was wrong when it last could."""
        held = self._store.book.positions.get(symbol)
        if held is None or not _is_coinbase_alone(quote) or COINBASE_DIVERGES not in held.said:
            return quote
        return Quote(None, note=LocalizedText("price.distrusted"))

    def _hold_back_jump(self, symbol: str, quote: Quote, max_age: timedelta) -> Quote:
        """Let a jump beyond belief that one venue alone tells of wait until it is seen again."""
        price = quote.price
        if price is None:
            return quote
        before = self._reference_price(symbol, quote, max_age)
        is_suspicious = self._is_suspicious(symbol, quote, max_age)
        if before is not None and is_suspicious and not self._confirms_doubted(symbol, price, max_age):
            self._unconfirmed[symbol] = price, self._clock.now()
            return Quote(None, note=LocalizedText("price.jump", source=quote.source, price=price, before=before))
        self._unconfirmed.pop(symbol, None)
        self._accepted[symbol] = price, self._clock.now()
        return quote

    def _is_suspicious(self, symbol: str, quote: Quote, max_age: timedelta) -> bool:
        before, price = self._reference_price(symbol, quote, max_age), quote.price
        if price is None or before is None or quote.agrees is True:
            return False
        return not _within(MAX_JUMP_FACTOR, before, price)

    def _reference_price(self, symbol: str, quote: Quote, max_age: timedelta) -> Decimal | None:
        """Return the price to measure a jump from: the last one, or the book's where Coinbase alone has one."""
        since = self._clock.now() - max_age
        price, moment = self._accepted.get(symbol, (None, since))
        if price is not None and moment >= since:
            return price
        held = self._store.book.positions.get(symbol)
        return held.max_price if held is not None and _is_coinbase_alone(quote) else None

    def _confirms_doubted(self, symbol: str, price: Decimal, max_age: timedelta) -> bool:
        since = self._clock.now() - max_age
        unconfirmed, moment = self._unconfirmed.get(symbol, (None, since))
        return unconfirmed is not None and moment >= since and _within(CONFIRMATION_FACTOR, unconfirmed, price)

    def _log_once(self, topic: str, sentence: str) -> None:
        if self._last_logged.get(topic, "") == sentence:
            return
        if sentence:
            log_warning("price.note", sentence)
        else:
            back = LocalizedText("log.prices_back")
            log_info("price.normal", back if topic == "*" else LocalizedText("log.prices_normal", symbol=topic))
        self._last_logged[topic] = sentence


def _is_coinbase_alone(quote: Quote) -> bool:
    return quote.source is PriceSource.COINBASE and quote.agrees is None


def _within(times: int, before: Decimal, price: Decimal) -> bool:
    """Return whether a price is less than so many times another, and more than that part of it."""
    return before < price * times and price < before * times
