"""An order's life, over HTTP and through the real client: book, trades.csv and Binance always tell the same story."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedded_market.exchange.orders import Order
from marsshot.core.domain import Book, DailyPlan, PlannedBuy, Reason, Side
from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from positions_store import read_trades
from risk_manager import ExitDecision
from tests.helpers.trading_harness import LOOK_UP, NEW_ORDER, NO_SUCH_ORDER, TRADES, Desk, Died, open_desk

ONE = Decimal(1)
D = Decimal


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        monkeypatch.setattr("os.fsync", lambda descriptor: desk.life.step("fsync"))
        yield desk


def buy(desk: Desk, amount: str = "200", symbol: str = "ADA") -> str:
    return desk.executor.buy(symbol, D(amount), ONE)


def sell(desk: Desk, quantity: str, reason: Reason = Reason.STOP_LOSS, symbol: str = "ADA") -> str:
    return desk.executor.sell(symbol, D(quantity), reason, ONE)


# ------------------------------------------------------------------ what is sent, and what is owned afterwards


def test_a_purchase_spends_an_amount_and_a_sale_sells_a_quantity(desk: Desk) -> None:
    assert buy(desk, "200.5") == "bought"
    held = desk.book.positions["ADA"].qty
    assert sell(desk, str(held)) == "sold"
    first, second = (order.request for order in desk.orders)
    assert (first.is_buy, first.quote_quantity, first.quantity) == (True, D("200.5"), None)
    assert (second.is_buy, second.quote_quantity, second.quantity) == (False, None, held // D("0.01") * D("0.01"))
    desk.assert_agreement()


def test_a_quantity_is_floored_to_the_lot_step(desk: Desk) -> None:
    desk.give("ADA", "100.019999")
    sell(desk, "100.019999")
    assert desk.orders[0].executed_quantity == D("100.01")
    assert "ADA" not in desk.book.positions
    assert desk.book.dust == {"ADA": D("0.009999")}
    desk.assert_agreement()


def test_commission_in_the_base_asset_is_not_owned(desk: Desk) -> None:
    buy(desk)
    order = desk.orders[0]
    fee = sum((fill.commission for fill in order.fills), D(0))
    assert {fill.commission_asset for fill in order.fills} == {"ADA"}
    assert fee > 0
    assert desk.book.positions["ADA"].qty == order.executed_quantity - fee
    desk.assert_agreement()


def test_commission_in_the_quote_asset_is_taken_off_the_proceeds(desk: Desk) -> None:
    desk.give("ADA", "100")
    sell(desk, "100")
    order = desk.orders[0]
    fee = sum((fill.commission for fill in order.fills), D(0))
    assert desk.book.capital == 1000 + order.executed_quote - fee
    desk.assert_agreement()


def pay_fees_in_bnb(desk: Desk, bnb: str) -> None:
    desk.market.set_price("BNB", "100")
    desk.market.exchange.pay_fees_in_bnb = True
    desk.market.exchange.free["BNB"] += D(bnb)
    desk.owners["BNB"] += D(bnb)


def test_commission_in_bnb_leaves_the_whole_purchase(desk: Desk) -> None:
    pay_fees_in_bnb(desk, "1")
    buy(desk)
    assert desk.book.positions["ADA"].qty == desk.orders[0].executed_quantity
    assert read_trades(desk.trades_path)[0]["fee_asset"] == "BNB"
    sell(desk, str(desk.book.positions["ADA"].qty))
    desk.assert_agreement()


def test_fills_with_different_commission_assets_are_summed_by_asset(desk: Desk) -> None:
    pay_fees_in_bnb(desk, "0.004")  # enough for the first fills of a large order only
    buy(desk, "900")
    order = desk.orders[0]
    assert {fill.commission_asset for fill in order.fills} == {"ADA", "BNB"}
    in_ada = sum((fill.commission for fill in order.fills if fill.commission_asset == "ADA"), D(0))
    assert desk.book.positions["ADA"].qty == order.executed_quantity - in_ada
    assert read_trades(desk.trades_path)[0]["fee_asset"] == "ADA+BNB"
    desk.assert_agreement()


def test_several_fills_are_one_row_and_one_entry_price(desk: Desk) -> None:
    buy(desk, "900")
    order = desk.orders[0]
    assert len({fill.price for fill in order.fills}) > 1
    position = desk.book.positions["ADA"]
    assert (position.entry_quote, position.entry_base) == (order.executed_quote, order.executed_quantity)
    assert len(read_trades(desk.trades_path)) == 1
    desk.assert_agreement()


# ------------------------------------------------------------------ orders that end early


def test_a_purchase_that_expires_with_a_part_filled_books_the_part_and_orders_no_more(desk: Desk) -> None:
    desk.market.exchange.pairs["ADAUSDT"].depth = D(120)
    assert buy(desk, "200") == "bought in part"
    assert desk.orders[0].status == "EXPIRED"
    assert 0 < desk.book.positions["ADA"].qty < 121
    desk.assert_agreement()


def test_a_full_sale_that_expires_with_a_part_filled_keeps_the_rest_for_the_next_check(desk: Desk) -> None:
    desk.give("ADA", "500")
    desk.market.exchange.pairs["ADAUSDT"].depth = D(120)
    assert sell(desk, "500") == "sold in part"
    rest = desk.book.positions["ADA"]
    assert rest.qty == 500 - desk.orders[0].executed_quantity
    assert rest.exit_pending is Reason.STOP_LOSS
    desk.market.exchange.pairs["ADAUSDT"].depth = D(100_000)
    assert sell(desk, str(rest.qty)) == "sold"
    desk.assert_agreement()


def test_a_partial_sale_that_expires_with_a_part_filled_is_done(desk: Desk) -> None:
    desk.give("ADA", "500")
    desk.market.exchange.pairs["ADAUSDT"].depth = D(50)
    sell(desk, "100", Reason.PARTIAL_TAKE_PROFIT)
    position = desk.book.positions["ADA"]
    assert position.qty == 500 - desk.orders[0].executed_quantity
    assert (position.partial_sold, position.exit_pending, position.partial_left) == (True, None, None)
    desk.assert_agreement()


@pytest.mark.parametrize("reason", [Reason.STOP_LOSS, Reason.PARTIAL_TAKE_PROFIT])
def test_an_order_that_expires_with_nothing_filled_changes_nothing(desk: Desk, reason: Reason) -> None:
    desk.give("ADA", "500")
    before = desk.book
    desk.market.exchange.pairs["ADAUSDT"].depth = D(0)
    with pytest.raises(RefusedOrderError, match="EXPIRED with nothing executed"):
        sell(desk, "100", reason)
    assert desk.orders[0].status == "EXPIRED"
    assert replace(desk.book, order_serial=before.order_serial) == before
    desk.assert_agreement()


# ------------------------------------------------------------------ larger than the largest order


def test_a_purchase_above_the_largest_order_is_split(desk: Desk) -> None:
    desk.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert buy(desk, "250") == "bought"
    assert len(desk.orders) == 3
    assert sum(order.request.quote_quantity or 0 for order in desk.orders) == 250
    desk.assert_agreement()


def test_a_full_sale_above_the_largest_order_is_split(desk: Desk) -> None:
    desk.give("ADA", "250.05")
    desk.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert sell(desk, "250.05") == "sold"
    assert len(desk.orders) == 3
    assert "ADA" not in desk.book.positions
    assert not desk.book.dust
    desk.assert_agreement()


def test_a_partial_sale_above_the_largest_order_is_split_and_done_once(desk: Desk) -> None:
    desk.give("ADA", "1250")
    desk.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert sell(desk, "250", Reason.PARTIAL_TAKE_PROFIT) == "sold"
    position = desk.book.positions["ADA"]
    assert (position.qty, position.partial_sold, position.partial_left) == (D(1000), True, None)
    desk.assert_agreement()


def test_a_partial_sale_stopped_between_two_of_its_orders_goes_on_with_the_rest(desk: Desk) -> None:
    desk.give("ADA", "1250")
    desk.set_rules("ADAUSDT", max_market_quantity=D(100))
    desk.market.binance.account.on_order = desk.clock.stop
    with pytest.raises(StopRequested):
        sell(desk, "250", Reason.PARTIAL_TAKE_PROFIT)
    position = desk.book.positions["ADA"]
    assert not position.partial_sold
    assert position.partial_left == 250 - desk.orders[0].executed_quantity
    desk.assert_agreement()


def test_a_split_purchase_stops_at_the_first_order_that_runs_dry(desk: Desk) -> None:
    desk.set_rules("ADAUSDT", max_market_quantity=D(100))
    desk.market.exchange.pairs["ADAUSDT"].depth = D(50)
    assert buy(desk, "250") == "bought in part"
    assert len(desk.orders) == 1
    desk.assert_agreement()


# ------------------------------------------------------------------ smaller than the smallest order


@pytest.mark.parametrize(("symbol", "smallest"), [("ADA", "5"), ("LTC", "10")])
def test_what_is_under_the_smallest_order_stays_and_is_said_once(desk: Desk, symbol: str, smallest: str) -> None:
    just_under = D(smallest) - D("0.01")
    desk.give(symbol, str(just_under))
    for _ in range(3):
        assert sell(desk, str(just_under), symbol=symbol).startswith("left")
    assert len(desk.told.of("order.too_small")) == 1
    assert f"{smallest} USDT" in desk.told.of("order.too_small")[0]
    assert desk.book.positions[symbol].qty == just_under
    assert not desk.orders
    desk.open()
    assert sell(desk, str(just_under), symbol=symbol).startswith("left")
    assert len(desk.told.of("order.too_small")) == 1, "said once, also over a restart"


def test_a_partial_sale_that_was_too_small_is_done_when_it_has_become_large_enough(desk: Desk) -> None:
    desk.give("ADA", "20")
    assert sell(desk, "4", Reason.PARTIAL_TAKE_PROFIT).startswith("left")
    assert not desk.book.positions["ADA"].partial_sold
    desk.market.set_price("ADA", "3")
    assert desk.executor.sell("ADA", D(4), Reason.PARTIAL_TAKE_PROFIT, D(3)) == "sold"
    assert desk.book.positions["ADA"].partial_sold
    desk.assert_agreement()


def test_what_binance_finds_too_small_by_its_average_price_is_not_sent_at_every_check(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.fault(NEW_ORDER, "status", times=-1, status=400, body='{"code":-1013,"msg":"Filter failure: NOTIONAL"}')
    decision = ExitDecision(Reason.PARTIAL_TAKE_PROFIT, D(60))
    price = D("0.085")  # 60 of them are worth 5.10, the smallest order 5
    assert desk.executor.exit("ADA", decision, price) is False
    for _ in range(3):
        assert desk.executor.exit("ADA", decision, price) is True
    assert desk.requests(NEW_ORDER) == 1
    desk.market.faults.clear()
    assert desk.executor.exit("ADA", decision, D("0.0876")) is True  # 5.256: clearly large enough now
    assert desk.requests(NEW_ORDER) == 2


def test_a_stop_loss_that_binance_found_too_small_is_tried_at_every_check(desk: Desk) -> None:
    desk.give("ADA", "60")
    desk.fault(NEW_ORDER, "status", times=2, status=400, body='{"code":-1013,"msg":"Filter failure: NOTIONAL"}')
    for done in (False, False, True):
        assert desk.executor.exit("ADA", ExitDecision(Reason.STOP_LOSS, D(60)), D("0.085")) is done
    assert not desk.book.positions


# ------------------------------------------------------------------ the client order id and the intent


def test_every_order_has_an_id_of_its_own_that_binance_accepts(desk: Desk) -> None:
    desk.set_rules("ADAUSDT", max_market_quantity=D(50))
    buy(desk, "200")
    desk.open()
    buy(desk, "200", "DOT")
    sell(desk, "50")
    ids = [order.request.client_order_id or "" for order in desk.orders]
    assert len(set(ids)) == len(ids) == 7
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", one) for one in ids)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_intent_is_on_disk_before_the_order_reaches_binance(desk: Desk, side: str) -> None:
    desk.give("ADA", "100")
    seen: list[dict[str, Any]] = []
    desk.market.binance.account.on_order = lambda: seen.append(json.loads(desk.book_path.read_bytes())["intents"])
    buy(desk, "200", "DOT") if side == "buy" else sell(desk, "100")
    order = desk.orders[0]
    [intent] = [intents[order.client_order_id] for intents in seen]
    assert intent["pair"] == order.symbol
    assert intent["side"] == side.upper()
    asked = order.request.quote_quantity if side == "buy" else order.request.quantity
    assert asked == D(intent["quote_amount"] if side == "buy" else intent["quantity"])


def test_the_disk_has_the_intent_before_the_order_and_the_fill_after_it(desk: Desk) -> None:
    buy(desk)
    book_saved = ["write bot_state.json.tmp", "fsync", "replace bot_state.json", "fsync"]
    sent = desk.life.steps.index("order")
    assert desk.life.steps[sent - 4 : sent] == book_saved
    after = [step for step in desk.life.steps[sent:]]
    assert after[:2] == ["order", "order answered"]
    assert after[-7:] == [*book_saved, "append trades.csv", "fsync", "fsync"]  # the row, then the new file's name


def test_an_intent_that_the_disk_refuses_is_not_sent(desk: Desk) -> None:
    desk.disk.refuses = "bot_state.json"
    with pytest.raises(TemporaryError, match="cannot be written"):
        buy(desk)
    assert desk.requests(NEW_ORDER) == 0
    desk.disk.refuses = ""
    buy(desk)
    desk.assert_agreement()


def test_a_fill_that_the_disk_refuses_is_booked_when_there_is_room_again(desk: Desk) -> None:
    def fill_the_disk() -> None:
        desk.disk.refuses = "bot_state.json"

    desk.market.binance.account.on_order = fill_the_disk
    with pytest.raises(TemporaryError, match="cannot be written"):
        buy(desk)
    assert not desk.executor.may_trade("ADA")
    desk.settle(1)
    assert desk.book.intents
    desk.disk.refuses = ""
    desk.settle(1)
    assert len(desk.orders) == 1
    desk.assert_agreement()


def test_a_row_that_trades_csv_refuses_stays_in_the_book_until_it_is_written(desk: Desk) -> None:
    desk.disk.refuses = "trades.csv"
    buy(desk)
    assert len(desk.book.unwritten_trades) == 1
    assert desk.told.of("trades")
    desk.open()
    desk.assert_agreement()


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("status", "code", "text", "error"),
    [
        (400, -1013, "Filter failure: NOTIONAL", RefusedOrderError),
        (400, -2010, "Account has insufficient balance for requested action.", InsufficientBalanceError),
        (400, -2010, "This account may not place or cancel orders.", AccountTroubleError),
        (429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", TemporaryError),
    ],
)
def test_a_refusal_drops_the_intent_and_changes_nothing_else(
    desk: Desk, status: int, code: int, text: str, error: type[Exception]
) -> None:
    before = desk.book
    desk.fault(NEW_ORDER, "status", status=status, body=json.dumps({"code": code, "msg": text}))
    with pytest.raises(error, match=re.escape(text)):
        buy(desk)
    assert replace(desk.book, order_serial=before.order_serial) == before
    assert not desk.orders
    desk.assert_agreement()


def test_filters_are_fetched_anew_after_a_refusal(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.executor.load_rules(["ADA"])
    desk.set_rules("ADAUSDT", lot_step=D(10))
    with pytest.raises(RefusedOrderError, match="LOT_SIZE"):
        sell(desk, "99")
    assert sell(desk, "99") == "sold"
    assert desk.orders[0].executed_quantity == 90


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY"])
def test_a_pair_that_is_not_trading_is_not_tried_until_it_trades_again(desk: Desk, status: str) -> None:
    desk.market.set_status("ADAUSDT", status)
    with pytest.raises(RefusedOrderError, match=status):
        buy(desk)
    assert desk.requests(NEW_ORDER) == 0
    desk.market.set_status("ADAUSDT", "TRADING")
    assert buy(desk) == "bought"


def test_a_pair_that_binance_does_not_know_is_refused_here(desk: Desk) -> None:
    with pytest.raises(RefusedOrderError, match="NOPEUSDT"):
        buy(desk, symbol="NOPE")
    assert desk.requests(NEW_ORDER) == 0


def test_a_clock_that_binance_refuses_is_synced_and_a_new_order_with_a_new_id_sent(desk: Desk) -> None:
    desk.exchange.server_ms()
    desk.ahead_seconds = 7200  # this machine stood still, or its clock was set
    assert buy(desk) == "bought"
    assert desk.requests(NEW_ORDER) == 2
    assert desk.book.order_serial == 2
    assert desk.orders[0].client_order_id.endswith("-2")
    desk.assert_agreement()


def test_a_clock_that_is_refused_twice_is_not_tried_a_third_time(desk: Desk) -> None:
    body = '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'
    desk.fault(NEW_ORDER, "status", times=-1, status=400, body=body)
    with pytest.raises(ClockRefusedError):
        buy(desk)
    assert desk.requests(NEW_ORDER) == 2
    desk.assert_agreement()


def test_an_intent_that_waited_too_long_before_its_sending_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is suspended between the disk and the wire: the look-up would be too late for an order sent now."""
    desk.exchange.server_ms()
    save = desk.store.save

    def save_slowly(book: Book) -> None:
        save(book)
        desk.wait(11)

    monkeypatch.setattr(desk.store, "save", save_slowly)
    with pytest.raises(TemporaryError, match="stood still"):
        buy(desk)
    assert desk.requests(NEW_ORDER) == 0
    desk.assert_agreement()


