"""The real python-binance client against the embedded market: it must not be able to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException

from embedded_market.binance.request_checks import sign
from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import day_start
from embedded_market.server.http_server import MarketServer

NOW = day_start(date(2021, 2, 15)) + 1805


@dataclass
class Served:
    """A market on loopback, its clock, and a client that keeps the market's time."""

    market: EmbeddedMarket
    url: str
    clock: list[float]
    client: Any
    skew_ms: int = field(default=0)

    def sent_at(self) -> int:
        return round(self.clock[0] * 1000) + self.skew_ms

    def order(self, **changes: Any) -> dict[str, Any]:
        asked = {"symbol": "ADAUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "1000"} | changes
        answer: dict[str, Any] = self.client.create_order(**{k: v for k, v in asked.items() if v is not None})
        return answer

    def signed(self, method: str, path: str, payload: str, *, in_body: bool = False) -> Any:
        """Send a hand-made signed request; the payload is signed as it stands."""
        full = f"{payload}&signature={sign(payload.encode(), self.market.api_secret)}"
        return self.raw(method, path, full, in_body=in_body)

    def raw(self, method: str, path: str, payload: str, *, in_body: bool = False, key: str | None = None) -> Any:
        url = f"{self.url}/api/v3/{path}" + ("" if in_body else f"?{payload}")
        headers = {"X-MBX-APIKEY": self.market.api_key if key is None else key}
        return requests.request(method, url, data=payload if in_body else None, headers=headers, timeout=5)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    clock = [NOW]
    market = EmbeddedMarket(clock=lambda: clock[0], balances={"USDT": Decimal(10000), "USDC": Decimal(10000)})
    with MarketServer(market) as server:
        client: Any = Client(market.api_key, market.api_secret, ping=False)
        client.API_URL = server.url + "/api"
        client.REQUEST_RECVWINDOW = None
        session = Served(market, server.url, clock, client)
        monkeypatch.setattr("binance.client.time.time", lambda: session.sent_at() / 1000)
        yield session
        client.close_connection()


def refusal(call: Any, **arguments: Any) -> tuple[int, int, str]:
    with pytest.raises(BinanceAPIException) as caught:
        call(**arguments)
    return caught.value.status_code, caught.value.code, caught.value.message


def test_the_signature_example_of_the_public_documentation() -> None:
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    payload = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    assert sign(payload.encode(), secret) == "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_public_calls(served: Served) -> None:
    assert served.client.ping() == {}
    assert served.client.get_server_time() == {"serverTime": round(NOW * 1000)}
    one = served.client.get_symbol_ticker(symbol="BTCUSDT")
    many = served.client.get_symbol_ticker(symbols='["BTCUSDT","ADAUSDT"]')
    assert re.fullmatch(r"\d+\.\d{8}", one["price"])
    assert many[0] == one
    assert [row["symbol"] for row in many] == ["BTCUSDT", "ADAUSDT"]
    everything = served.client.get_all_tickers()
    assert len(everything) == 26
    average = served.client.get_avg_price(symbol="BTCUSDT")
    assert average["mins"] == 5
    assert Decimal(average["price"]) == pytest.approx(Decimal(one["price"]), rel=Decimal("0.02"))


def test_prices_follow_the_clock_and_the_hand(served: Served) -> None:
    first = served.client.get_symbol_ticker(symbols='["BTCUSDT"]')
    assert served.client.get_symbol_ticker(symbols='["BTCUSDT"]') == first
    served.clock[0] += 300
    second = served.client.get_symbol_ticker(symbols='["BTCUSDT"]')
    assert second != first
    served.market.set_price("BTC", "123.45")
    assert served.client.get_symbol_ticker(symbols='["BTCUSDT"]')[0]["price"] == "123.45000000"
    served.market.set_price("BTCUSDT", None)
    assert served.client.get_symbol_ticker(symbols='["BTCUSDT"]') == second


def test_exchange_info(served: Served) -> None:
    def info(**arguments: str) -> Any:
        return served.client._get("exchangeInfo", data=arguments)

    full = info(symbols='["BTCUSDT","LTCUSDC"]')
    assert [row["symbol"] for row in full["symbols"]] == ["BTCUSDT", "LTCUSDC"]
    assert "SPOT" in full["symbols"][0]["permissionSets"][0]
    assert full["symbols"][0]["permissions"] == []
    names = [{f["filterType"] for f in row["filters"]} for row in full["symbols"]]
    assert "NOTIONAL" in names[0]
    assert "MIN_NOTIONAL" in names[1]
    short = info(symbols='["BTCUSDT"]', showPermissionSets="false")
    assert short["symbols"][0]["permissionSets"] == []
    assert info(symbol="BTCUSDT")["symbols"][0]["symbol"] == "BTCUSDT"
    assert len(info()["symbols"]) == 26
    served.market.set_status("BTCUSDT", "BREAK")
    assert info(symbol="BTCUSDT")["symbols"][0]["status"] == "BREAK"
    assert [row["symbol"] for row in info(symbolStatus="BREAK")["symbols"]] == ["BTCUSDT"]
    assert served.client.get_symbol_info("ADAUSDT")["baseAsset"] == "ADA"


def test_a_coin_is_listed_from_its_first_day_on_and_breaks_after_its_last(served: Served) -> None:
    assert refusal(served.client.get_symbol_ticker, symbol="ICPUSDT")[1:] == (-1121, "Invalid symbol.")
    served.clock[0] = day_start(date(2021, 5, 11))
    assert served.client.get_symbol_ticker(symbol="ICPUSDT")["symbol"] == "ICPUSDT"
    served.clock[0] = day_start(date(2021, 9, 30))
    assert served.client._get("exchangeInfo", data={"symbol": "ICPUSDT"})["symbols"][0]["status"] == "BREAK"
    assert refusal(served.order)[1:] == (-1013, "Market is closed.")


def test_a_full_market_buy(served: Served) -> None:
    answer = served.order(newClientOrderId="ms-20210215-ADA-1")
    assert answer["clientOrderId"] == "ms-20210215-ADA-1"
    assert answer["status"] == "FILLED"
    assert answer["orderListId"] == -1
    assert answer["transactTime"] == round(NOW * 1000)
    assert answer["origQuoteOrderQty"] == "1000.00000000"
    quantity, spent = Decimal(answer["executedQty"]), Decimal(answer["cummulativeQuoteQty"])
    assert sum(Decimal(f["qty"]) for f in answer["fills"]) == quantity
    assert sum(Decimal(f["qty"]) * Decimal(f["price"]) for f in answer["fills"]) == spent <= 1000
    fee = sum(Decimal(f["commission"]) for f in answer["fills"])
    assert {f["commissionAsset"] for f in answer["fills"]} == {"ADA"}
    balances = {b["asset"]: Decimal(b["free"]) for b in served.client.get_account(omitZeroBalances="true")["balances"]}
    assert balances == {"ADA": quantity - fee, "USDT": 10_000 - spent, "USDC": 10_000}
    headers = served.client.response.headers
    assert int(headers["x-mbx-used-weight-1m"]) == 20
    assert "x-mbx-uuid" in headers


def test_order_counts_and_response_types(served: Served) -> None:
    assert set(served.order(newOrderRespType="ACK")) == {
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    }
    assert served.client.response.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert "fills" not in served.order(newOrderRespType="RESULT")
    assert served.client.response.headers["X-MBX-ORDER-COUNT-1D"] == "2"
    assert refusal(served.order, newOrderRespType="SHORT")[1] == -1130


def test_a_sale_by_quantity_pays_its_fee_in_quote(served: Served) -> None:
    bought = served.order()
    sold = served.order(side="SELL", quoteOrderQty=None, quantity="1000", newClientOrderId="s-1")
    assert {f["commissionAsset"] for f in sold["fills"]} == {"USDT"}
    assert refusal(served.order, side="SELL", quoteOrderQty=None, quantity=bought["executedQty"]) == (
        400,
        -2010,
        "Account has insufficient balance for requested action.",
    )


def test_an_order_is_found_again_with_its_trades(served: Served) -> None:
    placed = served.order(newClientOrderId="ms-1")
    found = served.client.get_order(symbol="ADAUSDT", origClientOrderId="ms-1")
    assert found == served.client.get_order(symbol="ADAUSDT", orderId=placed["orderId"])
    assert "fills" not in found
    same = ("orderId", "clientOrderId", "executedQty", "cummulativeQuoteQty", "status", "side", "type")
    assert {k: found[k] for k in same} == {k: placed[k] for k in same}
    trades = served.client.get_my_trades(symbol="ADAUSDT", orderId=placed["orderId"])
    kept = ("price", "qty", "commission", "commissionAsset")
    assert [{k: t[k] for k in kept} for t in trades] == [{k: f[k] for k in kept} for f in placed["fills"]]
    assert [t["id"] for t in trades] == [f["tradeId"] for f in placed["fills"]]
    assert sum(Decimal(t["quoteQty"]) for t in trades) == Decimal(placed["cummulativeQuoteQty"])
    last = trades[-1]["id"]
    assert [t["id"] for t in served.client.get_my_trades(symbol="ADAUSDT", fromId=last)] == [last]
    assert served.client.get_my_trades(symbol="BTCUSDT") == []
    assert [t["id"] for t in served.client.get_my_trades(symbol="ADAUSDT", limit=1)] == [last]


def test_a_test_order_checks_and_does_not_trade(served: Served) -> None:
    order = {"symbol": "ADAUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "1000"}
    assert served.client.create_test_order(**order) == {}
    assert "discount" in served.client.create_test_order(**order, computeCommissionRates="true")
    assert refusal(served.client.create_test_order, **(order | {"quoteOrderQty": "1"}))[1] == -1013
    assert not served.market.exchange.orders


def test_a_thin_book_expires_an_order_part_way(served: Served) -> None:
    served.market.exchange.pairs["ADAUSDT"].depth = Decimal(500)
    answer = served.order()
    assert (answer["status"], answer["expiryReason"]) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert 450 < Decimal(answer["cummulativeQuoteQty"]) <= 500


def test_a_changed_filter_bites_at_once(served: Served) -> None:
    pair = served.market.exchange.pairs["ADAUSDT"]
    pair.rules = replace(pair.rules, max_market_quantity=Decimal(100), min_notional=Decimal(50))
    assert refusal(served.order)[1:] == (-1013, "Filter failure: MARKET_LOT_SIZE")
    assert refusal(served.order, quoteOrderQty="49")[1:] == (-1013, "Filter failure: NOTIONAL")
    filters = served.client.get_symbol_info("ADAUSDT")["filters"]
    assert next(f for f in filters if f["filterType"] == "MARKET_LOT_SIZE")["maxQty"] == "100.00000000"


def test_a_delisted_pair_is_invalid_while_its_coin_is_held(served: Served) -> None:
    served.order()
    served.market.delist("ADAUSDT")
    assert refusal(served.order)[1:] == (-1121, "Invalid symbol.")
    assert refusal(served.client.get_symbol_ticker, symbols='["ADAUSDT"]')[1] == -1121
    assert any(b["asset"] == "ADA" for b in served.client.get_account(omitZeroBalances="true")["balances"])


def test_an_account_that_may_not_trade_says_so(served: Served) -> None:
    served.market.exchange.can_trade = False
    assert served.client.get_account()["canTrade"] is False
    assert refusal(served.order)[1:] == (-2010, "This account may not place or cancel orders.")


SYMBOL_RANGE = "legal range is '^[A-Z0-9-_.]{1,20}$'."
AMOUNT_RANGE = r"legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'."


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"quoteOrderQty": "1e3"}, -1100, f"Illegal characters found in parameter 'quoteOrderQty'; {AMOUNT_RANGE}"),
        (
            {"quoteOrderQty": None, "quantity": 1e-05},
            -1100,
            f"Illegal characters found in parameter 'quantity'; {AMOUNT_RANGE}",
        ),
        ({"quoteOrderQty": "-5"}, -1100, f"Illegal characters found in parameter 'quoteOrderQty'; {AMOUNT_RANGE}"),
        (
            {"quoteOrderQty": None, "quantity": "1.000000001"},
            -1111,
            "Parameter 'quantity' has too much precision.",
        ),
        (
            {"quoteOrderQty": None},
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        ),
        ({"quantity": "10"}, -1128, "Combination of optional parameters invalid."),
        (
            {"newClientOrderId": "a.b"},
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        (
            {"newClientOrderId": "x" * 37},
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        ({"timeInForce": "GTC"}, -1106, "Parameter 'timeInForce' sent when not required."),
        ({"price": "1"}, -1106, "Parameter 'price' sent when not required."),
        ({"symbol": "adausdt"}, -1100, f"Illegal characters found in parameter 'symbol'; {SYMBOL_RANGE}"),
        ({"symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "MRKT"}, -1116, "Invalid orderType."),
        ({"type": "LIMIT"}, -2010, "Unsupported order combination"),
        (
            {"newClientOrderID": "x"},
            -1104,
            "Not all sent parameters were read; read '7' parameter(s) but was sent '8'.",
        ),
        ({"quoteOrderQty": "1"}, -1013, "Filter failure: NOTIONAL"),
        ({"quoteOrderQty": None, "quantity": "10.5"}, -1013, "Filter failure: LOT_SIZE"),
        ({"symbol": "LTCUSDT", "quoteOrderQty": "6"}, -1013, "Filter failure: MIN_NOTIONAL"),
        ({"quoteOrderQty": "99999999"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
        ({"quoteOrderQty": "10001"}, -2010, "Account has insufficient balance for requested action."),
    ],
)
def test_a_wrong_order_gets_the_exact_refusal(served: Served, changes: dict[str, Any], code: int, text: str) -> None:
    assert refusal(served.order, **changes) == (400, code, text)
    assert not served.market.exchange.orders


def test_symbol_lists_are_read_strictly(served: Served) -> None:
    call = served.client.get_symbol_ticker
    assert refusal(call, symbol="BTCUSDT", symbols='["BTCUSDT"]')[1] == -1128
    assert refusal(call, symbols="BTCUSDT,ADAUSDT")[1] == -1100
    assert refusal(call, symbols='["BTCUSDT", "ADAUSDT"]')[1] == -1100
    assert refusal(call, symbols='["BTCUSDT","BTCUSDT"]')[1] == -1151
    assert refusal(call, symbols='["BTCUSDT","NOPEUSDT"]')[1:] == (-1121, "Invalid symbol.")
    assert refusal(call, symbol="")[1:] == (-1105, "Parameter 'symbol' was empty.")
    assert refusal(served.client.get_avg_price)[1] == -1102


def test_order_lookups_that_fail(served: Served) -> None:
    placed = served.order(newClientOrderId="ms-1")
    call = served.client.get_order
    assert refusal(call, symbol="ADAUSDT", origClientOrderId="ms-2") == (400, -2013, "Order does not exist.")
    assert refusal(call, symbol="BTCUSDT", orderId=placed["orderId"])[1] == -2013
    assert refusal(call, symbol="ADAUSDT")[1] == -1102
    assert refusal(call, symbol="ADAUSDT", orderId=placed["orderId"], origClientOrderId="ms-2")[1] == -2039
    trades = served.client.get_my_trades
    assert refusal(trades, symbol="ADAUSDT", startTime=0, endTime=86_400_001)[1] == -1127
    assert refusal(trades, symbol="ADAUSDT", orderId=1, startTime=0)[1] == -1128


@pytest.mark.parametrize(
    ("skew_ms", "text"),
    [
        (999, None),
        (1000, "Timestamp for this request was 1000ms ahead of the server's time."),
        (-5000, None),
        (-5001, "Timestamp for this request is outside of the recvWindow."),
    ],
)
def test_the_time_window(served: Served, skew_ms: int, text: str | None) -> None:
    served.skew_ms = skew_ms
    if text is None:
        assert served.client.get_account()["accountType"] == "SPOT"
    else:
        assert refusal(served.client.get_account) == (400, -1021, text)


def test_the_caller_may_widen_the_window_up_to_a_minute(served: Served) -> None:
    served.skew_ms = -9000
    served.client.REQUEST_RECVWINDOW = 10_000
    assert served.client.get_account()["accountType"] == "SPOT"
    served.client.REQUEST_RECVWINDOW = 60_001
    assert refusal(served.client.get_account)[1] == -1131


@pytest.mark.parametrize(
    ("key", "status", "code", "text"),
    [
        ("short", 401, -2014, "API-key format invalid."),
        ("a" * 64, 401, -2015, "Invalid API-key, IP, or permissions for action."),
    ],
)
def test_a_wrong_key(served: Served, key: str, status: int, code: int, text: str) -> None:
    client: Any = Client(key, served.market.api_secret, ping=False)
    client.API_URL = served.url + "/api"
    assert refusal(client.get_account) == (status, code, text)


def test_a_wrong_secret(served: Served) -> None:
    client: Any = Client(served.market.api_key, "wrong", ping=False)
    client.API_URL = served.url + "/api"
    assert refusal(client.get_account) == (400, -1022, "Signature for this request is not valid.")


def test_the_signature_covers_the_bytes_as_they_were_sent(served: Served) -> None:
    stamp = f"timestamp={served.sent_at()}"
    assert served.signed("GET", "account", stamp).status_code == 200
    assert served.signed("GET", "account", f"omitZeroBalances=true&{stamp}").status_code == 200
    upper = sign(stamp.encode(), served.market.api_secret).upper()
    assert served.raw("GET", "account", f"{stamp}&signature={upper}").status_code == 200
    order = f"symbol=ADAUSDT&side=BUY&type=MARKET&quoteOrderQty=100&{stamp}"
    assert served.signed("POST", "order", order, in_body=True).status_code == 200
    assert served.signed("POST", "order", order).status_code == 200
    escaped = order + "&newClientOrderId=a%3Ab"
    signature = sign(escaped.replace("%3A", ":").encode(), served.market.api_secret)
    assert served.raw("POST", "order", f"{escaped}&signature={signature}", in_body=True).json()["code"] == -1022
    assert served.signed("POST", "order", escaped, in_body=True).json()["code"] == -1100


def test_signed_calls_without_their_parts(served: Served) -> None:
    stamp = f"timestamp={served.sent_at()}"
    assert "'signature'" in served.raw("GET", "account", stamp).json()["msg"]
    assert "'timestamp'" in served.signed("GET", "account", "recvWindow=5000").json()["msg"]
    assert served.raw("GET", "account", f"{stamp}&signature=zz").json()["code"] == -1100
    assert served.raw("GET", "account", f"{stamp}&signature={'a' * 64}", key="").json()["code"] == -2014
    assert served.signed("GET", "account", f"timestamp=now&{stamp}").json()["code"] == -1100


def test_paths_and_parameters_that_do_not_exist(served: Served) -> None:
    assert served.raw("GET", "nothing", "").json()["code"] == -5000
    assert served.raw("DELETE", "order", "").json()["code"] == -5000
    assert served.raw("GET", "ping", "a=1").json()["code"] == -1101
    assert served.raw("GET", "ticker/price", "symbol=BTCUSDT&foo=1").json()["code"] == -1104


def test_used_weight_counts_per_minute_and_can_be_limited(served: Served) -> None:
    served.client.get_symbol_ticker(symbol="BTCUSDT")
    served.client.get_symbol_ticker(symbol="BTCUSDT")
    served.client.get_symbol_ticker(symbols='["BTCUSDT"]')
    assert served.client.response.headers["X-MBX-USED-WEIGHT-1M"] == "8"
    served.market.binance.weight_limit_per_minute = 9
    with pytest.raises(BinanceAPIException) as caught:
        served.client.get_symbol_ticker(symbol="BTCUSDT")
    assert (caught.value.status_code, caught.value.code) == (429, -1003)
    assert caught.value.response.headers["Retry-After"] == "55"
    served.clock[0] += 60
    assert served.client.get_symbol_ticker(symbol="BTCUSDT")
    assert served.client.response.headers["X-MBX-USED-WEIGHT-1M"] == "2"


def test_the_history_can_be_served_as_another_day() -> None:
    shift = 2000
    market = EmbeddedMarket(clock=lambda: NOW + shift * 86_400, shift_days=shift)
    plain = EmbeddedMarket(clock=lambda: NOW)
    with MarketServer(market) as shifted, MarketServer(plain) as unshifted:
        answers = [
            requests.get(f"{server.url}/api/v3/ticker/price?symbol=BTCUSDT", timeout=5).json()
            for server in (shifted, unshifted)
        ]
        stamp = requests.get(f"{shifted.url}/api/v3/time", timeout=5).json()["serverTime"]
    assert answers[0] == answers[1]
    assert stamp == round((NOW + shift * 86_400) * 1000)


def test_requests_are_logged_and_counted(served: Served) -> None:
    served.client.get_symbol_ticker(symbol="BTCUSDT")
    requests.get(f"{served.url}/v2/prices/BTC-USD/spot", timeout=5)
    assert list(served.market.request_log) == [
        ("GET", "/api/v3/ticker/price", "symbol=BTCUSDT"),
        ("GET", "/v2/prices/BTC-USD/spot", ""),
    ]
    assert dict(served.market.requests) == {"binance": 1, "coinbase": 1}
    served.market.log_requests = False
    served.client.ping()
    assert len(served.market.request_log) == 2
    assert served.market.requests["binance"] == 2


def test_json_is_json(served: Served) -> None:
    response = requests.get(f"{served.url}/api/v3/ticker/price", timeout=5)
    assert response.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert json.loads(response.text) == response.json()
