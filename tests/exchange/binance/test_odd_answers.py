"""One odd row of Binance's, one malformed order: the trouble of one token, told once by its name; the others go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests

from marsshot.core.book import Book
from marsshot.core.errors import TemporaryError, UnknownOutcomeError
from marsshot.core.orders import Intent
from marsshot.core.reasons import DifferenceKind, QuietReason
from marsshot.exchange.binance.responses import read_executed_order
from marsshot.infra import bounded_http
from marsshot.portfolio.ledger import with_intent
from tests.helpers.builders import buy_intent, sell_intent
from tests.helpers.trading_harness import (
    NEW_ORDER,
    QUERY_ORDER,
    TRADES,
    StubScores,
    TradingHarness,
    open_trading_harness,
)

D = Decimal
Row = dict[str, Any]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path) as harness:
        yield harness


def info_rows(harness: TradingHarness, *symbols: str) -> list[Row]:
    names = json.dumps([f"{symbol}USDT" for symbol in symbols], separators=(",", ":"))
    rows: list[Row] = requests.get(f"{harness.url}/api/v3/exchangeInfo", params={"symbols": names}, timeout=5).json()[
        "symbols"
    ]
    return rows


def filter_of(row: Row, name: str) -> Row:
    found: Row = next(entry for entry in row["filters"] if entry["filterType"] == name)
    return found


def without_filter(row: Row, name: str) -> None:
    row["filters"] = [entry for entry in row["filters"] if entry["filterType"] != name]


def serve_odd_row(harness: TradingHarness, spoil: Callable[[Row], object]) -> None:
    """Let exchangeInfo tell ADA's rules spoilt and those of the others as they are, from now on."""
    rows = info_rows(harness, "ADA", "DOT", "LINK", "LTC")
    spoil(rows[0])
    harness.fault("GET /api/v3/exchangeInfo", "status", times=-1, status=200, body=json.dumps({"symbols": rows}))


# --------------------------------------------------------------------------- trading rules

ODD_ROWS: dict[str, Callable[[Row], object]] = {
    "LOT_SIZE.maxQty": lambda row: filter_of(row, "LOT_SIZE").pop("maxQty"),
    "LOT_SIZE.minQty": lambda row: filter_of(row, "LOT_SIZE").update(minQty="NaN"),
    "LOT_SIZE.stepSize = 0": lambda row: filter_of(row, "LOT_SIZE").update(stepSize="0.00000000"),
    "LOT_SIZE.stepSize": lambda row: filter_of(row, "LOT_SIZE").update(stepSize=[]),
    "MARKET_LOT_SIZE.maxQty": lambda row: filter_of(row, "MARKET_LOT_SIZE").update(maxQty="-1"),
    "maxQty < stepSize": lambda row: filter_of(row, "MARKET_LOT_SIZE").update(maxQty="0.001"),
    "LOT_SIZE": lambda row: without_filter(row, "LOT_SIZE"),
    "NOTIONAL.minNotional": lambda row: filter_of(row, "NOTIONAL").update(minNotional={}),
    "filters": lambda row: row.update(filters=None),
    "baseAsset": lambda row: row.pop("baseAsset"),
    "quoteAsset": lambda row: row.update(quoteAsset=7),
    "quoteAssetPrecision": lambda row: row.update(quoteAssetPrecision=-3),
    "permissionSets": lambda row: row.update(permissionSets=["SPOT"]),
    "orderTypes": lambda row: row.update(orderTypes=None),
    "KeyError": lambda row: row.pop("status"),
}


@pytest.mark.parametrize("rule", ODD_ROWS)
def test_an_odd_row_stops_its_token_alone_and_is_told_once_by_name(harness: TradingHarness, rule: str) -> None:
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300", entry_price="2.5")
    serve_odd_row(harness, ODD_ROWS[rule])
    bot = harness.bot()
    bot.start()
    bot.cycle()
    assert harness.traded() == ["SELL DOT"]
    for _ in range(3):
        harness.wait(300)
        bot.cycle()
    warned = [
        text for level, event, text in harness.captured_log.lines if level == "WARNING" and event.startswith("order")
    ]
    (line,) = warned
    assert f"Binance's trading rules of ADAUSDT cannot be read ({rule})" in line
    assert harness.book.positions["ADA"].qty == 300
    harness.market.faults.clear()
    harness.wait(300)
    bot.cycle()
    assert harness.traded() == ["SELL DOT", "SELL ADA"]
    harness.assert_consistent()