# ------------------------------------------------------------------ unknown outcomes

HTML = "<html><body>Bad Gateway</body></html>"
CODE_1006 = '{"code":-1006,"msg":"An unexpected response was received from the message bus."}'
CODE_1007 = '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'
CODE_1008 = '{"code":-1008,"msg":"Server is currently overloaded with other requests."}'
UNKNOWN: list[tuple[str, dict[str, Any], bool]] = [
    ("drop_before", {}, False),
    ("drop_after", {}, True),
    ("hang_before", {"seconds": 5.0}, False),
    ("hang_after", {"seconds": 5.0}, True),
    ("status_after", {"status": 502, "body": HTML}, True),
    ("status_after", {"status": 503, "body": HTML}, True),
    ("status", {"status": 504, "body": HTML}, False),
    ("status", {"status": 500, "body": "[]"}, False),
    ("truncate", {}, True),
    ("empty_200", {}, True),
    ("empty_200_before", {}, False),
    ("status_after", {"status": 503, "body": CODE_1006}, True),
    ("status", {"status": 503, "body": CODE_1006}, False),
    ("status_after", {"status": 504, "body": CODE_1007}, True),
    ("status", {"status": 408, "body": CODE_1007}, False),
    ("status", {"status": 503, "body": CODE_1008}, False),
]
UNKNOWN_NAMES = [f"{kind}-{details.get('status', '')}" for kind, details, _ in UNKNOWN]


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("kind", "details", "executed"), UNKNOWN, ids=UNKNOWN_NAMES)
def test_an_unknown_outcome_is_looked_up_until_book_and_binance_agree(
    desk: Desk, side: str, kind: str, details: dict[str, Any], executed: bool
) -> None:
    desk.give("ADA", "100")
    desk.executor.load_rules(["ADA", "DOT"])
    desk.exchange.server_ms()
    before = desk.book
    desk.fault(NEW_ORDER, kind, **details)
    with pytest.raises(UnknownOutcomeError), desk.impatience() if "hang" in kind else nullcontext():
        buy(desk, "200", "DOT") if side == "buy" else sell(desk, "100")
    assert len(desk.orders) == executed
    assert len(desk.book.intents) == 1
    assert (desk.book.capital, desk.book.positions) == (before.capital, before.positions)
    assert not desk.executor.may_trade("DOT" if side == "buy" else "ADA")
    desk.settle(59 - 1)
    assert bool(desk.book.intents) is not executed, "found: booked; not found: too early to give it up"
    desk.settle(2)
    assert not desk.book.intents
    assert desk.requests(NEW_ORDER) == 1
    if not executed:
        assert (desk.book.capital, desk.book.positions) == (before.capital, before.positions)
    desk.assert_agreement()


