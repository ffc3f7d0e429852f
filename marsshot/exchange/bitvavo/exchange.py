"""Bitvavo spot as the executor needs it: prices, rules, account, orders. Errors come out named by what to do next.

Trades with time, markets, ticker/price, balance, order, orders, ordersOpen and trades, and no other endpoint;
`main.py check` alone asks for account and stakingBalance as well. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, PairGoneError, StopRequested, TemporaryError, UnknownOutcomeError
from marsshot.core.orders import ExecutedOrder, Intent, OrderId, OrderReport, OwnOrder, PartFill
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import AbsenceProof, PricesCallback
from marsshot.exchange.bitvavo.connection import WINDOW_MS, BitvavoConnection, NoSuchOrderError, WrongParameterError
from marsshot.exchange.bitvavo.order_ids import new_order_id
from marsshot.exchange.bitvavo.order_lists import executed_orders, fetch_order, listed_order_id, own_orders
from marsshot.exchange.bitvavo.responses import (
    order_body,
    read_account,
    read_capabilities,
    read_parts,
    read_prices,
    read_report,
    read_rules,
    read_staked,
)
from marsshot.exchange.numbers import UNREADABLE, read_amount
from marsshot.infra.background import WorkerPool
from marsshot.infra.clock import Clock
from marsshot.infra.tls import SharedContextAdapter

_PAIRS_ASKED_SINGLY = 1  # of more, all markets are asked for at once


class BitvavoExchange:
    """One account at Bitvavo spot. For one thread at a time.

    operator_id: by which Bitvavo tells this bot's orders from others'; the book keeps it. worker_pool: asks for prices
    in a thread and over a connection of its own, so that a ticker that hangs holds nothing up; without it
    `request_prices` answers at once.
    """

    # The window, three seconds more, and ten of looking: by then a look-up that lags has caught up. Lists lag too: two
    # that are half a minute apart are believed, and still an order may turn up on the same day.
    absence_proof = AbsenceProof(
        after_sending_ms=WINDOW_MS + 13_000,
        between_looks_ms=10_000,
        between_lists_ms=30_000,
        watched_for_ms=86_400_000,
    )

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        base_url: str,
        clock: Clock,
        operator_id: Callable[[], int],
        worker_pool: WorkerPool | None = None,
    ) -> None:
        shared = SharedContextAdapter() if base_url.startswith("https:") else None
        self._connection = BitvavoConnection(
            api_key=api_key, api_secret=api_secret, base_url=base_url, clock=clock, transport=shared
        )
        self._operator_id = operator_id
        self._worker_pool = worker_pool
        self._price_connection = self._connection
        if worker_pool is not None:  # public prices: no key, and the same quiet period
            self._price_connection = BitvavoConnection(
                api_key="",
                api_secret="",
                base_url=base_url,
                clock=clock,
                transport=shared,
                quiet_period=self._connection.quiet_period,
            )

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a UUID that was never used."""
        return new_order_id(self._operator_id(), serial, reason)

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset; asks if it was never asked."""
        return self._connection.now_ms()

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""
        return self._connection.server_ms()

    @property
    def quiet_until_ms(self) -> int:
        """Until when, by our clock, Bitvavo has asked to send nothing."""
        return self._connection.quiet_period.until_ms

    @property
    def quiet_reason(self) -> QuietReason:
        """Why Bitvavo has asked for that."""
        return self._connection.quiet_period.reason

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> None:
        """Send nothing before that moment of our clock: Bitvavo asked for it, perhaps before a restart."""
        self._connection.keep_quiet_until(moment_ms, reason)

    # ------------------------------------------------------------------ market

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last prices of the markets that exist. Raises TemporaryError."""
        return _prices(self._connection, pairs)

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask for the last prices of the markets that exist; `callback` gets them, or why there are none.

        In any thread. While the last question hangs, nothing more is asked.
        """
        if self._worker_pool is None:
            callback(_prices_or_error(self._price_connection, pairs))
        elif self._worker_pool.busy:
            callback(TemporaryError(LocalizedText("fault.exchange.prices_hang")))
        else:
            self._worker_pool.submit([lambda: callback(_prices_or_error(self._price_connection, pairs))])

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the rules of the markets that exist. Raises TemporaryError."""
        wanted = set(pairs)
        if not wanted:
            return {}
        query = {"market": next(iter(wanted))} if len(wanted) == _PAIRS_ASKED_SINGLY else None
        try:
            return read_rules(self._connection.read("markets", query), wanted)
        except WrongParameterError:
            if query is None:
                raise
            return {}

    def tokens_for(self, quote: str) -> list[str]:
        """Return the tokens that are traded for this currency now. Raises TemporaryError."""
        rules = read_rules(self._connection.read("markets"))
        return [one.base_asset for one in rules.values() if one.tradable and one.quote_asset == quote]

    # ------------------------------------------------------------------ account and orders

    def account(self) -> Account:
        """Return the balances. Raises TemporaryError or AccountTroubleError."""
        return read_account(self._connection.signed("balance"))

    def capabilities(self) -> frozenset[str]:
        """Return what the key, or its account, may do: buy, sell, withdrawCrypto ... Raises as account() does."""
        return read_capabilities(self._connection.signed("account"))

    def staked(self) -> Mapping[str, Decimal]:
        """Return the coins in fixed staking, which no balance shows. Raises as account() does."""
        return read_staked(self._connection.signed("stakingBalance"))

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Send the order once. Raises by what to do next; UnknownOutcomeError where it may have executed."""
        report = read_report(self._connection.send_order(order_body(intent, self._operator_id())), intent)
        if report is None:
            raise UnknownOutcomeError(LocalizedText("fault.exchange.no_outcome"))
        return report

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Look an order up by its client order id; None where the exchange does not know it now.

        Raises PairGoneError, another TemporaryError or AccountTroubleError where it could not be asked.
        """
        query = {"market": intent.pair, "clientOrderId": intent.client_order_id}
        try:
            answer = self._connection.signed("order", query)
        except NoSuchOrderError:
            return None
        except WrongParameterError as error:
            if self.trading_rules([intent.pair]):
                raise TemporaryError(error.message) from None
            raise PairGoneError(LocalizedText("fault.order.pair_gone", pair=intent.pair)) from None
        report = read_report(answer, intent)
        if report is None:
            raise TemporaryError(LocalizedText("fault.exchange.odd_order"))
        return report

    def find_in_lists(self, intent: Intent, since_ms: int) -> OrderReport | None:
        """Look an order up in open orders, orders and trades; None where all three have answered without it."""
        order_id = listed_order_id(self._connection, intent, since_ms, self._operator_id())
        if order_id is None:
            return None
        # By its own id an order does not tell ours where that was used again; it is the row of ours that named it.
        row = {**fetch_order(self._connection, intent.pair, order_id), "clientOrderId": intent.client_order_id}
        report = read_report(row, intent)
        if report is None:
            raise UnknownOutcomeError(LocalizedText("fault.order.look_up_lags"))
        return report

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Return the trades of an order, once all are settled. Raises TemporaryError or AccountTroubleError."""
        row = fetch_order(self._connection, intent.pair, str(order_id))
        try:
            parts = read_parts(row, read_amount(row["filledAmount"]))
        except UNREADABLE:
            parts = None
        if parts is None:
            raise TemporaryError(LocalizedText("fault.exchange.not_settled"))
        return parts

    def orders_since(self, pair: str, moment_ms: int) -> list[ExecutedOrder]:
        """Return the account's orders of a market that executed from that exchange time on, whoever sent them."""
        return executed_orders(self._connection, pair, moment_ms, self._operator_id())

    def own_orders(self, pair: str, moment_ms: int = 0) -> list[OwnOrder]:
        """Return this bot's orders of a market that executed anything or still may, oldest first.

        Without an operator id: those of every program. moment_ms 0: of the last thirty days.
        """
        return own_orders(self._connection, pair, moment_ms, self._operator_id())


def _prices_or_error(connection: BitvavoConnection, pairs: Collection[str]) -> Mapping[str, Decimal] | MarsShotError:
    try:
        return _prices(connection, pairs)
    except StopRequested:
        raise
    except MarsShotError as error:
        return error


def _prices(connection: BitvavoConnection, pairs: Collection[str]) -> Mapping[str, Decimal]:
    wanted = set(pairs)
    found = read_prices(connection.read("ticker/price"))
    return {pair: price for pair, price in found.items() if pair in wanted}
