"""Compares the book with the exchange, at start and before each daily update; tells what differs, and pauses buying.

Nothing is sold or bought by it. What pauses buying, two readings of the account a minute apart must have shown. What
the owner has been told of, and after which he has allowed buying again, is taken as it is: from then on the book counts
what is really there, coins and money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from marsshot.bot.control_files import ControlFiles
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.book import STANDSTILL, Book
from marsshot.core.catalog import Language, LocalizedText, catalog_of
from marsshot.core.errors import MarsShotError, OddAnswerError, TemporaryError
from marsshot.core.moments import utc_text
from marsshot.core.orders import ExecutedOrder
from marsshot.core.reasons import DifferenceKind
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_info, log_warning
from marsshot.portfolio.ledger import with_position, without_told_doubles
from marsshot.portfolio.reconciliation import (
    SECOND_READING_AFTER_MS,
    SURPLUS,
    Difference,
    balance_differences,
    quantity_after_standstill,
    reading_of,
    since_ms,
    surpluses,
    symbols_to_check,
    unknown_orders,
    with_coins_exchanged,
    with_comparison,
    with_exchange_quantity,
    with_order_accepted,
    without_explained,
)
from marsshot.portfolio.serialization import decimal_text
from marsshot.portfolio.undecidable_orders import undecidable_order_differences, with_undecidable_orders_decided
from positions_store import Store
from trade_executor import TradeExecutor


@dataclass(slots=True)
class Reconciler:
    """`is_due` until book and exchange have been compared; nothing may be bought before."""

    store: Store
    control: ControlFiles
    clock: Clock
    is_due: bool = True
    _second_reading_ms: int = 0  # exchange time before which no second reading is worth anything; 0: none is awaited

    @property
    def awaits_second_reading(self) -> bool:
        """Whether differences were seen that a second reading of the account has to show."""
        return self._second_reading_ms > 0

    def reconcile(self, settings: Settings, executor: TradeExecutor) -> None:
        """Compare, tell, pause, note; `is_due` stays where a second reading is needed first.

        Raises TemporaryError or AccountTroubleError; then it stays due, too.
        """
        if settings.mode == "paper":  # there the book is the account
            if self.control.is_resume_requested():
                self.store.change(lambda book: _with_replaced_taken(book, {}, None, self.clock.now()))
                self.control.acknowledge_resume()
            self.is_due = False
        elif executor.exchange.now_ms() >= self._second_reading_ms or self.control.is_resume_requested():
            unasked = _absent_orders_unasked(executor)
            is_reading_needed = self._compare(settings, executor)
            # One that executed besides another pauses buying as soon as it is told.
            self.is_due = is_reading_needed or unasked is not None or bool(executor.orders.doubled)
            if unasked is not None:
                raise unasked

    def _compare(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Return whether a second reading is needed."""
        symbols = list(dict.fromkeys((*self.store.book.positions, *settings.tokens_daily)))
        executor.ensure_rules(symbols)
        rules = {symbol: executor.rules_of(symbol) for symbol in symbols}
        now_ms = executor.exchange.now_ms()
        account = executor.exchange.account()
        resumed = self.control.is_resume_requested()
        if resumed:
            self.store.change(lambda book: _with_replaced_taken(book, rules, account, self.clock.now()))
        differences = self._differences(account, rules, executor, now_ms)
        accepted = [one for one in differences if self._is_accepted(one, resumed=resumed)]
        reading = reading_of(self.store.book, [one for one in differences if one not in accepted], now_ms)
        settled = any(one.topic.is_unknown_order for one in accepted)
        self._report(reading.confirmed, settings.language)
        if resumed:  # before the book says what is told now: that the owner has not allowed yet
            self.control.acknowledge_resume()
        self.store.change(
            lambda book: with_comparison(
                _as_allowed(book, accepted, rules, account, now_ms, resumed=resumed),
                now_ms,
                reading.confirmed,
                suspected=reading.suspected,
                settled=settled,
            )
        )
        self._tell_surpluses(account, rules)
        self._second_reading_ms = now_ms + SECOND_READING_AFTER_MS if reading.waits else 0
        return reading.waits

    def _differences(
        self, account: Account, rules: Mapping[str, TradingRules | None], executor: TradeExecutor, now_ms: int
    ) -> list[Difference]:
        book = self.store.book
        _log_unreadable(account, rules)
        seen = {
            symbol: _orders_seen(executor, symbol, since_ms(book, now_ms))
            for symbol in symbols_to_check(book, account, rules, list(rules))
        }
        # Of a token that may be another coin now the owner has been told already; all else goes on.
        standing = {symbol for symbol, held in book.positions.items() if STANDSTILL in held.said}
        by_balance = [one for one in balance_differences(book, account, rules) if one.symbol not in standing]
        missing = {DifferenceKind.SHORTFALL, DifferenceKind.LENT}
        uncovered = {one.symbol for one in by_balance if one.topic.kind in missing}
        covered = [symbol for symbol in book.positions if symbol not in uncovered]
        undecidable = undecidable_order_differences(book, executor.orders.undecidable, account)
        return without_explained([*by_balance, *unknown_orders(book, seen, covered), *undecidable])

    def _is_accepted(self, difference: Difference, *, resumed: bool) -> bool:
        """Return whether the owner was told of it, and has allowed buying since. Lent coins come back: they stay."""
        told, kind = self.store.book.differences, difference.topic.kind
        if kind is DifferenceKind.CAPITAL:
            return resumed and any(topic.kind is kind for topic in told)
        can_be = difference.exchange_quantity is not None or difference.topic.is_unknown_order
        return difference.topic in told and can_be and not self.control.paused()

    def _report(self, differences: Sequence[Difference], language: Language) -> None:
        """Tell what is new. Buying is paused before the book says that it was told: a death in between tells twice."""
        new = [one for one in differences if one.topic not in self.store.book.differences]
        for one in new:
            (log_error if one.pauses else log_warning)("book.differs", one.sentence, topic=one.topic)
        if serious := [one.sentence for one in new if one.pauses]:
            catalog = catalog_of(language)
            self.control.pause("; ".join(catalog.render(one) for one in serious), by_difference=True)
            log_info("control.paused", LocalizedText("log.paused"))

    def _tell_surpluses(self, account: Account, rules: Mapping[str, TradingRules | None]) -> None:
        """Tell once of coins of a held token that are the owner's."""
        for symbol in surpluses(self.store.book, account, rules):
            known, held = rules[symbol], self.store.book.positions[symbol]
            there = account.total(known.base_asset) if known else held.qty
            facts = {"counted": _plain(held.qty), "there": _plain(there)}
            log_info("book.surplus", LocalizedText("log.surplus", symbol=symbol, **facts), symbol=symbol)
            self.store.save(with_position(self.store.book, symbol, replace(held, said=held.said | {SURPLUS})))