@pytest.mark.parametrize(("kind", "details", "executed"), UNKNOWN, ids=UNKNOWN_NAMES)
def test_an_unknown_outcome_is_settled_by_the_next_start_as_well(
    desk: Desk, kind: str, details: dict[str, Any], executed: bool
) -> None:
    desk.executor.load_rules(["ADA"])
    desk.exchange.server_ms()
    desk.fault(NEW_ORDER, kind, **details)
    with pytest.raises(UnknownOutcomeError), desk.impatience() if "hang" in kind else nullcontext():
        buy(desk)
    desk.open()
    desk.settle()
    assert ("ADA" in desk.book.positions) is executed
    desk.assert_agreement()


@pytest.mark.parametrize("look_ups", [1, 2, 5])
def test_an_order_that_binance_does_not_know_at_first_is_found_later(desk: Desk, look_ups: int) -> None:
    desk.fault(NEW_ORDER, "drop_after")
    desk.fault(LOOK_UP, "status", times=look_ups, status=400, body=NO_SUCH_ORDER)
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    for _ in range(look_ups):
        desk.settle(10)
        assert desk.book.intents
    desk.settle(5)
    assert len(desk.orders) == 1
    desk.assert_agreement()


@pytest.mark.parametrize(("age", "kept"), [(59.999, True), (60.0, False)])
def test_an_order_that_is_not_found_is_given_up_after_sixty_seconds(desk: Desk, age: float, kept: bool) -> None:
    desk.exchange.server_ms()
    desk.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.settle(0)
    assert desk.book.intents
    desk.settle(age)
    assert bool(desk.book.intents) is kept


