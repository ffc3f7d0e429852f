"""One price per token out of two venues: Coinbase's, checked against Binance's last one, as soon as it is known.

Neither a slow token nor a venue that hangs holds up the others. Knows no rule of trading itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence
from marsshot.core.domain import EXACT
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.exchange.base import Exchange
from marsshot.infra.background import Inbox
from marsshot.market_data.coinbase import CONNECT_SECONDS, READ_SECONDS, SpotPrices

# A venue that has not answered by then is done without, where the other one has a price that can stand alone. Long
# enough for a new TLS connection across the world, short enough for every rule to be looked at within a second.
FAIR_CHANCE_SECONDS = 0.8
LONGEST_ROUND_SECONDS = CONNECT_SECONDS + 2 * READ_SECONDS
LOOK_SECONDS = 0.05

_Said = Mapping[str, Decimal | str | float]


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one token to go by, in quote asset (USD and the quote asset are taken as equal).

    price is None where neither venue has a usable one. `note` says, in words, what is unusual; empty when nothing is.
    """

    price: Decimal | None
    source: str = ""
    note: str = ""
    agrees: bool | None = None  # whether Coinbase's price is near Binance's; None where it could not be compared


def choose_price(coinbase: Decimal | str, binance: Decimal | None, max_divergence: Decimal) -> Quote:
    """Return the price to go by: Coinbase's, or Binance's where Coinbase has none or strays from it too far.

    max_divergence: relative to Binance's price; exactly that far is still near enough.
    """
    if isinstance(coinbase, str):
        if binance is None:
            return Quote(None, "", Sentence("price.none", coinbase=coinbase))
        return Quote(binance, "Binance", Sentence("price.stand_in", coinbase=coinbase))
    if binance is None:
        return Quote(coinbase, "Coinbase", Sentence("price.unchecked"))
    if EXACT.abs(EXACT.subtract(coinbase, binance)) > EXACT.multiply(binance, max_divergence):
        note = Sentence("price.strays", percent=max_divergence * 100)
        return Quote(binance, "Binance", note, agrees=False)
    return Quote(coinbase, "Coinbase", agrees=True)


@dataclass(frozen=True, slots=True)
class _BinanceSaid:
    prices: Mapping[str, Decimal] | MarsShotError


News = _Said | _BinanceSaid


def _will_do(_symbol: str, _quote: Quote) -> bool:
    return True


