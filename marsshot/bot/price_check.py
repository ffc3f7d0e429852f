"""The five-minute check: every position priced, the exit rules applied to it, and what was seen kept in the book.

Its sales are trade_executor.py's, its rules risk_manager.py's, its prices price_feed.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.bot.journal import Journal
from marsshot.bot.price_feed import PriceFeed, PriceLook, WouldAct
from marsshot.config.settings import Settings
from marsshot.core.book import STANDSTILL, Position
from marsshot.core.errors import AccountTroubleError, TemporaryError
from marsshot.core.exit_settings import ExitRules
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only
from marsshot.market_data.coinbase import SpotPrices
from marsshot.portfolio.ledger import with_position
from marsshot.strategy.second_look import RECENT, Effect
from positions_store import Store
from risk_manager import decide_exit, positions_changed_by, update_positions_in_intraday, with_price_seen
from trade_executor import TradeExecutor

MAX_PRICE_AGE = timedelta(seconds=60)  # sales take time; a token whose turn comes later gets a new price first


class _FreshnessWindow:
    """Tells which tokens get their turn while the prices are fresh; the others are `stale`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock.now()
        self.stale: list[str] = []

    def is_price_fresh(self, symbol: str) -> bool:
        """Return whether the token's price is still fresh."""
        if abs(self._clock.now() - self._started_at) <= MAX_PRICE_AGE:
            return True
        self.stale.append(symbol)
        return False