def test_one_look_that_does_not_find_an_order_is_not_believed(desk: Desk) -> None:
    """After an outage the first answer may come from a server that lags behind."""
    desk.exchange.server_ms()
    desk.fault(NEW_ORDER, "drop_after")
    desk.fault(LOOK_UP, "status", times=1, status=400, body=NO_SUCH_ORDER)
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.settle(600)
    assert desk.book.intents
    desk.settle(10)
    assert not desk.book.intents
    assert len(desk.orders) == 1
    desk.assert_agreement()


def test_the_age_of_an_order_is_measured_by_binances_clock(desk: Desk) -> None:
    desk.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.clock.idle(desk.clock.now().replace(hour=23))  # our own clock is set; Binance's is not
    desk.ahead_seconds = -11 * 3600 + 30
    desk.executor.settle_unknown()
    assert desk.book.intents, "30 seconds old"
    desk.ahead_seconds += 30
    desk.executor.settle_unknown()
    assert not desk.book.intents


def test_what_was_given_up_may_be_ordered_again_under_a_new_id(desk: Desk) -> None:
    desk.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    first = next(iter(desk.book.intents))
    desk.settle()
    buy(desk)
    assert desk.orders[0].client_order_id != first
    desk.assert_agreement()


def test_after_a_lost_answer_the_commission_comes_from_the_trades(desk: Desk) -> None:
    desk.fault(NEW_ORDER, "truncate")
    with pytest.raises(UnknownOutcomeError):
        buy(desk, "900")
    desk.settle(1)
    row = read_trades(desk.trades_path)[0]
    assert D(row["fee"]) == sum((fill.commission for fill in desk.orders[0].fills), D(0)) > 0
    assert row["fee_asset"] == "ADA"
    desk.assert_agreement()


