"""An order's life: intent on disk, then the request, then fill and book in one step; what is unknown is looked up.

The process may die at any line: before the intent is saved nothing was sent; after it, `resolve_unknown` (which is also
what start-up runs) asks the exchange what became of it. A client order id finds an order, it does not prevent a
second one: every attempt has a new id. Decides nothing about what to trade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import (
    UNFORESEEN,
    AccountTroubleError,
    ClockRefusedError,
    MarsShotError,
    NamelessOrderError,
    PairGoneError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.orders import AbsentOrder, Fill, Intent, OrderReport, PartFill, Side, fees_by_asset
from marsshot.core.reasons import DifferenceKind, OrderReason
from marsshot.core.trading_rules import TradingRules
from marsshot.exchange.base import Exchange
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_info, log_warning
from marsshot.portfolio.ledger import (
    with_absence,
    with_double_told,
    with_fill,
    with_intent,
    without_absence,
    without_intent,
)
from marsshot.portfolio.serialization import decimal_text
from positions_store import Store

WATCH_EVERY_MS = 300_000
LISTS_MARGIN_MS = 60_000  # the lists are asked from a little before the order was sent on: clocks differ
# An intent that waited longer than this before it could be sent is given up: its look-up would begin too late.
MAX_SEND_DELAY_MS = 10_000


class OrderTracker:
    """Sends orders of one book to one exchange, one at a time, and finds out what became of them."""

    def __init__(self, exchange: Exchange, store: Store, clock: Clock) -> None:
        self.exchange = exchange
        self._store = store
        self._clock = clock
        self._first_missed_ms: dict[str, int] = {}  # by client order id: when it was first not found
        self._last_watched_ms = 0  # exchange time at which the orders that were never taken were last asked for
        self.doubled: dict[str, LocalizedText] = {}
        """Orders that were taken for absent and have executed, and so has another in their place: buying must pause."""
        self._last_listed_ms: dict[str, int] = {}  # by client order id: when the lists were last asked for it
        self._once_unlisted = set[str]()  # client order ids that the lists have not had once
        self._last_told: dict[str, str] = {}  # by client order id: why it could not be looked up
        self.undecidable: dict[str, DifferenceKind] = {}  # by client order id: why no question decides it

    def place(
        self,
        symbol: str,
        side: Side,
        reason: OrderReason,
        rules: TradingRules,
        *,
        quantity: Decimal | None = None,
        quote_amount: Decimal | None = None,
    ) -> Fill:
        """Send one order and book what it executed. A refused clock is synced, and a new order sent, once.

        Raises by what to do next: UnknownOutcomeError leaves the intent in the book, any other error means that
        nothing happened.
        """
        for last_try in (False, True):
            intent = Intent(
                client_order_id=self._new_id(reason),
                symbol=symbol,
                pair=rules.pair,
                base_asset=rules.base_asset,
                lot_step=rules.lot_step,
                side=side,
                reason=reason,
                created_ms=self.exchange.now_ms(),
                quantity=quantity,
                quote_amount=quote_amount,
            )
            try:
                return self._send(intent)
            except ClockRefusedError:
                if last_try:
                    raise
                self.exchange.server_ms()
        raise AssertionError("unreachable")

    def _new_id(self, reason: OrderReason) -> str:
        """Return a client order id that was never used, not even by an order that was refused."""
        return self.exchange.new_order_id(self._store.book.order_serial + 1, reason)

    def _send(self, intent: Intent) -> Fill:
        if self._clock.stopping:
            raise StopRequested("no new order is begun while the bot stops")
        with self._clock.uninterruptible():
            self._store.save(with_intent(self._store.book, intent))
            try:
                if self.exchange.now_ms() - intent.created_ms > MAX_SEND_DELAY_MS:
                    raise TemporaryError(LocalizedText("fault.order.stood_still"))
                report = self.exchange.send_market_order(intent)
            except UnknownOutcomeError:
                raise
            except MarsShotError:
                self._store.save(without_intent(self._store.book, intent))
                raise
            return self._book_outcome(intent, report)

    def _book_outcome(self, intent: Intent, report: OrderReport) -> Fill:
        """Book a finished order. Raises UnknownOutcomeError while it is not, RefusedOrderError if nothing executed."""
        if not report.is_final:
            raise UnknownOutcomeError(
                LocalizedText("fault.order.is", order=intent.client_order_id, status=report.status)
            )
        if report.executed_base == 0:
            self._store.save(without_intent(self._store.book, intent))
            raise RefusedOrderError(LocalizedText("fault.order.nothing_executed", status=report.status))
        parts, before = self._all_parts(intent, report), self._store.book
        try:
            fill = _fill_of(report, parts)
            book = with_fill(before, intent, fill)
        except UNFORESEEN as error:  # of this order alone; the next one may be booked
            raise UnknownOutcomeError(LocalizedText("fault.order.unforeseen", why=repr(error))) from error
        self._store.save(book)
        _log_fill(intent, fill, before)
        return fill

    def _all_parts(self, intent: Intent, report: OrderReport) -> tuple[PartFill, ...]:
        if report.parts is not None:
            return report.parts
        try:
            parts = self.exchange.fetch_part_fills(intent, report.order_id)
        except StopRequested:
            raise
        except MarsShotError as error:
            raise UnknownOutcomeError(LocalizedText("fault.order.no_trades", why=error.message)) from None
        if sum((part.quantity for part in parts), ZERO) != report.executed_base:
            raise UnknownOutcomeError(LocalizedText("fault.order.odd_trades"))
        return parts

    # ------------------------------------------------------------------ what is not known

    def resolve_unknown(self) -> None:
        """Look up every order whose outcome is not known; start-up and every cycle begin with this."""
        for intent in list(self._store.book.intents.values()):
            try:
                self._look_up(intent)
            except (RefusedOrderError, UnknownOutcomeError) as error:
                if isinstance(error, NamelessOrderError):
                    self.undecidable[intent.client_order_id] = DifferenceKind.NAMELESS_ORDER
                text = LocalizedText("log.about", subject=intent.symbol, told=error.message)
                self._log_once(log_info, "order.looked_up", intent, text)
            except PairGoneError as error:
                self.undecidable[intent.client_order_id] = DifferenceKind.GONE_ORDER
                text = LocalizedText("log.pair_gone", symbol=intent.symbol, why=error.message)
                self._log_once(log_error, "order.pair_gone", intent, text)
            except (TemporaryError, AccountTroubleError) as error:
                text = LocalizedText("log.still_unknown", symbol=intent.symbol, why=error.message)
                self._log_once(log_warning, "order.still_unknown", intent, text)
            except UNFORESEEN as error:
                text = LocalizedText("log.still_unknown", symbol=intent.symbol, why=f"{type(error).__name__}: {error}")
                self._log_once(log_error, "order.still_unknown", intent, text)

    def _log_once(self, log: Callable[..., None], event: str, intent: Intent, text: str) -> None:
        """Tell what keeps an order in doubt, and again only when it is something else: it is looked up every round."""
        name = intent.client_order_id
        (log_file_only if self._last_told.get(name) == text else log)(event, text, client_order_id=name)
        self._last_told[name] = text

    def _look_up(self, intent: Intent) -> None:
        # The time is asked before the order: what is unknown now was unknown at that time too.
        server_ms = self.exchange.server_ms()
        report = self.exchange.find_order(intent)
        if self.undecidable.get(intent.client_order_id) is DifferenceKind.GONE_ORDER:
            del self.undecidable[intent.client_order_id]
        if report is not None:
            self._book_outcome(intent, report)
        elif self._may_be_absent(intent, server_ms):
            self._ask_lists(intent, server_ms)

    def _may_be_absent(self, intent: Intent, server_ms: int) -> bool:
        """Return whether an order that is not known by its id now should have been seen long ago."""
        proof = self.exchange.absence_proof
        first_missed_ms = self._first_missed_ms.setdefault(intent.client_order_id, server_ms)
        # A clock that went wrong may have stamped the order with a time to come: then the first look counts.
        sent_ms = min(intent.created_ms, first_missed_ms)
        return server_ms - first_missed_ms >= proof.between_looks_ms and server_ms - sent_ms >= proof.after_sending_ms

    def _ask_lists(self, intent: Intent, server_ms: int) -> None:
        """Drop an order that the exchange's lists do not have either, as often as they must be asked; book it if so."""
        name, proof = intent.client_order_id, self.exchange.absence_proof
        last_listed_ms = self._last_listed_ms.get(name)
        if last_listed_ms is not None and server_ms - last_listed_ms < proof.between_lists_ms:
            return
        self._last_listed_ms[name] = server_ms
        earliest_ms = min(intent.created_ms, self._first_missed_ms[name]) - LISTS_MARGIN_MS
        report = self.exchange.find_in_lists(intent, earliest_ms)
        self.undecidable.pop(name, None)
        if report is not None:
            self._book_outcome(intent, report)
        elif name not in self._once_unlisted and proof.between_lists_ms:
            self._once_unlisted.add(name)
        else:
            drop = with_absence if proof.watched_for_ms else without_intent
            self._store.save(drop(self._store.book, intent))
            side = LocalizedText(f"action.{intent.side.lower()}")
            text = LocalizedText("log.never_arrived", symbol=intent.symbol, side=side)
            log_info("order.never_arrived", text, client_order_id=name)

    # ------------------------------------------------------------------ what was proven never taken

    def watch_absent(self, *, at_once: bool = False) -> None:
        """Ask now and then for the orders that were proven never taken: one that executed after all is booked.

        Where another has executed in its place it is not: it stands in `doubled` until `note_double_told`.
        at_once: before money is spent, not now and then.
        """
        now_ms = self.exchange.now_ms()
        if not at_once and 0 <= now_ms - self._last_watched_ms < WATCH_EVERY_MS:
            return
        self._last_watched_ms = now_ms
        for name, absent in list(self._store.book.absent_orders.items()):
            book = self._store.book
            is_known = name in book.booked_orders or name in book.left_out_purchases
            is_old = now_ms - absent.intent.created_ms > self.exchange.absence_proof.watched_for_ms
            if (is_known or is_old) and not absent.is_told:
                self._store.save(without_absence(book, name))
            elif not absent.is_told:
                self._ask_for(absent)

    def _ask_for(self, absent: AbsentOrder) -> None:
        try:
            report = self.exchange.find_order(absent.intent)
        except PairGoneError as error:  # the others are asked for all the same
            log_file_only("order.not_watched", error.message, client_order_id=absent.intent.client_order_id)
            return
        if report is not None and (report.executed_base > 0 or not report.is_final):
            self._take_up(absent)

    def _take_up(self, absent: AbsentOrder) -> None:
        """Let an order that turned up be one in doubt again, to be booked like any other."""
        intent, book = absent.intent, self._store.book
        facts = {"symbol": intent.symbol, "order": intent.client_order_id}
        cannot_be_paid = intent.side is Side.BUY and (intent.quote_amount or ZERO) > book.capital
        if absent.replaced_by or cannot_be_paid:
            other = absent.replaced_by or "-"
            self.doubled[intent.client_order_id] = LocalizedText("log.doubled", other=other, **facts)
            return
        serial = book.order_serial
        again = replace(with_intent(without_absence(book, intent.client_order_id), intent), order_serial=serial)
        self._store.save(again)
        log_error("order.turned_up", LocalizedText("log.turned_up", **facts), client_order_id=intent.client_order_id)

    def note_double_told(self, client_order_id: str) -> None:
        """Ask no more for an order that executed besides the one in its place: the owner knows of it."""
        self._store.save(with_double_told(self._store.book, client_order_id))
        self.doubled.pop(client_order_id, None)