@pytest.mark.parametrize("rule", ODD_ROWS)
def test_an_odd_row_leaves_the_purchases_of_others(harness: TradingHarness, rule: str) -> None:
    serve_odd_row(harness, ODD_ROWS[rule])
    bot = harness.bot(StubScores(harness.clock, ADA="0.9", DOT="0.8"))
    bot.start()
    bot.cycle()
    assert harness.traded() == ["BUY DOT"]
    harness.assert_consistent()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row["filters"].append({"filterType": "WHAT_COMES_NEXT", "stepSize": "0"}),
        lambda row: row["filters"].append({"stepSize": "0"}),
        lambda row: row["filters"].append("nonsense"),
        lambda row: row["filters"].append({"filterType": ["LOT_SIZE"]}),
        lambda row: without_filter(row, "MARKET_LOT_SIZE"),
        lambda row: without_filter(row, "NOTIONAL"),
        lambda row: without_filter(row, "PRICE_FILTER"),
        lambda row: row.update(permissionSets=None),
        lambda row: filter_of(row, "LOT_SIZE").update(stepSize=0.01, minQty=0.01, maxQty=9000),
    ],
)
def test_what_does_not_concern_market_orders_or_is_told_another_way_stops_nothing(
    harness: TradingHarness, spoil: Callable[[Row], object]
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    serve_odd_row(harness, spoil)
    harness.bot().cycle()
    assert harness.traded() == ["SELL ADA"]


# --------------------------------------------------------------------------- prices and balances


def test_an_odd_row_of_prices_leaves_the_others_theirs(harness: TradingHarness) -> None:
    rows: list[Any] = [{"symbol": "DOTUSDT", "price": "1.5"}, {"symbol": "LINKUSDT", "price": 1.25}]
    rows += [None, 7, {"symbol": ["x"], "price": "1"}, {"symbol": "ADAUSDT", "price": True}]
    rows += [{"symbol": "LTCUSDT", "price": "1e99"}, {"price": "1"}, {"symbol": "ADAUSDT", "price": "0x10"}]
    harness.fault("ticker/price", "status", status=200, body=json.dumps(rows))
    pairs = [f"{symbol}USDT" for symbol in ("ADA", "DOT", "LINK", "LTC")]
    assert harness.exchange.prices(pairs) == {"DOTUSDT": D("1.5"), "LINKUSDT": D("1.25")}


@pytest.mark.parametrize(
    "odd", [{"free": "NaN"}, {"free": None}, {"free": "-1"}, {"free": "1", "locked": "Infinity"}, {}]
)
def test_a_balance_that_is_none_writes_no_position_off_and_stops_no_other_token(
    harness: TradingHarness, odd: Row
) -> None:
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300")
    harness.market.exchange.free["DOT"] -= 100
    rows = [{"asset": "ADA", **odd}, {"asset": "DOT", "free": "200"}, {"asset": "USDT", "free": "10000"}, "odd"]
    body = json.dumps({"canTrade": True, "balances": rows})
    harness.fault("GET /api/v3/account", "status", times=-1, status=200, body=body)
    account = harness.exchange.account()
    assert account.unreadable == frozenset({"ADA"})
    assert account.free["DOT"] == D(200)
    harness.bot().start()
    assert [(topic.kind, topic.symbol) for topic in harness.book.suspected] == [(DifferenceKind.SHORTFALL, "DOT")]
    assert any(
        "Binance's balance of ADA cannot be read" in text for text in harness.captured_log.of("book.not_compared")
    )


def test_without_a_readable_balance_of_money_nothing_is_bought_yet(harness: TradingHarness) -> None:
    rows = [{"asset": "USDT", "free": "lots"}]
    body = json.dumps({"canTrade": True, "balances": rows})
    harness.fault("GET /api/v3/account", "status", times=-1, status=200, body=body)
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    bot.cycle()
    assert harness.orders == []
    harness.market.faults.clear()
    harness.wait(60)
    bot.cycle()
    assert harness.traded() == ["BUY ADA"]


# --------------------------------------------------------------------------- orders


def answer_oddly(harness: TradingHarness, **changes: Any) -> None:
    """Let the first order be executed and answered with some values in place of the true ones."""

    def answer() -> None:
        harness.market.binance.account.on_order = None
        order = harness.orders[-1]
        fills = [
            {
                "price": str(fill.price),
                "qty": str(fill.quantity),
                "commission": str(fill.commission),
                "commissionAsset": fill.commission_asset,
            }
            for fill in order.fills
        ]
        true: Row = {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "clientOrderId": order.client_order_id,
            "transactTime": order.time_ms,
            "executedQty": str(order.executed_quantity),
            "cummulativeQuoteQty": str(order.executed_quote),
            "status": order.status,
            "fills": fills,
        }
        fault.body = json.dumps(
            {name: change(true[name]) for name, change in changes.items()}
            | {name: value for name, value in true.items() if name not in changes}
        )

    harness.market.binance.account.on_order = answer
    fault = harness.market.faults.add(service="binance", match=NEW_ORDER, kind="status_after", status=200)


def changed_fill(**values: Any) -> Callable[[Any], Any]:
    return lambda fills: [{**fills[0], **values}, *fills[1:]]


ODD_ORDERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "time in microseconds": {"transactTime": lambda value: value * 1000},
    "time as text": {"transactTime": str},
    "numbers in place of texts": {"executedQty": float, "cummulativeQuoteQty": float},
    "order id as text": {"orderId": str},
    "NaN commission": {"fills": changed_fill(commission="NaN")},
    "infinite price": {"fills": changed_fill(price="Infinity")},
    "price of nothing": {"fills": changed_fill(price="0")},
    "negative commission": {"fills": changed_fill(commission="-1")},
    "commission of no asset": {"fills": changed_fill(commissionAsset=None)},
    "fill without quantity": {"fills": lambda fills: [{"price": "1"}]},
    "fills of another kind": {"fills": lambda fills: {"all": fills}},
    "infinite quote": {"cummulativeQuoteQty": lambda _: "Infinity"},
    "more than ordered": {"executedQty": lambda _: "301"},
    "time of nowhere": {"transactTime": lambda _: -5},
}


