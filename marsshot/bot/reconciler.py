"""Compares the book with the exchange, at start and before each daily update; tells what differs, and pauses buying.

Nothing is sold or bought by it. A shortfall that the owner has been told of, and after which he has allowed buying
again, is taken as it is: from then on the book counts what is really there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from marsshot.bot.control_files import ControlFiles
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.domain import Book, TradingRules
from marsshot.core.errors import MarsShotError
from marsshot.core.reasons import DifferenceKind
from marsshot.infra.event_log import log_error, log_info, log_warning
from marsshot.portfolio.reconciliation import (
    Difference,
    balance_differences,
    since_ms,
    symbols_to_check,
    unknown_orders,
    with_comparison,
    with_exchange_quantity,
    without_explained,
)
from marsshot.portfolio.serialization import decimal_text
from positions_store import Store
from trade_executor import TradeExecutor


@dataclass(slots=True)
class Reconciler:
    """`is_due` until book and exchange have been compared; nothing may be bought before."""

    store: Store
    control: ControlFiles
    is_due: bool = True

    def reconcile(self, settings: Settings, executor: TradeExecutor) -> None:
        """Compare, tell, pause, note. Raises TemporaryError or AccountTroubleError; then it stays due."""
        if settings.mode != "paper":  # there the book is the account
            self._compare(settings, executor)
        self.is_due = False

    def _compare(self, settings: Settings, executor: TradeExecutor) -> None:
        symbols = list(dict.fromkeys((*self.store.book.positions, *settings.tokens_daily)))
        executor.ensure_rules(symbols)
        rules = {symbol: executor.rules_of(symbol) for symbol in symbols}
        now_ms = executor.exchange.now_ms()
        account = executor.exchange.account()
        book = self.store.book
        seen = {
            symbol: executor.exchange.orders_since(executor.pair_of(symbol), since_ms(book, now_ms))
            for symbol in symbols_to_check(book, account, rules, symbols)
        }
        differences = without_explained([*balance_differences(book, account, rules), *unknown_orders(book, seen)])
        accepted = [one for one in differences if self._is_accepted(one)]
        open_ones = [one for one in differences if one not in accepted]
        self._report(open_ones)
        settled = any(one.topic.is_unknown_order for one in accepted)
        self.store.change(
            lambda book: with_comparison(
                _adjusted_to_exchange(book, accepted, rules), now_ms, open_ones, settled=settled
            )
        )

    def _is_accepted(self, difference: Difference) -> bool:
        """Return whether the owner was told of a shortfall or an unknown order, and has allowed buying since."""
        told = difference.topic in self.store.book.differences
        can_be = difference.exchange_quantity is not None or difference.topic.kind is DifferenceKind.UNKNOWN_PURCHASE
        return told and can_be and not self.control.paused()

    def _report(self, differences: Sequence[Difference]) -> None:
        """Tell what is new. Buying is paused before the book says that it was told: a death in between tells twice."""
        new = [one for one in differences if one.topic not in self.store.book.differences]
        for one in new:
            (log_error if one.pauses else log_warning)("book.differs", one.sentence, topic=one.topic)
        if serious := [one.sentence for one in new if one.pauses]:
            self.control.pause("; ".join(serious), by_difference=True)
            log_info("control.paused", LocalizedText("log.paused"))


def _adjusted_to_exchange(book: Book, accepted: Sequence[Difference], rules: dict[str, TradingRules | None]) -> Book:
    for one in accepted:
        known = rules[one.symbol]
        held = book.positions.get(one.symbol)
        if known is not None and held is not None and one.exchange_quantity is not None:
            book = with_exchange_quantity(book, one, known.lot_step)
            amounts = {
                "there": Decimal(decimal_text(one.exchange_quantity)),
                "counted": Decimal(decimal_text(held.qty)),
            }
            log_warning("book.adjusted", LocalizedText("log.adjusted", symbol=one.symbol, **amounts), symbol=one.symbol)
    return book


def log_not_compared(error: MarsShotError) -> None:
    """Tell that the comparison could not be made now."""
    log_warning("book.not_compared", LocalizedText("log.not_compared", why=error.message))
