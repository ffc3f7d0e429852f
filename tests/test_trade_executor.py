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
from marsshot.core.book import Book
from marsshot.core.decisions import (
    BOUGHT,
    BOUGHT_IN_PART,
    SOLD,
    SOLD_IN_PART,
    DailyPlan,
    PlannedBuy,
    StepOutcome,
    left_undone,
)
from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    NotTradableNowError,
    RefusedOrderError,
    StopRequested,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.orders import Side
from marsshot.core.reasons import OrderReason, SkipReason
from marsshot.portfolio.trades_file import read_trades
from risk_manager import ExitDecision
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import (
    NEW_ORDER,
    NO_SUCH_ORDER,
    QUERY_ORDER,
    TRADES,
    TradingHarness,
    open_trading_harness,
)

ONE = Decimal(1)
D = Decimal


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    with open_trading_harness(tmp_path) as harness:
        monkeypatch.setattr("os.fsync", lambda descriptor: harness.crash_injector.step("fsync"))
        yield harness


def buy(harness: TradingHarness, amount: str = "200", symbol: str = "ADA") -> StepOutcome:
    return harness.executor.buy(symbol, D(amount), ONE)


def sell(
    harness: TradingHarness, quantity: str, reason: OrderReason = OrderReason.STOP_LOSS, symbol: str = "ADA"
) -> StepOutcome:
    return harness.executor.sell(symbol, D(quantity), reason, ONE)


# ------------------------------------------------------------------ what is sent, and what is owned afterwards