@pytest.mark.parametrize("name", ODD_ORDERS)
def test_a_malformed_order_stops_its_token_alone_and_is_booked_to_the_last_digit(
    harness: TradingHarness, name: str
) -> None:
    for symbol in ("ADA", "DOT", "LINK"):
        harness.add_position(symbol, "300", entry_price="2.5")
    answer_oddly(harness, **ODD_ORDERS[name])
    bot = harness.bot()
    bot.cycle()
    assert harness.traded() == ["SELL ADA", "SELL DOT", "SELL LINK"]
    harness.wait(61)
    bot.cycle()
    assert harness.traded() == ["SELL ADA", "SELL DOT", "SELL LINK"]
    if name != "commission of no asset":
        harness.assert_consistent()
    assert "NaN" not in harness.book_path.read_text() + harness.trades_path.read_text()
    assert "Infinity" not in harness.book_path.read_text() + harness.trades_path.read_text()


def test_an_order_that_can_never_be_read_stays_in_doubt_said_once_while_all_else_goes_on(
    harness: TradingHarness,
) -> None:
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300", entry_price="2.5")
    harness.fault(NEW_ORDER, "drop_after")
    trades = [{"orderId": "first", "price": "1", "qty": "1", "commission": "0", "commissionAsset": "USDT", "time": 1}]
    harness.fault(TRADES, "status", times=-1, status=200, body=json.dumps(trades))
    bot = harness.bot()
    for _ in range(5):
        bot.cycle()
        harness.wait(300)
    assert harness.traded() == ["SELL ADA", "SELL DOT"]
    assert set(harness.book.positions) == {"ADA"}
    told = [line for line in harness.captured_log.lines if line[1] == "order.looked_up" and "ADA" in line[2]]
    assert len({text for _, _, text in told}) == 1
    harness.market.faults.clear()
    bot.cycle()
    harness.assert_consistent()


