"""Coinbase spot prices, fetched side by side over kept-alive connections, and checked against Binance's last price.

`fetch_prices_for_symbols` gives each token the one price that the exit rules may go by. Knows no rule itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from time import monotonic
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import urllib3

from domain import EXACT, is_usable_price
from errors import MarsShotError, StopRequested

if TYPE_CHECKING:
    from exchange import Exchange
    from settings import Settings

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
SIDE_BY_SIDE = 16
LARGEST_BODY = 65_536
OK, NOT_FOUND, TOO_MANY = 200, 404, 429
SHORTEST_SILENCE_SECONDS, LONGEST_SILENCE_SECONDS = 30.0, 3600.0  # after a 429, whatever Retry-After says


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one token to go by, in quote asset (USD and the quote asset are taken as equal).

    price is None where neither venue has a usable one. `note` says, in words, what is unusual; empty when nothing is.
    """

    price: Decimal | None
    source: str = ""
    note: str = ""
    agrees: bool | None = None  # whether Coinbase's price is near Binance's; None where it could not be compared


class SpotPrices(Protocol):
    """What the price desk needs of Coinbase."""

    def spot_prices_soon(self, assets: Collection[str]) -> Callable[[], dict[str, Decimal | str]]:
        """Ask for all prices now; the function returned waits for them."""

    def close(self) -> None:
        """End the connections and the threads."""


class Coinbase:
    """Public spot prices. Safe for many threads."""

    def __init__(self, base_url: str) -> None:
        self._http = urllib3.connection_from_url(
            base_url,
            maxsize=SIDE_BY_SIDE,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            headers={"User-Agent": "MarsShot", "Accept": "application/json"},
        )
        self._workers = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="coinbase")
        self._quiet_until = 0.0  # monotonic seconds: Coinbase asked for silence

    def spot_prices_soon(self, assets: Collection[str]) -> Callable[[], dict[str, Decimal | str]]:
        """Ask for all prices now; the function returned waits for them and gives, by asset, the USD price, or why none.

        Neither ever raises.
        """
        asked = {asset: self._workers.submit(self._spot_price, asset) for asset in assets}
        return lambda: _answers(asked)

    def _spot_price(self, asset: str) -> Decimal | str:
        if (left := self._quiet_until - monotonic()) > 0:
            return f"asked to wait, {left:.0f} seconds are left"
        path = f"/v2/prices/{quote(asset)}-USD/spot"
        try:
            answer = self._http.urlopen("GET", path, redirect=False, preload_content=False)
            body = _read_in_time(answer)
        except urllib3.exceptions.HTTPError as error:
            return f"does not answer ({type(error).__name__})"
        if body is None:
            return "does not answer in time"
        if answer.status == NOT_FOUND:
            return "does not know it"
        if answer.status == TOO_MANY:
            self._quiet_until = monotonic() + _silence_seconds(answer.headers.get("Retry-After", ""))
        if answer.status != OK:
            return f"answered {answer.status}"
        return read_spot_price(body, asset)

    def close(self) -> None:
        """End the connections and the threads."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._http.close()


def _silence_seconds(retry_after: str) -> float:
    """Return how long to ask nothing; Retry-After in seconds counts, within bounds."""
    told = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(max(told, SHORTEST_SILENCE_SECONDS), LONGEST_SILENCE_SECONDS)


def _answers(asked: Mapping[str, Future[Decimal | str]]) -> dict[str, Decimal | str]:
    """Wait for all, but not for one that holds the others up."""
    wait(asked.values(), timeout=CONNECT_SECONDS + 2 * READ_SECONDS)
    return {asset: answer.result() if answer.done() else "does not answer in time" for asset, answer in asked.items()}


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
            return "answered for another pair"
        amount = data["amount"]
        price = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return "gave no price"
    if isinstance(amount, bool) or not is_usable_price(price):
        return "gave no usable price"
    return price


def choose_price(coinbase: Decimal | str, binance: Decimal | None, max_divergence: Decimal) -> Quote:
    """Return the price to go by: Coinbase's, or Binance's where Coinbase has none or strays from it too far.

    max_divergence: relative to Binance's price; exactly that far is still near enough.
    """
    if isinstance(coinbase, str):
        if binance is None:
            return Quote(None, "", f"no price: Coinbase {coinbase}, Binance has none")
        return Quote(binance, "Binance", f"Coinbase {coinbase}; Binance's price is used")
    if binance is None:
        return Quote(coinbase, "Coinbase", "Binance has no price to check Coinbase's against")
    if EXACT.abs(EXACT.subtract(coinbase, binance)) > EXACT.multiply(binance, max_divergence):
        note = f"Coinbase is more than {max_divergence * 100:f} % off; Binance's price is used"
        return Quote(binance, "Binance", note, agrees=False)
    return Quote(coinbase, "Coinbase", agrees=True)


def fetch_prices_for_symbols(
    symbols: Collection[str], settings: Settings, coinbase: SpotPrices, exchange: Exchange
) -> tuple[dict[str, Quote], str]:
    """Return the price of each token to go by, and, in words, what is wrong with Binance's prices altogether.

    One request per token to Coinbase, side by side, and one for all to Binance.
    """
    pairs = {symbol: settings.pair(symbol) for symbol in symbols}
    assets = {symbol: settings.coinbase_asset(symbol) for symbol in symbols}
    trouble = ""
    binance: Mapping[str, Decimal] = {}
    asked = coinbase.spot_prices_soon(assets.values())
    try:
        binance = exchange.prices(pairs.values())
    except StopRequested:
        raise
    except MarsShotError as error:
        trouble = str(error)
    spot = asked()
    limit = settings.strategy.max_price_divergence
    return {
        symbol: choose_price(spot[assets[symbol]], binance.get(pairs[symbol]), limit) for symbol in symbols
    }, trouble