def _absent_orders_unasked(executor: TradeExecutor) -> TemporaryError | None:
    """Ask for the orders that were proven absent: one that turned up has spent what the book counts.

    Return why one could not be asked for: then nothing may be bought, and all else goes on.
    """
    try:
        executor.orders.watch_absent(at_once=True)
    except TemporaryError as error:
        return error
    return None


def _orders_seen(executor: TradeExecutor, symbol: str, moment_ms: int) -> Sequence[ExecutedOrder]:
    """Return the orders of a token; none, and say so, where the exchange tells of them what nobody can read."""
    try:
        return executor.exchange.orders_since(executor.pair_of(symbol), moment_ms)
    except OddAnswerError as error:
        text = LocalizedText("log.not_compared_token", symbol=symbol, why=error.message)
        log_warning("book.not_compared", text, symbol=symbol)
        return []


def _log_unreadable(account: Account, rules: Mapping[str, TradingRules | None]) -> None:
    for symbol, known in rules.items():
        if known is not None and known.base_asset in account.unreadable:
            why = LocalizedText("fault.exchange.odd_balance", asset=known.base_asset)
            text = LocalizedText("log.not_compared_token", symbol=symbol, why=why)
            log_warning("book.not_compared", text, symbol=symbol)


def _undecidable_orders_decided(book: Book, accepted: Sequence[Difference], account: Account) -> Book:
    topics = [one.topic for one in accepted if one.topic.kind.is_undecidable_order]
    for topic in topics:
        text = LocalizedText(f"log.{topic.kind}_decided", symbol=topic.symbol)
        log_warning("book.adjusted", text, symbol=topic.symbol)
    return with_undecidable_orders_decided(book, topics, account)


