"""An order's life: intent on disk, then the wire, then fill and book in one step; what is unknown is looked up.

The process may die at any line: before the intent is saved nothing was sent; after it, `settle_unknown` (which is also
what start-up runs) asks the exchange what became of it. A client order id finds an order, it does not prevent a
second one: every attempt has a new id. Decides nothing about what to trade.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from book_format import decimal_text
from bookkeeping import with_fill, with_intent, with_position, without_intent
from clock import Clock
from domain import ZERO, Book, Fill, Intent, OrderReport, PartFill, Position, Reason, Side, TradingRules, floor_to_step
from errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    MarsShotError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from events import alarm, say, warn
from exchange import Exchange
from positions_store import Store
from risk_manager import ExitDecision

# recvWindow (5 s) and Binance's own 10 s, four times over: an order that Binance does not know by then was never run.
NEVER_ARRIVES_AFTER_MS = 60_000
# A first "no such order" may come from a server that lags; a second one, this much later, is believed.
SECOND_LOOK_AFTER_MS = 2_000
PRICE_HEADROOM = Decimal("1.02")
NOTIONAL_HEADROOM = Decimal("1.05")  # above the minimum, once Binance has refused an order as too small
REFUSED_AS_SMALL, SOLD_IN_PART = "refused_as_small", "sold in part"
# An intent that waited longer than this before it could be sent is given up: its look-up would begin too late.
SEND_WITHIN_MS = 10_000


class TradeExecutor:
    """Carries decisions out at one exchange, with one book."""

    def __init__(self, exchange: Exchange, store: Store, clock: Clock, pair_of: Callable[[str], str]) -> None:
        self.exchange = exchange
        self._store = store
        self._clock = clock
        self.pair_of = pair_of
        self._rules: dict[str, TradingRules] = {}
        self._first_missed_ms: dict[str, int] = {}  # by client order id: when it was first not found
        self._absent: frozenset[str] = frozenset()  # pairs that Binance did not know when it was last asked for all

    @property
    def book(self) -> Book:
        """The book as it stands on disk."""
        return self._store.book

    # ------------------------------------------------------------------ trading rules

    def load_rules(self, symbols: Collection[str]) -> None:
        """Fetch the trading rules of these tokens anew. Raises TemporaryError."""
        pairs = {self.pair_of(symbol) for symbol in symbols}
        found = self.exchange.trading_rules(pairs)
        self._rules |= found
        self._absent = frozenset(pairs - found.keys())

    def rules_of(self, symbol: str) -> TradingRules | None:
        """Return the rules of a token's pair, fetched if need be; None where Binance does not know it."""
        pair = self.pair_of(symbol)
        if pair not in self._rules and pair not in self._absent:
            self._rules |= self.exchange.trading_rules([pair])
        return self._rules.get(pair)

    def _tradable_rules(self, symbol: str) -> TradingRules:
        rules = self.rules_of(symbol)
        if rules is None:
            raise RefusedOrderError(f"Binance does not know the pair {self.pair_of(symbol)}")
        if not rules.tradable:
            self._rules.pop(rules.pair, None)  # asked again next time: it may have come back
            raise RefusedOrderError(rules.why_not)
        return rules

    # ------------------------------------------------------------------ what risk_manager needs

    def positions(self) -> Mapping[str, Position]:
        """Return the positions as the book has them now."""
        return self.book.positions

    def may_trade(self, symbol: str) -> bool:
        """Return False while an earlier order of this token may still be on its way."""
        return not self.book.undecided(symbol)

    def keep(self, symbol: str, position: Position) -> None:
        """Put a position that has seen a price into the book; a disk in trouble is told, the check goes on."""
        try:
            self._store.save(with_position(self.book, symbol, position))
        except TemporaryError as error:
            alarm("book.not_saved", str(error), symbol=symbol)

    def exit(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        """Sell what the check decided; return False if it has to be tried again. Troubles end with this token."""
        if decision.reason is None:
            return True
        try:
            outcome = self.sell(symbol, decision.quantity, decision.reason, price)
        except StopRequested:
            raise
        except UnknownOutcomeError as error:
            warn(
                "order.unknown", f"{symbol}: the outcome of the sale is not known yet ({error}); it is being looked up"
            )
        except AccountTroubleError as error:
            alarm("order.account_trouble", f"{symbol}: could not be sold. {error}", symbol=symbol)
        except MarsShotError as error:
            # A disk that refuses after the exchange has taken the order leaves the intent: it is looked up, not resent.
            what = (
                "its sale is looked up"
                if self.book.undecided(symbol)
                else "not sold now, tried again at the next check"
            )
            warn("order.not_sold", f"{symbol}: {what}. {error}", symbol=symbol)
        else:
            return not decision.is_full or outcome != SOLD_IN_PART
        return False

    # ------------------------------------------------------------------ selling

    def sell(self, symbol: str, quantity: Decimal, reason: Reason, price: Decimal) -> str:
        """Sell this much of a position, rounded down to the lot step, in as many orders as the pair's largest asks.

        Returns how it ended, in words. Raises by what to do next; what was sold before that is in the book.
        """
        rules = self._tradable_rules(symbol)
        wanted = floor_to_step(quantity, rules.lot_step)
        # Only a partial sale may wait for more headroom: a full one is worth a try at every check.
        waits = reason is Reason.PARTIAL_TAKE_PROFIT and REFUSED_AS_SMALL in self.book.positions[symbol].said
        if not _is_large_enough(wanted, price / NOTIONAL_HEADROOM if waits else price, rules):
            return self._leave_small(symbol, wanted, reason, price, rules)
        if reason is Reason.PARTIAL_TAKE_PROFIT:
            held = self.book.positions[symbol]
            if held.partial_left is None and _orders_needed(wanted, rules) > 1:
                self._store.save(with_position(self.book, symbol, replace(held, partial_left=wanted)))
        sold = ZERO
        while (rest := wanted - sold) > 0 and _is_large_enough(rest, price, rules):
            lot = floor_to_step(rest / _orders_needed(rest, rules), rules.lot_step)
            fill = self._place_sale(symbol, lot, reason, rules)
            sold += fill.base
            if fill.status != "FILLED" or symbol not in self.book.positions:
                break
        if symbol not in self.book.positions or sold == wanted:
            return "sold"
        if reason is not Reason.PARTIAL_TAKE_PROFIT:
            rest_text = f"{decimal_text(wanted - sold)} are left, to be sold at the next check"
            warn(
                "order.sold_in_part", f"{symbol}: the market took only {decimal_text(sold)}; {rest_text}", symbol=symbol
            )
        return SOLD_IN_PART

    def _place_sale(self, symbol: str, quantity: Decimal, reason: Reason, rules: TradingRules) -> Fill:
        try:
            return self._place(symbol, Side.SELL, reason, rules, quantity=quantity)
        except RefusedOrderError as error:
            if not isinstance(error, InsufficientBalanceError):
                self._remember_small(symbol, error)
                raise
            free = self.exchange.account().free.get(rules.base_asset, ZERO)
            there = floor_to_step(min(free, quantity), rules.lot_step)
            if there == quantity:
                raise
            if there <= 0:
                text = f"the book has {decimal_text(quantity)} {symbol}, Binance has {decimal_text(free)} free"
                raise InsufficientBalanceError(
                    f"{text}: were they sold or moved by hand, or locked in an order?"
                ) from None
            alarm(
                "book.more_than_exchange",
                f"{symbol}: the book has {quantity}, Binance has {free} free; that much is sold. {error}",
                symbol=symbol,
            )
            return self._place(symbol, Side.SELL, reason, rules, quantity=there)

    def _remember_small(self, symbol: str, error: RefusedOrderError) -> None:
        """Keep in mind that Binance, which goes by an average price, found an order too small."""
        held = self.book.positions.get(symbol)
        if held is not None and "NOTIONAL" in str(error):
            self._store.save(with_position(self.book, symbol, replace(held, said=held.said | {REFUSED_AS_SMALL})))

    def _leave_small(self, symbol: str, wanted: Decimal, reason: Reason, price: Decimal, rules: TradingRules) -> str:
        """Say once that this is under the smallest order Binance takes; the position stays."""
        held = self.book.positions[symbol]
        topic = f"too_small.{reason}"
        if topic not in held.said:
            worth = (wanted * price).quantize(Decimal("0.01"))
            warn(
                "order.too_small",
                f"{symbol}: {wanted} ({worth} {rules.quote_asset}) is under the smallest order Binance takes "
                f"({rules.smallest_order(price).normalize():f} {rules.quote_asset}); it stays until it is large enough",
                symbol=symbol,
                reason=reason,
            )
            self._store.save(with_position(self.book, symbol, replace(held, said=held.said | {topic})))
        return "left: under the smallest order"

    # ------------------------------------------------------------------ buying

    def buy(self, symbol: str, amount: Decimal, price: Decimal) -> str:
        """Spend this much quote asset of a daily plan, in as many orders as the pair's largest asks.

        Returns how it ended, in words. Raises by what to do next; what was bought before that is in book and plan.
        """
        rules = self._tradable_rules(symbol)
        left = amount
        while left > 0 and (left == amount or left >= rules.smallest_order(price)):
            # A little more than the price says: it may fall before the order arrives, and each order stay too large.
            pieces = _orders_needed(left / price * PRICE_HEADROOM, rules)
            piece = floor_to_step(left / pieces, Decimal(1).scaleb(-rules.quote_precision))
            fill = self._place(symbol, Side.BUY, Reason.DAILY_BUY, rules, quote_amount=piece)
            if fill.status != "FILLED":
                return "bought in part"
            left -= piece
        return "bought"

    # ------------------------------------------------------------------ one order

    def _place(
        self,
        symbol: str,
        side: Side,
        reason: Reason,
        rules: TradingRules,
        *,
        quantity: Decimal | None = None,
        quote_amount: Decimal | None = None,
    ) -> Fill:
        """Send one order and book what it executed. A refused clock is synced, and a new order sent, once."""
        for last_try in (False, True):
            intent = Intent(
                client_order_id=self._new_id(),
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

    def _new_id(self) -> str:
        """Return a client order id that was never used: this millisecond and the book's running number."""
        return f"ms-{self.exchange.now_ms()}-{self.book.order_serial + 1}"

    def _send(self, intent: Intent) -> Fill:
        if self._clock.stopping:
            raise StopRequested("no new order is begun while the bot stops")
        self._store.save(with_intent(self.book, intent))
        try:
            if self.exchange.now_ms() - intent.created_ms > SEND_WITHIN_MS:
                raise TemporaryError("the machine stood still between writing the order down and sending it")
            report = self.exchange.send_market_order(intent)
        except UnknownOutcomeError:
            raise
        except MarsShotError as error:
            if isinstance(error, RefusedOrderError):
                self._rules.pop(intent.pair, None)  # the filters may have changed
            self._store.save(without_intent(self.book, intent))
            raise
        return self._settle(intent, report)

    def _settle(self, intent: Intent, report: OrderReport) -> Fill:
        """Book a finished order. Raises UnknownOutcomeError while it is not, RefusedOrderError if nothing executed."""
        if not report.is_final:
            raise UnknownOutcomeError(f"order {intent.client_order_id} is {report.status}")
        if report.executed_base == 0:
            self._store.save(without_intent(self.book, intent))
            raise RefusedOrderError(f"the order ended {report.status} with nothing executed")
        fill = _fill_of(report, self._all_parts(intent, report))
        before = self.book
        self._store.save(with_fill(before, intent, fill))
        _tell(intent, fill, before)
        return fill

    def _all_parts(self, intent: Intent, report: OrderReport) -> tuple[PartFill, ...]:
        if report.parts is not None:
            return report.parts
        try:
            parts = self.exchange.parts_of(intent, report.order_id)
        except MarsShotError as error:
            raise UnknownOutcomeError(f"its trades could not be read ({error})") from None
        if sum((part.quantity for part in parts), ZERO) != report.executed_base:
            raise UnknownOutcomeError("its trades do not add up yet")
        return parts

    # ------------------------------------------------------------------ what is not known

    def settle_unknown(self) -> None:
        """Look up every order whose outcome is not known; start-up and every cycle begin with this."""
        for intent in list(self.book.intents.values()):
            try:
                self._look_up(intent)
            except (RefusedOrderError, UnknownOutcomeError) as error:
                say("order.looked_up", f"{intent.symbol}: {error}", client_order_id=intent.client_order_id)
            except (TemporaryError, AccountTroubleError) as error:
                warn("order.still_unknown", f"{intent.symbol}: its order could not be looked up yet. {error}")

    def _look_up(self, intent: Intent) -> None:
        # The time is asked before the order: what is unknown now was unknown at that time too.
        server_ms = self.exchange.server_ms()
        report = self.exchange.find_order(intent)
        if report is not None:
            self._settle(intent, report)
        elif self._is_second_look(intent, server_ms) and server_ms - intent.created_ms >= NEVER_ARRIVES_AFTER_MS:
            self._store.save(without_intent(self.book, intent))
            text = f"{intent.symbol}: the {intent.side.lower()} order never reached Binance; nothing was traded"
            say("order.never_arrived", text, client_order_id=intent.client_order_id)

    def _is_second_look(self, intent: Intent, server_ms: int) -> bool:
        first = self._first_missed_ms.setdefault(intent.client_order_id, server_ms)
        return server_ms - first >= SECOND_LOOK_AFTER_MS


def _is_large_enough(quantity: Decimal, price: Decimal, rules: TradingRules) -> bool:
    return quantity > 0 and quantity >= rules.min_quantity and quantity * price >= rules.min_notional


def _orders_needed(quantity: Decimal, rules: TradingRules) -> int:
    """Return how many orders of at most the pair's largest this quantity makes."""
    largest = rules.max_market_quantity
    if largest is None or quantity <= largest:
        return 1
    return int((quantity / floor_to_step(largest, rules.lot_step)).to_integral_value(ROUND_CEILING))


def _fill_of(report: OrderReport, parts: tuple[PartFill, ...]) -> Fill:
    fees: dict[str, Decimal] = {}
    for part in parts:
        if part.commission:
            fees[part.commission_asset] = fees.get(part.commission_asset, ZERO) + part.commission
    return Fill(
        client_order_id=report.client_order_id,
        order_id=report.order_id,
        status=report.status,
        base=report.executed_base,
        quote=report.executed_quote or sum((part.quote for part in parts), ZERO),
        fees=fees,
        time_ms=report.transact_ms,
    )


REASONS: Mapping[str, str] = {
    Reason.DAILY_BUY: "daily buy",
    Reason.DAILY_SELL: "daily sale",
    Reason.STOP_LOSS: "stop-loss",
    Reason.TRAILING_STOP: "trailing stop",
    Reason.PARTIAL_TAKE_PROFIT: "partial take-profit",
    Reason.SELL_ALL: "sell-all",
}


def _tell(intent: Intent, fill: Fill, before: Book) -> None:
    held = before.positions.get(intent.symbol)
    gain = ""
    if intent.side is Side.SELL and held is not None:
        gain = f", {(fill.price / held.entry_price - 1) * 100:+.1f} %"
    verb = "Bought" if intent.side is Side.BUY else "Sold"
    sentence = f"{verb} {decimal_text(fill.base)} {intent.symbol} for {fill.quote:.2f} {before.quote_asset}"
    say(
        "order.filled",
        f"{sentence} at {fill.price:.6g} ({REASONS[intent.reason]}{gain})",
        side=intent.side.value,
        pair=intent.pair,
        quantity=fill.base,
        quote=fill.quote,
        reason=intent.reason.value,
        status=fill.status,
        client_order_id=intent.client_order_id,
    )