def rows_of_trades(order: Order, count: int) -> str:
    rows = [
        {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "price": f"{fill.price}",
            "qty": f"{fill.quantity}",
            "quoteQty": f"{fill.value}",
            "commission": f"{fill.commission}",
            "commissionAsset": fill.commission_asset,
        }
        for fill in order.fills[:count]
    ]
    return json.dumps(rows)


@pytest.mark.parametrize("known_trades", [0, 1])
def test_while_the_trades_do_not_add_up_the_outcome_stays_unknown(desk: Desk, known_trades: int) -> None:
    desk.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(desk, "900")
    assert len(desk.orders[0].fills) > 1
    desk.fault(TRADES, "status", times=2, status=200, body=rows_of_trades(desk.orders[0], known_trades))
    for _ in range(2):
        desk.settle(40)
        assert desk.book.intents, "also when older than sixty seconds: it has executed"
    desk.settle(1)
    desk.assert_agreement()


@pytest.mark.parametrize("stops", [False, True], ids=["goes on", "is to stop"])
def test_an_answer_without_all_its_fills_is_completed_from_the_trades(desk: Desk, stops: bool) -> None:
    """A RESULT in place of FULL: it says what was executed, not what it cost."""
    desk.exchange.server_ms()
    now_ms = desk.exchange.now_ms()
    client_id = f"ms-{now_ms}-1"

    def forget_fills() -> None:
        order = desk.orders[0]
        body = {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "clientOrderId": client_id,
            "transactTime": now_ms,
            "executedQty": str(order.executed_quantity),
            "cummulativeQuoteQty": str(order.executed_quote),
            "status": "FILLED",
        }
        fault.body = json.dumps(body)
        if stops:
            desk.clock.stop()

    desk.market.binance.account.on_order = forget_fills
    fault = desk.market.faults.add(service="binance", match=NEW_ORDER, kind="status_after", status=200)
    assert buy(desk) == "bought"
    assert desk.requests(TRADES) == 1
    desk.assert_agreement()


