"""The embedded market with as many synthetic tokens as asked for, in a process of its own: slow, or hanging, on order.

    with StandIn(tokens=50) as market: market.slow(coinbase=0.1); market.hang("coinbase", "T007-USD")

Prices stand at 1 until they are set; LunarCrush tells of random walks that end yesterday.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.synthetic_lunarcrush import DAY_SECONDS, answer_about  # noqa: E402 - after the path
from embedded_market.http_messages import Request, Response  # noqa: E402
from embedded_market.market import EmbeddedMarket  # noqa: E402
from embedded_market.market_data.history import CoinHistory, DailyBar, History  # noqa: E402
from embedded_market.server.http_server import MarketServer  # noqa: E402
from marsshot.config.exchanges import ExchangeName  # noqa: E402

MARKET = ("BTC", "ETH")


def token_names(count: int) -> list[str]:
    """Return the names of so many synthetic tokens."""
    return [f"T{number:03d}" for number in range(count)]


class StubMarket:
    """Starts the process, and tells it what to do."""

    def __init__(self, tokens: int, days: int = 0) -> None:
        self._options = {"tokens": tokens, "days": days}
        self.url = self.api_key = self.api_secret = ""

    def __enter__(self) -> Self:
        """Start."""
        command = [sys.executable, __file__]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.url, self.api_key, self.api_secret = self._tell(self._options)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._child.kill()
        self._child.wait()

    def slow(self, **seconds: float) -> None:
        """Let each answer of a service take so long."""
        self._tell({"latency": seconds})

    def hang(self, service: str, match: str, seconds: float = 60.0) -> None:
        """Let a service not answer the requests that hold these words, until `heal`."""
        self._tell({"fault": {"service": service, "match": match, "kind": "hang_before", "seconds": seconds}})

    def refuse(self, match: str, status: int, headers: dict[str, str]) -> None:
        """Let Binance answer the requests that hold these words with a refusal, until `heal`."""
        details = {"service": "binance", "match": match, "kind": "status", "status": status}
        self._tell({"fault": {**details, "headers": headers, "body": '{"code":-1003,"msg":"Too many requests."}'}})

    def heal(self) -> None:
        """Let everything answer again."""
        self._tell({"heal": True})

    def price(self, token: str, price: str) -> None:
        """Set a price, at both venues."""
        self._tell({"price": [token, price]})

    def requests(self) -> dict[str, int]:
        """Return how many requests there have been, by service."""
        counts: dict[str, int] = self._tell({"count": True})
        return counts

    def _tell(self, order: object) -> Any:
        assert self._child.stdin is not None  # noqa: S101
        assert self._child.stdout is not None  # noqa: S101
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline())


# --------------------------------------------------------------------------- the process


class _StubLunarCrush:
    """LunarCrush's answers, of the days asked for."""

    def __init__(self, coins: Sequence[str], days: int, end: int) -> None:
        bodies = {coin: json.loads(answer_about(coin, days, end, seed)) for seed, coin in enumerate(coins)}
        self._points = {
            coin: [(point["time"], json.dumps(point)) for point in body["data"]] for coin, body in bodies.items()
        }

    def handle(self, request: Request, _now: float) -> Response:
        """Answer about one coin."""
        coin = request.path.split("/")[-3]
        request_count = parse_qs(request.query)
        first, last = int(request_count["start"][0]), int(request_count["end"][0])
        rows = ",".join(text for moment, text in self._points[coin] if first <= moment <= last)
        body = f'{{"config":{{"symbol":"{coin}","bucket":"day"}},"data":[{rows}]}}'
        return Response(200, {"Content-Type": "application/json"}, body.encode())


def _history(coins: Sequence[str], today: int) -> History:
    one, cap = Decimal(1), Decimal(100_000_000)
    bar = DailyBar(one, one, one, one, cap, cap)
    bars = {day: bar for day in range(today - 2, today + 3)}
    return History({coin: CoinHistory(coin, bars, today - 2, today + 2, 8) for coin in coins}, today - 2, today + 2)


def _serve() -> None:
    options = json.loads(sys.stdin.readline())
    coins = [*MARKET, "BNB", *token_names(options["tokens"])]
    today = int(time.time()) // DAY_SECONDS
    balances = {coin: Decimal(1_000_000) for coin in (*coins, "USDT")}
    market = EmbeddedMarket(history=_history(coins, today), balances=balances, coinbase_unlisted=frozenset())
    market.bitvavo.engine.free = {coin: Decimal(1_000_000) for coin in (*coins, "EUR")}
    market.log_requests = False
    for coin in coins:
        market.set_price(coin, "1")
    if options["days"]:
        market.lunarcrush = _StubLunarCrush(coins, options["days"], today * DAY_SECONDS)  # type: ignore[assignment]
    with MarketServer(market) as server:
        _answer((server.url, market.api_key, market.api_secret))
        for line in sys.stdin:
            _answer(_apply_order(market, json.loads(line)))


def _apply_order(market: EmbeddedMarket, order: dict[str, Any]) -> object:
    with market.lock:
        market.latency.update(order.get("latency", {}))
        if "fault" in order:
            market.faults.add(times=-1, **order["fault"])
        if "heal" in order:
            market.faults.clear()
        if "price" in order:
            market.set_price(*order["price"])
        return dict(market.requests)


def _answer(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def settings_text(
    market: StubMarket, tokens: Sequence[str], exchange: ExchangeName = "binance", **strategy: object
) -> str:
    """Return a config.yaml of live mode whose services are the stub's; as JSON, which is YAML."""
    numbers: dict[str, object] = {
        "capital_initial": 1000,
        "buy_threshold": 0.7,
        "sell_threshold": 0.3,
        "stop_loss_pct": 0.5,
        "partial_take_profit_pct": 900,
        "trailing_trigger_pct": 900,
        "trailing_pct": 0.3,
        "big_gain_exception_pct": 900,
        "check_interval_seconds": 300,
        "daily_update_hour_utc": 0,
        "daily_update_minute_utc": 0,
    }
    keys = {"api_key": market.api_key, "api_secret": market.api_secret, "base_url": market.url}
    content = {
        "mode": "live",
        "exchange": exchange,
        "tokens_daily": list(tokens),
        "strategy": numbers | strategy,
        "lunarcrush": {"api_key": "key", "base_url": market.url, "requests_per_minute": 10_000},
        "coinbase": {"base_url": market.url},
        ("binance_api" if exchange == "binance" else exchange): keys,
    }
    return json.dumps(content)


def unreachable_market() -> StubMarket:
    """Return a stub market that is not started, for settings that nothing is asked of."""
    market = StubMarket(0)
    market.url = "http://127.0.0.1:9"
    return market


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


if __name__ == "__main__":
    _serve()