def test_a_purchase_spends_an_amount_and_a_sale_sells_a_quantity(harness: TradingHarness) -> None:
    assert buy(harness, "200.5") == BOUGHT
    held = harness.book.positions["ADA"].qty
    assert sell(harness, str(held)) == SOLD
    first, second = (order.request for order in harness.orders)
    assert (first.is_buy, first.quote_quantity, first.quantity) == (True, D("200.5"), None)
    assert (second.is_buy, second.quote_quantity, second.quantity) == (False, None, held // D("0.01") * D("0.01"))
    harness.assert_consistent()


def test_a_quantity_is_floored_to_the_lot_step(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100.019999")
    sell(harness, "100.019999")
    assert harness.orders[0].executed_quantity == D("100.01")
    assert "ADA" not in harness.book.positions
    assert harness.book.dust == {"ADA": D("0.009999")}
    harness.assert_consistent()


def test_commission_in_the_base_asset_is_not_owned(harness: TradingHarness) -> None:
    buy(harness)
    order = harness.orders[0]
    fee = sum((fill.commission for fill in order.fills), D(0))
    assert {fill.commission_asset for fill in order.fills} == {"ADA"}
    assert fee > 0
    assert harness.book.positions["ADA"].qty == order.executed_quantity - fee
    harness.assert_consistent()


def test_commission_in_the_quote_asset_is_taken_off_the_proceeds(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    sell(harness, "100")
    order = harness.orders[0]
    fee = sum((fill.commission for fill in order.fills), D(0))
    assert harness.book.capital == 1000 + order.executed_quote - fee
    harness.assert_consistent()


def pay_fees_in_bnb(harness: TradingHarness, bnb: str) -> None:
    harness.market.set_price("BNB", "100")
    harness.market.exchange.pay_fees_in_bnb = True
    harness.market.exchange.free["BNB"] += D(bnb)
    harness.owner_balances["BNB"] += D(bnb)


def test_commission_in_bnb_leaves_the_whole_purchase(harness: TradingHarness) -> None:
    pay_fees_in_bnb(harness, "1")
    buy(harness)
    assert harness.book.positions["ADA"].qty == harness.orders[0].executed_quantity
    assert read_trades(harness.trades_path)[0].fee_asset == "BNB"
    sell(harness, str(harness.book.positions["ADA"].qty))
    harness.assert_consistent()


def test_fills_with_different_commission_assets_are_summed_by_asset(harness: TradingHarness) -> None:
    pay_fees_in_bnb(harness, "0.004")  # enough for the first fills of a large order only
    buy(harness, "900")
    order = harness.orders[0]
    assert {fill.commission_asset for fill in order.fills} == {"ADA", "BNB"}
    in_ada = sum((fill.commission for fill in order.fills if fill.commission_asset == "ADA"), D(0))
    assert harness.book.positions["ADA"].qty == order.executed_quantity - in_ada
    assert read_trades(harness.trades_path)[0].fee_asset == "ADA+BNB"
    harness.assert_consistent()


def test_several_fills_are_one_row_and_one_entry_price(harness: TradingHarness) -> None:
    buy(harness, "900")
    order = harness.orders[0]
    assert len({fill.price for fill in order.fills}) > 1
    position = harness.book.positions["ADA"]
    assert (position.entry_quote, position.entry_base) == (order.executed_quote, order.executed_quantity)
    assert len(read_trades(harness.trades_path)) == 1
    harness.assert_consistent()


# ------------------------------------------------------------------ orders that end early


def test_a_purchase_that_expires_with_a_part_filled_books_the_part_and_orders_no_more(harness: TradingHarness) -> None:
    harness.market.exchange.pairs["ADAUSDT"].depth = D(120)
    assert buy(harness, "200") == BOUGHT_IN_PART
    assert harness.orders[0].status == "EXPIRED"
    assert 0 < harness.book.positions["ADA"].qty < 121
    harness.assert_consistent()


def test_a_full_sale_that_expires_with_a_part_filled_keeps_the_rest_for_the_next_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "500")
    harness.market.exchange.pairs["ADAUSDT"].depth = D(120)
    assert sell(harness, "500") == SOLD_IN_PART
    rest = harness.book.positions["ADA"]
    assert rest.qty == 500 - harness.orders[0].executed_quantity
    assert rest.exit_pending is OrderReason.STOP_LOSS
    harness.market.exchange.pairs["ADAUSDT"].depth = D(100_000)
    assert sell(harness, str(rest.qty)) == SOLD
    harness.assert_consistent()


def test_a_partial_sale_that_expires_with_a_part_filled_is_done(harness: TradingHarness) -> None:
    harness.add_position("ADA", "500")
    harness.market.exchange.pairs["ADAUSDT"].depth = D(50)
    sell(harness, "100", OrderReason.PARTIAL_TAKE_PROFIT)
    position = harness.book.positions["ADA"]
    assert position.qty == 500 - harness.orders[0].executed_quantity
    assert (position.partial_sold, position.exit_pending, position.partial_left) == (True, None, None)
    harness.assert_consistent()


@pytest.mark.parametrize("reason", [OrderReason.STOP_LOSS, OrderReason.PARTIAL_TAKE_PROFIT])
def test_an_order_that_expires_with_nothing_filled_changes_nothing(
    harness: TradingHarness, reason: OrderReason
) -> None:
    harness.add_position("ADA", "500")
    before = harness.book
    harness.market.exchange.pairs["ADAUSDT"].depth = D(0)
    with pytest.raises(RefusedOrderError, match="EXPIRED with nothing executed"):
        sell(harness, "100", reason)
    assert harness.orders[0].status == "EXPIRED"
    assert replace(harness.book, order_serial=before.order_serial) == before
    harness.assert_consistent()


# ------------------------------------------------------------------ larger than the largest order


def test_a_purchase_above_the_largest_order_is_split(harness: TradingHarness) -> None:
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert buy(harness, "250") == BOUGHT
    assert len(harness.orders) == 3
    assert sum(order.request.quote_quantity or 0 for order in harness.orders) == 250
    harness.assert_consistent()


def test_a_full_sale_above_the_largest_order_is_split(harness: TradingHarness) -> None:
    harness.add_position("ADA", "250.05")
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert sell(harness, "250.05") == SOLD
    assert len(harness.orders) == 3
    assert "ADA" not in harness.book.positions
    assert not harness.book.dust
    harness.assert_consistent()


def test_a_partial_sale_above_the_largest_order_is_split_and_done_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "1250")
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    assert sell(harness, "250", OrderReason.PARTIAL_TAKE_PROFIT) == SOLD
    position = harness.book.positions["ADA"]
    assert (position.qty, position.partial_sold, position.partial_left) == (D(1000), True, None)
    harness.assert_consistent()


def test_a_partial_sale_stopped_between_two_of_its_orders_goes_on_with_the_rest(harness: TradingHarness) -> None:
    harness.add_position("ADA", "1250")
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    harness.market.binance.account.on_order = harness.clock.stop
    with pytest.raises(StopRequested):
        sell(harness, "250", OrderReason.PARTIAL_TAKE_PROFIT)
    position = harness.book.positions["ADA"]
    assert not position.partial_sold
    assert position.partial_left == 250 - harness.orders[0].executed_quantity
    harness.assert_consistent()


def test_a_split_purchase_stops_at_the_first_order_that_runs_dry(harness: TradingHarness) -> None:
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    harness.market.exchange.pairs["ADAUSDT"].depth = D(50)
    assert buy(harness, "250") == BOUGHT_IN_PART
    assert len(harness.orders) == 1
    harness.assert_consistent()


# ------------------------------------------------------------------ smaller than the smallest order


@pytest.mark.parametrize(("symbol", "smallest"), [("ADA", "5"), ("LTC", "10")])
def test_what_is_under_the_smallest_order_stays_and_is_said_once(
    harness: TradingHarness, symbol: str, smallest: str
) -> None:
    just_under = D(smallest) - D("0.01")
    harness.add_position(symbol, str(just_under))
    for _ in range(3):
        assert sell(harness, str(just_under), symbol=symbol) == left_undone(SkipReason.TOO_SMALL)
    assert len(harness.captured_log.of("order.too_small")) == 1
    assert f"{smallest} USDT" in harness.captured_log.of("order.too_small")[0]
    assert harness.book.positions[symbol].qty == just_under
    assert not harness.orders
    harness.open()
    assert sell(harness, str(just_under), symbol=symbol) == left_undone(SkipReason.TOO_SMALL)
    assert len(harness.captured_log.of("order.too_small")) == 1, "said once, also over a restart"


def test_a_partial_sale_that_was_too_small_is_done_when_it_has_become_large_enough(harness: TradingHarness) -> None:
    harness.add_position("ADA", "20")
    assert sell(harness, "4", OrderReason.PARTIAL_TAKE_PROFIT) == left_undone(SkipReason.TOO_SMALL)
    assert not harness.book.positions["ADA"].partial_sold
    harness.market.set_price("ADA", "3")
    assert harness.executor.sell("ADA", D(4), OrderReason.PARTIAL_TAKE_PROFIT, D(3)) == SOLD
    assert harness.book.positions["ADA"].partial_sold
    harness.assert_consistent()


def test_what_binance_finds_too_small_by_its_average_price_is_not_sent_at_every_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.fault(NEW_ORDER, "status", times=-1, status=400, body='{"code":-1013,"msg":"Filter failure: NOTIONAL"}')
    decision = ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(60))
    price = D("0.085")  # 60 of them are worth 5.10, the smallest order 5
    assert harness.executor.exit("ADA", decision, price) is False
    for _ in range(3):
        assert harness.executor.exit("ADA", decision, price) is True
    assert harness.requests(NEW_ORDER) == 1
    harness.market.faults.clear()
    assert harness.executor.exit("ADA", decision, D("0.0876")) is True  # 5.256: clearly large enough now
    assert harness.requests(NEW_ORDER) == 2