@pytest.mark.parametrize(
    "details",
    [
        {"kind": "drop_before"},
        {"kind": "truncate"},
        {"kind": "empty_200"},
        {"kind": "status", "status": 502, "body": HTML},
        {"kind": "status", "status": 403, "body": HTML},
        {"kind": "status", "status": 429, "body": '{"code":-1003,"msg":"Too many requests."}'},
        {"kind": "status", "status": 401, "body": '{"code":-2015,"msg":"Invalid API-key, IP, or permissions."}'},
        {"kind": "status", "status": 400, "body": '{"code":-1121,"msg":"Invalid symbol."}'},
    ],
)
@pytest.mark.parametrize("request_line", [LOOK_UP, "GET /api/v3/time"])
def test_while_it_cannot_be_looked_up_the_outcome_stays_unknown(
    desk: Desk, request_line: str, details: dict[str, Any]
) -> None:
    desk.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.fault(request_line, **details)
    desk.settle(70)
    assert desk.book.intents
    assert desk.told.of("order.still_unknown")
    desk.settle(301)
    desk.assert_agreement()


@pytest.mark.parametrize(("status", "fills"), [("NEW", 0), ("PENDING_NEW", 0), ("PARTIALLY_FILLED", 1)])
def test_an_order_that_is_still_open_stays_unknown(desk: Desk, status: str, fills: int) -> None:
    exchange = desk.market.exchange
    desk.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(desk, "900")
    finished = desk.orders[0]
    done = finished.fills[:fills]
    quantity, quote = (sum((getattr(fill, name) for fill in done), D(0)) for name in ("quantity", "value"))
    exchange.remember(
        replace(finished, status=status, fills=done, executed_quantity=quantity, executed_quote=quote),
    )
    desk.settle(70)
    assert desk.book.intents
    assert not desk.book.positions
    exchange.remember(finished)
    desk.settle(10)
    desk.assert_agreement()


