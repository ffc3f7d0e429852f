"""Binance spot through python-binance: the real wire. Errors come out named by what to do next; nothing is resent here.

Uses ping, time, exchangeInfo, ticker/price, account, order and myTrades, and no other endpoint. Decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException, BinanceRequestException

from binance_answers import (
    UNREADABLE,
    order_parameters,
    pair_list,
    read_account,
    read_part,
    read_prices,
    read_report,
    read_rules,
)
from binance_errors import BAD_TIMESTAMP, INVALID_SYMBOL, NO_SUCH_ORDER, order_error, read_error
from clock import Clock
from domain import Account, Intent, OrderReport, PartFill, TradingRules
from errors import MarsShotError, TemporaryError, UnknownOutcomeError
from settings import is_loopback_origin

RECV_WINDOW_MS = 5000
TIMEOUT_SECONDS = (5, 12)  # connect, read: Binance itself gives up after 10
PAIRS_PER_REQUEST = 100
LONGEST_BAN_SECONDS = 3 * 24 * 3600.0

# What python-binance 1.0.37 lets through, besides its own, when an answer is not what it should be.
_BROKEN_ANSWER = (BinanceRequestException, *UNREADABLE)


class BinanceExchange:
    """One account at Binance spot. For one thread at a time."""

    def __init__(self, *, api_key: str, api_secret: str, base_url: str, clock: Clock) -> None:
        self._client = Client(
            api_key or None, api_secret or None, ping=False, requests_params={"timeout": TIMEOUT_SECONDS}
        )
        self._client.API_URL = f"{base_url}/api"
        self._client.REQUEST_RECVWINDOW = RECV_WINDOW_MS
        # A proxy of the environment is for the world outside, not for a stand-in on this machine.
        self._client.session.trust_env = not is_loopback_origin(base_url)
        self._client.session.max_redirects = 0  # the key goes to this host and to no other
        self._clock = clock
        self._offset_ms = 0
        self._synced = False
        self._silent_until_ms = 0  # by our own clock

    # ------------------------------------------------------------------ time

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset; asks if it was never asked."""
        if not self._synced:
            self.server_ms()
        return self._local_ms() + self._offset_ms

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""
        before = self._local_ms()
        answer = self._read(self._client.get_server_time)
        server_ms = _field(answer, "serverTime", int)
        # The answer was true about half-way between asking and hearing.
        self._offset_ms = server_ms - (before + self._local_ms()) // 2
        self._synced = True
        return server_ms

    def _local_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _stamp(self) -> None:
        """Let python-binance, which reads the machine's own clock, sign with the exchange's time."""
        self._client.timestamp_offset = self.now_ms() - int(time.time() * 1000)

    # ------------------------------------------------------------------ market

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last prices of the pairs that exist. Raises TemporaryError.

        A pair that Binance does not know fails the whole request: then all prices are asked for, at the same weight.
        """
        wanted = set(pairs)
        if not wanted:
            return {}
        prices: dict[str, Decimal] = {}
        for part in _parts(sorted(wanted)):
            try:
                rows = self._read(self._client.get_symbol_ticker, symbols=pair_list(part))
            except _UnknownPairError:
                return self._all_prices(wanted)
            prices |= read_prices(rows)
        return {pair: price for pair, price in prices.items() if pair in wanted}

    def _all_prices(self, wanted: Collection[str]) -> dict[str, Decimal]:
        rows = self._read(self._client.get_symbol_ticker)
        return {pair: price for pair, price in read_prices(rows).items() if pair in wanted}

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the rules of the pairs that exist. Raises TemporaryError."""
        rules: dict[str, TradingRules] = {}
        for part in _parts(sorted(set(pairs))):
            rules |= self._rules_of(part)
        return rules

    def _rules_of(self, pairs: list[str]) -> dict[str, TradingRules]:
        try:
            return self._ask_rules(pairs)
        except _UnknownPairError:
            known = sorted(self._all_prices(pairs))
        try:
            return self._ask_rules(known) if known else {}
        except _UnknownPairError:
            return self._ask_rules_singly(known)

    def _ask_rules_singly(self, pairs: list[str]) -> dict[str, TradingRules]:
        rules: dict[str, TradingRules] = {}
        for pair in pairs:
            try:
                rules |= self._ask_rules([pair])
            except _UnknownPairError:
                continue
        return rules

    def _ask_rules(self, pairs: list[str]) -> dict[str, TradingRules]:
        # python-binance's own get_exchange_info takes no list: it would load every pair there is.
        answer = self._read(self._client._get, "exchangeInfo", data={"symbols": pair_list(pairs)})
        return read_rules(answer, pairs)

    # ------------------------------------------------------------------ account and orders

    def account(self) -> Account:
        """Return balances and permissions. Raises TemporaryError or AccountTroubleError."""
        return read_account(self._signed(self._client.get_account))

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Send the order once. Raises by what to do next; UnknownOutcomeError where it may have executed."""
        self._refuse_while_banned()
        self._stamp()
        try:
            answer = self._client.create_order(**order_parameters(intent))
        except BinanceAPIException as error:
            raise self._remembered(order_error(*_of(error))) from None
        except requests.exceptions.RequestException as error:
            raise UnknownOutcomeError(f"no answer from Binance ({type(error).__name__})") from None
        except _BROKEN_ANSWER:
            raise UnknownOutcomeError("Binance's answer cannot be read") from None
        if isinstance(answer, dict) and "code" in answer and "orderId" not in answer:
            raise order_error(400, _code(answer), str(answer.get("msg", "")))
        report = read_report(answer, intent)
        if report is None:
            raise UnknownOutcomeError("Binance's answer does not say what became of the order")
        return report

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Look an order up by its client order id; None where the exchange does not know it.

        Raises TemporaryError or AccountTroubleError where it could not be asked.
        """
        try:
            answer = self._signed(self._client.get_order, symbol=intent.pair, origClientOrderId=intent.client_order_id)
        except _NoSuchOrderError:
            return None
        report = read_report(answer, intent)
        if report is None:
            raise TemporaryError("Binance's answer about the order cannot be read")
        return report

    def parts_of(self, intent: Intent, order_id: int) -> tuple[PartFill, ...]:
        """Return the trades of an order, with their commissions. Raises TemporaryError or AccountTroubleError."""
        rows = self._signed(self._client.get_my_trades, symbol=intent.pair, orderId=order_id, limit=1000)
        try:
            return tuple(read_part(row) for row in rows if row["orderId"] == order_id)
        except _BROKEN_ANSWER:
            raise TemporaryError("Binance's trades came in a form that cannot be read") from None

    # ------------------------------------------------------------------ requests that change nothing

    def _signed(self, call: Callable[..., Any], **parameters: Any) -> Any:
        self._stamp()
        try:
            return self._read(call, **parameters)
        except _StaleClockError:
            self.server_ms()
            self._stamp()
            return self._read(call, **parameters)

    def _read(self, call: Callable[..., Any], *arguments: Any, **parameters: Any) -> Any:
        self._refuse_while_banned()
        try:
            answer = call(*arguments, **parameters)
        except BinanceAPIException as error:
            status, code, text, wait = _of(error)
            raise self._remembered(_special_error(code) or read_error(status, code, text, wait)) from None
        except requests.exceptions.RequestException as error:
            raise TemporaryError(f"Binance does not answer ({type(error).__name__})") from None
        except _BROKEN_ANSWER:
            raise TemporaryError("Binance's answer cannot be read") from None
        if isinstance(answer, dict) and "msg" in answer and _code(answer) < 0:
            code = _code(answer)
            raise self._remembered(_special_error(code) or read_error(200, code, str(answer["msg"])))
        return answer

    def _refuse_while_banned(self) -> None:
        left = (self._silent_until_ms - self._local_ms()) / 1000
        if left > 0:
            raise TemporaryError(f"Binance asked to wait; {left:.0f} seconds are left", left)

    def _remembered(self, error: MarsShotError) -> MarsShotError:
        """Keep a Retry-After for every request that follows."""
        if isinstance(error, TemporaryError) and error.retry_after_seconds:
            wait_ms = int(min(error.retry_after_seconds, LONGEST_BAN_SECONDS) * 1000)
            self._silent_until_ms = max(self._silent_until_ms, self._local_ms() + wait_ms)
        return error


