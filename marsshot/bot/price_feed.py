"""The one price of each token that rules may go by, and what the owner is told when it is unusual.

Knows what was seen before: a venue that was wrong when last compared, a price that needs a second look. Reads the book
and never writes it: whoever looks is told what was seen, and saves it. Holds no rule of trading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from marsshot.bot.price_judge import BalanceOf, JudgedQuote, PriceJudge, account_balances
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.book import STANDSTILL, Book, Position
from marsshot.core.catalog import LocalizedText
from marsshot.core.trading_rules import Account
from marsshot.exchange.base import Exchange
from marsshot.infra.background import Inbox
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_info, log_warning
from marsshot.market_data.coinbase import NO_ANSWER, SpotPrices
from marsshot.market_data.price_aggregator import PriceAggregator, PriceSource, PriceUpdate, Quote
from marsshot.strategy.second_look import Effect, LastLook, Standstill

COINBASE_DIVERGES = "coinbase_strays"

WouldAct = Callable[[Position, Decimal], Effect]
"""Returns what the rules would do with a position by a price."""


def _acts_on_nothing(_position: Position, _price: Decimal) -> Effect:
    return Effect.NOTHING


class BookView(Protocol):
    """Where the book is looked up as it stands."""

    @property
    def book(self) -> Book:
        """The book."""


@dataclass(frozen=True, slots=True)
class PriceLook:
    """What one look saw. prices: those to go by. coinbase_agrees: where both venues could be compared.

    replaced: tokens that are no longer the coin that was bought, by what price and balance tell; what of the account's
    balance was the owner's before, in base asset, or None where that is not known.
    """

    prices: Mapping[str, Decimal]
    coinbase_agrees: Mapping[str, bool]
    replaced: Mapping[str, Decimal | None] = field(default_factory=dict)

    def positions_changed(self, positions: Mapping[str, Position]) -> dict[str, Position]:
        """Return, of the positions, those of which there is news to keep.

        Whether Coinbase's price is another thing's (a currency of the same name, say), and that a token stands still.
        """
        said = {
            symbol: positions[symbol].said ^ {COINBASE_DIVERGES}
            for symbol, agrees in self.coinbase_agrees.items()
            if symbol in positions and agrees is (COINBASE_DIVERGES in positions[symbol].said)
        }
        changed = {symbol: replace(positions[symbol], said=words) for symbol, words in said.items()}
        for symbol, owners in self.replaced.items():
            if symbol in positions:
                held = changed.get(symbol, positions[symbol])
                changed[symbol] = replace(held, said=held.said | {STANDSTILL}, owners_share=owners)
        return changed


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
        last_looks: Mapping[str, LastLook] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._all_at_once = all_at_once
        self._make_inbox = make_inbox
        self.last_quotes: dict[str, Quote] = {}
        self.silent_venues: tuple[PriceSource, ...] = ()  # at the last look, for all that was asked for
        self._judge = PriceJudge(clock, last_looks)
        self._last_logged: dict[str, str] = {}

    @property
    def second_look_at(self) -> datetime | None:
        """The moment from which on a doubted price is worth another look; None where none is doubted."""
        return self._judge.next_look_at(self._store.book.positions)

    def doubted(self) -> tuple[str, ...]:
        """Return the held tokens whose price is due to be looked at again."""
        return self._judge.doubted(self._store.book.positions)

    @property
    def last_looks(self) -> Mapping[str, LastLook]:
        """What was last believed of each held token, for the next process."""
        return self._judge.last_looks

    def owners_share(self, symbol: str) -> Decimal | None:
        """Return what of the account's balance was not the bot's when the price was last believed."""
        last = self._judge.last_looks.get(symbol)
        return last.owners_share if last is not None else None

    def lacks_share(self) -> bool:
        """Return whether of a held token it is not known what of the account's balance is the owner's."""
        return self._judge.lacks_share(self._store.book.positions)

    def note_balances(self, settings: Settings, exchange: Exchange) -> None:
        """Read the account for what of the held tokens is the owner's; without an answer all stays as it was."""
        book = self._store.book
        calm = {symbol: one for symbol, one in book.positions.items() if not book.has_pending_order(symbol)}
        self._judge.note_balances(calm, _balances_of(settings, exchange))

    def forget_sold(self) -> None:
        """Forget what was seen of tokens that are not held any more: their next position begins anew."""
        self._judge.begin_look(self._store.book.positions, ())

    def venues_agree(self, symbol: str) -> bool:
        """Return whether both venues told the same price of a token at the last look, and it is believed."""
        quote = self.last_quotes.get(symbol)
        return quote is not None and quote.price is not None and quote.agrees is True

    def note_halt(self, symbol: str) -> None:
        """Remember that a token's pair is not traded now: it may come back as another coin."""
        self._judge.note_halt(symbol)

    def stream_prices(
        self,
        symbols: Collection[str],
        settings: Settings,
        coinbase: SpotPrices,
        exchange: Exchange,
        would_act: WouldAct = _acts_on_nothing,
    ) -> Iterator[PriceLook]:
        """Yield the price to go by of each token that has one, some tokens at a time, as soon as they are known.

        would_act: tells which prices matter enough for a second look. What is unusual is told once, until it changes.
        Raises StopRequested while it waits.
        """
        self._judge.begin_look(self._store.book.positions, symbols)
        balance_of = _balances_of(settings, exchange)
        aggregator = PriceAggregator(symbols, settings, coinbase, exchange, self._make_inbox())
        has_coinbase_answered = not symbols
        for quotes in aggregator.quotes(
            self._accepts_single_source, lambda: self._clock.stopping, all_at_once=self._all_at_once
        ):
            judged = {
                symbol: self._judged(symbol, self._drop_distrusted(symbol, quote), would_act, balance_of)
                for symbol, quote in quotes.items()
            }
            accepted = {symbol: one.quote for symbol, one in judged.items()}
            self.last_quotes |= accepted
            has_coinbase_answered |= any(quote.missing not in NO_ANSWER for quote in quotes.values())
            self._log_changes(accepted, aggregator.exchange_problem)
            yield PriceLook(
                {symbol: quote.price for symbol, quote in accepted.items() if quote.price is not None},
                {symbol: quote.agrees for symbol, quote in quotes.items() if quote.agrees is not None},
                {one: self.owners_share(one) for one in judged if judged[one].standstill is Standstill.REPLACED},
            )
        is_silent = {PriceSource.COINBASE: not has_coinbase_answered, PriceSource.EXCHANGE: aggregator.exchange_problem}
        self.silent_venues = tuple(venue for venue, silent in is_silent.items() if silent)

    def _judged(self, symbol: str, quote: Quote, would_act: WouldAct, balance_of: BalanceOf) -> JudgedQuote:
        held = self._store.book.positions.get(symbol)
        if held is None:
            return JudgedQuote(quote)
        judged = self._judge.judged(symbol, held, quote, lambda price: would_act(held, price), balance_of)
        if judged.standstill is Standstill.REPLACED:
            log_error("token.standstill", LocalizedText("log.about", subject=symbol, told=judged.quote.note))
        return judged

    def _log_changes(self, quotes: Mapping[str, Quote], exchange_problem: str) -> None:
        self._log_once("*", LocalizedText("log.no_exchange_prices", why=exchange_problem) if exchange_problem else "")
        for symbol, quote in quotes.items():
            # That the exchange has none has just been told for all of them.
            note = "" if exchange_problem and _is_coinbase_alone(quote) else quote.note
            key = "log.blind" if quote.price is None else "log.about"
            self._log_once(symbol, LocalizedText(key, subject=symbol, told=note) if note else "")

    def _accepts_single_source(self, symbol: str, quote: Quote) -> bool:
        """Return whether one venue's price will do while the other is silent: nothing is odd about it."""
        held = self._store.book.positions.get(symbol)
        found = self._drop_distrusted(symbol, quote)
        return found.price is not None and (held is None or not self._judge.is_odd(symbol, held, found))

    def _drop_distrusted(self, symbol: str, quote: Quote) -> Quote:
        """Take Coinbase's price away where it cannot be compared now and was wrong when it last could."""
        held = self._store.book.positions.get(symbol)
        if held is None or not _is_coinbase_alone(quote) or COINBASE_DIVERGES not in held.said:
            return quote
        return Quote(None, note=LocalizedText("price.distrusted"))

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


def _balances_of(settings: Settings, exchange: Exchange) -> BalanceOf:
    """Return a question for balances that asks the account once, when the first of them matters."""
    account: list[Account] = []

    def total(symbol: str) -> Decimal:
        if not account:
            account.append(exchange.account())
        asset = settings.exchange_asset(symbol)
        return account[0].total(asset) + account[0].lent.get(asset, ZERO)

    return account_balances(total)
