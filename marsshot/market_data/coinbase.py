"""Coinbase's spot prices, fetched side by side over kept-alive connections. Knows no rule, and no other venue."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from time import monotonic
from typing import Any, Protocol
from urllib.parse import quote

import urllib3

from marsshot.core.catalog import Sentence
from marsshot.core.domain import is_usable_price
from marsshot.infra.background import SideBySide
from marsshot.infra.tls import one_trust

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
SIDE_BY_SIDE = 16
LARGEST_BODY = 65_536
OK, NOT_FOUND, TOO_MANY = 200, 404, 429
SHORTEST_SILENCE_SECONDS, LONGEST_SILENCE_SECONDS = 30.0, 3600.0  # after a 429, whatever Retry-After says

HearSpot = Callable[[Mapping[str, Decimal | str | float]], None]
"""Hears of assets: the USD price, or why there is none; a float is the moment (monotonic) at which it was asked for."""


class SpotPrices(Protocol):
    """What the price desk needs of Coinbase."""

    def spot_prices_soon(self, assets: Collection[str], hear: HearSpot) -> None:
        """Ask for all prices; `hear` is told them as they come, at once or later, in any thread. Never raises."""

    def give_up(self) -> None:
        """Ask for nothing that has not been asked for yet."""

    def close(self) -> None:
        """End the connections."""


class Coinbase:
    """Public spot prices. Safe for many threads. side_by_side: so many requests at once."""

    def __init__(self, base_url: str, side_by_side: int = SIDE_BY_SIDE) -> None:
        trust: dict[str, Any] = {"ssl_context": one_trust()} if base_url.startswith("https:") else {}
        self._http = urllib3.connection_from_url(
            base_url,
            maxsize=SIDE_BY_SIDE,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            headers={"User-Agent": "MarsShot", "Accept": "application/json"},
            **trust,
        )
        self._beside = SideBySide(side_by_side, "coinbase")
        self._quiet_until = 0.0  # monotonic seconds: Coinbase asked for silence

    def spot_prices_soon(self, assets: Collection[str], hear: HearSpot) -> None:
        """Ask for all prices; `hear` is told them as they come, each in the thread that asked. Never raises."""
        self._beside.begin(partial(self._tell, asset, hear) for asset in assets)

    def _tell(self, asset: str, hear: HearSpot) -> None:
        hear({asset: monotonic()})
        hear({asset: self._spot_price(asset)})

    def _spot_price(self, asset: str) -> Decimal | str:
        if (left := self._quiet_until - monotonic()) > 0:
            return Sentence("coinbase.quiet", seconds=left)
        path = f"/v2/prices/{quote(asset)}-USD/spot"
        try:
            answer = self._http.urlopen("GET", path, redirect=False, preload_content=False)
            body = _read_in_time(answer)
        except urllib3.exceptions.HTTPError as error:
            return Sentence("coinbase.silent", why=type(error).__name__)
        if body is None:
            return Sentence("coinbase.late")
        if answer.status == NOT_FOUND:
            return Sentence("coinbase.unknown")
        if answer.status == TOO_MANY:
            self._quiet_until = monotonic() + _silence_seconds(answer.headers.get("Retry-After", ""))
        if answer.status != OK:
            return Sentence("coinbase.answered", status=answer.status)
        return read_spot_price(body, asset)

    def give_up(self) -> None:
        """Ask for nothing that has not been asked for yet."""
        self._beside.drop_waiting()

    def close(self) -> None:
        """End the connections; a request under way ends in its own time, and nobody waits for it."""
        self.give_up()
        self._http.close()


def _silence_seconds(retry_after: str) -> float:
    """Return how long to ask nothing; Retry-After in seconds counts, within bounds."""
    told = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(max(told, SHORTEST_SILENCE_SECONDS), LONGEST_SILENCE_SECONDS)


def _read_in_time(answer: urllib3.BaseHTTPResponse) -> bytes | None:
    """Return the body, or None if it trickles: urllib3's own limit counts from byte to byte."""
    deadline = monotonic() + READ_SECONDS
    body = b""
    while piece := answer.read1(LARGEST_BODY):
        body += piece
        if monotonic() > deadline or len(body) > LARGEST_BODY:
            answer.close()
            return None
    answer.release_conn()
    return body


def read_spot_price(body: bytes, asset: str) -> Decimal | str:
    """Read the price out of an answer's body, or say why there is none to be had."""
    try:
        data = json.loads(body, parse_float=Decimal)["data"]
        if data.get("base", asset).upper() != asset.upper() or data.get("currency", "USD").upper() != "USD":
            return Sentence("coinbase.other_pair")
        amount = data["amount"]
        price = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return Sentence("coinbase.no_price")
    if isinstance(amount, bool) or not is_usable_price(price):
        return Sentence("coinbase.odd_price")
    return price