class _UnknownPairError(TemporaryError):
    """-1121: one pair of the request does not exist."""


class _NoSuchOrderError(TemporaryError):
    """-2013: no order has this id, as far as this server knows now."""


class _StaleClockError(TemporaryError):
    """-1021 on a request that changes nothing."""


def _special_error(code: int) -> TemporaryError | None:
    if code == INVALID_SYMBOL:
        return _UnknownPairError("Binance does not know the pair")
    if code == NO_SUCH_ORDER:
        return _NoSuchOrderError("Binance does not know the order")
    if code == BAD_TIMESTAMP:
        return _StaleClockError("Binance refused this machine's time")
    return None


def _of(error: BinanceAPIException) -> tuple[int, int, str, float | None]:
    """Return status, code, text and Retry-After of python-binance's exception."""
    text = "no text" if error.code == 0 else str(error.message)
    headers = getattr(error.response, "headers", None) or {}
    try:
        told = float(headers.get("Retry-After", ""))
        wait = told if 0 < told < float("inf") else None
    except ValueError:
        wait = None
    try:
        code = int(error.code)
    except (TypeError, ValueError):
        code = 0
    return int(error.status_code), code, text, wait


def _code(answer: Mapping[str, Any]) -> int:
    code = answer.get("code")
    return code if isinstance(code, int) else 0


def _field(answer: Any, name: str, kind: type[int]) -> int:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise TemporaryError(f"Binance's answer lacks {name}")
    return value


def _parts(pairs: list[str]) -> list[list[str]]:
    return [pairs[start : start + PAIRS_PER_REQUEST] for start in range(0, len(pairs), PAIRS_PER_REQUEST)]
