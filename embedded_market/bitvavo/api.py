"""Bitvavo's endpoints: a request in, a response out. Counts weight, checks security, answers errors.

Public endpoints are here, the account's in `account_endpoints.py`. Serves what a bot of market orders needs; another
path is answered with a page that is no JSON, as the real host does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedded_market.bitvavo.account_endpoints import AccountEndpoints
from embedded_market.bitvavo.candles import CANDLES, Candles
from embedded_market.bitvavo.engine import BitvavoEngine, new_engine
from embedded_market.bitvavo.errors import BitvavoError
from embedded_market.bitvavo.markets import Market, in_euros, market_of, market_row, price_text
from embedded_market.bitvavo.request_checks import Query, check_signed, invalid
from embedded_market.http_messages import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from embedded_market.http_messages import Request
    from embedded_market.market_data.price_board import PriceBoard

PREFIX = "/v2/"
WEIGHT_PER_MINUTE = 1000
_CANDLES = re.compile(r"[A-Z0-9]+-[A-Z]+/candles")
_PAGE = b"<!DOCTYPE html><html><head><title>404</title></head><body>Not found</body></html>"


@dataclass(frozen=True, slots=True)
class _Route:
    handler: Callable[[Query, float], object]
    known: frozenset[str]
    weight: int
    right: str = ""  # of the key; empty: public


class BitvavoApi:
    """The endpoints, their weights, and what a key may do."""

    def __init__(
        self, board: PriceBoard, balances: Mapping[str, Decimal], keys: tuple[str, str], shift_days: int = 0
    ) -> None:
        self._board = board
        self._keys = keys
        self.engine: BitvavoEngine = new_engine(map(market_of, board.history.coins.values()), balances)
        self.rights = {"view", "trade"}
        """What the key may do; what it may not is answered with 310 or 311."""
        self.weight_limit_per_minute: int | None = WEIGHT_PER_MINUTE
        """Answer 429 beyond this weight per minute of the market's clock; None: no limit."""
        self._used = (0, 0)  # minute, weight
        self._blocked_until = 0.0
        self.account = AccountEndpoints(self.engine, self.price_of, self.market_at)
        self.candles = Candles(board, shift_days)
        self._routes = self._make_routes()

    def handle(self, request: Request, now: float) -> Response:
        """Return the answer at a moment of the wire."""
        try:
            content = self._answer(request, now)
        except BitvavoError as error:
            return json_response(
                error.status, {"errorCode": error.code, "error": error.message}, self._limit_headers(now)
            )
        if content is None:
            return Response(404, {"Content-Type": "text/html", "Server": "cloudflare"}, _PAGE)
        return json_response(200, content, self._limit_headers(now))

    def _answer(self, request: Request, now: float) -> object:
        name = request.path.removeprefix(PREFIX)
        if request.method == "POST" and name == "order":
            self._spend(1, now)
            check_signed(request, self._keys, round(now * 1000), self.rights, "trade")
            return self.account.place_order(request.body, now)
        is_candles = _CANDLES.fullmatch(name) is not None
        route = self._routes.get("candles" if is_candles else name)
        if request.method != "GET" or route is None:
            return None
        self._spend(route.weight, now)
        if route.right:
            check_signed(request, self._keys, round(now * 1000), self.rights, route.right)
        query = Query(request, route.known)
        if is_candles:
            market = self.market_at(name.removesuffix("/candles"), now)
            return self.candles.rows(market.base, query, now)
        return route.handler(query, now)

    def _make_routes(self) -> dict[str, _Route]:
        account, listed = self.account, frozenset({"market", "start", "end", "limit", "orderIdFrom", "orderIdTo"})
        nothing = frozenset[str]()
        trades = frozenset({"market", "start", "end", "limit", "tradeIdFrom", "tradeIdTo"})
        return {
            "time": _Route(_time, nothing, 1),
            "markets": _Route(self._markets, frozenset({"market"}), 1),
            "ticker/price": _Route(self._prices, frozenset({"market"}), 1),
            "candles": _Route(_time, CANDLES, 1),
            "account": _Route(lambda _query, _now: account.account(self.rights), nothing, 1, "view"),
            "balance": _Route(account.balance, frozenset({"symbol"}), 5, "view"),
            "stakingBalance": _Route(account.staking_balance, frozenset({"symbol"}), 5, "view"),
            "order": _Route(account.order, frozenset({"market", "orderId", "clientOrderId"}), 1, "trade"),
            "orders": _Route(account.orders, listed, 5, "trade"),
            "ordersOpen": _Route(account.open_orders, frozenset({"market", "base"}), 5, "trade"),
            "trades": _Route(account.trades, trades, 5, "trade"),
        }

    # ------------------------------------------------------------------ public endpoints

    def market_at(self, name: str, now: float) -> Market:
        """Return a market that is listed by then, else 205."""
        market = self.engine.markets.get(name)
        if market is None or not self._board.is_listed(market.base, now):
            raise invalid("market")
        return market

    def price_of(self, market: Market, now: float) -> Decimal:
        """Return the last price in euros."""
        return in_euros(self._board.price(market.base, now))

    def status_of(self, market: Market, now: float) -> str:
        """Return the market's status; after the end of the coin's history it is halted."""
        return "halted" if self._board.has_ended(market.base, now) else market.status

    def _listed(self, query: Query, now: float) -> tuple[list[Market], bool]:
        name = query.text("market")
        if name is not None:
            return [self.market_at(name, now)], True
        return [one for one in self.engine.markets.values() if self._board.is_listed(one.base, now)], False

    def _markets(self, query: Query, now: float) -> object:
        markets, is_single = self._listed(query, now)
        rows = [market_row(one, self.status_of(one, now), self._board, now) for one in markets]
        return rows[0] if is_single else rows

    def _prices(self, query: Query, now: float) -> object:
        markets, is_single = self._listed(query, now)
        rows = [{"market": one.name, "price": price_text(self.price_of(one, now))} for one in markets]
        return rows[0] if is_single else rows

    # ------------------------------------------------------------------ limits

    def _spend(self, weight: int, now: float) -> None:
        minute = int(now // 60)
        used = weight + (self._used[1] if self._used[0] == minute else 0)
        self._used = minute, used
        if now < self._blocked_until:
            raise BitvavoError(429, 105, "Rate limit exceeded. Your API key is blocked until the reset.")
        if self.weight_limit_per_minute is not None and used > self.weight_limit_per_minute:
            self._blocked_until = (minute + 2) * 60.0  # the rest of this minute and one more
            raise BitvavoError(429, 105, "Rate limit exceeded. Your API key is blocked until the reset.")

    def _limit_headers(self, now: float) -> dict[str, str]:
        limit = self.weight_limit_per_minute or 1_000_000
        used = self._used[1] if self._used[0] == int(now // 60) else 0
        reset = max(self._blocked_until, (int(now // 60) + 1) * 60.0)
        return {
            "Server": "cloudflare",
            "bitvavo-ratelimit-limit": str(limit),
            "bitvavo-ratelimit-remaining": str(max(0, limit - used)),
            "bitvavo-ratelimit-resetat": str(round(reset * 1000)),
        }


def _time(_query: Query, now: float) -> object:
    return {"time": round(now * 1000), "timeNs": round(now * 1000) * 1_000_000}
