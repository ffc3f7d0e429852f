"""LunarCrush's GET /api4/public/coins/{coin}/time-series/v2, without network: a request in, a response out.

Serves bucket=day only; bucket=hour (the service's default) is refused with a clear error. Prices, volume and caps
are recorded, every social field is a stand-in of `synthetic_scores.py`. The running day's row comes last and is not
whole.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from embedded_market.http_messages import Response, json_response
from embedded_market.market_data.history import SECONDS_PER_DAY

if TYPE_CHECKING:
    from decimal import Decimal

    from embedded_market.http_messages import Request
    from embedded_market.lunarcrush.synthetic_scores import SocialScores
    from embedded_market.market_data.price_board import PriceBoard

    EditResponse = Callable[[str, dict[str, Any]], dict[str, Any]]

NAMES = {
    "BTC": "Bitcoin",
    "ETH": "Ethereum",
    "BNB": "BNB",
    "ADA": "Cardano",
    "DOGE": "Dogecoin",
    "DOT": "Polkadot",
    "ICP": "Internet Computer",
    "LINK": "Chainlink",
    "LTC": "Litecoin",
    "LUNA": "Terra",
    "MATIC": "Polygon",
    "SOL": "Solana",
    "UNI": "Uniswap",
    "XRP": "XRP",
}
UNLIMITED = 1_000_000
_PATH = re.compile(r"/api4/public/coins/([^/]+)/time-series/v2")
_DAYS = {"1d": 1, "1w": 7, "1m": 30, "3m": 91, "6m": 182, "1y": 365, "all": 36_500}
_PER_DAY_FACTOR = 200
_COUNTS = ("contributors_active", "contributors_created", "interactions", "posts_active", "posts_created", "spam")


class LunarCrushApi:
    """Daily rows per coin; coin by numeric id or symbol. scores: called at the first request that needs them."""

    def __init__(self, board: PriceBoard, scores: Callable[[], SocialScores], key: str | None, shift_days: int) -> None:
        self._board = board
        self._scores = cache(scores)
        self._shift = shift_days * SECONDS_PER_DAY
        self.key = key
        """The key accepted; None: any."""
        self.requests_per_minute: int | None = None
        """Refuse more than this per minute of the market's clock; None: no limit."""
        self.edit_response: EditResponse | None = None
        """Called with the coin and the answer, to harm it: missing fields, wrong names, doubled days."""
        self._ids = {symbol: number for number, symbol in enumerate(_by_age(board), start=1)}
        self._closed_rows: dict[tuple[str, int], str] = {}
        self._minute, self._used_minute = 0, 0
        self._day, self._used_day = 0, 0

    def handle(self, request: Request, now: float) -> Response:
        """Return the answer at a moment of the wire."""
        agent = request.headers.get("user-agent", "")
        if not agent or agent.startswith("Python-urllib"):
            page = b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>cloudflare</body></html>"
            return Response(403, {"Content-Type": "text/html", "Server": "cloudflare"}, page)
        refused = self._count(now)
        limits = self._limit_headers()
        if refused:
            return json_response(429, {"error": "Rate limit exceeded (minute)"}, limits)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key or (self.key and not hmac.compare_digest(key.encode(), self.key.encode())):
            return json_response(401, {"error": "Unauthorized: a valid API key is required as a Bearer token"}, limits)
        found = _PATH.fullmatch(request.path)
        if request.method != "GET" or not found:
            return json_response(404, {"error": "Invalid endpoint"}, limits)
        return self._series(unquote(found[1]), request.query, now, limits)

    def _series(self, name: str, query: str, now: float, headers: dict[str, str]) -> Response:
        coin = next((s for s, i in self._ids.items() if name.upper() == s or name == str(i)), None)
        if coin is None or not self._board.is_listed(coin, now):
            return json_response(404, {"error": f"Coin {name} not found"}, headers)
        asked = {key: values[-1] for key, values in parse_qs(query).items()}
        if asked.get("bucket", "hour") != "day":
            return json_response(400, {"error": "the embedded market serves bucket=day only"}, headers)
        try:
            start, end = _span(asked, now)
        except (KeyError, ValueError, OverflowError):
            return json_response(400, {"error": "interval, start or end is not valid"}, headers)
        config = self._config(coin, name, now) | {
            "interval": asked.get("interval", "1w"),
            "start": start,
            "end": end,
            "bucket": "day",
            "metrics": [],
            "generated": int(now),
        }
        rows = self._rows(coin, start, end, now)
        return self._respond(coin, config, rows, headers)

    def _respond(self, coin: str, config: dict[str, Any], rows: list[str], headers: dict[str, str]) -> Response:
        body = f'{{"config":{json.dumps(config)},"data":[{",".join(rows)}]}}'
        if self.edit_response is not None:
            body = json.dumps(self.edit_response(coin, json.loads(body)))
        return Response(200, {"Content-Type": "application/json; charset=utf-8"} | headers, body.encode())

    def _config(self, coin: str, name: str, now: float) -> dict[str, Any]:
        title, number = NAMES.get(coin, coin.title()), self._ids[coin]
        by_number = name == str(number)
        return {
            "coin": str(number),
            "topic": title.lower(),
            "id": f"coins:{number}" if by_number else f"${coin.lower()}",
            "name": title,
            "symbol": coin,
        }

    def _rows(self, coin: str, start: int, end: int, now: float) -> list[str]:
        history, today = self._board.history.coins[coin], self._board.moment(now)[0]
        first = max(history.first_day, -((self._shift - start) // SECONDS_PER_DAY))
        last = min(history.last_day, (end - self._shift) // SECONDS_PER_DAY, today)
        rows = [self._closed_row(coin, day) for day in range(first, min(last, today - 1) + 1) if day in history.bars]
        if last == today and first <= today and today in history.bars:
            rows.append(json.dumps(self._running_row(coin, today, now)))
        return rows

    def _closed_row(self, coin: str, day: int) -> str:
        key = (coin, day)
        if key not in self._closed_rows:
            bar = self._board.history.coins[coin].bars[day]
            prices = (bar.open, bar.high, bar.low, bar.close)
            row = self._row(day, prices, float(bar.volume), self._scores().row(coin, day))
            self._closed_rows[key] = json.dumps(row | {"market_cap": int(bar.market_cap)})
        return self._closed_rows[key]

    def _running_row(self, coin: str, day: int, now: float) -> dict[str, Any]:
        """Return the day so far. Scores are yesterday's: today's would need today's close."""
        bars = self._board.history.coins[coin].bars
        part = (now - self._shift - day * SECONDS_PER_DAY) / SECONDS_PER_DAY
        known = day - 1 if day - 1 in bars else day
        scores = self._scores().row(coin, known) if known < day else {}
        scores |= {name: int(scores[name] * part) for name in _COUNTS if name in scores}
        prices = self._board.bar_so_far(coin, now)
        volume = float(bars[day].volume) * part + (float(bars[known].volume) * (1 - part) if known < day else 0.0)
        row = self._row(day, prices, volume, scores)
        return row | {"market_cap": int(bars[known].market_cap / bars[known].close * prices[3])}

    def _row(
        self, day: int, prices: tuple[Decimal, Decimal, Decimal, Decimal], volume: float, scores: dict[str, int | float]
    ) -> dict[str, Any]:
        opening, high, low, close = (_number(price) for price in prices)
        row: dict[str, Any] = {"time": day * SECONDS_PER_DAY + self._shift, **scores}
        return row | {"open": opening, "high": high, "low": low, "close": close, "volume_24h": round(volume, 2)}

    def _count(self, now: float) -> bool:
        """Count a request; return True if it is over the limit of its minute (fixed windows)."""
        minute, day = int(now // 60), int(now // SECONDS_PER_DAY)
        if minute != self._minute:
            self._minute, self._used_minute = minute, 0
        if day != self._day:
            self._day, self._used_day = day, 0
        if self.requests_per_minute is not None and self._used_minute >= self.requests_per_minute:
            return True
        self._used_minute += 1
        self._used_day += 1
        return False

    def _limit_headers(self) -> dict[str, str]:
        per_minute = self.requests_per_minute or UNLIMITED
        per_day = per_minute * _PER_DAY_FACTOR
        return {
            "x-rate-limit-minute": str(per_minute),
            "x-rate-limit-minute-remaining": str(per_minute - self._used_minute),
            "x-rate-limit-minute-reset": str((self._minute + 1) * 60),
            "x-rate-limit-day": str(per_day),
            "x-rate-limit-day-remaining": str(max(0, per_day - self._used_day)),
            "x-rate-limit-day-reset": str((self._day + 1) * SECONDS_PER_DAY),
        }


def _by_age(board: PriceBoard) -> list[str]:
    """Return the coins in the order of their numeric ids: BTC 1, ETH 2 as on LunarCrush, then our own."""
    coins = board.history.coins
    return sorted(coins, key=lambda symbol: (symbol != "BTC", symbol != "ETH", symbol))


def _span(asked: dict[str, str], now: float) -> tuple[int, int]:
    """Return start and end in unix seconds. Raises KeyError, ValueError or OverflowError."""
    midnight = int(now // SECONDS_PER_DAY) * SECONDS_PER_DAY
    days = _DAYS[asked.get("interval", "1w")]
    start, end = max(0, midnight - days * SECONDS_PER_DAY), int(now) + 7200
    if "start" in asked or "end" in asked:
        end = int(float(asked["end"])) if "end" in asked else end
        start = int(float(asked["start"])) if "start" in asked else end - days * SECONDS_PER_DAY
    return start, end


def _number(price: Decimal) -> int | float:
    return int(price) if price == price.to_integral_value() else float(price)