def test_a_stop_loss_that_binance_found_too_small_is_tried_at_every_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "60")
    harness.fault(NEW_ORDER, "status", times=2, status=400, body='{"code":-1013,"msg":"Filter failure: NOTIONAL"}')
    for done in (False, False, True):
        assert harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(60)), D("0.085")) is done
    assert not harness.book.positions


# ------------------------------------------------------------------ the client order id and the intent


def test_every_order_has_an_id_of_its_own_that_binance_accepts(harness: TradingHarness) -> None:
    harness.set_rules("ADAUSDT", max_market_quantity=D(50))
    buy(harness, "200")
    harness.open()
    buy(harness, "200", "DOT")
    sell(harness, "50")
    ids = [order.request.client_order_id or "" for order in harness.orders]
    assert len(set(ids)) == len(ids) == 7
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", one) for one in ids)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_intent_is_on_disk_before_the_order_reaches_binance(harness: TradingHarness, side: str) -> None:
    harness.add_position("ADA", "100")
    seen: list[dict[str, Any]] = []
    harness.market.binance.account.on_order = lambda: seen.append(json.loads(harness.book_path.read_bytes())["intents"])
    buy(harness, "200", "DOT") if side == "buy" else sell(harness, "100")
    order = harness.orders[0]
    [intent] = [intents[order.client_order_id] for intents in seen]
    assert intent["pair"] == order.symbol
    assert intent["side"] == side.upper()
    asked = order.request.quote_quantity if side == "buy" else order.request.quantity
    assert asked == D(intent["quote_amount"] if side == "buy" else intent["quantity"])