class PriceRound:
    """One look at the prices of some tokens: one request per token to Coinbase, side by side, and one to Binance.

    inbox: of this round alone, so that an answer to an earlier one is never taken for one of this.
    trouble: in words, what is wrong with Binance's prices altogether, as far as is known by now.
    """

    def __init__(
        self,
        symbols: Collection[str],
        settings: Settings,
        coinbase: SpotPrices,
        exchange: Exchange,
        inbox: Inbox[News] | None = None,
    ) -> None:
        self.trouble = ""
        self._pairs = {symbol: settings.pair(symbol) for symbol in symbols}
        self._assets = {symbol: settings.coinbase_asset(symbol) for symbol in symbols}
        self._called: dict[str, list[str]] = {}  # the tokens that Coinbase calls so; nearly always one
        for symbol, asset in self._assets.items():
            self._called.setdefault(asset, []).append(symbol)
        self._limit = settings.strategy.max_price_divergence
        self._coinbase = coinbase
        self._left = dict.fromkeys(symbols)
        self._inbox: Inbox[News] = Inbox() if inbox is None else inbox
        self._spot: dict[str, Decimal | str] = {}
        self._asked: dict[str, float] = {}
        self._binance: Mapping[str, Decimal] | None = None
        self._begun = self._looked = self._coinbase_heard = self._inbox.seconds()
        if symbols:
            coinbase.spot_prices_soon(list(self._called), self._inbox.put)
            exchange.prices_soon(self._pairs.values(), lambda said: self._inbox.put(_BinanceSaid(said)))

    def quotes(
        self,
        will_do: Callable[[str, Quote], bool] = _will_do,
        stopping: Callable[[], bool] = lambda: False,
        *,
        all_at_once: bool = False,
    ) -> Iterator[dict[str, Quote]]:
        """Yield the prices to go by as they become known, some tokens at a time, until every token had its turn.

        will_do: whether one venue's price will do alone where the other has had its fair chance and is silent; if not,
        that one is waited for. all_at_once: wait for all answers; where time is virtual no venue is slow.
        Raises StopRequested while it waits.
        """
        try:
            while self._left:
                symbols = self._hear(stopping)
                if all_at_once and not self._is_over():
                    continue
                judged = {symbol: self._judged(symbol, will_do) for symbol in (self._left if all_at_once else symbols)}
                known = {symbol: quote for symbol, quote in judged.items() if quote is not None}
                for symbol in known:
                    del self._left[symbol]
                if known:
                    yield known
        finally:
            self._coinbase.give_up()

    # ------------------------------------------------------------------ hearing

    def _hear(self, stopping: Callable[[], bool]) -> Collection[str]:
        """Take in what has been answered, or wait a moment; return the tokens that may be known by it."""
        heard: list[str] = []
        said = self._inbox.take(LOOK_SECONDS)
        while said is not None:
            heard += self._take_in(said)
            said = self._inbox.take(0)
        if not heard and stopping():
            raise StopRequested("stopped while prices were awaited")
        if self._inbox.seconds() - self._looked < LOOK_SECONDS and len(heard) < len(self._left):
            return [symbol for symbol in heard if symbol in self._left]
        self._looked = self._inbox.seconds()
        return list(self._left)

    def _take_in(self, said: News) -> Collection[str]:
        """Note an answer; return the tokens it is about."""
        if isinstance(said, _BinanceSaid):
            if isinstance(said.prices, MarsShotError):
                self.trouble, self._binance = said.prices.said, {}
            else:
                self.trouble, self._binance = "", said.prices
            return list(self._left)
        self._coinbase_heard = self._inbox.seconds()
        self._asked |= {asset: told for asset, told in said.items() if isinstance(told, float)}
        answers = {asset: told for asset, told in said.items() if not isinstance(told, float)}
        self._spot |= answers
        return [symbol for asset in answers for symbol in self._called[asset]]

    # ------------------------------------------------------------------ judging

    def _judged(self, symbol: str, will_do: Callable[[str, Quote], bool]) -> Quote | None:
        """Return the price to go by, or None while there is something to wait for."""
        spot = self._spot.get(self._assets[symbol])
        binance = self._binance.get(self._pairs[symbol]) if self._binance is not None else None
        if spot is not None and self._binance is not None:
            return choose_price(spot, binance, self._limit)
        if self._is_over():
            return choose_price(Sentence("coinbase.late") if spot is None else spot, binance, self._limit)
        if spot is None and binance is not None and self._coinbase_had_its_chance(symbol):
            is_slow = Sentence("coinbase.slow", seconds=FAIR_CHANCE_SECONDS)
            stand_in = choose_price(is_slow, binance, self._limit)
            return stand_in if will_do(symbol, stand_in) else None
        if isinstance(spot, Decimal) and self._binance is None and self._binance_had_its_chance():
            alone = choose_price(spot, None, self._limit)
            return alone if will_do(symbol, alone) else None
        return None

    def _coinbase_had_its_chance(self, symbol: str) -> bool:
        """Return whether this token's request has been out for long, or cannot go out because others hang."""
        since = self._asked.get(self._assets[symbol], self._coinbase_heard)
        return self._inbox.seconds() - since >= FAIR_CHANCE_SECONDS

    def _binance_had_its_chance(self) -> bool:
        is_late = self._inbox.seconds() - self._begun >= FAIR_CHANCE_SECONDS
        if is_late:
            self.trouble = Sentence("price.binance_slow", seconds=FAIR_CHANCE_SECONDS)
        return is_late

    def _is_over(self) -> bool:
        """Return whether everything has been answered, or nothing more is waited for."""
        is_late = self._inbox.seconds() - self._begun >= LONGEST_ROUND_SECONDS
        if self._binance is None and is_late:
            self.trouble = Sentence("price.binance_late")
        return is_late or (self._binance is not None and len(self._spot) == len(self._called))


def fetch_prices_for_symbols(
    symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
) -> tuple[dict[str, Quote], str]:
    """Return the price of each token to go by, and, in words, what is wrong with Binance's prices altogether.

    Waits for both venues, as long as they may take.
    """
    look, quotes = PriceRound(symbols, settings, coinbase, exchange), dict[str, Quote]()
    for known in look.quotes(all_at_once=True):
        quotes |= known
    return quotes, look.trouble
