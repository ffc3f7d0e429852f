"""Binance's spot REST API, without network: a request in, a response out.

Routes, counts weight, checks security and answers errors; public endpoints are here, the account's in
`binance_account.py`. Serves what a market-order bot needs, and answers other paths with Binance's -5000.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

from embedded_market.binance.account_endpoints import AccountEndpoints
from embedded_market.binance.klines import PARAMETERS as KLINES
from embedded_market.binance.klines import Klines
from embedded_market.binance.request_checks import SYMBOL, SYMBOLS, BinanceError, Parameters, check_signed
from embedded_market.exchange.orders import OrderRejectedError
from embedded_market.exchange.pair_rules import symbol_row
from embedded_market.http_messages import Response, json_body, json_response

if TYPE_CHECKING:
    from embedded_market.exchange.matching import Exchange, Pair
    from embedded_market.exchange.pair_rules import PairRules
    from embedded_market.http_messages import Request
    from embedded_market.market_data.price_board import PriceBoard

REFUSALS_TO_BAN, BAN_SECONDS = 20, 120  # who goes on asking after so many 429 is shut out for two minutes
_JSON = "application/json;charset=UTF-8"
_RATE_LIMITS = [
    {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
    for kind, interval, number, limit in (
        ("REQUEST_WEIGHT", "MINUTE", 1, 6000),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
        ("RAW_REQUESTS", "MINUTE", 5, 300_000),
    )
]
_SIGNED = frozenset({"timestamp", "recvWindow", "signature"})
_ORDER = frozenset(
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId strategyType stopPrice"
    " trailingDelta icebergQty newOrderRespType selfTradePreventionMode".split()
)

Handler = Callable[[Parameters, float], object]


@dataclass(frozen=True, slots=True)
class _Route:
    handler: Handler
    known: frozenset[str]
    weight: Callable[[Parameters], int]
    is_signed: bool = False
    is_order: bool = False


class BinanceApi:
    """The endpoints, their weights, and the order counters of the headers."""

    def __init__(self, board: PriceBoard, exchange: Exchange, keys: tuple[str, str], shift_days: int = 0) -> None:
        self._board = board
        self._exchange = exchange
        self._keys = keys
        self.weight_limit_per_minute: int | None = None
        """Answer 429 beyond this weight per minute of the market's clock; None: no limit."""
        self._used = _Windows()
        self._refusals, self._banned_until = 0, 0.0
        self._random = random.Random(0)  # noqa: S311 - request ids, no secret
        self._prices: dict[str, tuple[tuple[int, int, int], bytes]] = {}
        self.account = AccountEndpoints(board, exchange)
        self.klines = Klines(board, shift_days)
        self._routes = self._make_routes()

    def handle(self, request: Request, now: float) -> Response:
        """Return the answer at a moment of the wire."""
        try:
            return self._respond(request, now)
        except BinanceError as error:
            body = {"code": error.code, "msg": error.message}
            return json_response(error.status, body, self._headers(now) | error.headers)
        except OrderRejectedError as error:
            return json_response(400, {"code": error.code, "msg": error.message}, self._headers(now))

    def _respond(self, request: Request, now: float) -> Response:
        if request.path == "/api/v3/ticker/price" and (prices := self._cached_prices(request, now)):
            return prices
        route = self._routes.get((request.method, request.path))
        if route is None:
            raise BinanceError(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
        known = route.known | _SIGNED if route.is_signed else route.known
        parameters = Parameters(request, known=known)
        weight = route.weight(parameters)
        self._spend(weight, now)
        if route.is_signed:
            check_signed(request, parameters, self._keys, round(now * 1000))
        content = route.handler(parameters, now)
        if route.is_order:
            self._used.orders(now)
            self._used.weight(-weight, now)
        body = content if isinstance(content, bytes) else json_body(content)
        if request.path == "/api/v3/ticker/price":
            self._prices[request.query] = (self._price_key(now), body)
        return Response(200, self._headers(now, orders=route.is_order), body)

    def _cached_prices(self, request: Request, now: float) -> Response | None:
        cached = self._prices.get(request.query) if request.method == "GET" and not request.body else None
        if cached is None or cached[0] != self._price_key(now):
            return None
        self._spend(2 if "symbol=" in request.query else 4, now)
        return Response(200, self._headers(now), cached[1])

    def _price_key(self, now: float) -> tuple[int, int, int]:
        return (*self._board.moment(now), self._board.version)

    def _spend(self, weight: int, now: float) -> None:
        self._refuse_banned(now)
        used, limit = self._used.weight(weight, now), self.weight_limit_per_minute
        if limit is not None and used > limit:
            self._refusals += 1
            if self._refusals > REFUSALS_TO_BAN:
                self._banned_until = now + BAN_SECONDS
                self._refuse_banned(now)
            text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
            text += " Please use WebSocket Streams for live updates to avoid polling the API."
            raise BinanceError(-1003, text, 429, {"Retry-After": str(60 - int(now) % 60)})

    def _refuse_banned(self, now: float) -> None:
        if now < self._banned_until:
            text = f"Way too much request weight used; IP banned until {round(self._banned_until * 1000)}."
            raise BinanceError(-1003, text, 418, {"Retry-After": str(math.ceil(self._banned_until - now))})
        if self._banned_until:
            self._banned_until, self._refusals = 0.0, 0

    def _headers(self, now: float, *, orders: bool = False) -> dict[str, str]:
        used = str(self._used.weight(0, now))
        number = f"{self._random.getrandbits(128):032x}"
        headers = {
            "Content-Type": _JSON,
            "Server": "nginx",
            "Date": _date_header(int(now)),
            "x-mbx-uuid": f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}",
            "X-MBX-USED-WEIGHT": used,
            "X-MBX-USED-WEIGHT-1M": used,
        }
        if orders:
            headers |= {f"X-MBX-ORDER-COUNT-{name}": str(count) for name, count in self._used.order_counts()}
        return headers

    def _make_routes(self) -> dict[tuple[str, str], _Route]:
        account, nothing, symbols = self.account, frozenset[str](), frozenset({"symbol", "symbols"})
        order_ids = frozenset({"symbol", "orderId", "origClientOrderId"})
        trades = frozenset({"symbol", "orderId", "startTime", "endTime", "fromId", "limit"})
        all_orders = trades - {"fromId"}
        info = symbols | {"permissions", "showPermissionSets", "symbolStatus"}
        test_order = _ORDER | {"computeCommissionRates"}
        routes = {
            "GET ping": _Route(_ping, nothing, _weight(1)),
            "GET time": _Route(_time, nothing, _weight(1)),
            "GET exchangeInfo": _Route(self._exchange_info, info, _weight(20)),
            "GET ticker/price": _Route(self._ticker_price, symbols | {"symbolStatus"}, _ticker_weight),
            "GET klines": _Route(self._klines, KLINES, _weight(2)),
            "GET avgPrice": _Route(self._average_price, frozenset({"symbol"}), _weight(2)),
            "GET account": _Route(account.account, frozenset({"omitZeroBalances"}), _weight(20), is_signed=True),
            "POST order": _Route(account.place_order, _ORDER, _weight(1), is_signed=True, is_order=True),
            "POST order/test": _Route(account.check_order, test_order, _test_weight, is_signed=True),
            "GET order": _Route(account.order, order_ids, _weight(4), is_signed=True),
            "GET allOrders": _Route(account.orders, all_orders, _weight(20), is_signed=True),
            "GET myTrades": _Route(account.trades, trades, _trades_weight, is_signed=True),
        }
        split = ((name.split(" "), route) for name, route in routes.items())
        return {(method, f"/api/v3/{path}"): route for (method, path), route in split}

    def _exchange_info(self, parameters: Parameters, now: float) -> object:
        parameters.check_all_known()
        pairs, _single = self._selected(parameters, now)
        with_sets = parameters.flag("showPermissionSets", default=True)
        rows = [_symbol_json(p.rules, self._status(p, now), with_sets) for p in pairs]
        head = {"timezone": "UTC", "serverTime": round(now * 1000), "rateLimits": _RATE_LIMITS, "exchangeFilters": []}
        return json_body(head)[:-1] + b',"symbols":[' + b",".join(rows) + b"]}"

    def _ticker_price(self, parameters: Parameters, now: float) -> object:
        parameters.check_all_known()
        pairs, single = self._selected(parameters, now)
        rows = [{"symbol": p.rules.symbol, "price": self._board.text(p.rules.base, now)} for p in pairs]
        return rows[0] if single else rows

    def _average_price(self, parameters: Parameters, now: float) -> object:
        parameters.required("symbol")
        parameters.check_all_known()
        pairs, _single = self._selected(parameters, now)
        mean = self._board.average(pairs[0].rules.base, now)
        return {"mins": 5, "price": f"{mean:.8f}", "closeTime": round(now * 1000)}

    def _klines(self, parameters: Parameters, now: float) -> object:
        return self.klines.answer(parameters, lambda symbol: self.account.pair(symbol, now).rules.base, now)

    def _selected(self, parameters: Parameters, now: float) -> tuple[list[Pair], bool]:
        """Return the pairs of symbol, symbols or neither (all), and whether it was one symbol."""
        symbol, symbols = parameters.text("symbol", SYMBOL), parameters.text("symbols", SYMBOLS)
        status = parameters.text("symbolStatus")
        if symbol and symbols:
            raise BinanceError(-1128, "Combination of optional parameters invalid.")
        names = [symbol] if symbol else json.loads(symbols) if symbols else self._listed(now)
        if len(set(names)) < len(names):
            raise BinanceError(-1151, "Symbol is present multiple times in the list.")
        pairs = [self.account.pair(name, now) for name in names]
        if status is not None:
            pairs = [pair for pair in pairs if self._status(pair, now) == status]
            if symbol and not pairs:
                raise BinanceError(-1220, "The symbol's status does not match the requested symbolStatus.")
        return pairs, symbol is not None

    def _listed(self, now: float) -> list[str]:
        return [name for name, p in self._exchange.pairs.items() if self._board.is_listed(p.rules.base, now)]

    def _status(self, pair: Pair, now: float) -> str:
        return "BREAK" if self._board.has_ended(pair.rules.base, now) and pair.status == "TRADING" else pair.status


