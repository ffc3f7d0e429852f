"""One price per token out of two venues: Coinbase's, checked against the exchange's last one, as soon as it is known.

Neither a slow token nor a venue that hangs holds up the others. Knows no rule of trading itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from marsshot.config.settings import Settings
from marsshot.core.amounts import EXACT
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.exchange.base import Exchange
from marsshot.infra.background import Inbox
from marsshot.market_data.coinbase import (
    CONNECT_SECONDS,
    READ_SECONDS,
    MissingPrice,
    MissingPriceReason,
    PriceRequested,
    SpotAnswer,
    SpotPrice,
    SpotPrices,
)

# A venue that has not answered by then is done without, where the other one has a price that can stand alone. Long
# enough for a new TLS connection across the world, short enough for every rule to be looked at within a second.
SOFT_TIMEOUT_SECONDS = 0.8
HARD_TIMEOUT_SECONDS = CONNECT_SECONDS + 2 * READ_SECONDS
POLL_SECONDS = 0.05

_CoinbaseUpdate = Mapping[str, SpotAnswer | PriceRequested]


class PriceSource(StrEnum):
    """Whose price is gone by."""

    COINBASE = "Coinbase"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one token to go by, in quote asset (USD and the quote asset are taken as equal).

    price is None where neither venue has a usable one. `note` says, in words, what is unusual; empty when nothing is.
    """

    price: Decimal | None
    source: PriceSource | None = None
    note: str = ""
    agrees: bool | None = None  # whether Coinbase's price is near the exchange's; None where it could not be compared
    missing: MissingPriceReason | None = None  # why Coinbase has none
    other_price: Decimal | None = None  # Coinbase's, where both have one and they contradict each other


def choose_price(coinbase: SpotAnswer, at_exchange: Decimal | None, max_divergence: Decimal) -> Quote:
    """Return the price to go by: Coinbase's, or the exchange's where Coinbase has none or diverges from it too far.

    max_divergence: relative to the exchange's price; exactly that far is still near enough.
    """
    if isinstance(coinbase, MissingPrice):
        if at_exchange is None:
            return Quote(None, note=LocalizedText("price.none", coinbase=coinbase.text), missing=coinbase.reason)
        note = LocalizedText("price.stand_in", coinbase=coinbase.text)
        return Quote(at_exchange, PriceSource.EXCHANGE, note, missing=coinbase.reason)
    spot = coinbase.price
    if at_exchange is None:
        return Quote(spot, PriceSource.COINBASE, LocalizedText("price.unchecked"))
    if EXACT.abs(EXACT.subtract(spot, at_exchange)) > EXACT.multiply(at_exchange, max_divergence):
        note = LocalizedText("price.strays", percent=max_divergence * 100)
        return Quote(at_exchange, PriceSource.EXCHANGE, note, agrees=False, other_price=spot)
    return Quote(spot, PriceSource.COINBASE, agrees=True)


@dataclass(frozen=True, slots=True)
class _ExchangeUpdate:
    prices: Mapping[str, Decimal] | MarsShotError


PriceUpdate = _CoinbaseUpdate | _ExchangeUpdate


def _accept_any(_symbol: str, _quote: Quote) -> bool:
    return True


