"""The embedded market as one object: history, prices, exchanges, the four services, and the hooks tests turn.

Answers requests as values; owns no socket and no thread. One lock guards everything.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from embedded_market.binance.api import BinanceApi
from embedded_market.binance.bulk_files import PREFIX, BulkFiles
from embedded_market.bitvavo.api import BitvavoApi
from embedded_market.coinbase.api import UNLISTED_AT_COINBASE, CoinbaseApi
from embedded_market.exchange.matching import Exchange
from embedded_market.exchange.pair_rules import rules_for
from embedded_market.http_messages import Request, Response, render
from embedded_market.lunarcrush.api import LunarCrushApi
from embedded_market.lunarcrush.synthetic_scores import social_scores
from embedded_market.market_data.history import History, load_bundled_history
from embedded_market.market_data.price_board import QUOTES, PriceBoard
from embedded_market.scripted_faults import Fault, FaultKind, Faults

SERVICES = ("binance", "bitvavo", "coinbase", "lunarcrush")
LOG_LENGTH = 10_000


class Reply(NamedTuple):
    """What the server does: wait, send these bytes (none: nothing), perhaps close the connection.

    byte_seconds: send byte by byte, with so much time between two.
    """

    payload: bytes
    delay: float = 0.0
    close: bool = False
    byte_seconds: float = 0.0


class LoggedRequest(NamedTuple):
    """A request as it was seen."""

    method: str
    path: str
    query: str


@dataclass(kw_only=True)
class EmbeddedMarket:
    """Two exchanges and two sources of prices over one history. `clock` gives the wire's time in unix seconds.

    A wire day shows the history day `shift_days` before it, so that 2021 can be served as if it were today.
    """

    clock: Callable[[], float] = time.time
    history: History = field(default_factory=load_bundled_history)
    seed: int = 0
    shift_days: int = 0
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    api_key: str = field(default_factory=lambda: secrets.token_hex(32))
    api_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    lunarcrush_key: str | None = None
    lunarcrush_requests_per_minute: int | None = None
    coinbase_unlisted: frozenset[str] = UNLISTED_AT_COINBASE

    def __post_init__(self) -> None:
        """Build the services."""
        self.lock = threading.RLock()
        self.board = PriceBoard(self.history, self.seed, self.shift_days)
        rules = [rules_for(coin, quote) for coin in self.history.coins.values() for quote in QUOTES]
        self.exchange = Exchange(rules, self.balances)
        self.binance = BinanceApi(self.board, self.exchange, (self.api_key, self.api_secret), self.shift_days)
        euros = {asset: amount for asset, amount in self.balances.items() if asset not in QUOTES}
        self.bitvavo = BitvavoApi(self.board, euros, (self.api_key, self.api_secret), self.shift_days)
        self.bulk_files = BulkFiles(self.binance.klines, self._coin_of)
        self.coinbase = CoinbaseApi(self.board, self.coinbase_unlisted)
        self.lunarcrush = LunarCrushApi(
            self.board, lambda: social_scores(self.history, self.seed), self.lunarcrush_key, self.shift_days
        )
        self.lunarcrush.requests_per_minute = self.lunarcrush_requests_per_minute
        self.faults = Faults()
        self.latency = dict.fromkeys(SERVICES, 0.0)
        """Real seconds before each answer, by service."""
        self.requests: Counter[str] = Counter()
        """Requests so far, by service."""
        self.log_requests = True
        self.request_log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)

    def set_price(self, symbol: str, price: str | None) -> None:
        """Hold a coin's price on Binance, and on Coinbase unless it is set there; None: history again."""
        with self.lock:
            self.board.set_price(symbol, price)

    def set_coinbase_price(self, symbol: str, price: str | None) -> None:
        """Hold a coin's price on Coinbase alone; None: history again."""
        with self.lock:
            self.board.set_coinbase_price(symbol, price)

    def set_status(self, symbol: str, status: str) -> None:
        """Set a pair's status: TRADING, BREAK, HALT, CANCEL_ONLY ..."""
        with self.lock:
            self.exchange.pairs[symbol].status = status

    def delist(self, symbol: str) -> None:
        """Take a pair away for good: -1121 from now on, while a balance may still be held."""
        with self.lock:
            del self.exchange.pairs[symbol]
            self.board.version += 1

    def respond(self, request: Request) -> Reply:
        """Return what to do with a request, executed or not as its fault wants."""
        with self.lock:
            service = service_of(request.path)
            self.requests[service] += 1
            if self.log_requests:
                self.request_log.append(LoggedRequest(request.method, request.path, request.query))
            fault = self._fault_of(service, request) if self.faults.pending else None
            if fault is not None and not fault.kind.executes:
                return _apply_fault(fault, b"")
            payload = render(self._execute(service, request), keep_alive=request.keep_alive)
            if fault is not None:
                return _apply_fault(fault, payload)
            return Reply(payload, self.latency[service], close=not request.keep_alive)

    def _coin_of(self, symbol: str, now: float) -> str | None:
        """Return the coin of a pair, one that is traded no more as well."""
        try:
            coin = self.board.base_of(symbol)
        except KeyError:
            return None
        return coin if self.board.is_listed(coin, now) else None

    def _fault_of(self, service: str, request: Request) -> Fault | None:
        line = f"{request.method} {request.path}?{request.query} {request.body.decode('latin-1')}"
        return self.faults.take(service, line)

    def _execute(self, service: str, request: Request) -> Response:
        now = self.clock()
        if request.path.startswith(PREFIX):
            content = self.bulk_files.content(request.path, now)
            return Response(200, {"Content-Type": "application/zip"}, content) if content else Response(404, {}, b"")
        if service == "binance":
            return self.binance.handle(request, now)
        if service == "bitvavo":
            return self.bitvavo.handle(request, now)
        return (self.coinbase if service == "coinbase" else self.lunarcrush).handle(request, now)


def service_of(path: str) -> str:
    """Return the service that a path belongs to."""
    if path.startswith("/api4/"):
        return "lunarcrush"
    if path.startswith("/v2/"):
        return "coinbase" if path.startswith("/v2/prices/") else "bitvavo"
    return "binance"


def _apply_fault(fault: Fault, payload: bytes) -> Reply:
    """Return what the fault makes of the answer. Every fault but a complete answer closes the connection."""
    match fault.kind:
        case FaultKind.STATUS | FaultKind.STATUS_AFTER:
            headers = {"Content-Type": "application/json"} | fault.headers
            return Reply(render(Response(fault.status, headers, fault.body_bytes())))
        case FaultKind.EMPTY_200 | FaultKind.EMPTY_200_BEFORE:
            return Reply(render(Response(200, {"Content-Type": "application/json"}, b"")))
        case FaultKind.HANG_BEFORE | FaultKind.HANG_AFTER:
            return Reply(b"", fault.seconds, close=True)
        case FaultKind.TRICKLE:
            return Reply(payload, close=True, byte_seconds=fault.seconds)
        case FaultKind.TRUNCATE:
            head = payload.find(b"\r\n\r\n") + 4
            return Reply(payload[: (head + len(payload)) // 2], close=True)
        case _:
            return Reply(b"", close=True)
