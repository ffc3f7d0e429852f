"""Every scripted fault, as the real client meets it, and whether the order was executed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException

from embedded_market.market import EmbeddedMarket
from embedded_market.server.http_server import MarketServer


@pytest.fixture
def market() -> EmbeddedMarket:
    started = time.time()
    return EmbeddedMarket(clock=time.time, shift_days=int(started // 86_400) - 18_673)


@pytest.fixture
def client(market: EmbeddedMarket) -> Iterator[Any]:
    with MarketServer(market) as server:
        client: Any = Client(market.api_key, market.api_secret, requests_params={"timeout": 0.3}, ping=False)
        client.API_URL = server.url + "/api"
        yield client
        client.close_connection()


def buy(client: Any) -> Any:
    return client.create_order(
        symbol="ADAUSDT", side="BUY", type="MARKET", quoteOrderQty="100", newClientOrderId="ms-1"
    )


@pytest.mark.parametrize(
    ("kind", "error", "executed"),
    [
        ("drop_before", requests.exceptions.ConnectionError, False),
        ("drop_after", requests.exceptions.ConnectionError, True),
        ("hang_before", requests.exceptions.ReadTimeout, False),
        ("hang_after", requests.exceptions.ReadTimeout, True),
        ("trickle", requests.exceptions.ReadTimeout, True),
        ("truncate", requests.exceptions.ChunkedEncodingError, True),
        ("status", BinanceAPIException, False),
        ("status_after", BinanceAPIException, True),
    ],
)
def test_a_fault_raises_and_executes_or_not(
    market: EmbeddedMarket, client: Any, kind: str, error: type[Exception], executed: bool
) -> None:
    market.faults.add(service="binance", match="POST /api/v3/order", kind=kind, seconds=0.6, body="<html></html>")
    with pytest.raises(error):
        buy(client)
    assert bool(market.exchange.orders) is executed
    assert buy(client)["status"] == "FILLED"
    assert len(market.exchange.orders) == 1 + executed


@pytest.mark.parametrize(("kind", "executed"), [("empty_200_before", False), ("empty_200", True)])
def test_an_empty_200_looks_like_an_empty_answer(
    market: EmbeddedMarket, client: Any, kind: str, executed: bool
) -> None:
    market.faults.add(service="binance", match="POST /api/v3/order", kind=kind)
    assert buy(client) == {}
    assert bool(market.exchange.orders) is executed


def test_a_hang_ends_in_a_closed_connection(market: EmbeddedMarket, client: Any) -> None:
    market.faults.add(service="binance", match="GET /api/v3/time", kind="hang_before", seconds=0.1)
    began = time.monotonic()
    with pytest.raises(requests.exceptions.ConnectionError):
        client.get_server_time()
    assert time.monotonic() - began >= 0.1


def test_a_fault_hits_its_match_so_many_times(market: EmbeddedMarket, client: Any) -> None:
    body = '{"code":-2013,"msg":"Order does not exist."}'
    market.faults.add(service="binance", match="GET /api/v3/order", kind="status", times=2, status=400, body=body)
    buy(client)
    for _ in range(2):
        with pytest.raises(BinanceAPIException, match="Order does not exist"):
            client.get_order(symbol="ADAUSDT", origClientOrderId="ms-1")
    assert client.get_order(symbol="ADAUSDT", origClientOrderId="ms-1")["status"] == "FILLED"
    assert not market.faults.pending


def test_status_and_headers_are_given_as_asked(market: EmbeddedMarket, client: Any) -> None:
    market.faults.add(
        service="binance",
        match="ping",
        kind="status",
        status=418,
        headers={"Retry-After": "120", "Content-Type": "text/html"},
        body=b'{"code":-1003,"msg":"banned"}',
    )
    with pytest.raises(BinanceAPIException) as caught:
        client.ping()
    assert (caught.value.status_code, caught.value.code) == (418, -1003)
    assert caught.value.response.headers["Retry-After"] == "120"
    assert caught.value.response.headers["Content-Type"] == "text/html"


def test_a_fault_of_one_service_leaves_the_others_alone(market: EmbeddedMarket, client: Any) -> None:
    origin = client.API_URL.removesuffix("/api")
    market.faults.add(service="coinbase", match="BTC", kind="status", times=-1, status=502)
    market.faults.add(service="lunarcrush", match="ADA", kind="status", status=530)
    assert client.get_symbol_ticker(symbol="BTCUSDT")
    assert [requests.get(f"{origin}/v2/prices/BTC-USD/spot", timeout=5).status_code for _ in range(3)] == [502] * 3
    assert requests.get(f"{origin}/v2/prices/ETH-USD/spot", timeout=5).status_code == 200
    series = f"{origin}/api4/public/coins/ADA/time-series/v2?bucket=day"
    headers = {"Authorization": "Bearer x"}
    assert [requests.get(series, headers=headers, timeout=5).status_code for _ in range(2)] == [530, 200]
    market.faults.clear()
    assert requests.get(f"{origin}/v2/prices/BTC-USD/spot", timeout=5).status_code == 200


def test_latency_is_per_service(market: EmbeddedMarket, client: Any) -> None:
    market.latency["binance"] = 0.1
    origin = client.API_URL.removesuffix("/api")
    began = time.monotonic()
    client.ping()
    middle = time.monotonic()
    requests.get(f"{origin}/v2/prices/BTC-USD/spot", timeout=5)
    assert middle - began >= 0.1 > time.monotonic() - middle


@pytest.mark.parametrize(("service", "kind"), [("kraken", "status"), ("binance", "explode")])
def test_a_fault_that_does_not_exist_is_refused(market: EmbeddedMarket, service: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"kraken|explode"):
        market.faults.add(service=service, match="", kind=kind)
