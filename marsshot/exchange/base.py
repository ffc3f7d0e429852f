"""What the executor needs of an exchange. Each venue, the paper exchange and the simulators all look like this.

Errors, by what the caller does next: TemporaryError, RefusedOrderError, AccountTroubleError (nothing happened),
UnknownOutcomeError (look it up first).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from marsshot.core.errors import MarsShotError
from marsshot.core.orders import ExecutedOrder, Intent, OrderId, OrderReport, OwnOrder, PartFill
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.core.trading_rules import Account, TradingRules

PricesCallback = Callable[[Mapping[str, Decimal] | MarsShotError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceProof:
    """When an order that an exchange does not know has certainly not been taken. All in milliseconds.

    Not found by its client order id at all looks for so long after it was sent, and between the first look and the
    last; then not found in the exchange's lists either, twice where the lists may lag: so far apart. After that it is
    still asked for now and then where it may turn up all the same.
    """

    after_sending_ms: int
    between_looks_ms: int
    between_lists_ms: int = 0
    watched_for_ms: int = 0


class Exchange(Protocol):
    """A spot exchange that takes MARKET orders."""

    absence_proof: AbsenceProof

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a client order id that was never used, in the exchange's form; it tells both for `recover`.

        serial: the book's running number.
        """

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset. Raises TemporaryError if none is known."""

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last prices of the pairs that exist, in one request. Raises TemporaryError."""

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask for the last prices of the pairs that exist; `callback` is told them once, or why there are none.

        Never raises. May be told at once or later, in another thread.
        """

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the rules of the pairs that exist. Raises TemporaryError."""

    def account(self) -> Account:
        """Return balances and permissions. Raises TemporaryError or AccountTroubleError."""

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Send the order once. Raises any of the four errors above."""

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Look an order up by its client order id; None where the exchange does not know it. Never raises a guess.

        Raises PairGoneError where the exchange does not know the pair any more, TemporaryError or AccountTroubleError.
        """

    def find_in_lists(self, intent: Intent, since_ms: int) -> OrderReport | None:
        """Look an order up in the exchange's lists of orders and trades from that time on; None where none has it.

        Raises UnknownOutcomeError where a list knows it, but not what became of it, or may show it without its id;
        TemporaryError or AccountTroubleError where one list could not be had.
        """

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Return the trades of an order, with their commissions. Raises TemporaryError or AccountTroubleError."""

    def orders_since(self, pair: str, moment_ms: int) -> list[ExecutedOrder]:
        """Return the account's orders of a pair that executed from that exchange time on, whoever sent them.

        Raises TemporaryError or AccountTroubleError.
        """

    def own_orders(self, pair: str, moment_ms: int = 0) -> list[OwnOrder]:
        """Return this bot's orders of a pair that executed anything or still may, oldest first.

        Known by the form of their client order ids. moment_ms: exchange time from which on they were made; a venue may
        look back less far. Raises TemporaryError or AccountTroubleError.
        """

    @property
    def quiet_until_ms(self) -> int:
        """Until when, by our clock, the exchange has asked for no requests."""

    @property
    def quiet_reason(self) -> QuietReason:
        """Why it is asked nothing until then."""

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> None:
        """Send nothing before that moment of our clock; for mere trouble a minute at most."""