def test_the_disk_has_the_intent_before_the_order_and_the_fill_after_it(harness: TradingHarness) -> None:
    buy(harness)
    book_saved = ["write bot_state.json.tmp", "fsync", "replace bot_state.json", "fsync"]
    sent = harness.crash_injector.steps.index("order")
    assert harness.crash_injector.steps[sent - 4 : sent] == book_saved
    after = [step for step in harness.crash_injector.steps[sent:]]
    assert after[:2] == ["order", "order answered"]
    assert after[-7:] == [*book_saved, "append trades.csv", "fsync", "fsync"]  # the row, then the new file's name


def test_an_intent_that_the_disk_refuses_is_not_sent(harness: TradingHarness) -> None:
    harness.disk.failing_file = "bot_state.json"
    with pytest.raises(TemporaryError, match="cannot be written"):
        buy(harness)
    assert harness.requests(NEW_ORDER) == 0
    harness.disk.failing_file = ""
    buy(harness)
    harness.assert_consistent()


def test_a_fill_that_the_disk_refuses_is_booked_when_there_is_room_again(harness: TradingHarness) -> None:
    def fill_the_disk() -> None:
        harness.disk.failing_file = "bot_state.json"

    harness.market.binance.account.on_order = fill_the_disk
    with pytest.raises(TemporaryError, match="cannot be written"):
        buy(harness)
    assert not harness.executor.may_trade("ADA")
    harness.settle(1)
    assert harness.book.intents
    harness.disk.failing_file = ""
    harness.settle(1)
    assert len(harness.orders) == 1
    harness.assert_consistent()


def test_a_row_that_trades_csv_refuses_stays_in_the_book_until_it_is_written(harness: TradingHarness) -> None:
    harness.disk.failing_file = "trades.csv"
    buy(harness)
    assert len(harness.book.unwritten_trades) == 1
    assert harness.captured_log.of("trades")
    harness.open()
    harness.assert_consistent()


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
    harness: TradingHarness, status: int, code: int, text: str, error: type[Exception]
) -> None:
    before = harness.book
    harness.fault(NEW_ORDER, "status", status=status, body=json.dumps({"code": code, "msg": text}))
    with pytest.raises(error, match=re.escape(text)):
        buy(harness)
    assert replace(harness.book, order_serial=before.order_serial) == before
    assert not harness.orders
    harness.assert_consistent()