class _Windows:
    """Counters of the headers: weight per minute, orders per ten seconds and per day, by the market's clock."""

    def __init__(self) -> None:
        self._counts = {60: (0, 0), 10: (0, 0), 86_400: (0, 0)}

    def weight(self, added: int, now: float) -> int:
        """Add weight and return the minute's sum."""
        return self._add(60, added, now)

    def orders(self, now: float) -> None:
        """Count an accepted order."""
        self._add(10, 1, now)
        self._add(86_400, 1, now)

    def order_counts(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return the orders of the running ten seconds and day."""
        return ("10S", self._counts[10][1]), ("1D", self._counts[86_400][1])

    def _add(self, length: int, added: int, now: float) -> int:
        window = int(now // length)
        kept, count = self._counts[length]
        count = max(0, (count if kept == window else 0) + added)
        self._counts[length] = (window, count)
        return count


@lru_cache(maxsize=1)
def _date_header(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache(maxsize=1024)
def _symbol_json(rules: PairRules, status: str, with_permission_sets: bool) -> bytes:
    return json_body(symbol_row(rules, status, permission_sets=with_permission_sets))


def _ping(parameters: Parameters, _now: float) -> object:
    parameters.check_all_known()
    return {}


def _time(parameters: Parameters, now: float) -> object:
    parameters.check_all_known()
    return {"serverTime": round(now * 1000)}


def _weight(weight: int) -> Callable[[Parameters], int]:
    return lambda _parameters: weight


def _ticker_weight(parameters: Parameters) -> int:
    return 2 if parameters.text("symbol") else 4


def _trades_weight(parameters: Parameters) -> int:
    return 5 if parameters.text("orderId") else 20


def _test_weight(parameters: Parameters) -> int:
    return 20 if parameters.text("computeCommissionRates") == "true" else 1