class PriceCheck:
    """The check of one bot. settings: returns those in force."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        clock: Clock,
        store: Store,
        executor: TradeExecutor,
        price_feed: PriceFeed,
        coinbase: SpotPrices,
        journal: Journal | None = None,
    ) -> None:
        self.price_feed = price_feed
        self.coinbase = coinbase
        self._settings = settings
        self._clock = clock
        self._store = store
        self._executor = executor
        self._journal = journal
        self._balances_noted_at: datetime | None = None
        self.last_at: datetime | None = None
        """The moment of the last check of all positions."""

    # ------------------------------------------------------------------ when

    def is_due(self, quiet_seconds_left: float) -> bool:
        """Return whether all positions are to be checked now. quiet_seconds_left: of the exchange's silence."""
        if self.last_at is None:
            return True
        since = (self._clock.now() - self.last_at).total_seconds()
        # A clock that was set back would otherwise keep the stop-loss waiting. And what could not be sold because the
        # exchange had asked for silence is sold when that is over, not minutes later.
        was_silenced = -since < quiet_seconds_left <= 0
        return since < 0 or since >= self._interval.total_seconds() or was_silenced

    @property
    def _interval(self) -> timedelta:
        return timedelta(seconds=self._settings().strategy.check_interval_seconds)

    def skip(self, before: datetime) -> None:
        """Take the checks that are due before this moment as made: the caller knows that they would change nothing."""
        if self.last_at is not None and before > self.last_at:
            self.last_at += self._interval * ((before - self.last_at - timedelta(microseconds=1)) // self._interval)

    # ------------------------------------------------------------------ the check

    def check_all(self) -> bool:
        """Price every position and apply the exit rules; return False if anything has to be tried again.

        The rules go by each price as soon as it is known; a slow one holds up no other token's sale.
        """
        self.last_at = self._clock.now()
        self.price_feed.forget_sold()  # where nothing is held no look follows
        is_done, seen = self._check(list(self._store.book.positions))
        self._note_halts()
        self._note_balances()
        self._note_check(seen)
        return is_done

    def look_again(self, symbols: Collection[str]) -> bool:
        """Ask again for prices that one look was not enough for, and apply the exit rules to them."""
        is_done, seen = self._check([symbol for symbol in symbols if symbol in self._store.book.positions])
        self._note_check(seen)
        return is_done

    def _check(self, symbols: list[str]) -> tuple[bool, Mapping[str, Decimal]]:
        """Return whether nothing is to be tried again, and the prices gone by."""
        unsold, unpriced, waiting = list[str](), set[str](), symbols
        seen: dict[str, Decimal] = {}
        while waiting:
            unpriced |= set(waiting)
            window, rules = _FreshnessWindow(self._clock), self._settings().exit_rules
            for look in self._stream_prices(waiting, self._would_act):
                seen |= look.prices
                unpriced -= look.prices.keys()
                self._save_what_was_seen(look, rules)
                now = self._clock.now()
                unsold += update_positions_in_intraday(look.prices, rules, now, self._executor, window.is_price_fresh)
            waiting = window.stale
        return not unsold and not unpriced, seen

    def _would_act(self, position: Position, price: Decimal) -> Effect:
        """Return what the rules would do by this price; a sale that goes on at any price is none by it."""
        if position.exit_pending is not None:
            return Effect.NOTHING
        rules = self._settings().exit_rules
        seen = with_price_seen(position, price, rules)
        decision = decide_exit(seen, price, self._clock.now(), rules)
        if decision.reason is not None and decision.is_full:
            return Effect.FULL_SALE
        if seen is not position:
            return Effect.NEW_TOP
        return Effect.PARTIAL_SALE if decision.reason is not None else Effect.NOTHING

    # ------------------------------------------------------------------ prices, and what they tell of positions

    def usable_prices(self, symbols: Collection[str]) -> Mapping[str, Decimal]:
        """Return the price to go by of each token that has one, once all are known."""
        prices: dict[str, Decimal] = {}
        for look in self._stream_prices(symbols, lambda _position, _price: Effect.NOTHING):
            self._save_positions(look.positions_changed(self._store.book.positions))
            prices |= look.prices
        return prices

    def _stream_prices(self, symbols: Collection[str], would_act: WouldAct) -> Iterator[PriceLook]:
        exchange = self._executor.exchange
        return self.price_feed.stream_prices(symbols, self._settings(), self.coinbase, exchange, would_act)

    def _save_what_was_seen(self, look: PriceLook, rules: ExitRules) -> None:
        """Put what a look has changed about the positions into the book, before anything is sold by it."""
        held = self._store.book.positions
        free = {symbol: one for symbol, one in held.items() if self._executor.may_trade(symbol)}
        changed = look.positions_changed(held)
        changed |= positions_changed_by(look.prices, free | changed, rules)
        if changed:  # a death in between must not leave a new top beside the price before it: a wick would sell by that
            self._note_check(look.prices)
        self._save_positions(changed)

    def keep_owners_shares(self) -> None:
        """Keep in the book whose coins a token's were as it came to stand still: an earlier version did not."""
        shares = {symbol: self.price_feed.owners_share(symbol) for symbol in self._store.book.positions}
        self._save_positions(
            {
                symbol: replace(held, owners_share=shares[symbol])
                for symbol, held in self._store.book.positions.items()
                if STANDSTILL in held.said and held.owners_share is None and shares[symbol] is not None
            }
        )

    def _save_positions(self, positions: Mapping[str, Position]) -> None:
        """Put positions into the book, in one replacement; a disk in trouble is told, the check goes on."""
        if not positions:
            return
        book = self._store.book
        for symbol, position in positions.items():
            book = with_position(book, symbol, position)
        try:
            self._store.save(book)
        except TemporaryError as error:
            log_error("book.not_saved", error.message)

    # ------------------------------------------------------------------ what later looks go by

    def _note_halts(self) -> None:
        """Note which held tokens' pairs are not traded now, for the price they come back at; exits wait for nothing."""
        if self._settings().mode == "demo":  # its market halts nothing, and the demo is to be quick
            return
        held = list(self._store.book.positions)
        try:
            self._executor.load_rules(held)
        except (TemporaryError, AccountTroubleError) as error:
            log_file_only("halts.not_known", error.message)
            return
        for symbol in held:
            rules = self._executor.rules_of(symbol)
            if rules is not None and not rules.tradable:
                self.price_feed.note_halt(symbol)

    def _note_balances(self) -> None:
        """Note, once an hour, what of the account is the owner's; exits have not waited for it."""
        now, last = self._clock.now(), self._balances_noted_at
        is_due = last is None or abs(now - last) >= RECENT or self.price_feed.lacks_share()
        if is_due and self._store.book.positions:
            self._balances_noted_at = now
            self.price_feed.note_balances(self._settings(), self._executor.exchange)

    def _note_check(self, seen: Mapping[str, Decimal]) -> None:
        if self._journal is not None:
            self._journal.note_check(self._store.book, seen, self._clock.now(), self.price_feed.last_looks)