def test_filters_are_fetched_anew_after_a_refusal(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.executor.load_rules(["ADA"])
    harness.set_rules("ADAUSDT", lot_step=D(10))
    with pytest.raises(RefusedOrderError, match="LOT_SIZE"):
        sell(harness, "99")
    assert sell(harness, "99") == SOLD
    assert harness.orders[0].executed_quantity == 90


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY"])
def test_a_pair_that_is_not_trading_is_not_tried_until_it_trades_again(harness: TradingHarness, status: str) -> None:
    harness.market.set_status("ADAUSDT", status)
    with pytest.raises(NotTradableNowError, match=status):
        buy(harness)
    assert harness.requests(NEW_ORDER) == 0
    harness.market.set_status("ADAUSDT", "TRADING")
    assert buy(harness) == BOUGHT


def test_a_pair_that_binance_does_not_know_is_refused_here(harness: TradingHarness) -> None:
    with pytest.raises(RefusedOrderError, match="NOPEUSDT"):
        buy(harness, symbol="NOPE")
    assert harness.requests(NEW_ORDER) == 0


def test_a_clock_that_binance_refuses_is_synced_and_a_new_order_with_a_new_id_sent(harness: TradingHarness) -> None:
    harness.exchange.server_ms()
    harness.clock_ahead_seconds = 7200  # this machine stood still, or its clock was set
    assert buy(harness) == BOUGHT
    assert harness.requests(NEW_ORDER) == 2
    assert harness.book.order_serial == 2
    assert harness.orders[0].client_order_id.endswith("-2-db")
    harness.assert_consistent()


def test_a_clock_that_is_refused_twice_is_not_tried_a_third_time(harness: TradingHarness) -> None:
    body = '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'
    harness.fault(NEW_ORDER, "status", times=-1, status=400, body=body)
    with pytest.raises(ClockRefusedError):
        buy(harness)
    assert harness.requests(NEW_ORDER) == 2
    harness.assert_consistent()


def test_an_intent_that_waited_too_long_before_its_sending_is_given_up(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is suspended between the disk and the wire: the look-up would be too late for an order sent now."""
    harness.exchange.server_ms()
    save = harness.store.save

    def save_slowly(book: Book) -> None:
        save(book)
        harness.wait(11)

    monkeypatch.setattr(harness.store, "save", save_slowly)
    with pytest.raises(TemporaryError, match="stood still"):
        buy(harness)
    assert harness.requests(NEW_ORDER) == 0
    harness.assert_consistent()


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
    harness: TradingHarness, side: str, kind: str, details: dict[str, Any], executed: bool
) -> None:
    harness.add_position("ADA", "100")
    harness.executor.load_rules(["ADA", "DOT"])
    harness.exchange.server_ms()
    before = harness.book
    harness.fault(NEW_ORDER, kind, **details)
    with pytest.raises(UnknownOutcomeError), harness.short_timeouts() if "hang" in kind else nullcontext():
        buy(harness, "200", "DOT") if side == "buy" else sell(harness, "100")
    assert len(harness.orders) == executed
    assert len(harness.book.intents) == 1
    assert (harness.book.capital, harness.book.positions) == (before.capital, before.positions)
    assert not harness.executor.may_trade("DOT" if side == "buy" else "ADA")
    harness.settle(59 - 1)
    assert bool(harness.book.intents) is not executed, "found: booked; not found: too early to give it up"
    harness.settle(2)
    assert not harness.book.intents
    assert harness.requests(NEW_ORDER) == 1
    if not executed:
        assert (harness.book.capital, harness.book.positions) == (before.capital, before.positions)
    harness.assert_consistent()


@pytest.mark.parametrize(("kind", "details", "executed"), UNKNOWN, ids=UNKNOWN_NAMES)
def test_an_unknown_outcome_is_settled_by_the_next_start_as_well(
    harness: TradingHarness, kind: str, details: dict[str, Any], executed: bool
) -> None:
    harness.executor.load_rules(["ADA"])
    harness.exchange.server_ms()
    harness.fault(NEW_ORDER, kind, **details)
    with pytest.raises(UnknownOutcomeError), harness.short_timeouts() if "hang" in kind else nullcontext():
        buy(harness)
    harness.open()
    harness.settle()
    assert ("ADA" in harness.book.positions) is executed
    harness.assert_consistent()


@pytest.mark.parametrize("look_ups", [1, 2, 5])
def test_an_order_that_binance_does_not_know_at_first_is_found_later(harness: TradingHarness, look_ups: int) -> None:
    harness.fault(NEW_ORDER, "drop_after")
    harness.fault(QUERY_ORDER, "status", times=look_ups, status=400, body=NO_SUCH_ORDER)
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    for _ in range(look_ups):
        harness.settle(10)
        assert harness.book.intents
    harness.settle(5)
    assert len(harness.orders) == 1
    harness.assert_consistent()


@pytest.mark.parametrize(("age", "kept"), [(59.999, True), (60.0, False)])
def test_an_order_that_is_not_found_is_given_up_after_sixty_seconds(
    harness: TradingHarness, age: float, kept: bool
) -> None:
    harness.exchange.server_ms()
    harness.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.settle(0)
    assert harness.book.intents
    harness.settle(age)
    assert bool(harness.book.intents) is kept


def test_one_look_that_does_not_find_an_order_is_not_believed(harness: TradingHarness) -> None:
    """After an outage the first answer may come from a server that lags behind."""
    harness.exchange.server_ms()
    harness.fault(NEW_ORDER, "drop_after")
    harness.fault(QUERY_ORDER, "status", times=1, status=400, body=NO_SUCH_ORDER)
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.settle(600)
    assert harness.book.intents
    harness.settle(10)
    assert not harness.book.intents
    assert len(harness.orders) == 1
    harness.assert_consistent()


def test_the_age_of_an_order_is_measured_by_binances_clock(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.clock.idle(harness.clock.now().replace(hour=23))  # our own clock is set; Binance's is not
    harness.clock_ahead_seconds = -11 * 3600 + 30
    harness.executor.resolve_unknown()
    assert harness.book.intents, "30 seconds old"
    harness.clock_ahead_seconds += 30
    harness.executor.resolve_unknown()
    assert not harness.book.intents


def test_what_was_given_up_may_be_ordered_again_under_a_new_id(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    first = next(iter(harness.book.intents))
    harness.settle()
    buy(harness)
    assert harness.orders[0].client_order_id != first
    harness.assert_consistent()


def test_after_a_lost_answer_the_commission_comes_from_the_trades(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "truncate")
    with pytest.raises(UnknownOutcomeError):
        buy(harness, "900")
    harness.settle(1)
    row = read_trades(harness.trades_path)[0]
    assert D(row.fee) == sum((fill.commission for fill in harness.orders[0].fills), D(0)) > 0
    assert row.fee_asset == "ADA"
    harness.assert_consistent()


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
def test_while_the_trades_do_not_add_up_the_outcome_stays_unknown(harness: TradingHarness, known_trades: int) -> None:
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(harness, "900")
    assert len(harness.orders[0].fills) > 1
    harness.fault(TRADES, "status", times=2, status=200, body=rows_of_trades(harness.orders[0], known_trades))
    for _ in range(2):
        harness.settle(40)
        assert harness.book.intents, "also when older than sixty seconds: it has executed"
    harness.settle(1)
    harness.assert_consistent()


@pytest.mark.parametrize("stops", [False, True], ids=["goes on", "is to stop"])
def test_an_answer_without_all_its_fills_is_completed_from_the_trades(harness: TradingHarness, stops: bool) -> None:
    """A RESULT in place of FULL: it says what was executed, not what it cost."""
    harness.exchange.server_ms()
    now_ms = harness.exchange.now_ms()
    client_id = f"ms-{now_ms}-1-db"

    def forget_fills() -> None:
        order = harness.orders[0]
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
            harness.clock.stop()

    harness.market.binance.account.on_order = forget_fills
    fault = harness.market.faults.add(service="binance", match=NEW_ORDER, kind="status_after", status=200)
    assert buy(harness) == BOUGHT
    assert harness.requests(TRADES) == 1
    harness.assert_consistent()


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
@pytest.mark.parametrize("request_line", [QUERY_ORDER, "GET /api/v3/time"])
def test_while_it_cannot_be_looked_up_the_outcome_stays_unknown(
    harness: TradingHarness, request_line: str, details: dict[str, Any]
) -> None:
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.fault(request_line, **details)
    harness.settle(70)
    assert harness.book.intents
    is_pair_gone = "-1121" in details.get("body", "") and request_line == QUERY_ORDER
    assert len(harness.captured_log.of("order.pair_gone" if is_pair_gone else "order.still_unknown")) == 1
    harness.settle(301)
    harness.assert_consistent()


@pytest.mark.parametrize(("status", "fills"), [("NEW", 0), ("PENDING_NEW", 0), ("PARTIALLY_FILLED", 1)])
def test_an_order_that_is_still_open_stays_unknown(harness: TradingHarness, status: str, fills: int) -> None:
    exchange = harness.market.exchange
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(harness, "900")
    finished = harness.orders[0]
    done = finished.fills[:fills]
    quantity, quote = (sum((getattr(fill, name) for fill in done), D(0)) for name in ("quantity", "value"))
    exchange.record_order(
        replace(finished, status=status, fills=done, executed_quantity=quantity, executed_quote=quote),
    )
    harness.settle(70)
    assert harness.book.intents
    assert not harness.book.positions
    exchange.record_order(finished)
    harness.settle(10)
    harness.assert_consistent()


def test_an_order_found_expired_with_nothing_executed_is_dropped(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.market.exchange.pairs["ADAUSDT"].depth = D(0)
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        sell(harness, "100")
    harness.settle(1)
    assert harness.book.positions["ADA"].exit_pending is None
    harness.assert_consistent()


def test_one_order_in_doubt_does_not_hold_up_the_look_up_of_the_others(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "drop_after", times=2)
    for symbol in ("ADA", "DOT"):
        with pytest.raises(UnknownOutcomeError):
            buy(harness, "200", symbol)
    harness.fault("symbol=ADAUSDT", "status", status=502)
    harness.settle(5)
    assert list(harness.book.positions) == ["DOT"]
    harness.settle(5)
    assert sorted(harness.book.positions) == ["ADA", "DOT"]


# ------------------------------------------------------------------ death at every step


def buy_then_sell_all(harness: TradingHarness) -> None:
    """Do what is left of: buy ADA for 200 in two orders, sell 100 of it as the partial sale, then the rest."""
    harness.executor.resolve_unknown()
    plan = harness.book.plan
    if plan is not None:
        left = plan.buys[0].left or D(0)
        if left > 0:
            harness.executor.buy("ADA", left, ONE)
        harness.store.save(replace(harness.book, plan=None))
    held = harness.book.positions.get("ADA")
    if held is not None and not held.partial_sold:
        harness.executor.sell("ADA", D(100), OrderReason.PARTIAL_TAKE_PROFIT, ONE)
    if held is not None:
        harness.executor.sell("ADA", harness.book.positions["ADA"].qty, OrderReason.SELL_ALL, ONE)


def plan_to_buy(harness: TradingHarness) -> None:
    harness.set_rules("ADAUSDT", max_market_quantity=D(105))
    step = PlannedBuy(symbol="ADA", probability="0.9", amount=D(200), left=D(200))
    plan = DailyPlan(day=harness.clock.now().date(), buys=(step,), shared_out=True)
    harness.store.save(replace(harness.book, plan=plan))


def test_a_process_that_dies_at_any_step_is_carried_on_without_a_double_or_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # what the power does is not the point here
    with open_trading_harness(tmp_path) as harness:
        plan_to_buy(harness)
        harness.open()
        buy_then_sell_all(harness)
        undisturbed = harness.traded()
        steps = len(harness.crash_injector.steps)
        assert undisturbed == ["BUY ADA"] * 2 + ["SELL ADA"] * 2
        harness.assert_consistent()
    for step in range(steps):
        folder = tmp_path / str(step)
        folder.mkdir()
        with open_trading_harness(folder) as harness:
            plan_to_buy(harness)
            harness.open()
            harness.crash_injector.steps_left = step
            with pytest.raises(SimulatedCrash):
                buy_then_sell_all(harness)
            harness.open()
            harness.settle()
            harness.assert_consistent()
            buy_then_sell_all(harness)
            assert harness.traded() == undisturbed, f"died at step {step}"
            assert sum(order.request.quote_quantity or 0 for order in harness.orders) == 200
            harness.assert_consistent()


def test_a_process_may_die_again_while_it_looks_up_what_the_first_death_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        with open_trading_harness(folder) as harness:
            harness.fault(NEW_ORDER, "drop_after")
            with pytest.raises(UnknownOutcomeError):
                buy(harness)
            harness.open()
            harness.crash_injector.steps_left = step
            try:
                harness.settle(5)
            except SimulatedCrash:
                harness.open()
                harness.settle(5)
                harness.assert_consistent()
            else:
                harness.assert_consistent()
                return
    raise AssertionError("it never came to an end")


# ------------------------------------------------------------------ balances that do not fit


def test_a_sale_of_more_than_there_is_sells_what_is_free(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.market.exchange.free["ADA"] = D("60.007")
    assert harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(100)), ONE) is False
    assert harness.orders[0].executed_quantity == D("60.00")
    assert harness.book.positions["ADA"].qty == 40
    assert "the book has 100, Binance has 60.007 free" in harness.captured_log.of("order.short")[0]


def test_a_sale_of_what_is_not_there_at_all_keeps_the_position(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.market.exchange.free["ADA"] = D(0)
    with pytest.raises(InsufficientBalanceError):
        sell(harness, "100")
    assert harness.book.positions["ADA"].qty == 100
    assert not harness.book.intents


def test_coins_of_the_owner_are_not_sold(harness: TradingHarness) -> None:
    harness.market.exchange.free["ADA"] += 50
    harness.owner_balances["ADA"] += 50
    harness.add_position("ADA", "100")
    sell(harness, "100")
    assert harness.market.exchange.free["ADA"] == 50
    harness.assert_consistent()


# ------------------------------------------------------------------ SIGTERM


def test_a_bot_that_stops_begins_no_order(harness: TradingHarness) -> None:
    harness.clock.stop()
    with pytest.raises(StopRequested):
        buy(harness)
    assert harness.requests(NEW_ORDER) == 0
    assert not harness.book.intents


def test_an_order_under_way_when_the_bot_stops_is_booked(harness: TradingHarness) -> None:
    harness.market.binance.account.on_order = harness.clock.stop
    assert buy(harness) == BOUGHT
    harness.assert_consistent()


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
def test_trouble_with_a_sale_ends_with_its_token_and_is_told(
    harness: TradingHarness, fault: dict[str, Any], event: str
) -> None:
    harness.add_position("ADA", "100")
    harness.fault(NEW_ORDER, **fault)
    assert harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(100)), ONE) is False
    assert len(harness.captured_log.of(event)) == 1
    assert harness.book.positions["ADA"].qty == 100


def test_a_stop_is_no_trouble_with_a_sale(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.clock.stop()
    with pytest.raises(StopRequested):
        harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(100)), ONE)


def test_a_fill_is_told_with_its_reason(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100", "2")
    sell(harness, "100")
    [sentence] = harness.captured_log.of("order.filled")
    assert sentence.startswith("Sold 100 ADA for 99.")
    assert "(stop-loss, -50." in sentence
    assert read_trades(harness.trades_path)[0].side == Side.SELL


def test_an_order_stamped_with_a_time_to_come_is_decided_by_when_it_was_first_looked_for(
    harness: TradingHarness,
) -> None:
    """Our clock was an hour ahead: by its stamp the order would stay in doubt for an hour and a minute."""
    harness.exchange.server_ms()
    harness.clock_ahead_seconds = -3600
    harness.fault(NEW_ORDER, "drop_before")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.settle(2)
    harness.settle(59)
    assert harness.book.intents, "a minute after the first look is not over"
    harness.settle(1)
    assert not harness.book.intents
    assert harness.captured_log.of("order.never_arrived")


def test_a_pair_that_was_unknown_is_asked_for_again_when_it_is_to_be_sold(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    harness.executor._absent = frozenset({"ADAUSDT"})
    assert harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(100)), ONE) is True
    assert "ADA" not in harness.book.positions


def test_an_order_that_only_the_trades_know_is_not_given_up(harness: TradingHarness) -> None:
    """The look-up lags for longer than anybody promised; what it does not find has executed all the same."""
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        buy(harness)
    harness.fault(f"{QUERY_ORDER}?origClientOrderId", "status", status=400, body=NO_SUCH_ORDER, times=3)
    for seconds in (61, 2, 2):
        harness.settle(seconds)
        assert harness.book.intents
    harness.settle(2)
    assert not harness.book.intents
    harness.assert_consistent()
