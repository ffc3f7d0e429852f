"""Binance through the real python-binance client, over HTTP: the clock, the rules of pairs, every kind of answer."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import requests

from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    MarsShotError,
    NotTradableNowError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.orders import Intent, Side
from marsshot.core.reasons import OrderReason, QuietReason, RefusalReason
from marsshot.exchange.binance.errors import order_error
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.exchange.quiet_period import RateLimitError
from marsshot.infra.background import WorkerPool
from tests.helpers.trading_harness import (
    NEW_ORDER,
    NO_SUCH_ORDER,
    QUERY_ORDER,
    TRADES,
    TradingHarness,
    open_trading_harness,
)

D = Decimal
HOUR = 3600.0
HTML = "<html><head><title>502 Bad Gateway</title></head><body>CloudFront</body></html>"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TradingHarness]:
    with open_trading_harness(tmp_path) as harness:
        yield harness


def an_intent(harness: TradingHarness, number: int = 1, symbol: str = "ADA", **amount: str) -> Intent:
    return Intent(
        client_order_id=f"test-{number}",
        symbol=symbol,
        pair=f"{symbol}USDT",
        base_asset=symbol,
        lot_step=D("0.01"),
        side=Side.SELL if "quantity" in amount else Side.BUY,
        reason=OrderReason.DAILY_BUY,
        created_ms=0,
        quantity=D(amount["quantity"]) if "quantity" in amount else None,
        quote_amount=None if "quantity" in amount else D(amount.get("quote_amount", "100")),
    )


def body(code: int, text: str) -> str:
    return json.dumps({"code": code, "msg": text})


# ------------------------------------------------------------------ the clock


@pytest.mark.parametrize("hours", [-30, -5, 0, 5, 1000])
def test_requests_are_signed_with_binances_time_however_far_our_clock_is_off(
    harness: TradingHarness, hours: float
) -> None:
    harness.clock_ahead_seconds = hours * HOUR
    assert harness.exchange.account().free["USDT"] == 10_000
    assert harness.exchange.send_market_order(an_intent(harness)).status == "FILLED"
    assert harness.requests("GET /api/v3/time") == 1
    assert abs(harness.exchange.now_ms() - harness.market.clock() * 1000) < 1000


def test_a_read_that_was_refused_for_its_time_is_asked_anew_with_the_right_one(harness: TradingHarness) -> None:
    harness.exchange.server_ms()
    harness.clock_ahead_seconds = HOUR
    assert harness.exchange.account().free["USDT"] == 10_000
    assert harness.requests("GET /api/v3/account") == 2
    assert harness.requests("GET /api/v3/time") == 2


def test_an_order_that_was_refused_for_its_time_is_left_to_the_caller(harness: TradingHarness) -> None:
    harness.exchange.server_ms()
    harness.clock_ahead_seconds = HOUR
    with pytest.raises(ClockRefusedError):
        harness.exchange.send_market_order(an_intent(harness))
    assert harness.requests(NEW_ORDER) == 1
    harness.exchange.server_ms()
    assert harness.exchange.send_market_order(an_intent(harness, 2)).status == "FILLED"


def test_without_binances_time_nothing_is_signed(harness: TradingHarness) -> None:
    harness.fault("GET /api/v3/time", "drop_before", times=-1)
    for ask in (
        harness.exchange.now_ms,
        harness.exchange.account,
        lambda: harness.exchange.send_market_order(an_intent(harness)),
    ):
        with pytest.raises(TemporaryError):
            ask()
    assert harness.requests("account") == harness.requests(NEW_ORDER) == 0


@pytest.mark.parametrize("answer", ["{}", '{"serverTime":"soon"}', "[]", '{"serverTime":null}'])
def test_a_time_that_is_none_is_refused(harness: TradingHarness, answer: str) -> None:
    harness.fault("GET /api/v3/time", "status", status=200, body=answer)
    with pytest.raises(TemporaryError):
        harness.exchange.server_ms()


# ------------------------------------------------------------------ prices


def test_prices_of_all_pairs_come_in_one_request_as_the_decimals_of_the_answer(harness: TradingHarness) -> None:
    harness.market.set_price("ADA", "0.30000001")
    assert harness.exchange.prices(["ADAUSDT", "DOTUSDT"]) == {"ADAUSDT": D("0.30000001"), "DOTUSDT": D(1)}
    assert harness.requests("ticker/price") == 1


def test_a_pair_that_binance_does_not_know_costs_the_others_nothing(harness: TradingHarness) -> None:
    assert harness.exchange.prices(["ADAUSDT", "NOPEUSDT"]) == {"ADAUSDT": D(1)}
    assert harness.requests("ticker/price") == 2


def test_a_pair_that_vanished_has_no_price(harness: TradingHarness) -> None:
    harness.market.delist("DOTUSDT")
    assert harness.exchange.prices(["DOTUSDT"]) == {}


def test_no_pairs_no_request(harness: TradingHarness) -> None:
    assert harness.exchange.prices([]) == {}
    assert harness.exchange.trading_rules([]) == {}
    assert harness.market.requests["binance"] == 0


def test_rows_without_a_usable_price_are_left_out(harness: TradingHarness) -> None:
    rows = [
        {"symbol": "ADAUSDT", "price": "1.5"},
        {"symbol": "DOTUSDT", "price": "0.00000000"},
        {"symbol": "LINKUSDT", "price": "NaN"},
        {"symbol": "LTCUSDT", "price": "-1"},
        {"symbol": "UNIUSDT", "price": None},
        {"symbol": "SOLUSDT"},
        "nonsense",
    ]
    harness.fault("ticker/price", "status", status=200, body=json.dumps(rows))
    pairs = [f"{symbol}USDT" for symbol in ("ADA", "DOT", "LINK", "LTC", "UNI", "SOL")]
    assert harness.exchange.prices(pairs) == {"ADAUSDT": D("1.5")}


# ------------------------------------------------------------------ trading rules


def test_rules_with_the_notional_filter_of_today_and_of_former_times(harness: TradingHarness) -> None:
    rules = harness.exchange.trading_rules(["ADAUSDT", "LTCUSDT"])
    assert (rules["ADAUSDT"].min_notional, rules["LTCUSDT"].min_notional) == (D(5), D(10))
    assert (rules["ADAUSDT"].base_asset, rules["ADAUSDT"].quote_asset) == ("ADA", "USDT")
    assert rules["ADAUSDT"].tradable


def test_a_market_lot_step_of_zero_is_switched_off_but_its_maximum_binds(harness: TradingHarness) -> None:
    harness.set_rules("ADAUSDT", lot_step=D("0.1"), max_quantity=D(9000), max_market_quantity=D(70))
    rules = harness.exchange.trading_rules(["ADAUSDT"])["ADAUSDT"]
    assert (rules.lot_step, rules.min_quantity, rules.max_market_quantity) == (D("0.1"), D("0.1"), D(70))


def test_unknown_pairs_are_left_out_of_the_rules(harness: TradingHarness) -> None:
    assert set(harness.exchange.trading_rules(["ADAUSDT", "NOPEUSDT", "DOTUSDT"])) == {"ADAUSDT", "DOTUSDT"}
    assert harness.exchange.trading_rules(["NOPEUSDT"]) == {}


def test_a_pair_that_has_a_price_but_no_rules_costs_the_others_nothing(harness: TradingHarness) -> None:
    harness.fault("GET /api/v3/exchangeInfo", "status", times=3, status=400, body=body(-1121, "Invalid symbol."))
    assert set(harness.exchange.trading_rules(["ADAUSDT", "DOTUSDT"])) == {"DOTUSDT"}


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY", "END_OF_DAY"])
def test_only_a_pair_that_is_trading_is_tradable(harness: TradingHarness, status: str) -> None:
    harness.market.set_status("ADAUSDT", status)
    rules = harness.exchange.trading_rules(["ADAUSDT"])["ADAUSDT"]
    assert not rules.tradable
    assert status in rules.unavailable_reason


def info_row(harness: TradingHarness) -> dict[str, Any]:
    rows = requests.get(f"{harness.url}/api/v3/exchangeInfo?symbol=ADAUSDT", timeout=5).json()["symbols"]
    row: dict[str, Any] = rows[0]
    return row


@pytest.mark.parametrize(
    "changes",
    [{"isSpotTradingAllowed": False}, {"orderTypes": ["LIMIT"]}, {"quoteOrderQtyMarketAllowed": False}],
)
def test_a_pair_without_market_orders_is_not_tradable(harness: TradingHarness, changes: dict[str, Any]) -> None:
    answer = json.dumps({"symbols": [info_row(harness) | changes]})
    harness.fault("GET /api/v3/exchangeInfo", "status", status=200, body=answer)
    assert not harness.exchange.trading_rules(["ADAUSDT"])["ADAUSDT"].tradable


@pytest.mark.parametrize(
    ("sets", "of_the_account", "permitted"),
    [
        ([["SPOT", "MARGIN"]], ["SPOT"], True),
        ([["SPOT"], ["TRD_GRP_004", "TRD_GRP_005"]], ["SPOT", "TRD_GRP_005"], True),
        ([["SPOT"], ["TRD_GRP_004"]], ["SPOT", "TRD_GRP_005"], False),
        ([["TRD_GRP_004"]], ["SPOT"], False),
        ([["TRD_GRP_004"]], [], True),  # the account names none: that says nothing
        ([], ["SPOT"], True),
        ([[]], ["SPOT"], True),
    ],
)
def test_permitted_is_one_permission_of_every_set(
    harness: TradingHarness, sets: list[list[str]], of_the_account: list[str], permitted: bool
) -> None:
    row = info_row(harness) | {"permissionSets": sets}
    harness.fault("GET /api/v3/exchangeInfo", "status", status=200, body=json.dumps({"symbols": [row]}))
    account = {"canTrade": True, "balances": [], "permissions": of_the_account}
    harness.fault("GET /api/v3/account", "status", status=200, body=json.dumps(account))
    rules = harness.exchange.trading_rules(["ADAUSDT"])["ADAUSDT"]
    assert rules.permitted(harness.exchange.account()) is permitted


@pytest.mark.parametrize("answer", ["{}", '{"symbols":{}}', '{"symbols":[[]]}', "[]"])
def test_half_an_exchange_info_is_trouble_for_now(harness: TradingHarness, answer: str) -> None:
    harness.fault("GET /api/v3/exchangeInfo", "status", status=200, body=answer)
    with pytest.raises(TemporaryError):
        harness.exchange.trading_rules(["ADAUSDT"])


# ------------------------------------------------------------------ account, orders, look-ups


@pytest.mark.parametrize("can_trade", [True, False])
def test_the_account_says_what_is_free_and_whether_it_may_trade(harness: TradingHarness, can_trade: bool) -> None:
    harness.market.exchange.can_trade = can_trade
    account = harness.exchange.account()
    assert account.free["USDT"] == D(10_000)
    assert account.can_trade is can_trade
    assert account.permissions == {"SPOT"}


def test_an_order_is_sent_as_plain_decimals(harness: TradingHarness) -> None:
    harness.exchange.send_market_order(an_intent(harness, 1, quote_amount="1E+2"))
    harness.market.exchange.free["ADA"] += 100
    harness.exchange.send_market_order(an_intent(harness, 2, quantity="50.10"))
    assert [order.request.quote_quantity for order in harness.orders] == [100, None]
    assert [order.request.quantity for order in harness.orders] == [None, D("50.1")]
    assert [order.client_order_id for order in harness.orders] == ["test-1", "test-2"]


def test_an_answer_reports_what_was_executed_fill_by_fill(harness: TradingHarness) -> None:
    report = harness.exchange.send_market_order(an_intent(harness, quote_amount="900"))
    order = harness.orders[0]
    assert (report.order_id, report.status) == (order.order_id, "FILLED")
    assert (report.executed_base, report.executed_quote) == (order.executed_quantity, order.executed_quote)
    assert report.parts is not None
    assert [(part.price, part.quantity, part.commission, part.commission_asset) for part in report.parts] == [
        (fill.price, fill.quantity, fill.commission, fill.commission_asset) for fill in order.fills
    ]


def test_an_order_is_found_by_its_client_order_id_and_its_trades_by_its_number(harness: TradingHarness) -> None:
    harness.exchange.send_market_order(an_intent(harness, 1))
    sent = harness.exchange.send_market_order(an_intent(harness, 2, quote_amount="900"))
    found = harness.exchange.find_order(an_intent(harness, 2, quote_amount="900"))
    assert found is not None
    assert (found.order_id, found.executed_base, found.executed_quote) == (
        sent.order_id,
        sent.executed_base,
        sent.executed_quote,
    )
    assert found.parts is None, "a look-up does not tell the fills"
    assert harness.exchange.fetch_part_fills(an_intent(harness, 2), sent.order_id) == sent.parts


@pytest.mark.parametrize(("most", "requests"), [(1, 6), (2, 4), (3, 3), (4, 3), (5, 1)])
def test_the_trades_of_a_large_order_are_read_page_by_page(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch, most: int, requests: int
) -> None:
    harness.exchange.send_market_order(an_intent(harness, 1))
    sent = harness.exchange.send_market_order(an_intent(harness, 2, quote_amount="2500"))
    harness.exchange.send_market_order(an_intent(harness, 3))
    assert sent.parts is not None
    assert len(sent.parts) == 4
    monkeypatch.setattr("marsshot.exchange.binance.exchange.MAX_TRADES_PER_PAGE", most)
    asked = harness.requests("myTrades")
    assert harness.exchange.fetch_part_fills(an_intent(harness, 2), sent.order_id) == sent.parts
    assert harness.requests("myTrades") - asked == requests


def test_an_order_that_binance_does_not_know_is_none(harness: TradingHarness) -> None:
    assert harness.exchange.find_order(an_intent(harness)) is None


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ({"status": 400, "body": body(-1121, "Invalid symbol.")}, TemporaryError),
        ({"status": 401, "body": body(-2015, "Invalid API-key, IP, or permissions for action.")}, AccountTroubleError),
        ({"status": 503, "body": HTML}, TemporaryError),
        ({"status": 200, "body": ""}, TemporaryError),
        ({"status": 200, "body": "{}"}, TemporaryError),
        ({"status": 200, "body": '{"clientOrderId":"another","symbol":"ADAUSDT"}'}, TemporaryError),
    ],
)
def test_only_minus_2013_means_that_there_is_no_such_order(
    harness: TradingHarness, details: dict[str, Any], error: type[Exception]
) -> None:
    harness.exchange.send_market_order(an_intent(harness))
    harness.fault(QUERY_ORDER, "status", **details)
    with pytest.raises(error):
        harness.exchange.find_order(an_intent(harness))


def test_old_orders_without_a_quote_amount_are_left_to_their_trades(harness: TradingHarness) -> None:
    answer = {
        "clientOrderId": "test-1",
        "symbol": "ADAUSDT",
        "orderId": 7,
        "status": "FILLED",
        "executedQty": "10",
        "cummulativeQuoteQty": "-1.00000000",
        "updateTime": 1_613_390_400_000,
    }
    harness.fault(QUERY_ORDER, "status", status=200, body=json.dumps(answer))
    found = harness.exchange.find_order(an_intent(harness))
    assert found is not None
    assert found.executed_quote is None


# ------------------------------------------------------------------ what every answer means

TEMPORARY, ACCOUNT, REFUSED, UNKNOWN = TemporaryError, AccountTroubleError, RefusedOrderError, UnknownOutcomeError
INSUFFICIENT = InsufficientBalanceError
LEGAL = "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/terms."
ANSWERS: list[tuple[int, str, type[MarsShotError], type[MarsShotError]]] = [
    # nothing said whether it was executed
    (500, "", UNKNOWN, TEMPORARY),
    (500, "[]", UNKNOWN, TEMPORARY),
    (500, '["overloaded"]', UNKNOWN, TEMPORARY),
    (500, '"overloaded"', UNKNOWN, TEMPORARY),
    (502, HTML, UNKNOWN, TEMPORARY),
    (503, HTML, UNKNOWN, TEMPORARY),
    (504, HTML, UNKNOWN, TEMPORARY),
    (400, HTML, UNKNOWN, TEMPORARY),
    (408, HTML, UNKNOWN, TEMPORARY),
    (200, "", UNKNOWN, TEMPORARY),
    (200, "{}", UNKNOWN, TEMPORARY),
    (200, "[]", UNKNOWN, TEMPORARY),
    (200, "null", UNKNOWN, TEMPORARY),
    (200, HTML, UNKNOWN, TEMPORARY),
    (500, body(-1000, "An unknown error occurred while processing the request."), UNKNOWN, TEMPORARY),
    (400, body(-1000, "An unknown error occurred while processing the request."), UNKNOWN, TEMPORARY),
    (400, body(-1001, "Internal error; unable to process your request. Please try again."), UNKNOWN, TEMPORARY),
    (503, body(-1001, "Internal error; unable to process your request. Please try again."), UNKNOWN, TEMPORARY),
    (503, body(-1006, "An unexpected response was received from the message bus."), UNKNOWN, TEMPORARY),
    (408, body(-1007, "Timeout waiting for response from backend server."), UNKNOWN, TEMPORARY),
    (504, body(-1007, "Timeout waiting for response from backend server."), UNKNOWN, TEMPORARY),
    (503, body(-1008, "Server is currently overloaded. Please try again in a few minutes."), UNKNOWN, TEMPORARY),
    (503, body(-1003, "Too many requests queued."), UNKNOWN, TEMPORARY),
    (500, body(-1013, "Filter failure: NOTIONAL"), UNKNOWN, TEMPORARY),
    (502, body(-2010, "Account has insufficient balance for requested action."), UNKNOWN, TEMPORARY),
    (200, body(-1000, "An unknown error occurred."), UNKNOWN, TEMPORARY),
    (200, body(-1007, "Timeout waiting for response from backend server."), UNKNOWN, TEMPORARY),
    (400, body(-2010, "Duplicate order sent."), UNKNOWN, TEMPORARY),
    # later
    (403, HTML, TEMPORARY, TEMPORARY),
    (418, body(-1003, "Way too much request weight used; IP banned until 1613390460000."), TEMPORARY, TEMPORARY),
    (429, body(-1003, "Too much request weight used; current limit is 6000."), TEMPORARY, TEMPORARY),
    (429, HTML, TEMPORARY, TEMPORARY),
    (429, body(-1015, "Too many new orders; current limit is 100 orders per 10 SECOND."), TEMPORARY, TEMPORARY),
    (200, body(-1003, "Too many requests."), TEMPORARY, TEMPORARY),
    (400, body(-1099, "Not found, unauthenticated, or unauthorized."), TEMPORARY, TEMPORARY),
    # key, account, place
    (451, body(0, LEGAL), ACCOUNT, ACCOUNT),
    (451, HTML, ACCOUNT, ACCOUNT),
    (401, body(-1002, "You are not authorized to execute this request."), ACCOUNT, ACCOUNT),
    (400, body(-1022, "Signature for this request is not valid."), ACCOUNT, ACCOUNT),
    (401, body(-2008, "Invalid Api-Key ID."), ACCOUNT, ACCOUNT),
    (401, body(-2014, "API-key format invalid."), ACCOUNT, ACCOUNT),
    (401, body(-2015, "Invalid API-key, IP, or permissions for action."), ACCOUNT, ACCOUNT),
    (400, body(-2010, "This action is disabled on this account."), ACCOUNT, TEMPORARY),
    (400, body(-2010, "This action disabled is on this account."), ACCOUNT, TEMPORARY),
    (400, body(-2010, "This account may not place or cancel orders."), ACCOUNT, TEMPORARY),
    (400, body(-2010, "Rest API trading is not enabled."), ACCOUNT, TEMPORARY),
    # this order
    (400, body(-2010, "Account has insufficient balance for requested action."), INSUFFICIENT, TEMPORARY),
    (200, body(-2010, "Account has insufficient balance for requested action."), INSUFFICIENT, TEMPORARY),
    (400, body(-2010, "Market is closed."), NotTradableNowError, TEMPORARY),
    (400, body(-2010, "This symbol is not permitted for this account."), REFUSED, TEMPORARY),
    (400, body(-2010, "This symbol is restricted for this account."), REFUSED, TEMPORARY),
    (400, body(-2010, "Market orders are not supported for this symbol."), REFUSED, TEMPORARY),
    (400, body(-2010, "Quote order qty market orders are not support for this symbol."), REFUSED, TEMPORARY),
    (400, body(-2010, "Order book liquidity is less than LOT_SIZE filter minimum quantity."), REFUSED, TEMPORARY),
    (400, body(-2010, "Unsupported order combination"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: LOT_SIZE"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: MARKET_LOT_SIZE"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: NOTIONAL"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: MIN_NOTIONAL"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: MAX_POSITION"), REFUSED, TEMPORARY),
    (400, body(-1013, "Filter failure: MAX_NUM_ORDERS"), REFUSED, TEMPORARY),
    (400, body(-1013, "Invalid quantity."), REFUSED, TEMPORARY),
    (400, body(-1013, "Market is closed."), NotTradableNowError, TEMPORARY),
    (400, body(-1100, "Illegal characters found in parameter 'quantity'."), REFUSED, TEMPORARY),
    (400, body(-1101, "Too many parameters."), REFUSED, TEMPORARY),
    (400, body(-1102, "Mandatory parameter 'x' was not sent, was empty/null, or malformed."), REFUSED, TEMPORARY),
    (400, body(-1104, "Not all sent parameters were read; read '8' parameter(s)."), REFUSED, TEMPORARY),
    (400, body(-1106, "Parameter 'timeInForce' sent when not required."), REFUSED, TEMPORARY),
    (400, body(-1111, "Parameter 'quantity' has too much precision."), REFUSED, TEMPORARY),
    (400, body(-1121, "Invalid symbol."), REFUSED, TEMPORARY),
    (400, body(-1128, "Combination of optional parameters invalid."), REFUSED, TEMPORARY),
]
ANSWER_NAMES = [f"{status}{''.join(re.findall('-[0-9]{4}', text)) or '-' + text[:6]}" for status, text, *_ in ANSWERS]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Filter failure: NOTIONAL", RefusalReason.BELOW_MINIMUM),
        ("Filter failure: MIN_NOTIONAL", RefusalReason.BELOW_MINIMUM),
        ("Filter failure: LOT_SIZE", RefusalReason.OTHER),
        ("Market is open, and this is refused.", RefusalReason.OTHER),
    ],
)
def test_an_order_below_the_minimum_is_told_from_other_refusals(text: str, reason: RefusalReason) -> None:
    error = order_error(400, -1013, text)
    assert isinstance(error, RefusedOrderError)
    assert error.reason is reason


@pytest.mark.parametrize("code", [-1013, -2010])
def test_a_closed_market_may_take_the_order_later(code: int) -> None:
    assert type(order_error(400, code, "Market is closed.")) is NotTradableNowError


@pytest.mark.parametrize(("status", "text", "expected"), [row[:3] for row in ANSWERS], ids=ANSWER_NAMES)
def test_what_an_answer_to_an_order_means(
    harness: TradingHarness, status: int, text: str, expected: type[Exception]
) -> None:
    harness.fault(NEW_ORDER, "status", status=status, body=text)
    with pytest.raises(MarsShotError) as caught:
        harness.exchange.send_market_order(an_intent(harness))
    assert caught.type is expected or (caught.type is RateLimitError and expected is TemporaryError)
    assert "\n" not in str(caught.value)
    assert harness.requests(NEW_ORDER) == 1, "an order is sent once"


@pytest.mark.parametrize(
    ("status", "text", "expected"), [(status, text, read) for status, text, _, read in ANSWERS], ids=ANSWER_NAMES
)
def test_what_an_answer_to_a_read_means(
    harness: TradingHarness, status: int, text: str, expected: type[Exception]
) -> None:
    harness.fault("GET /api/v3/account", "status", status=status, body=text)
    with pytest.raises(expected):
        harness.exchange.account()
    harness.wait(120)  # the shortest ban
    assert harness.exchange.account().can_trade


@pytest.mark.parametrize("text", ["Timestamp for this request is outside of the recvWindow.", "... 1000ms ahead ..."])
def test_a_timestamp_that_is_refused_twice_is_trouble_for_now(harness: TradingHarness, text: str) -> None:
    harness.fault("GET /api/v3/account", "status", times=2, status=400, body=body(-1021, text))
    with pytest.raises(TemporaryError):
        harness.exchange.account()
    harness.fault(NEW_ORDER, "status", status=400, body=body(-1021, text))
    with pytest.raises(ClockRefusedError):
        harness.exchange.send_market_order(an_intent(harness))


CUT = ["drop_before", "drop_after", "hang_before", "hang_after", "truncate", "empty_200", "empty_200_before"]


@pytest.mark.parametrize("kind", CUT)
def test_an_order_without_a_whole_answer_may_have_been_executed(harness: TradingHarness, kind: str) -> None:
    harness.exchange.server_ms()
    harness.fault(NEW_ORDER, kind, seconds=5.0)
    with pytest.raises(UnknownOutcomeError), harness.short_timeouts() if "hang" in kind else nullcontext():
        harness.exchange.send_market_order(an_intent(harness))


CUT_READS = [
    (line, kind)
    for line in ("account", "ticker/price", "exchangeInfo", QUERY_ORDER, TRADES, "time")
    for kind in CUT
    if "empty" not in kind or line not in {"ticker/price", TRADES}
]


@pytest.mark.parametrize(("request_line", "kind"), CUT_READS)
def test_a_read_without_a_whole_answer_may_be_asked_again(
    harness: TradingHarness, request_line: str, kind: str
) -> None:
    harness.exchange.send_market_order(an_intent(harness))
    asks: dict[str, Callable[[], object]] = {
        "account": harness.exchange.account,
        "ticker/price": lambda: harness.exchange.prices(["ADAUSDT"]),
        "exchangeInfo": lambda: harness.exchange.trading_rules(["ADAUSDT"]),
        QUERY_ORDER: lambda: harness.exchange.find_order(an_intent(harness)),
        TRADES: lambda: harness.exchange.fetch_part_fills(an_intent(harness), 1),
        "time": harness.exchange.server_ms,
    }
    harness.fault(request_line, kind, seconds=5.0)
    with pytest.raises(TemporaryError), harness.short_timeouts() if "hang" in kind else nullcontext():
        asks[request_line]()
    assert asks[request_line]()


@pytest.mark.parametrize("answer", ["", "{}", '{"symbol":"ADAUSDT","price":"1"}'])
def test_prices_that_are_no_list_are_trouble_for_now(harness: TradingHarness, answer: str) -> None:
    harness.fault("ticker/price", "status", status=200, body=answer)
    with pytest.raises(TemporaryError):
        harness.exchange.prices(["ADAUSDT"])


def test_trades_in_an_empty_answer_do_not_add_up(harness: TradingHarness) -> None:
    sent = harness.exchange.send_market_order(an_intent(harness))
    harness.fault(TRADES, "empty_200")
    assert harness.exchange.fetch_part_fills(an_intent(harness), sent.order_id) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"clientOrderId": "another"},
        {"symbol": "DOTUSDT"},
        {"executedQty": "many"},
        {"executedQty": None},
        {"cummulativeQuoteQty": None},
        {"orderId": None},
        {"executedQty": "NaN"},
        {"executedQty": "-1"},
        {"executedQty": "1e99"},
        {"executedQty": True},
        {"cummulativeQuoteQty": "Infinity"},
        {"cummulativeQuoteQty": "102"},  # more than was ordered
        {"transactTime": "soon"},
        {"transactTime": 12},
        {"transactTime": 1_613_390_400_000_000_000},  # nanoseconds
        {"transactTime": None},
    ],
)
def test_an_answer_that_is_not_about_this_order_or_not_whole_leaves_the_outcome_unknown(
    harness: TradingHarness, changes: dict[str, Any]
) -> None:
    answer = {
        "clientOrderId": "test-1",
        "symbol": "ADAUSDT",
        "orderId": 1,
        "status": "FILLED",
        "executedQty": "100",
        "cummulativeQuoteQty": "100",
        "transactTime": 1_613_390_400_000,
        "fills": [],
    }
    harness.fault(NEW_ORDER, "status", status=200, body=json.dumps(answer | changes))
    with pytest.raises(UnknownOutcomeError):
        harness.exchange.send_market_order(an_intent(harness))


# ------------------------------------------------------------------ being asked to wait


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "30", 30),
        (429, "86400", 86_400),
        (418, "7200", 7200),
        (418, "9999999", 3 * 24 * 3600),
        (403, None, 60),
        (403, "86400", 60),
        (503, "86400", 60),
        (503, "5", 5),
        (500, "3600", 60),
    ],
)
def test_nothing_is_sent_before_the_time_that_binance_asked_for_is_over(
    harness: TradingHarness, status: int, retry_after: str | None, seconds: int
) -> None:
    harness.exchange.server_ms()
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    harness.fault("GET /api/v3/account", "status", status=status, headers=headers, body=HTML)
    with pytest.raises(TemporaryError):
        harness.exchange.account()
    asked = harness.market.requests["binance"]
    everything: list[Callable[[], object]] = [
        harness.exchange.account,
        harness.exchange.server_ms,
        lambda: harness.exchange.prices(["ADAUSDT"]),
        lambda: harness.exchange.trading_rules(["ADAUSDT"]),
        lambda: harness.exchange.find_order(an_intent(harness)),
        lambda: harness.exchange.fetch_part_fills(an_intent(harness), 1),
        lambda: harness.exchange.send_market_order(an_intent(harness)),
    ]
    harness.wait(seconds - 1)
    for request in everything:
        with pytest.raises(TemporaryError, match="asked to wait"):
            request()
    assert harness.market.requests["binance"] == asked
    harness.wait(1)
    assert harness.exchange.account().can_trade


@pytest.mark.parametrize(
    ("body_text", "headers", "seconds"),
    [
        ("Way too much request weight used; IP banned until {until}.", {}, 900),
        ("Way too much request weight used; IP banned until {until}.", {"Retry-After": "1200"}, 1200),
        ("Way too much request weight used; IP banned until soon.", {}, 120),
    ],
)
def test_the_end_of_a_ban_is_told_at_once_and_once(
    harness: TradingHarness, body_text: str, headers: dict[str, str], seconds: int
) -> None:
    harness.exchange.server_ms()
    now = harness.clock.now()
    text = body(-1003, body_text.format(until=int(now.timestamp() * 1000) + 900_000))
    harness.fault("GET /api/v3/account", "status", status=418, headers=headers, body=text)
    for _ in range(3):
        with pytest.raises(TemporaryError):
            harness.exchange.account()
    until = now + timedelta(seconds=seconds)
    assert harness.exchange.quiet_until_ms == until.timestamp() * 1000
    assert harness.exchange.quiet_reason is QuietReason.BAN
    (line,) = harness.captured_log.of("exchange.banned")
    assert f"until {until:%Y-%m-%d %H:%M} UTC" in line


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [(QuietReason.TROUBLE, 60), (QuietReason.RATE_LIMIT, 86_400), (QuietReason.BAN, 86_400)],
)
def test_what_a_book_says_of_mere_trouble_silences_for_a_minute_at_most(
    harness: TradingHarness, reason: QuietReason, seconds: int
) -> None:
    now_ms = int(harness.clock.now().timestamp() * 1000)
    harness.exchange.keep_quiet_until(now_ms + 86_400_000, reason)
    harness.wait(seconds - 1)
    with pytest.raises(TemporaryError, match="asked to wait"):
        harness.exchange.server_ms()
    harness.wait(1)
    assert harness.exchange.server_ms()


def test_an_order_that_is_asked_to_wait_makes_everything_wait(harness: TradingHarness) -> None:
    limit = body(-1015, "Too many new orders; current limit is 100 orders per 10 SECOND.")
    harness.fault(NEW_ORDER, "status", status=429, headers={"Retry-After": "10"}, body=limit)
    with pytest.raises(TemporaryError) as caught:
        harness.exchange.send_market_order(an_intent(harness))
    assert caught.value.retry_after_seconds == 10
    with pytest.raises(TemporaryError, match="asked to wait"):
        harness.exchange.send_market_order(an_intent(harness, 2))
    harness.wait(10)
    assert harness.exchange.send_market_order(an_intent(harness, 3)).status == "FILLED"


@pytest.mark.parametrize("retry_after", ["", "soon", "-5", "nan", "inf"])
def test_without_a_usable_retry_after_the_pause_is_a_minute(harness: TradingHarness, retry_after: str) -> None:
    harness.fault("GET /api/v3/account", "status", status=429, headers={"Retry-After": retry_after}, body=HTML)
    with pytest.raises(TemporaryError):
        harness.exchange.account()
    harness.wait(59)
    with pytest.raises(TemporaryError, match="asked to wait"):
        harness.exchange.account()
    harness.wait(1)
    assert harness.exchange.account().can_trade


# ------------------------------------------------------------------ secrets


@pytest.mark.parametrize("request_line", [NEW_ORDER, "GET /api/v3/account", QUERY_ORDER])
@pytest.mark.parametrize(
    "fault",
    [{"kind": kind, "seconds": 5.0} for kind in CUT]
    + [{"kind": "status", "status": status, "body": text} for status, text, *_ in ANSWERS[:12]],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
def test_no_secret_and_no_signature_is_in_what_is_raised(
    harness: TradingHarness, request_line: str, fault: dict[str, Any]
) -> None:
    asks: dict[str, Callable[[], object]] = {
        NEW_ORDER: lambda: harness.exchange.send_market_order(an_intent(harness)),
        "GET /api/v3/account": harness.exchange.account,
        QUERY_ORDER: lambda: harness.exchange.find_order(an_intent(harness)),
    }
    harness.exchange.server_ms()
    harness.fault(request_line, **fault)
    with pytest.raises(MarsShotError) as caught, harness.short_timeouts() if "hang" in fault["kind"] else nullcontext():
        asks[request_line]()
    prices_received = "".join(traceback.format_exception(caught.value))
    for secret in (harness.market.api_secret, harness.market.api_key, "signature="):
        assert secret not in prices_received


def test_no_whole_answer_when_nobody_is_there_tells_no_signature(harness: TradingHarness) -> None:
    harness.exchange.server_ms()
    harness.exchange._client.API_URL = "http://127.0.0.1:1/api"  # nothing listens there
    for ask in (harness.exchange.account, lambda: harness.exchange.send_market_order(an_intent(harness))):
        with pytest.raises(MarsShotError) as caught:
            ask()
        assert "signature=" not in "".join(traceback.format_exception(caught.value))


def test_there_are_no_keys_in_what_needs_none(harness: TradingHarness) -> None:
    harness.exchange.prices(["ADAUSDT"])
    harness.exchange.trading_rules(["ADAUSDT"])
    assert not any("signature" in seen.query for seen in harness.market.request_log)


def test_minus_2013_on_an_order_is_no_fill(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "status", status=400, body=NO_SUCH_ORDER)
    with pytest.raises(MarsShotError):
        harness.exchange.send_market_order(an_intent(harness))


# --------------------------------------------------------------------------- prices beside the orders

PriceQueue = SimpleQueue[Mapping[str, Decimal] | MarsShotError]


def an_exchange_beside(harness: TradingHarness) -> BinanceExchange:
    return BinanceExchange(
        api_key=harness.market.api_key,
        api_secret=harness.market.api_secret,
        base_url=harness.url,
        clock=harness.clock,
        worker_pool=WorkerPool(1, "test"),
    )


def test_prices_come_when_they_are_there(harness: TradingHarness) -> None:
    prices_received, exchange = PriceQueue(), an_exchange_beside(harness)
    harness.market.set_price("ADA", "1.5")
    exchange.request_prices(["ADAUSDT", "NOPEUSDT"], prices_received.put)
    assert prices_received.get(timeout=10) == {"ADAUSDT": D("1.5")}


def test_a_ticker_that_hangs_holds_no_order_up_and_is_not_asked_twice(harness: TradingHarness) -> None:
    prices_received, exchange = PriceQueue(), an_exchange_beside(harness)
    harness.fault("ticker/price", "hang_before", seconds=1)
    exchange.request_prices(["ADAUSDT"], prices_received.put)
    assert exchange.send_market_order(an_intent(harness)).status == "FILLED"
    exchange.request_prices(["ADAUSDT"], prices_received.put)
    assert "has not answered the last question" in str(prices_received.get(timeout=10))
    assert "does not answer" in str(prices_received.get(timeout=10))
    assert harness.requests("ticker/price") == 1


def test_the_silence_that_the_ticker_is_asked_for_is_kept_by_the_orders_too(harness: TradingHarness) -> None:
    prices_received, exchange = PriceQueue(), an_exchange_beside(harness)
    exchange.server_ms()
    harness.fault("ticker/price", "status", status=429, headers={"Retry-After": "60"})
    exchange.request_prices(["ADAUSDT"], prices_received.put)
    assert isinstance(prices_received.get(timeout=10), TemporaryError)
    assert exchange.quiet_until_ms == harness.clock.now().timestamp() * 1000 + 60_000
    with pytest.raises(TemporaryError, match="asked to wait; 60 seconds"):
        exchange.send_market_order(an_intent(harness))
    assert harness.orders == []


def test_the_keys_are_not_shown_where_prices_are_asked_for(harness: TradingHarness) -> None:
    exchange = an_exchange_beside(harness)
    assert not exchange._price_connection.client.API_KEY
    assert exchange._connection.client.API_KEY