class PriceAggregator:
    """One look at the prices of some tokens: one request per token to Coinbase, concurrently, and one to the exchange.

    inbox: of this round alone, so that an answer to an earlier one is never taken for one of this.
    exchange_problem: in words, what is wrong with the exchange's prices altogether, as far as is known by now.
    """

    def __init__(
        self,
        symbols: Collection[str],
        settings: Settings,
        coinbase: SpotPrices,
        exchange: Exchange,
        inbox: Inbox[PriceUpdate] | None = None,
    ) -> None:
        self.exchange_problem = ""
        self._pairs = {symbol: settings.pair(symbol) for symbol in symbols}
        self._assets = {symbol: settings.coinbase_asset(symbol) for symbol in symbols}
        self._symbols_by_asset: dict[str, list[str]] = {}  # the tokens that Coinbase calls so; nearly always one
        for symbol, asset in self._assets.items():
            self._symbols_by_asset.setdefault(asset, []).append(symbol)
        self._limit = settings.strategy.max_price_divergence
        self._coinbase = coinbase
        self._pending = dict.fromkeys(symbols)
        self._inbox: Inbox[PriceUpdate] = Inbox() if inbox is None else inbox
        self._spot: dict[str, SpotAnswer] = {}
        self._requested_at: dict[str, float] = {}
        self._needs_both: set[str] = set()  # tokens of which one venue's price was not accepted alone
        self._at_exchange: Mapping[str, Decimal] | None = None
        self._started_at = self._last_full_look = self._coinbase_last_update = self._inbox.seconds()
        if symbols:
            coinbase.request_spot_prices(list(self._symbols_by_asset), self._inbox.put)
            exchange.request_prices(self._pairs.values(), lambda update: self._inbox.put(_ExchangeUpdate(update)))

    def quotes(
        self,
        accepts_single_source: Callable[[str, Quote], bool] = _accept_any,
        stopping: Callable[[], bool] = lambda: False,
        *,
        all_at_once: bool = False,
    ) -> Iterator[dict[str, Quote]]:
        """Yield the prices to go by as they become known, some tokens at a time, until every token had its turn.

        accepts_single_source: whether one venue's price is accepted alone where the other is past the soft timeout; if
        not, that one is waited for. all_at_once: wait for all answers; where time is virtual no venue is slow. Raises
        StopRequested while it waits.
        """
        try:
            while self._pending:
                symbols = self._receive(stopping)
                if all_at_once and not self._is_finished():
                    continue
                decided = {
                    symbol: self._decide(symbol, accepts_single_source)
                    for symbol in (self._pending if all_at_once else symbols)
                }
                known = {symbol: quote for symbol, quote in decided.items() if quote is not None}
                for symbol in known:
                    del self._pending[symbol]
                if known:
                    yield known
        finally:
            self._coinbase.cancel_pending()

    # ------------------------------------------------------------------ receiving

    def _receive(self, stopping: Callable[[], bool]) -> Collection[str]:
        """Take in what has been answered, or wait a moment; return the tokens that may be known by it."""
        affected: list[str] = []
        update = self._inbox.take(POLL_SECONDS)
        while update is not None:
            affected += self._apply(update)
            update = self._inbox.take(0)
        if not affected and stopping():
            raise StopRequested("stopped while prices were awaited")
        if self._inbox.seconds() - self._last_full_look < POLL_SECONDS and len(affected) < len(self._pending):
            return [symbol for symbol in affected if symbol in self._pending]
        self._last_full_look = self._inbox.seconds()
        return list(self._pending)

    def _apply(self, update: PriceUpdate) -> Collection[str]:
        """Note an answer; return the tokens it is about."""
        if isinstance(update, _ExchangeUpdate):
            if isinstance(update.prices, MarsShotError):
                self.exchange_problem, self._at_exchange = update.prices.message, {}
            else:
                self.exchange_problem, self._at_exchange = "", update.prices
            return list(self._pending)
        self._coinbase_last_update = self._inbox.seconds()
        self._requested_at |= {asset: one.seconds for asset, one in update.items() if isinstance(one, PriceRequested)}
        answers = {asset: one for asset, one in update.items() if not isinstance(one, PriceRequested)}
        self._spot |= answers
        return [symbol for asset in answers for symbol in self._symbols_by_asset[asset]]

    # ------------------------------------------------------------------ deciding

    def _decide(self, symbol: str, accepts_single_source: Callable[[str, Quote], bool]) -> Quote | None:
        """Return the price to go by, or None while there is something to wait for."""
        spot = self._spot.get(self._assets[symbol])
        at_exchange = self._at_exchange.get(self._pairs[symbol]) if self._at_exchange is not None else None
        if spot is not None and self._at_exchange is not None:
            return choose_price(spot, at_exchange, self._limit)
        if self._is_finished():
            return choose_price(spot or MissingPrice(MissingPriceReason.LATE), at_exchange, self._limit)
        if symbol in self._needs_both:  # asked once: the answer would be the same at each of the polls until then
            return None
        if spot is None and at_exchange is not None and self._is_coinbase_overdue(symbol):
            spot = MissingPrice(MissingPriceReason.SLOW, ("seconds", SOFT_TIMEOUT_SECONDS))
        elif not isinstance(spot, SpotPrice) or self._at_exchange is not None or not self._is_exchange_overdue():
            return None
        alone = choose_price(spot, at_exchange, self._limit)
        if accepts_single_source(symbol, alone):
            return alone
        self._needs_both.add(symbol)
        return None

    def _is_coinbase_overdue(self, symbol: str) -> bool:
        """Return whether this token's request has been out for long, or cannot go out because others hang."""
        since = self._requested_at.get(self._assets[symbol], self._coinbase_last_update)
        return self._inbox.seconds() - since >= SOFT_TIMEOUT_SECONDS

    def _is_exchange_overdue(self) -> bool:
        is_late = self._inbox.seconds() - self._started_at >= SOFT_TIMEOUT_SECONDS
        if is_late:
            self.exchange_problem = LocalizedText("price.exchange_slow", seconds=SOFT_TIMEOUT_SECONDS)
        return is_late

    def _is_finished(self) -> bool:
        """Return whether everything has been answered, or nothing more is waited for."""
        is_late = self._inbox.seconds() - self._started_at >= HARD_TIMEOUT_SECONDS
        if self._at_exchange is None and is_late:
            self.exchange_problem = LocalizedText("price.exchange_late")
        return is_late or (self._at_exchange is not None and len(self._spot) == len(self._symbols_by_asset))


def fetch_prices_for_symbols(
    symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
) -> tuple[dict[str, Quote], str]:
    """Return the price of each token to go by, and, in words, what is wrong with the exchange's prices altogether.

    Waits for both venues, as long as they may take.
    """
    aggregator, quotes = PriceAggregator(symbols, settings, coinbase, exchange), dict[str, Quote]()
    for known in aggregator.quotes(all_at_once=True):
        quotes |= known
    return quotes, aggregator.exchange_problem