def _fill_of(report: OrderReport, parts: tuple[PartFill, ...]) -> Fill:
    return Fill(
        client_order_id=report.client_order_id,
        order_id=report.order_id,
        status=report.status,
        base=report.executed_base,
        quote=report.executed_quote or sum((part.quote for part in parts), ZERO),
        fees=fees_by_asset(parts),
        time_ms=report.transact_ms,
    )


def _log_fill(intent: Intent, fill: Fill, before: Book) -> None:
    held = before.positions.get(intent.symbol)
    gain = None
    if intent.side is Side.SELL and held is not None:
        gain = fill.price / held.entry_price - 1
    log_info(
        "order.filled",
        _filled(intent, fill, gain, before.quote_asset),
        side=intent.side.value,
        symbol=intent.symbol,
        pair=intent.pair,
        quantity=fill.base,
        quote=fill.quote,
        asset=before.quote_asset,
        price=fill.price,
        gain=None if gain is None else round(gain, 4),
        reason=intent.reason.value,
        status=fill.status,
        client_order_id=intent.client_order_id,
    )


def _filled(intent: Intent, fill: Fill, gain: Decimal | None, asset: str) -> LocalizedText:
    key = "log.bought" if intent.side is Side.BUY else "log.sold" if gain is None else "log.sold_with_gain"
    return LocalizedText(
        key,
        quantity=Decimal(decimal_text(fill.base)),
        symbol=intent.symbol,
        quote=fill.quote,
        asset=asset,
        price=fill.price,
        reason=LocalizedText(f"log.reason.{intent.reason}"),
        gain=gain,
    )
