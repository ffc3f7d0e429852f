"""Coinbase's spot prices, fetched concurrently over kept-alive connections. Knows no rule, and no other venue."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import Any, Protocol
from urllib.parse import quote

import urllib3

from marsshot.core.amounts import is_usable_price
from marsshot.core.catalog import LocalizedText
from marsshot.infra.background import WorkerPool
from marsshot.infra.bounded_http import bounded_pool
from marsshot.infra.tls import shared_ssl_context

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
MAX_CONNECTIONS = 16
MAX_BODY_BYTES = 65_536
OK, NOT_FOUND, TOO_MANY = 200, 404, 429
DOLLARS = "USD"
_RATE = Context(prec=10)  # digits of a rate that is no spot price itself
MIN_QUIET_SECONDS, MAX_QUIET_SECONDS = 30.0, 3600.0  # after a 429, whatever Retry-After says


class MissingPriceReason(StrEnum):
    """Why there is no price; texts for it stand in the catalogue under `coinbase`."""

    SILENT = "silent"
    LATE = "late"
    SLOW = "slow"  # may still come
    QUIET = "quiet"  # it asked for a quiet period
    UNKNOWN = "unknown"
    ANSWERED = "answered"  # with another status
    OTHER_PAIR = "other_pair"
    NO_PRICE = "no_price"
    ODD_PRICE = "odd_price"


NO_ANSWER = frozenset(
    {
        MissingPriceReason.SILENT,
        MissingPriceReason.LATE,
        MissingPriceReason.SLOW,
        MissingPriceReason.QUIET,
        MissingPriceReason.ANSWERED,
    }
)
"""The reasons that are the venue's trouble; the others are the token's."""


@dataclass(frozen=True, slots=True)
class SpotPrice:
    """A price that rules can calculate with, in the currency that was asked for."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class MissingPrice:
    """There is no price. value: what belongs to the reason, under the name that its text gives it."""

    reason: MissingPriceReason
    value: tuple[str, object] | None = None

    @property
    def text(self) -> LocalizedText:
        """The reason as the end of a sentence."""
        return LocalizedText(f"coinbase.{self.reason}", **dict([self.value] if self.value else []))


@dataclass(frozen=True, slots=True)
class PriceRequested:
    """The request has gone out, at this moment on the monotonic clock."""

    seconds: float


SpotAnswer = SpotPrice | MissingPrice
SpotPricesCallback = Callable[[Mapping[str, SpotAnswer | PriceRequested]], None]
"""Receives, by asset, what has become known."""


class SpotPrices(Protocol):
    """What the price feed needs of Coinbase."""

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        """Ask for all prices; `callback` is told them as they come, at once or later, in any thread. Never raises."""

    def cancel_pending(self) -> None:
        """Ask for nothing that has not been asked for yet."""

    def close(self) -> None:
        """End the connections."""


class Coinbase:
    """Public spot prices in one currency. Safe for many threads. max_connections: so many requests at once."""

    def __init__(self, base_url: str, max_connections: int = MAX_CONNECTIONS, currency: str = DOLLARS) -> None:
        self._currency = currency
        trust: dict[str, Any] = {"ssl_context": shared_ssl_context()} if base_url.startswith("https:") else {}
        self._http = bounded_pool(
            base_url,
            maxsize=MAX_CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            headers={"User-Agent": "MarsShot", "Accept": "application/json"},
            **trust,
        )
        self._worker_pool = WorkerPool(max_connections, "coinbase")
        self._quiet_until = 0.0  # monotonic seconds: Coinbase asked for a quiet period

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        """Ask for all prices; `callback` is told them as they come, each in the thread that asked. Never raises."""
        self._worker_pool.submit(partial(self._fetch, asset, callback) for asset in assets)

    def _fetch(self, asset: str, callback: SpotPricesCallback) -> None:
        callback({asset: PriceRequested(monotonic())})
        callback({asset: self._spot_price(asset, self._currency)})

    def rate_to(self, currency: str) -> Decimal | None:
        """Return what a unit of the prices' currency is worth in another now; None where that cannot be had.

        One of the two is the dollar.
        """
        if self._currency == currency:
            return Decimal(1)
        is_from_dollars = self._currency == DOLLARS
        answer = self._spot_price(currency if is_from_dollars else self._currency, DOLLARS)
        if not isinstance(answer, SpotPrice):
            return None
        return _RATE.divide(1, answer.price) if is_from_dollars else answer.price

    def _spot_price(self, asset: str, currency: str) -> SpotAnswer:
        if (left := self._quiet_until - monotonic()) > 0:
            return MissingPrice(MissingPriceReason.QUIET, ("seconds", left))
        path = f"/v2/prices/{quote(asset)}-{currency}/spot"
        try:
            answer = self._http.urlopen("GET", path, redirect=False, preload_content=False)
            body = _read_in_time(answer)
        except urllib3.exceptions.HTTPError as error:
            return MissingPrice(MissingPriceReason.SILENT, ("why", type(error).__name__))
        if body is None:
            return MissingPrice(MissingPriceReason.LATE)
        if answer.status == NOT_FOUND:
            return MissingPrice(MissingPriceReason.UNKNOWN)
        if answer.status == TOO_MANY:
            self._quiet_until = monotonic() + _quiet_seconds(answer.headers.get("Retry-After", ""))
        if answer.status != OK:
            return MissingPrice(MissingPriceReason.ANSWERED, ("status", answer.status))
        return read_spot_price(body, asset, currency)

    def cancel_pending(self) -> None:
        """Ask for nothing that has not been asked for yet."""
        self._worker_pool.cancel_pending()

    def close(self) -> None:
        """End the connections; a request under way ends in its own time, and nobody waits for it."""
        self.cancel_pending()
        self._http.close()


def _quiet_seconds(retry_after: str) -> float:
    """Return how long to ask nothing; Retry-After in seconds counts, within bounds."""
    requested = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(max(requested, MIN_QUIET_SECONDS), MAX_QUIET_SECONDS)


def _read_in_time(answer: urllib3.BaseHTTPResponse) -> bytes | None:
    """Return the body, or None if it trickles: urllib3's own limit counts from byte to byte."""
    deadline = monotonic() + READ_SECONDS
    body = b""
    while chunk := answer.read1(MAX_BODY_BYTES):
        body += chunk
        if monotonic() > deadline or len(body) > MAX_BODY_BYTES:
            answer.close()
            return None
    answer.release_conn()
    return body


def read_spot_price(body: bytes, asset: str, currency: str = DOLLARS) -> SpotAnswer:
    """Read the price out of an answer's body, or say why there is none to be had."""
    try:
        data = json.loads(body, parse_float=Decimal)["data"]
        if data.get("base", asset).upper() != asset.upper() or data.get("currency", currency).upper() != currency:
            return MissingPrice(MissingPriceReason.OTHER_PAIR)
        amount = data["amount"]
        price = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return MissingPrice(MissingPriceReason.NO_PRICE)
    if isinstance(amount, bool) or not is_usable_price(price):
        return MissingPrice(MissingPriceReason.ODD_PRICE)
    return SpotPrice(price)