def test_an_order_found_expired_with_nothing_executed_is_dropped(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.market.exchange.pairs["ADAUSDT"].depth = D(0)
    desk.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        sell(desk, "100")
    desk.settle(1)
    assert desk.book.positions["ADA"].exit_pending is None
    desk.assert_agreement()


def test_one_order_in_doubt_does_not_hold_up_the_look_up_of_the_others(desk: Desk) -> None:
    desk.fault(NEW_ORDER, "drop_after", times=2)
    for symbol in ("ADA", "DOT"):
        with pytest.raises(UnknownOutcomeError):
            buy(desk, "200", symbol)
    desk.fault("symbol=ADAUSDT", "status", status=502)
    desk.settle(5)
    assert list(desk.book.positions) == ["DOT"]
    desk.settle(5)
    assert sorted(desk.book.positions) == ["ADA", "DOT"]


# ------------------------------------------------------------------ death at every step


def buy_then_sell_all(desk: Desk) -> None:
    """Do what is left of: buy ADA for 200 in two orders, sell 100 of it as the partial sale, then the rest."""
    desk.executor.settle_unknown()
    plan = desk.book.plan
    if plan is not None:
        left = plan.buys[0].left or D(0)
        if left > 0:
            desk.executor.buy("ADA", left, ONE)
        desk.store.save(replace(desk.book, plan=None))
    held = desk.book.positions.get("ADA")
    if held is not None and not held.partial_sold:
        desk.executor.sell("ADA", D(100), Reason.PARTIAL_TAKE_PROFIT, ONE)
    if held is not None:
        desk.executor.sell("ADA", desk.book.positions["ADA"].qty, Reason.SELL_ALL, ONE)


def plan_to_buy(desk: Desk) -> None:
    desk.set_rules("ADAUSDT", max_market_quantity=D(105))
    step = PlannedBuy(symbol="ADA", probability="0.9", amount=D(200), left=D(200))
    plan = DailyPlan(day=desk.clock.now().date(), buys=(step,), shared_out=True)
    desk.store.save(replace(desk.book, plan=plan))


def test_a_process_that_dies_at_any_step_is_carried_on_without_a_double_or_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # what the power does is not the point here
    with open_desk(tmp_path) as desk:
        plan_to_buy(desk)
        desk.open()
        buy_then_sell_all(desk)
        undisturbed = desk.traded()
        steps = len(desk.life.steps)
        assert undisturbed == ["BUY ADA"] * 2 + ["SELL ADA"] * 2
        desk.assert_agreement()
    for step in range(steps):
        folder = tmp_path / str(step)
        folder.mkdir()
        with open_desk(folder) as desk:
            plan_to_buy(desk)
            desk.open()
            desk.life.steps_left = step
            with pytest.raises(Died):
                buy_then_sell_all(desk)
            desk.open()
            desk.settle()
            desk.assert_agreement()
            buy_then_sell_all(desk)
            assert desk.traded() == undisturbed, f"died at step {step}"
            assert sum(order.request.quote_quantity or 0 for order in desk.orders) == 200
            desk.assert_agreement()


def test_a_process_may_die_again_while_it_looks_up_what_the_first_death_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        with open_desk(folder) as desk:
            desk.fault(NEW_ORDER, "drop_after")
            with pytest.raises(UnknownOutcomeError):
                buy(desk)
            desk.open()
            desk.life.steps_left = step
            try:
                desk.settle(5)
            except Died:
                desk.open()
                desk.settle(5)
                desk.assert_agreement()
            else:
                desk.assert_agreement()
                return
    raise AssertionError("it never came to an end")


# ------------------------------------------------------------------ balances that do not fit


def test_a_sale_of_more_than_there_is_sells_what_is_free(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.market.exchange.free["ADA"] = D("60.007")
    assert desk.executor.exit("ADA", ExitDecision(Reason.STOP_LOSS, D(100)), ONE) is False
    assert desk.orders[0].executed_quantity == D("60.00")
    assert desk.book.positions["ADA"].qty == 40
    assert "the book has 100, Binance has 60.007 free" in desk.told.of("order.short")[0]


def test_a_sale_of_what_is_not_there_at_all_keeps_the_position(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.market.exchange.free["ADA"] = D(0)
    with pytest.raises(InsufficientBalanceError):
        sell(desk, "100")
    assert desk.book.positions["ADA"].qty == 100
    assert not desk.book.intents


def test_coins_of_the_owner_are_not_sold(desk: Desk) -> None:
    desk.market.exchange.free["ADA"] += 50
    desk.owners["ADA"] += 50
    desk.give("ADA", "100")
    sell(desk, "100")
    assert desk.market.exchange.free["ADA"] == 50
    desk.assert_agreement()


# ------------------------------------------------------------------ SIGTERM


def test_a_bot_that_stops_begins_no_order(desk: Desk) -> None:
    desk.clock.stop()
    with pytest.raises(StopRequested):
        buy(desk)
    assert desk.requests(NEW_ORDER) == 0
    assert not desk.book.intents


def test_an_order_under_way_when_the_bot_stops_is_booked(desk: Desk) -> None:
    desk.market.binance.account.on_order = desk.clock.stop
    assert buy(desk) == "bought"
    desk.assert_agreement()


# ------------------------------------------------------------------ what the five-minute check gets to hear


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        ({"kind": "drop_after"}, "order.unknown"),
        ({"kind": "status", "status": 400, "body": '{"code":-1013,"msg":"Filter failure."}'}, "order.not_sold"),
        ({"kind": "status", "status": 401, "body": '{"code":-2015,"msg":"Invalid API-key."}'}, "order.account_trouble"),
        ({"kind": "status", "status": 429, "body": '{"code":-1015,"msg":"Too many new orders."}'}, "order.not_sold"),
    ],
)
def test_trouble_with_a_sale_ends_with_its_token_and_is_told(desk: Desk, fault: dict[str, Any], event: str) -> None:
    desk.give("ADA", "100")
    desk.fault(NEW_ORDER, **fault)
    assert desk.executor.exit("ADA", ExitDecision(Reason.STOP_LOSS, D(100)), ONE) is False
    assert len(desk.told.of(event)) == 1
    assert desk.book.positions["ADA"].qty == 100


def test_a_stop_is_no_trouble_with_a_sale(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.clock.stop()
    with pytest.raises(StopRequested):
        desk.executor.exit("ADA", ExitDecision(Reason.STOP_LOSS, D(100)), ONE)


def test_a_fill_is_told_with_its_reason(desk: Desk) -> None:
    desk.give("ADA", "100", "2")
    sell(desk, "100")
    [sentence] = desk.told.of("order.filled")
    assert sentence.startswith("Sold 100 ADA for 99.")
    assert "(stop-loss, -50." in sentence
    assert read_trades(desk.trades_path)[0]["side"] == Side.SELL


def test_an_order_stamped_with_a_time_to_come_is_decided_by_when_it_was_first_looked_for(desk: Desk) -> None:
    """Our clock was an hour ahead: by its stamp the order would stay in doubt for an hour and a minute."""
    desk.exchange.server_ms()
    desk.ahead_seconds = -3600
    desk.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.settle(2)
    desk.settle(59)
    assert desk.book.intents, "a minute after the first look is not over"
    desk.settle(1)
    assert not desk.book.intents
    assert desk.told.of("order.never_arrived")


def test_a_pair_that_was_unknown_is_asked_for_again_when_it_is_to_be_sold(desk: Desk) -> None:
    desk.give("ADA", "100")
    desk.executor._absent = frozenset({"ADAUSDT"})
    assert desk.executor.exit("ADA", ExitDecision(Reason.STOP_LOSS, D(100)), ONE) is True
    assert "ADA" not in desk.book.positions


def test_an_order_that_only_the_trades_know_is_not_given_up(desk: Desk) -> None:
    """The look-up lags for longer than anybody promised; what it does not find has executed all the same."""
    desk.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(desk)
    desk.fault(f"{LOOK_UP}?origClientOrderId", "status", status=400, body=NO_SUCH_ORDER, times=3)
    for seconds in (61, 2, 2):
        desk.settle(seconds)
        assert desk.book.intents
    desk.settle(2)
    assert not desk.book.intents
    desk.assert_agreement()
