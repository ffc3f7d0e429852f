"""Bitvavo over HTTP: what is sent, what every answer does to the book, and how an order in doubt is decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    NotTradableNowError,
    OddAnswerError,
    PairGoneError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.reasons import DifferenceKind, OrderReason, QuietReason, RefusalReason
from marsshot.core.trading_rules import Account
from marsshot.exchange.bitvavo import order_lists
from marsshot.exchange.bitvavo.responses import may_be_hidden, read_rules
from marsshot.infra import bounded_http
from marsshot.portfolio.ledger import without_told_doubles
from marsshot.portfolio.reconciliation import _is_unknown
from marsshot.portfolio.recovery import orders_unknown_to
from tests.helpers.bitvavo_harness import GET_ORDER, OPERATOR_ID, POST, BitvavoHarness, open_bitvavo_harness
from tests.helpers.builders import buy_intent

D = Decimal
SENT_MS = 1_760_000_000_000


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[BitvavoHarness]:
    with open_bitvavo_harness(tmp_path) as harness:
        yield harness


# --------------------------------------------------------------------------- market and account


def test_prices_of_the_markets_that_exist_come_in_one_request(harness: BitvavoHarness) -> None:
    found = harness.exchange.prices(["ADA-EUR", "NONE-EUR", "BTC-EUR"])
    assert found.keys() == {"ADA-EUR", "BTC-EUR"}
    assert harness.market.requests["bitvavo"] == 1
    dollars = harness.market.board.price("ADA", harness.clock.now().timestamp())
    assert abs(found["ADA-EUR"] * D("1.2") - dollars) < D("0.0001")


def test_a_row_without_a_price_is_left_out(harness: BitvavoHarness) -> None:
    rows = [{"market": "ADA-EUR"}, {"market": "DOT-EUR", "price": "0"}, {"market": "BTC-EUR", "price": "9"}, 7]
    harness.fault("ticker/price", "status", status=200, body=json.dumps(rows))
    assert harness.exchange.prices(["ADA-EUR", "DOT-EUR", "BTC-EUR"]) == {"BTC-EUR": D(9)}


def test_rules_are_read_with_both_minimums_and_both_decimals(harness: BitvavoHarness) -> None:
    rules = harness.exchange.trading_rules(["ADA-EUR", "NONE-EUR"])
    (ada,) = rules.values()
    assert (ada.base_asset, ada.quote_asset, ada.tradable) == ("ADA", "EUR", True)
    assert (ada.lot_step, ada.quote_precision) == (D("0.00000001"), 2)
    assert (ada.min_notional, ada.min_quantity) == (D("5.00"), harness.engine.markets["ADA-EUR"].min_base)


def test_the_smallest_purchase_includes_the_fee_up_to_the_cent(harness: BitvavoHarness) -> None:
    rules = harness.exchange.trading_rules(["ADA-EUR"])["ADA-EUR"]
    assert rules.smallest_order(None) == D("5.02")  # 5.0125
    dear = replace(rules, min_quantity=D(10))
    assert dear.smallest_order(D(2)) == D("20.05")
    assert dear.smallest_order(D("2.001")) == D("20.07")  # 20.060025


@pytest.mark.parametrize("status", ["halted", "cancelOnly", "auction", "auctionMatching"])
def test_a_market_that_does_not_trade_says_so_and_takes_no_order(harness: BitvavoHarness, status: str) -> None:
    rules = harness.exchange.trading_rules(["ADA-EUR"])["ADA-EUR"]
    harness.engine.markets["ADA-EUR"].status = status
    closed = harness.exchange.trading_rules(["ADA-EUR"])["ADA-EUR"]
    assert not closed.tradable
    assert status in closed.unavailable_reason
    with pytest.raises(NotTradableNowError):
        harness.tracker.place("ADA", harness.intent().side, OrderReason.DAILY_BUY, rules, quote_amount=D(10))
    assert harness.book.intents == {}
    harness.assert_book_is_the_account()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantityDecimals", None),
        ("quantityDecimals", "many"),
        ("quantityDecimals", 99),
        ("notionalDecimals", True),
        ("minOrderInBaseAsset", "NaN"),
        ("minOrderInQuoteAsset", None),
        ("maxOrderInBaseAsset", "-1"),
        ("base", ""),
        ("orderTypes", "market"),
    ],
)
def test_a_half_row_stops_its_market_alone(name: str, value: object) -> None:
    row = {
        "market": "ADA-EUR",
        "status": "trading",
        "base": "ADA",
        "quote": "EUR",
        "minOrderInBaseAsset": "1",
        "minOrderInQuoteAsset": "5.00",
        "maxOrderInBaseAsset": "1000000",
        "quantityDecimals": 6,
        "notionalDecimals": 2,
        "orderTypes": ["market", "limit"],
    }
    rules = read_rules([row | {name: value}, row | {"market": "DOT-EUR"}, "nonsense"], {"ADA-EUR", "DOT-EUR"})
    assert not rules["ADA-EUR"].tradable
    assert name in rules["ADA-EUR"].unavailable_reason
    assert rules["DOT-EUR"].tradable


def test_balances_are_read_and_a_malformed_one_is_told_by_name(harness: BitvavoHarness) -> None:
    rows = [
        {"symbol": "EUR", "available": "100.00", "inOrder": "3.5"},
        {"symbol": "ADA", "available": "much", "inOrder": "0"},
        {"symbol": "DOT", "available": "1.5", "inOrder": "0"},
    ]
    harness.fault("GET /v2/balance", "status", status=200, body=json.dumps(rows))
    account = harness.exchange.account()
    assert account == Account(
        {"EUR": D("100.00"), "DOT": D("1.5")}, locked={"EUR": D("3.5")}, unreadable=frozenset({"ADA"})
    )


@pytest.mark.parametrize("body", ['["unknown"]', '[{"available": "100"}]', "[null]", "{}"])
def test_balances_without_a_name_are_no_empty_account(harness: BitvavoHarness, body: str) -> None:
    harness.fault("GET /v2/balance", "status", status=200, body=body)
    with pytest.raises(TemporaryError):
        harness.exchange.account()


def test_an_account_with_nothing_in_it_is_one(harness: BitvavoHarness) -> None:
    harness.fault("GET /v2/balance", "status", status=200, body="[]")
    assert harness.exchange.account() == Account({})


def test_what_the_key_may_do_and_what_is_staked(harness: BitvavoHarness) -> None:
    harness.engine.staked["ADA"] = D("12.5")
    harness.market.bitvavo.rights.add("withdraw")
    assert {"buy", "sell", "withdrawCrypto"} <= harness.exchange.capabilities()
    assert harness.exchange.staked() == {"ADA": D("12.5")}


# --------------------------------------------------------------------------- an order


def test_a_purchase_spends_its_amount_to_the_cent_fee_included(harness: BitvavoHarness) -> None:
    harness.buy(amount="100")
    held = harness.book.positions["ADA"]
    assert harness.book.capital == 900
    assert held.cost == 100
    assert held.entry_quote < 100, "the fee is no part of the entry price"
    assert harness.orders[0].request.operator_id == OPERATOR_ID
    harness.assert_book_is_the_account()


def test_a_sale_brings_whole_cents_and_closes_the_position(harness: BitvavoHarness) -> None:
    harness.buy(amount="100")
    harness.sell()
    assert harness.book.positions == {}
    assert harness.book.capital == harness.book.capital.quantize(D("0.01"))
    harness.assert_book_is_the_account()


@settings(max_examples=15, deadline=None)
@given(st.decimals(min_value="6", max_value="200", places=2), st.integers(1, 200))
def test_book_and_account_agree_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, amount: Decimal, width: int
) -> None:
    with open_bitvavo_harness(tmp_path_factory.mktemp("book")) as harness:
        harness.engine.markets["ADA-EUR"].width = width
        harness.buy(amount=str(amount))
        harness.sell()
        assert harness.book.capital == harness.engine.free["EUR"]
        assert harness.book.intents == {}


def test_market_protection_ends_a_purchase_early_and_what_was_bought_is_booked(harness: BitvavoHarness) -> None:
    harness.engine.markets["ADA-EUR"].width = 3000
    harness.buy(amount="1000")
    (order,) = harness.orders
    assert order.status == "canceled"
    assert 0 < order.filled_quote < 1000
    assert harness.book.positions["ADA"].qty == order.filled
    harness.assert_book_is_the_account()


def test_an_order_that_nothing_matched_is_refused_and_forgotten(harness: BitvavoHarness) -> None:
    harness.engine.markets["ADA-EUR"].depth = D(0)
    with pytest.raises(RefusedOrderError, match="EXPIRED"):
        harness.buy()
    harness.assert_book_is_the_account()


def test_an_order_that_runs_dry_is_booked_with_its_part(harness: BitvavoHarness) -> None:
    harness.engine.markets["ADA-EUR"].depth = D(50)
    harness.buy(amount="100")
    assert harness.orders[0].status == "expired"
    assert 40 < 1000 - harness.book.capital < 60
    harness.assert_book_is_the_account()


@pytest.mark.parametrize(
    ("amount", "error", "reason"),
    [("5.00", RefusedOrderError, RefusalReason.BELOW_MINIMUM), ("5.025", RefusedOrderError, RefusalReason.OTHER)],
)
def test_what_is_too_small_or_too_fine_is_refused_by_its_reason(
    harness: BitvavoHarness, amount: str, error: type[RefusedOrderError], reason: RefusalReason
) -> None:
    with pytest.raises(error) as caught:
        harness.buy(amount=amount)
    assert caught.value.reason is reason
    harness.assert_book_is_the_account()


def test_more_than_the_account_has_is_refused(harness: BitvavoHarness) -> None:
    with pytest.raises(InsufficientBalanceError):
        harness.buy(amount="1000.01")
    harness.assert_book_is_the_account()


def test_fills_that_are_not_settled_yet_are_read_again(harness: BitvavoHarness) -> None:
    harness.engine.settling_ms = 3_000
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    assert len(harness.book.intents) == 1
    harness.resolve_for(10)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


def test_an_order_that_is_still_new_is_looked_up_until_it_is_final(harness: BitvavoHarness) -> None:
    harness.engine.fill_lag_ms = 2_000
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(10)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


# --------------------------------------------------------------------------- answers


def test_a_refused_clock_is_synced_and_the_order_sent_anew_under_a_new_id(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    harness.exchange._connection._offset_ms += 6_000
    harness.buy()
    assert len(harness.orders) == 1
    names = [json.loads(entry.query or "{}") for entry in harness.market.request_log if entry.method == "POST"]
    assert len(names) == 2
    harness.assert_book_is_the_account()


def test_a_clock_that_stays_refused_ends_the_order(harness: BitvavoHarness) -> None:
    harness.refuse(POST, 403, 304, times=-1)
    with pytest.raises(ClockRefusedError):
        harness.buy()
    harness.assert_book_is_the_account()


def test_a_question_after_a_refused_clock_is_asked_again(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    harness.exchange._connection._offset_ms -= 60_000
    assert harness.exchange.account().free["EUR"] == 1000


def test_the_window_is_five_seconds(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    harness.exchange._connection._offset_ms -= 5_000
    assert harness.exchange._connection.read("balance", is_signed=True)
    harness.exchange._connection._offset_ms -= 1
    with pytest.raises(ClockRefusedError):
        harness.exchange._connection.read("balance", is_signed=True)


@pytest.mark.parametrize("right", ["trade", "view"])
def test_a_right_that_is_missing_is_the_owners_to_give(harness: BitvavoHarness, right: str) -> None:
    harness.market.bitvavo.rights.discard(right)
    with pytest.raises(AccountTroubleError) as caught:
        harness.exchange.account() if right == "view" else harness.buy()
    assert ("310" if right == "trade" else "311") in str(caught.value)
    harness.assert_book_is_the_account()


@pytest.mark.parametrize("key", ["", "k" * 64, "short"])
def test_a_wrong_key_is_the_accounts_trouble(harness: BitvavoHarness, key: str) -> None:
    with pytest.raises(AccountTroubleError):
        harness.new_exchange(api_key=key).account()


def test_after_a_429_nothing_is_sent_before_its_reset(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    harness.market.bitvavo.weight_limit_per_minute = 0
    with pytest.raises(TemporaryError):
        harness.buy()
    asked = harness.market.requests["bitvavo"]
    harness.market.bitvavo.weight_limit_per_minute = 1000
    assert harness.exchange.quiet_reason is QuietReason.RATE_LIMIT
    assert harness.exchange.quiet_until_ms == (int(harness.clock.now().timestamp()) // 60 + 2) * 60_000
    for _ in range(3):
        with pytest.raises(TemporaryError):
            harness.exchange.prices(["ADA-EUR"])
    assert harness.market.requests["bitvavo"] == asked
    harness.wait(120)
    harness.buy()
    harness.assert_book_is_the_account()


def test_no_other_trouble_is_quiet_for_longer_than_a_minute(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    harness.fault("ticker/price", "status", status=403, body="<html>blocked</html>")
    with pytest.raises(TemporaryError):
        harness.exchange.prices(["ADA-EUR"])
    assert harness.exchange.quiet_until_ms <= harness.exchange._connection.local_ms() + 60_000
    harness.wait(60)
    assert harness.exchange.prices(["ADA-EUR"])


def test_no_redirect_is_followed(harness: BitvavoHarness) -> None:
    elsewhere = {"Location": f"{harness.url}/v2/order"}
    harness.fault(POST, "status", status=307, headers=elsewhere)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    assert [entry.path for entry in harness.market.request_log if entry.method == "POST"] == ["/v2/order"]


@pytest.mark.parametrize("seconds", [0.02, 5])
def test_an_answer_that_trickles_ends_in_time(
    harness: BitvavoHarness, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(bounded_http, "TOTAL_SECONDS", 0.5)
    harness.fault(POST, "trickle", seconds=seconds)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.market.faults.clear()
    harness.resolve_for(60, step=5)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


# --------------------------------------------------------------------------- orders in doubt

EXECUTED = [(503, 101), (503, 108), (503, 109), (503, 419), (500, 101), (502, 0), (400, 220), (500, 400)]


@pytest.mark.parametrize(("status", "code"), EXECUTED)
@pytest.mark.parametrize("dies", [False, True])
def test_an_order_behind_an_unknown_answer_is_found_and_booked_once(
    harness: BitvavoHarness, status: int, code: int, dies: bool
) -> None:
    harness.refuse(POST, status, code, after=True)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    if dies:
        harness.restart()
    harness.resolve_for(120)
    assert len(harness.orders) == 1
    assert harness.book.positions["ADA"].qty == harness.orders[0].filled
    harness.assert_book_is_the_account()


@pytest.mark.parametrize("kind", ["drop_after", "empty_200", "truncate"])
def test_an_answer_that_is_none_leaves_the_order_in_doubt(harness: BitvavoHarness, kind: str) -> None:
    harness.fault(POST, kind)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(120)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


@pytest.mark.parametrize("kind", ["drop_before", "empty_200_before"])
def test_an_order_that_never_arrived_is_given_up_within_two_minutes(harness: BitvavoHarness, kind: str) -> None:
    harness.fault(POST, kind)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    began = harness.clock.now()
    harness.resolve_for(300, step=10)
    assert 48 <= (harness.clock.now() - began).total_seconds() <= 120
    assert harness.book.capital == 1000
    harness.assert_book_is_the_account()


def test_240_alone_proves_nothing_the_lists_find_the_order(harness: BitvavoHarness) -> None:
    harness.refuse(POST, 503, 109, after=True)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    by_client_id = "clientOrderId="
    harness.refuse(by_client_id, 404, 240, times=-1)
    harness.resolve_for(120, step=5)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


def test_lists_that_lag_are_asked_twice_half_a_minute_apart(harness: BitvavoHarness) -> None:
    harness.refuse(POST, 503, 109, after=True)
    harness.engine.look_up_lag_ms = harness.engine.list_lag_ms = 40_000
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(120, step=5)
    assert len(harness.orders) == 1
    harness.assert_book_is_the_account()


@pytest.mark.parametrize("name", ["GET /v2/orders?", "GET /v2/ordersOpen", "GET /v2/trades"])
def test_while_one_list_cannot_be_had_the_order_stays_unknown(harness: BitvavoHarness, name: str) -> None:
    harness.fault(POST, "drop_before")
    harness.refuse(name, 503, 111, times=-1)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(900, step=10)
    assert harness.book.has_pending_order("ADA")
    harness.market.faults.clear()
    harness.resolve_for(120, step=10)
    harness.assert_book_is_the_account()


def test_an_equal_order_without_an_id_stops_for_the_owner(harness: BitvavoHarness) -> None:
    harness.refuse(POST, 503, 109, after=True)
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    (order,) = harness.orders
    # Somebody uses the id again: the list shows it on the newest order alone, and that one has gone from the list.
    harness.engine.orders[0] = replace(order, request=replace(order.request, client_order_id=None))
    harness.resolve_for(300, step=10)
    (name,) = harness.book.intents
    assert harness.tracker.undecidable == {name: DifferenceKind.NAMELESS_ORDER}, "not taken for absent"


@pytest.mark.parametrize(
    ("row", "is_hidden"),
    [
        ({"amountQuote": "100", "created": SENT_MS}, True),
        ({"amountQuote": "100", "created": SENT_MS - 5_001}, False),
        ({"amountQuote": "99", "created": SENT_MS}, False),
        ({"amount": "100", "created": SENT_MS}, False),  # a limit order of the owner's, for a quantity
        ({"amountQuote": "soon", "created": SENT_MS}, True),
        ({"amountQuote": "100"}, True),
        ({"amountQuote": "100", "created": SENT_MS, "operatorId": OPERATOR_ID}, True),
        ({"amountQuote": "100", "created": SENT_MS, "operatorId": OPERATOR_ID + 1}, False),  # another program's
        ({"amountQuote": "100", "created": SENT_MS, "operatorId": None}, True),
        ({"amountQuote": "100", "created": SENT_MS, "operatorId": "4712"}, True),  # no id as it should be
    ],
)
def test_a_row_without_an_id_may_be_ours_where_it_asks_for_the_same(row: dict[str, Any], *, is_hidden: bool) -> None:
    intent = replace(buy_intent(), quote_amount=D(100), quantity=None, created_ms=SENT_MS)
    assert may_be_hidden({"side": "buy", "clientOrderId": None, **row}, intent, OPERATOR_ID) is is_hidden


def test_a_row_without_an_id_may_be_ours_whoever_sent_it_where_the_operator_is_not_known() -> None:
    intent = replace(buy_intent(), quote_amount=D(100), quantity=None, created_ms=SENT_MS)
    row = {"side": "buy", "amountQuote": "100", "created": SENT_MS, "operatorId": OPERATOR_ID}
    assert may_be_hidden(row, intent, 0)


def test_a_row_of_ours_that_lacks_bitvavos_id_leaves_the_order_in_doubt(
    harness: BitvavoHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.fault(POST, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    (name,) = harness.book.intents
    monkeypatch.setattr(order_lists, "_open_orders", lambda *_: [{"clientOrderId": name, "side": "buy"}])
    harness.resolve_for(120, step=10)
    assert harness.book.has_pending_order("ADA")


def test_a_pair_that_is_gone_leaves_its_order_to_the_balances(harness: BitvavoHarness) -> None:
    harness.fault(POST, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    del harness.engine.markets["ADA-EUR"]
    (intent,) = harness.book.intents.values()
    with pytest.raises(PairGoneError):
        harness.exchange.find_order(intent)


def test_every_order_has_an_id_of_its_own(harness: BitvavoHarness) -> None:
    for code in (216, 217, 425):
        harness.refuse(POST, 400, code)
        with pytest.raises((RefusedOrderError, NotTradableNowError)):
            harness.buy()
    harness.refuse(POST, 403, 304)
    harness.buy()
    harness.buy("DOT")
    assert len({order.request.client_order_id for order in harness.orders}) == 2
    harness.assert_book_is_the_account()


# --------------------------------------------------------------------------- what turns up after all


def an_absent_order_that_executed(harness: BitvavoHarness) -> None:
    """Let an order run whose look-up and lists lag so long that it is taken for never sent."""
    harness.refuse(POST, 503, 109, after=True)
    harness.engine.look_up_lag_ms = harness.engine.list_lag_ms = 3_600_000
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(120, step=10)
    assert harness.book.intents == {}
    assert len(harness.book.absent_orders) == 1


def test_an_order_proven_absent_that_turns_up_is_booked(harness: BitvavoHarness) -> None:
    an_absent_order_that_executed(harness)
    harness.restart()
    harness.wait(3_600)
    harness.tracker.watch_absent()
    harness.resolve_for(60)
    assert harness.book.absent_orders == {}
    assert harness.tracker.doubled == {}
    harness.assert_book_is_the_account()


def test_one_that_turns_up_beside_the_order_in_its_place_is_told_and_not_booked(harness: BitvavoHarness) -> None:
    an_absent_order_that_executed(harness)
    harness.engine.look_up_lag_ms = 0
    harness.buy(amount="50")
    harness.wait(3_600)
    harness.tracker.watch_absent()
    (told,) = harness.tracker.doubled.values()
    assert all(str(order.request.client_order_id) in told for order in harness.orders)
    assert harness.book.positions["ADA"].qty == harness.orders[1].filled
    name = next(iter(harness.tracker.doubled))
    harness.tracker.note_double_told(name)
    harness.wait(86_400)
    harness.tracker.watch_absent()
    assert harness.tracker.doubled == {}
    # It was compared long ago, and `recover` takes it in all the same, as the owner was told.
    own = harness.exchange.own_orders("ADA-EUR", 0)
    (found,) = orders_unknown_to(harness.book, own, harness.exchange.now_ms())
    assert found.fill.client_order_id == name
    assert orders_unknown_to(without_told_doubles(harness.book), own, harness.exchange.now_ms()) == []


def test_one_that_turned_up_is_not_counted_by_the_comparison_too(harness: BitvavoHarness) -> None:
    an_absent_order_that_executed(harness)
    harness.wait(3_600)
    executed = harness.exchange.orders_since("ADA-EUR", 0)
    assert [order.client_order_id for order in executed] == list(harness.book.absent_orders)
    assert not [order for order in executed if _is_unknown(order, harness.book)]
    name = next(iter(harness.book.absent_orders))
    harness.store.save(replace(harness.book, left_out_purchases={name: D(100)}))  # as `resume` once counted it
    harness.tracker.watch_absent()
    assert (harness.book.absent_orders, harness.book.intents) == ({}, {})


def test_an_absent_order_whose_market_is_gone_keeps_no_other_unwatched(harness: BitvavoHarness) -> None:
    an_absent_order_that_executed(harness)
    (name, gone), *_ = harness.book.absent_orders.items()
    other = replace(gone, intent=replace(gone.intent, symbol="XYZ", pair="XYZ-EUR", client_order_id="gone"))
    harness.store.save(replace(harness.book, absent_orders={"gone": other, name: gone}))
    harness.wait(3_600)
    harness.tracker.watch_absent()
    harness.resolve_for(60)
    assert list(harness.book.absent_orders) == ["gone"]
    assert "ADA" in harness.book.positions


def test_an_absent_order_is_asked_for_five_minutes_apart_and_for_a_day(harness: BitvavoHarness) -> None:
    harness.fault(POST, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        harness.buy()
    harness.resolve_for(120, step=10)
    harness.tracker.watch_absent()
    asked = harness.market.requests["bitvavo"]
    harness.wait(299)
    harness.tracker.watch_absent()
    assert harness.market.requests["bitvavo"] == asked
    harness.wait(1)
    harness.tracker.watch_absent()
    assert harness.market.requests["bitvavo"] == asked + 1
    harness.wait(86_400)
    harness.tracker.watch_absent()
    assert harness.book.absent_orders == {}


# --------------------------------------------------------------------------- lists


def test_own_orders_are_told_with_reason_serial_and_operator(harness: BitvavoHarness) -> None:
    harness.buy()
    harness.wait(86_400)
    harness.sell()
    bought, sold = harness.exchange.own_orders("ADA-EUR")
    assert (bought.reason, sold.reason) == (OrderReason.DAILY_BUY, OrderReason.DAILY_SELL)
    assert (bought.serial, sold.serial, bought.sender) == (1, 2, OPERATOR_ID)
    assert bought.quote_amount == 100
    assert sold.quantity == harness.orders[0].filled
    assert [bought.fill.base, sold.fill.base] == [order.filled for order in harness.orders]


def test_orders_of_another_operator_are_seen_and_not_ours(harness: BitvavoHarness) -> None:
    harness.buy()
    now_ms = harness.exchange.now_ms()
    other = harness.new_exchange(operator_id=lambda: OPERATOR_ID + 1)
    assert other.own_orders("ADA-EUR") == []
    assert [one.is_own for one in other.orders_since("ADA-EUR", now_ms - 1000)] == [False]
    assert [one.is_own for one in harness.exchange.orders_since("ADA-EUR", now_ms - 1000)] == [True]
    everybody = harness.new_exchange(operator_id=lambda: 0)
    assert [one.sender for one in everybody.own_orders("ADA-EUR")] == [OPERATOR_ID]


def test_a_list_of_many_pages_is_read_whole(harness: BitvavoHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsshot.exchange.bitvavo.order_lists.ROWS_PER_PAGE", 2)
    for _ in range(5):
        harness.buy(amount="10")
        harness.wait(1)
    assert len(harness.exchange.own_orders("ADA-EUR")) == 5


def test_a_list_that_cannot_be_read_is_the_trouble_of_its_token(harness: BitvavoHarness) -> None:
    harness.exchange.server_ms()
    odd = [{"orderId": "1", "market": "ADA-EUR", "created": 1613390400000, "filledAmount": "much"}]
    harness.fault("GET /v2/orders?", "status", status=200, body=json.dumps(odd))
    with pytest.raises(OddAnswerError):
        harness.exchange.orders_since("ADA-EUR", harness.exchange.now_ms() - 1000)


def test_a_path_that_is_none_is_not_taken_for_an_unknown_order(harness: BitvavoHarness) -> None:
    harness.fault(GET_ORDER, "status", status=404, body="<html>Not found</html>")
    with pytest.raises(TemporaryError):
        harness.exchange.find_order(harness.intent())
