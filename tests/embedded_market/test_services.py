"""LunarCrush and Coinbase as a client sees them, and the server's manners."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests
import urllib3

from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import day_start, load_bundled_history, unix_day
from embedded_market.server.http_server import MarketServer

TODAY = date(2021, 2, 15)
MIDNIGHT = int(day_start(TODAY))
NOW = MIDNIGHT + 6 * 3600 + 100
BARS = load_bundled_history().coins["ADA"].bars


@pytest.fixture
def market() -> EmbeddedMarket:
    market = EmbeddedMarket(clock=lambda: NOW, lunarcrush_key="right")
    market.faults.clear()
    return market


@pytest.fixture
def url(market: EmbeddedMarket) -> Iterator[str]:
    with MarketServer(market) as server:
        yield server.url


def spot(url: str, pair: str) -> tuple[int, Any]:
    response = requests.get(f"{url}/v2/prices/{pair}/spot", timeout=5)
    return response.status_code, response.json()


def series(url: str, coin: str = "ADA", key: str = "right", **query: object) -> requests.Response:
    return requests.get(
        f"{url}/api4/public/coins/{coin}/time-series/v2",
        params={"bucket": "day", "interval": "1w", **query},  # type: ignore[arg-type]
        headers={"Authorization": f"Bearer {key}"},
        timeout=5,
    )


def test_coinbase_quotes_near_binance_in_text(market: EmbeddedMarket, url: str) -> None:
    for coin in ("BTC", "ADA", "DOGE"):
        status, body = spot(url, f"{coin}-USD")
        price = market.board.price(coin, NOW)
        assert status == 200
        assert body["data"] == {"amount": body["data"]["amount"], "base": coin, "currency": "USD"}
        assert isinstance(body["data"]["amount"], str)
        assert abs(Decimal(body["data"]["amount"]) / price - 1) <= Decimal("0.00201")
    assert spot(url, "btc-usd") == spot(url, "BTC-USD")


@pytest.mark.parametrize("pair", ["BNB-USD", "LUNA-USD", "NOPE-USD", "ICP-USD"])
def test_coinbase_does_not_know_every_coin(url: str, pair: str) -> None:
    assert spot(url, pair) == (404, {"errors": [{"id": "not_found", "message": "Invalid base currency"}]})


@pytest.mark.parametrize("pair", ["BTC-XXX", "BTC", "BTC-"])
def test_coinbase_refuses_a_currency(url: str, pair: str) -> None:
    assert spot(url, pair) == (400, {"errors": [{"id": "invalid_request", "message": "Currency is invalid"}]})


def test_coinbase_answers_a_fiat_code_with_a_fiat_price(url: str) -> None:
    assert spot(url, "RON-USD")[1]["data"]["amount"] == "0.22"


def test_prices_set_by_hand(market: EmbeddedMarket, url: str) -> None:
    market.set_price("ADA", "1.23")
    assert spot(url, "ADA-USD")[1]["data"]["amount"] == "1.23"
    market.set_coinbase_price("ADA", "0.00000812")
    assert spot(url, "ADA-USD")[1]["data"]["amount"] == "0.00000812"
    assert market.board.price("ADA", NOW) == Decimal("1.23")
    market.set_coinbase_price("ADA", None)
    assert spot(url, "ADA-USD")[1]["data"]["amount"] == "1.23"
    with pytest.raises(KeyError):
        market.set_price("NOPE", "1")


def test_lunarcrush_closed_days_are_the_recorded_ones(url: str) -> None:
    body = series(url).json()
    assert body["config"]["symbol"] == "ADA"
    assert body["config"]["name"] == "Cardano"
    assert body["config"]["bucket"] == "day"
    rows = body["data"]
    assert [row["time"] for row in rows] == [MIDNIGHT - 86_400 * back for back in range(7, -1, -1)]
    yesterday = BARS[unix_day(TODAY) - 1]
    for name in ("open", "high", "low", "close"):
        assert Decimal(str(rows[-2][name])) == getattr(yesterday, name)
    assert rows[-2]["volume_24h"] == pytest.approx(float(yesterday.volume))
    assert rows[-2]["market_cap"] == yesterday.market_cap
    scores = {"galaxy_score", "alt_rank", "sentiment", "social_dominance", "interactions", "posts_active"}
    assert scores | {"spam", "circulating_supply", "market_dominance"} <= rows[-2].keys()
    assert all(isinstance(value, int | float) for value in rows[-2].values())


def test_lunarcrush_ends_with_the_running_day_so_far(market: EmbeddedMarket, url: str) -> None:
    row, before = series(url).json()["data"][-1], series(url).json()["data"][-2]
    whole = BARS[unix_day(TODAY)]
    assert row["time"] == MIDNIGHT
    assert Decimal(str(row["open"])) == whole.open
    assert Decimal(str(row["close"])) == market.board.price("ADA", NOW) != whole.close
    assert whole.low <= Decimal(str(row["low"])) <= Decimal(str(row["close"])) <= Decimal(str(row["high"]))
    assert Decimal(str(row["high"])) - Decimal(str(row["low"])) < whole.high - whole.low
    assert row["galaxy_score"] == before["galaxy_score"]
    assert 0 < row["interactions"] < before["interactions"] / 2


def test_lunarcrush_span(url: str) -> None:
    until_yesterday = series(url, start=MIDNIGHT - 3 * 86_400, end=MIDNIGHT - 1).json()["data"]
    assert [row["time"] for row in until_yesterday] == [MIDNIGHT - 86_400 * back for back in (3, 2, 1)]
    assert series(url, start=MIDNIGHT - 86_400, end=MIDNIGHT).json()["data"][-1]["time"] == MIDNIGHT
    assert series(url, start=MIDNIGHT + 86_400, end=MIDNIGHT + 2 * 86_400).json()["data"] == []
    everything = series(url, interval="all").json()["data"]
    assert len(everything) == unix_day(TODAY) - unix_day(date(2020, 1, 1)) + 1
    assert len(series(url, interval="1y").json()["data"]) == 366


def test_lunarcrush_names_a_coin_by_symbol_or_number(url: str) -> None:
    assert series(url, "ada").json()["data"] == series(url, "ADA").json()["data"]
    by_number = series(url, "2").json()["config"]
    assert (by_number["symbol"], by_number["id"]) == ("ETH", "coins:2")
    assert series(url, "BTC").json()["config"]["id"] == "$btc"


def test_lunarcrush_stamps_are_wire_time() -> None:
    shifted = EmbeddedMarket(clock=lambda: NOW + 86_400 * 500, shift_days=500)
    with MarketServer(shifted) as server:
        rows = series(server.url).json()["data"]
    assert rows[-1]["time"] == MIDNIGHT + 86_400 * 500
    assert Decimal(str(rows[-2]["close"])) == BARS[unix_day(TODAY) - 1].close


@pytest.mark.parametrize(
    ("coin", "query", "status"),
    [
        ("NOPE", {}, 404),
        ("ICP", {}, 404),
        ("ADA", {"bucket": "hour"}, 400),
        ("ADA", {"interval": "9y"}, 400),
        ("ADA", {"start": "soon"}, 400),
    ],
)
def test_lunarcrush_refuses(url: str, coin: str, query: dict[str, str], status: int) -> None:
    response = series(url, coin, **query)
    assert response.status_code == status
    assert set(response.json()) == {"error"}


def test_lunarcrush_wants_a_bearer_key(url: str) -> None:
    path = f"{url}/api4/public/coins/ADA/time-series/v2?bucket=day"
    assert series(url, key="wrong").status_code == 401
    assert requests.get(path + "&key=right", timeout=5).status_code == 401
    assert requests.get(path, headers={"x-api-key": "right"}, timeout=5).json().keys() == {"error"}
    assert series(url, key="right").status_code == 200
    assert requests.get(f"{url}/api4/nothing", headers={"Authorization": "Bearer right"}, timeout=5).status_code == 404
    anyone = EmbeddedMarket(clock=lambda: NOW)
    with MarketServer(anyone) as server:
        assert series(server.url, key="whatever").status_code == 200


def test_lunarcrush_refuses_a_caller_without_a_name(url: str) -> None:
    path = "/api4/public/coins/ADA/time-series/v2?bucket=day"
    headers = {"Authorization": "Bearer right"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), timeout=5)
    assert caught.value.code == 403
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request("GET", path, headers=headers)
    assert connection.getresponse().status == 403
    connection.close()


def test_lunarcrush_limits_by_the_minute_of_the_market() -> None:
    clock = [float(NOW)]
    market = EmbeddedMarket(clock=lambda: clock[0], lunarcrush_requests_per_minute=2)
    with MarketServer(market) as server:
        first, second, third = (series(server.url) for _ in range(3))
        assert [r.status_code for r in (first, second, third)] == [200, 200, 429]
        assert [r.headers["x-rate-limit-minute-remaining"] for r in (first, second, third)] == ["1", "0", "0"]
        assert int(third.headers["x-rate-limit-minute-reset"]) == NOW // 60 * 60 + 60
        assert "error" in third.json()
        clock[0] = int(third.headers["x-rate-limit-minute-reset"])
        assert series(server.url).status_code == 200


def test_lunarcrush_answers_can_be_harmed(market: EmbeddedMarket, url: str) -> None:
    def harm(coin: str, answer: dict[str, Any]) -> dict[str, Any]:
        answer["config"]["name"] = f"Another {coin}"
        answer["data"][0]["close"] = None
        return answer

    market.lunarcrush.edit_response = harm
    body = series(url).json()
    assert (body["config"]["name"], body["data"][0]["close"]) == ("Another ADA", None)
    market.lunarcrush.edit_response = None
    assert series(url).json()["data"][0]["close"] is not None


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_a_malformed_request_gets_a_400(url: str, sent: bytes) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(sent)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_request_may_come_in_pieces_and_a_connection_stays_open(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        for piece in (b"GET /api/v3/pi", b"ng HTTP/1.1\r\nHost: x\r\n", b"\r\n"):
            client.sendall(piece)
        assert client.recv(1000).endswith(b"{}")
        client.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(1000).endswith(b"{}")
        assert client.recv(1000) == b""


def test_many_connections_at_once(url: str) -> None:
    pool = urllib3.PoolManager(maxsize=20)

    def ask(_number: int) -> int:
        return pool.request("GET", f"{url}/v2/prices/BTC-USD/spot").status

    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(ask, range(200))) == {200}
    pool.clear()


def test_a_taken_port_is_an_error(url: str, market: EmbeddedMarket) -> None:
    with pytest.raises(OSError, match="in use"):
        MarketServer(market, int(url.rpartition(":")[2])).start()
