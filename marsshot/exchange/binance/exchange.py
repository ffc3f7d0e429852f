"""Binance spot as the executor needs it: prices, rules, account, orders. Errors come out named by what to do next.

Trades with time, exchangeInfo, ticker/price, account, order and myTrades, and no other endpoint; `main.py check` alone
asks what the key may do as well, and `recover` for allOrders. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, PairGoneError, StopRequested, TemporaryError, UnknownOutcomeError
from marsshot.core.orders import ExecutedOrder, Intent, OrderId, OrderReport, OwnOrder, PartFill, new_client_order_id
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import AbsenceProof, PricesCallback
from marsshot.exchange.binance.connection import (
    ArchivedOrderError,
    BinanceConnection,
    NoSuchOrderError,
    UnknownPairError,
)
from marsshot.exchange.binance.order_history import own_orders
from marsshot.exchange.binance.responses import (
    order_parameters,
    pair_list,
    read_account,
    read_executed_order,
    read_order_ids,
    read_part_fill,
    read_prices,
    read_report,
    read_rules,
    unexecuted_report,
)
from marsshot.exchange.numbers import UNREADABLE
from marsshot.infra.background import WorkerPool
from marsshot.infra.clock import Clock
from marsshot.infra.tls import SharedContextAdapter

PAIRS_PER_REQUEST = 100
MAX_TRADES_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ApiKeyPermissions:
    """What an API key may do, whatever its account may."""

    may_trade: bool
    may_withdraw: bool
    is_ip_restricted: bool  # limited to a list of IP addresses


class BinanceExchange:
    """One account at Binance spot. For one thread at a time.

    worker_pool: asks for prices in a thread and over a connection of its own, so that a ticker that hangs holds nothing
    up; without it `request_prices` answers at once.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        base_url: str,
        clock: Clock,
        worker_pool: WorkerPool | None = None,
    ) -> None:
        shared = SharedContextAdapter() if base_url.startswith("https:") else None
        self._connection = BinanceConnection(
            api_key=api_key, api_secret=api_secret, base_url=base_url, clock=clock, transport=shared
        )
        self._client = self._connection.client
        self._worker_pool = worker_pool
        self._price_connection = self._connection
        if worker_pool is not None:  # public prices: no key, and the same quiet period
            self._price_connection = BinanceConnection(
                api_key="",
                api_secret="",
                base_url=base_url,
                clock=clock,
                transport=shared,
                quiet_period=self._connection.quiet_period,
            )

    # recvWindow (5 s) and Binance's own 10 s, four times over: an order that it does not know by then was never run. A
    # first "no such order" may come from a server that lags; a second one is believed.
    absence_proof = AbsenceProof(after_sending_ms=60_000, between_looks_ms=2_000)

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a client order id that was never used."""
        return new_client_order_id(self.now_ms(), serial, reason)

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset; asks if it was never asked."""
        return self._connection.now_ms()

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""
        return self._connection.server_ms()

    @property
    def quiet_until_ms(self) -> int:
        """Until when, by our clock, Binance has asked to send nothing."""
        return self._connection.quiet_period.until_ms

    @property
    def quiet_reason(self) -> QuietReason:
        """Why Binance has asked for that."""
        return self._connection.quiet_period.reason

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> None:
        """Send nothing before that moment of our clock: Binance asked for it, perhaps before a restart."""
        self._connection.keep_quiet_until(moment_ms, reason)

    # ------------------------------------------------------------------ market

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last prices of the pairs that exist. Raises TemporaryError.

        A pair that Binance does not know fails the whole request: then all prices are asked for, at the same weight.
        """
        return _prices(self._connection, pairs)

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask for the last prices of the pairs that exist; `callback` gets them, or why there are none, in any thread.

        While the last question hangs, nothing more is asked.
        """
        if self._worker_pool is None:
            callback(_prices_or_error(self._price_connection, pairs))
        elif self._worker_pool.busy:
            callback(TemporaryError(LocalizedText("fault.exchange.prices_hang")))
        else:
            self._worker_pool.submit([lambda: callback(_prices_or_error(self._price_connection, pairs))])

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the rules of the pairs that exist. Raises TemporaryError."""
        rules: dict[str, TradingRules] = {}
        for part in _chunks(sorted(set(pairs))):
            rules |= self._rules_of(part)
        return rules

    def _rules_of(self, pairs: list[str]) -> dict[str, TradingRules]:
        try:
            return self._fetch_rules(pairs)
        except UnknownPairError:
            known = sorted(_all_prices(self._connection, pairs))
        try:
            return self._fetch_rules(known) if known else {}
        except UnknownPairError:
            return self._fetch_rules_singly(known)

    def _fetch_rules_singly(self, pairs: list[str]) -> dict[str, TradingRules]:
        rules: dict[str, TradingRules] = {}
        for pair in pairs:
            try:
                rules |= self._fetch_rules([pair])
            except UnknownPairError:
                continue
        return rules

    def _fetch_rules(self, pairs: list[str]) -> dict[str, TradingRules]:
        # python-binance's own get_exchange_info takes no list: it would load every pair there is.
        answer = self._connection.read(self._client._get, "exchangeInfo", data={"symbols": pair_list(pairs)})
        return read_rules(answer, pairs)

    # ------------------------------------------------------------------ account and orders

    def account(self) -> Account:
        """Return balances and permissions. Raises TemporaryError or AccountTroubleError."""
        return read_account(self._connection.signed(self._client.get_account))

    def api_key_permissions(self) -> ApiKeyPermissions:
        """Return what the key may do. Raises TemporaryError, also where that is not offered, or AccountTroubleError.

        Source: GET /sapi/v1/account/apiRestrictions; `canWithdraw` of the account is not about the key.
        """
        answer = self._connection.signed(self._client.get_account_api_permissions)
        try:
            flags = {name: answer[name] for name in ("enableSpotAndMarginTrading", "enableWithdrawals", "ipRestrict")}
        except UNREADABLE:
            raise TemporaryError(LocalizedText("fault.exchange.no_rights")) from None
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise TemporaryError(LocalizedText("fault.exchange.no_rights"))
        return ApiKeyPermissions(*flags.values())

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Send the order once. Raises by what to do next; UnknownOutcomeError where it may have executed."""
        report = read_report(self._connection.send_order(**order_parameters(intent)), intent)
        if report is None:
            raise UnknownOutcomeError(LocalizedText("fault.exchange.no_outcome"))
        return report

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Look an order up by its client order id; None where the exchange does not know it.

        Raises PairGoneError, another TemporaryError or AccountTroubleError where it could not be asked.
        """
        try:
            answer = self._connection.signed(
                self._client.get_order, symbol=intent.pair, origClientOrderId=intent.client_order_id
            )
        except NoSuchOrderError:
            return None
        except ArchivedOrderError:
            return unexecuted_report(intent)
        except UnknownPairError:
            raise PairGoneError(LocalizedText("fault.order.pair_gone", pair=intent.pair)) from None
        report = read_report(answer, intent)
        if report is None:
            raise TemporaryError(LocalizedText("fault.exchange.odd_order"))
        return report

    def find_in_lists(self, intent: Intent, since_ms: int) -> OrderReport | None:
        """Return None where the account's trades do not know the order; else its look-up lags.

        Raises UnknownOutcomeError, TemporaryError or AccountTroubleError.
        """
        seen = self.orders_since(intent.pair, since_ms)
        if any(order.client_order_id == intent.client_order_id for order in seen):
            raise UnknownOutcomeError(LocalizedText("fault.order.look_up_lags"))
        return None

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Return the trades of an order, with their commissions. Raises TemporaryError or AccountTroubleError."""
        try:
            return tuple(
                read_part_fill(row)
                for row in self._trades_of(intent.pair, order_id)
                if int(row["orderId"]) == int(order_id)
            )
        except UNREADABLE:
            raise TemporaryError(LocalizedText("fault.exchange.odd_trades")) from None

    def _trades_of(self, pair: str, order_id: OrderId) -> list[dict[str, Any]]:
        """Return the rows of an order's trades; where there are more than fit into one answer, page by page."""
        fetch_page = partial(
            self._connection.signed,
            self._client.get_my_trades,
            symbol=pair,
            orderId=order_id,
            limit=MAX_TRADES_PER_PAGE,
        )
        page = fetch_page()
        if len(page) < MAX_TRADES_PER_PAGE:
            return list(page)
        rows, next_id = list[dict[str, Any]](), 0  # without fromId they are the latest, with it those from there on
        while len(page) == MAX_TRADES_PER_PAGE:
            page = fetch_page(fromId=next_id)
            rows += page
            last_id = max((row["id"] for row in page), default=next_id)
            if last_id < next_id:
                raise TemporaryError(LocalizedText("fault.exchange.odd_order_of_trades"))
            next_id = last_id + 1
        return rows

    def orders_since(self, pair: str, moment_ms: int) -> list[ExecutedOrder]:
        """Return the account's orders of a pair that executed from that exchange time on, whoever sent them.

        Found by their trades, of which the last thousand are looked at. Raises TemporaryError or AccountTroubleError.
        """
        trades = self._connection.signed(self._client.get_my_trades, symbol=pair, limit=MAX_TRADES_PER_PAGE)
        return [
            read_executed_order(self._connection.signed(self._client.get_order, symbol=pair, orderId=order_id), trades)
            for order_id in read_order_ids(trades, moment_ms)
        ]

    def own_orders(self, pair: str, moment_ms: int = 0) -> list[OwnOrder]:
        """Return this bot's orders of a pair that executed anything or still may, oldest first."""
        return own_orders(self._connection, pair, moment_ms)


def _prices_or_error(connection: BinanceConnection, pairs: Collection[str]) -> Mapping[str, Decimal] | MarsShotError:
    try:
        return _prices(connection, pairs)
    except StopRequested:
        raise
    except MarsShotError as error:
        return error


def _prices(connection: BinanceConnection, pairs: Collection[str]) -> Mapping[str, Decimal]:
    wanted = set(pairs)
    prices: dict[str, Decimal] = {}
    for part in _chunks(sorted(wanted)):
        try:
            rows = connection.read(connection.client.get_symbol_ticker, symbols=pair_list(part))
        except UnknownPairError:
            return _all_prices(connection, wanted)
        prices |= read_prices(rows)
    return {pair: price for pair, price in prices.items() if pair in wanted}


def _all_prices(connection: BinanceConnection, wanted: Collection[str]) -> dict[str, Decimal]:
    rows = connection.read(connection.client.get_symbol_ticker)
    return {pair: price for pair, price in read_prices(rows).items() if pair in wanted}


def _chunks(pairs: list[str]) -> list[list[str]]:
    return [pairs[start : start + PAIRS_PER_REQUEST] for start in range(0, len(pairs), PAIRS_PER_REQUEST)]