def _with_replaced_taken(
    book: Book,
    rules: Mapping[str, TradingRules | None],
    account: Account | None,
    now: datetime,
) -> Book:
    """Let the positions that stood still count what the account holds of them now: the owner has looked."""
    for symbol, held in book.positions.items():
        if STANDSTILL not in held.said:
            continue
        known = rules.get(symbol)
        if account is not None and known is not None and known.base_asset in account.unreadable:
            continue
        there = held.qty
        if account is not None and known is not None:
            there = account.total(known.base_asset) + account.lent.get(known.base_asset, ZERO)
            there = quantity_after_standstill(
                there - book.dust.get(known.base_asset, ZERO), held.qty, held.owners_share
            )
        book = with_coins_exchanged(book, symbol, there, utc_text(now))
        if there == held.qty:
            log_info("token.looked_at", LocalizedText("log.looked_at", symbol=symbol), symbol=symbol)
        else:
            amounts = {"there": _plain(there), "counted": _plain(held.qty)}
            log_warning("book.adjusted", LocalizedText("log.adjusted", symbol=symbol, **amounts), symbol=symbol)
    return book


def _as_allowed(
    book: Book,
    accepted: Sequence[Difference],
    rules: Mapping[str, TradingRules | None],
    account: Account,
    now_ms: int,
    *,
    resumed: bool,
) -> Book:
    """Let the book count what is there of the differences that the owner has allowed for."""
    book = without_told_doubles(book) if resumed else book
    return _adjusted_to_exchange(_undecidable_orders_decided(book, accepted, account), accepted, rules, account, now_ms)


def _adjusted_to_exchange(
    book: Book,
    accepted: Sequence[Difference],
    rules: Mapping[str, TradingRules | None],
    account: Account,
    now_ms: int,
) -> Book:
    """Let the book count what is there: first what unknown orders did, then what else is missing."""
    before = book.capital
    for one in accepted:
        known, held = rules.get(one.symbol), book.positions.get(one.symbol)
        if one.topic.is_unknown_order:
            book = with_order_accepted(book, one, now_ms)
        is_decided = one.topic.kind.is_undecidable_order
        if known is not None and held is not None and one.exchange_quantity is not None and not is_decided:
            book = with_exchange_quantity(book, one, known.lot_step)
            amounts = {"there": _plain(one.exchange_quantity), "counted": _plain(held.qty)}
            log_warning("book.adjusted", LocalizedText("log.adjusted", symbol=one.symbol, **amounts), symbol=one.symbol)
    if any(one.topic.kind is DifferenceKind.CAPITAL for one in accepted):
        book = replace(book, capital=min(book.capital, account.free.get(book.quote_asset, ZERO)))
    if book.capital != before:
        amounts = {"there": book.capital, "counted": before}
        log_warning("book.adjusted", LocalizedText("log.capital_adjusted", quote=book.quote_asset, **amounts))
    return book


def _plain(amount: Decimal) -> Decimal:
    return Decimal(decimal_text(amount))


def log_not_compared(error: MarsShotError) -> None:
    """Tell that the comparison could not be made now."""
    log_warning("book.not_compared", LocalizedText("log.not_compared", why=error.message))