def test_what_cannot_be_calculated_with_is_the_trouble_of_one_token(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever slips through the door: a calculation that ends badly ends with its token."""
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300", entry_price="2.5")
    bot = harness.bot()
    rules_of = harness.exchange.trading_rules

    def odd(pairs: Any) -> Any:
        return {
            pair: replace(one, lot_step=D("NaN")) if "ADA" in pair else one for pair, one in rules_of(pairs).items()
        }

    monkeypatch.setattr(harness.exchange, "trading_rules", odd)
    bot.cycle()
    assert harness.traded() == ["SELL DOT"]
    (line,) = harness.captured_log.of("order.not_sold")
    assert line.startswith("ADA: not sold now")


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_an_amount_that_is_none_is_never_saved(harness: TradingHarness, amount: str) -> None:
    before = harness.book_path.read_bytes()
    changes: list[dict[str, Any]] = [{"capital": D(amount)}, {"capital_started": D(amount)}]
    for change in changes:
        with pytest.raises(TemporaryError, match="could not load it"):
            harness.store.save(replace(harness.book, **change))
    assert harness.book_path.read_bytes() == before
    harness.open()
    assert harness.book.capital == 1000


# --------------------------------------------------------------------------- answers that trickle


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(bounded_http, "TOTAL_SECONDS", 0.5)
    return 0.5


def test_an_order_whose_answer_trickles_is_unknown_after_the_deadline_and_looked_up(
    harness: TradingHarness, short_limit: float
) -> None:
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300", entry_price="2.5")
    harness.exchange.server_ms()
    harness.fault(NEW_ORDER, "trickle", seconds=0.1)
    bot, begun = harness.bot(), monotonic()
    bot.cycle()
    assert monotonic() - begun < short_limit + 2
    assert harness.traded() == ["SELL ADA", "SELL DOT"]
    harness.settle()
    harness.assert_consistent()


@pytest.mark.parametrize("ask", ["account", "server_ms", "prices", "trading_rules", "find_order"])
def test_no_question_waits_for_an_answer_that_trickles(harness: TradingHarness, short_limit: float, ask: str) -> None:
    harness.exchange.server_ms()
    harness.fault("", "trickle", times=-1, seconds=0.1)
    arguments: dict[str, list[Any]] = {
        "prices": [["ADAUSDT"]],
        "trading_rules": [["ADAUSDT"]],
        "find_order": [buy_intent(pair="ADAUSDT")],
    }
    begun = monotonic()
    with pytest.raises(TemporaryError):
        getattr(harness.exchange, ask)(*arguments.get(ask, []))
    assert monotonic() - begun < short_limit + 0.5


def test_coinbase_that_trickles_is_done_without(harness: TradingHarness, short_limit: float) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.market.faults.add(service="coinbase", match="", kind="trickle", times=-1, seconds=0.1)
    begun = monotonic()
    harness.bot().cycle()
    assert monotonic() - begun < short_limit + 2
    assert harness.traded() == ["SELL ADA"]


# --------------------------------------------------------------------------- what a look-up says of an order in doubt

ARCHIVED = (
    '{"code":-2026,"msg":"Order was canceled or expired with no executed qty over 90 days ago and has been archived."}'
)
GONE = '{"code":-1121,"msg":"Invalid symbol."}'


def in_doubt(harness: TradingHarness, intent: Intent) -> None:
    harness.store.save(with_intent(harness.book, replace(intent, created_ms=harness.exchange.now_ms())))


def a_sale(symbol: str = "ADA", quantity: str = "300") -> Intent:
    return sell_intent(
        client_order_id="ms-1-1", symbol=symbol, pair=f"{symbol}USDT", base_asset=symbol, quantity=D(quantity)
    )


def a_purchase(symbol: str = "ADA", amount: str = "400") -> Intent:
    return buy_intent(
        client_order_id="ms-1-1", symbol=symbol, pair=f"{symbol}USDT", base_asset=symbol, quote_amount=D(amount)
    )


def test_an_archived_order_was_never_executed(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    in_doubt(harness, a_sale())
    harness.fault(QUERY_ORDER, "status", status=400, body=ARCHIVED)
    bot = harness.bot()
    bot.cycle()
    assert not harness.book.intents
    assert harness.traded() == ["SELL ADA"], "what it held back is sold in the same round"
    harness.assert_consistent()


@pytest.mark.parametrize("code", [-2013, -1121])
def test_no_other_exit_waits_for_an_order_in_doubt(harness: TradingHarness, code: int) -> None:
    for symbol in ("ADA", "DOT"):
        harness.add_position(symbol, "300", entry_price="2.5")
    in_doubt(harness, a_sale())
    sold_before_the_look_up: list[list[str]] = []
    harness.fault(QUERY_ORDER, "status", times=-1, status=400, body=json.dumps({"code": code, "msg": "..."}))
    bot = harness.bot()
    look_up = harness.exchange.find_order

    def noting(intent: Intent) -> Any:
        sold_before_the_look_up.append(harness.traded())
        return look_up(intent)

    harness.exchange.find_order = noting  # type: ignore[method-assign]
    bot.cycle()
    assert sold_before_the_look_up == [["SELL DOT"]]
    assert set(harness.book.positions) == {"ADA"}


def gone(harness: TradingHarness) -> None:
    """Let Binance forget ADA's pair: its look-ups, rules and prices."""
    harness.market.delist("ADAUSDT")


def test_an_order_of_a_pair_that_is_gone_stays_in_doubt_and_is_told_once(harness: TradingHarness) -> None:
    in_doubt(harness, a_purchase())
    gone(harness)
    bot = harness.bot()
    bot.start()
    for _ in range(3):
        bot.cycle()
        harness.wait(600)
    assert list(harness.book.intents) == ["ms-1-1"]
    assert len([one for one in harness.captured_log.lines if one[0] == "ERROR" and one[1] == "order.pair_gone"]) == 1
    (line,) = [text for text in harness.captured_log.of("book.differs") if "ms-1-1" in text]
    assert line.startswith("ADA: Binance does not know ADAUSDT any more")
    assert bot.control.paused()
    bot.cycle()
    assert bot.next_due() == harness.clock.now() + timedelta(seconds=300), "not every ten seconds"


def resumed(harness: TradingHarness) -> Book:
    """Return the book after the owner was told and has allowed buying again."""
    bot = harness.bot()
    bot.start()
    bot.cycle()
    assert bot.control.paused()
    bot.control.resume()
    harness.wait(300)
    bot.cycle()
    assert not harness.book.intents
    assert not any(topic.kind is DifferenceKind.GONE_ORDER for topic in harness.book.differences)
    return harness.book


@pytest.mark.parametrize("there", ["0", "380"])
def test_resume_decides_a_purchase_by_what_the_account_holds(harness: TradingHarness, there: str) -> None:
    in_doubt(harness, a_purchase())
    harness.market.exchange.free["ADA"] += D(there)
    harness.market.exchange.free["USDT"] -= 400 if D(there) else 0
    gone(harness)
    book = resumed(harness)
    if D(there):
        assert (book.positions["ADA"].qty, book.positions["ADA"].cost, book.capital) == (D(380), D(400), D(600))
    else:
        assert not book.positions
        assert book.capital == D(1000)


@pytest.mark.parametrize("there", ["300", "120", "0"])
def test_resume_decides_a_sale_by_what_the_account_holds(harness: TradingHarness, there: str) -> None:
    harness.add_position("ADA", "300", entry_price="1")
    in_doubt(harness, a_sale())
    harness.market.exchange.free["ADA"] = D(there)
    gone(harness)
    book = resumed(harness)
    assert book.capital == 1000
    if D(there):
        assert (book.positions["ADA"].qty, book.positions["ADA"].cost) == (D(there), D(there))
    else:
        assert "ADA" not in book.positions


def test_money_that_went_with_a_pair_is_not_counted_any_more(harness: TradingHarness) -> None:
    in_doubt(harness, a_purchase())
    harness.market.exchange.free["USDT"] = D(600)  # bought, and the coin exchanged for another one meanwhile
    gone(harness)
    assert resumed(harness).capital == 600


def test_a_pair_that_comes_back_is_asked_again(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.fault(NEW_ORDER, "drop_after")
    bot = harness.bot()
    harness.fault(QUERY_ORDER, "status", times=2, status=400, body=GONE)
    bot.cycle()
    assert bot.control.paused()
    for _ in range(3):
        harness.wait(300)
        bot.cycle()
    harness.assert_consistent()
    bot.reconcile()
    assert not any(topic.kind is DifferenceKind.GONE_ORDER for topic in harness.book.differences)


# --------------------------------------------------------------------------- what an order in doubt holds back


@pytest.mark.parametrize(("doubted", "spent"), [("0", 1000), ("400", 600)])
def test_what_an_order_in_doubt_may_have_spent_is_not_spent_again(
    harness: TradingHarness, doubted: str, spent: int
) -> None:
    """The account holds ten times the bot's capital: what is free there says nothing."""
    if D(doubted):
        in_doubt(harness, a_purchase("DOT", doubted))
        harness.fault(QUERY_ORDER, "status", times=-1, status=503, body=b"")
    bot = harness.bot(StubScores(harness.clock, ADA="0.9", LINK="0.8"))
    bot.cycle()
    assert harness.traded() == ["BUY ADA", "BUY LINK"]
    ordered = [order.request.quote_quantity or D(0) for order in harness.orders]
    assert sum(ordered) == spent
    assert harness.exchange.quiet_reason is QuietReason.TROUBLE


def test_a_sale_in_doubt_holds_no_capital_back(harness: TradingHarness) -> None:
    harness.add_position("DOT", "300", entry_price="1")
    in_doubt(harness, a_sale("DOT"))
    harness.fault(QUERY_ORDER, "status", times=-1, status=503, body=b"")
    bot = harness.bot(StubScores(harness.clock, ADA="0.9", DOT="0.5"))
    bot.cycle()
    assert [order.request.quote_quantity for order in harness.orders] == [1000]


def test_an_order_that_cannot_be_read_says_so(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "status_after", status=200, body="{}")
    with pytest.raises(UnknownOutcomeError):
        harness.exchange.send_market_order(a_purchase())


# --------------------------------------------------------------------------- what an answer says


def test_an_order_that_does_not_know_of_its_trades_yet_is_looked_at_later() -> None:
    trade = {"orderId": 7, "price": "2", "qty": "5", "quoteQty": "10", "commission": "0", "commissionAsset": "USDT"}
    order = {"orderId": 7, "clientOrderId": "ms-1", "symbol": "ADAUSDT", "side": "SELL", "time": 1_613_430_000_000}
    with pytest.raises(TemporaryError, match="look-up does not yet"):
        read_executed_order(order | {"status": "NEW", "executedQty": "0.00000000"}, [trade])
    known = read_executed_order(order | {"status": "FILLED", "executedQty": "5.00000000"}, [trade])
    assert (known.executed_base, known.quote) == (D(5), D(10))


def test_what_binance_says_reaches_log_and_owner_as_one_printable_line(harness: TradingHarness) -> None:
    said = "no\n2021-02-15T00:30:00Z INFO order.filled | Sold everything \x1b[2J" + "x" * 400
    harness.add_position("ADA", "300", "3")
    harness.fault(NEW_ORDER, "status", times=-1, status=400, body=json.dumps({"code": -2010, "msg": said}))
    harness.bot().cycle()
    (told,) = harness.captured_log.of("order.not_sold")
    assert told.isprintable()
    assert "Sold everything ?[2Jxxx" in told
    assert "x" * 300 not in told
