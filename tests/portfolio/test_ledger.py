"""What a fill does to the book: position, capital, plan and journal change together, and nothing gets lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.amounts import floor_to_step
from marsshot.core.book import Book, Position
from marsshot.core.decisions import BOUGHT, SOLD, PlannedBuy, PlannedSell, StepOutcome, left_undone
from marsshot.core.orders import Fill, Intent
from marsshot.core.reasons import OrderReason, SkipReason
from marsshot.portfolio.ledger import (
    new_book,
    with_buy_outcome,
    with_daily_update_done,
    with_everything_for_sale,
    with_fill,
    with_intent,
    with_plan,
    with_position,
    with_sell_outcome,
    without_intent,
)
from tests.helpers.builders import NOW, NOW_MS, TODAY, D, a_book, a_fill, a_plan, a_position, buy_intent, sell_intent


def fill_of(base: str, quote: str, fees: dict[str, str] | None = None, status: str = "FILLED") -> Fill:
    return a_fill(
        base=D(base),
        quote=D(quote),
        fees={asset: D(amount) for asset, amount in (fees or {}).items()},
        status=status,
    )


def bought(book: Book, base: str, quote: str, fees: dict[str, str] | None = None) -> Book:
    return with_fill(book, buy_intent(quote_amount=D(quote)), fill_of(base, quote, fees))


def sold(book: Book, intent: Intent, base: str, quote: str, fees: dict[str, str] | None = None) -> Book:
    return with_fill(book, intent, fill_of(base, quote, fees))


def holding(**changes: object) -> Book:
    return a_book(capital=D(900), positions={"FET": a_position(**changes)})


# --------------------------------------------------------------------------- the first start, and intents


def test_a_new_book_begins_with_the_capital_and_holds_nothing() -> None:
    book = new_book("paper", "USDT", D(1000), NOW)
    assert book == a_book(started_at="2021-02-15T00:30:00Z", reconciled_ms=NOW_MS)


def test_an_intent_changes_nothing_but_the_running_number() -> None:
    intent = buy_intent()
    book = with_intent(a_book(), intent)
    assert book == a_book(intents={"ms-1": intent}, order_serial=1)
    assert book.has_pending_order("FET")
    assert not book.has_pending_order("OP")


def test_a_dropped_intent_leaves_the_others_and_never_gives_its_number_back() -> None:
    first, second = buy_intent(), buy_intent(client_order_id="ms-2", symbol="OP")
    book = without_intent(with_intent(with_intent(a_book(), first), second), first)
    assert book == a_book(intents={"ms-2": second}, order_serial=2)
    assert without_intent(book, first) == book


def test_a_fill_ends_its_own_intent_alone() -> None:
    other = buy_intent(client_order_id="ms-2", symbol="OP")
    book = with_intent(with_intent(a_book(), buy_intent()), other)
    assert with_fill(book, buy_intent(), a_fill()).intents == {"ms-2": other}


# --------------------------------------------------------------------------- buying


def test_a_purchase_becomes_a_position_and_leaves_the_capital() -> None:
    book = bought(a_book(), "80", "100")
    assert book.capital == 900
    assert book.positions["FET"] == Position(
        qty=D(80),
        entry_quote=D(100),
        entry_base=D(80),
        cost=D(100),
        max_price=D("1.25"),
        opened_at="2021-02-15T00:30:00Z",
    )


@pytest.mark.parametrize(
    ("fees", "qty", "capital"),
    [
        ({}, "100", "900"),
        ({"FET": "0.1"}, "99.9", "900"),
        ({"USDT": "0.1"}, "100", "899.9"),
        ({"BNB": "0.0002"}, "100", "900"),
        ({"FET": "0.05", "USDT": "0.02", "BNB": "0.0001"}, "99.95", "899.98"),
    ],
)
def test_a_fee_is_taken_where_the_exchange_took_it(fees: dict[str, str], qty: str, capital: str) -> None:
    book = bought(a_book(), "100", "100", fees)
    held = book.positions["FET"]
    assert (held.qty, book.capital) == (D(qty), D(capital))
    assert held.cost == 1000 - book.capital
    assert held.entry_price == 1  # fees apart


def test_a_fee_in_bnb_lessens_the_bnb_that_is_bought() -> None:
    intent = buy_intent(symbol="BNB", pair="BNBUSDT", base_asset="BNB")
    book = with_fill(a_book(), intent, fill_of("0.25", "100", {"BNB": "0.0002"}))
    assert (book.positions["BNB"].qty, book.positions["BNB"].entry_price) == (D("0.2498"), D(400))


def test_the_fee_of_a_token_that_binance_names_differently_is_found() -> None:
    book = with_fill(a_book(), buy_intent(base_asset="ASI"), fill_of("100", "100", {"ASI": "0.1"}))
    assert book.positions["FET"].qty == D("99.9")


def test_several_orders_of_one_purchase_become_one_position_with_an_exact_entry() -> None:
    book = bought(bought(a_book(), "10", "10", {"FET": "0.01"}), "20", "30", {"USDT": "0.03"})
    held = book.positions["FET"]
    assert (held.qty, held.entry_quote, held.entry_base, held.cost) == (D("29.99"), D(40), D(30), D("40.03"))
    assert held.max_price == held.entry_price == D(40) / 30
    assert book.capital == D("959.97")


def test_flags_and_top_of_a_position_outlive_a_second_order() -> None:
    book = bought(holding(trailing_armed=True, max_price=D(4), partial_sold=True, opened_at="then"), "100", "300")
    held = book.positions["FET"]
    assert (held.trailing_armed, held.max_price, held.partial_sold, held.opened_at) == (True, D(4), True, "then")


# --------------------------------------------------------------------------- the plan


def plan_book(*buys: PlannedBuy) -> Book:
    return a_book(plan=a_plan(*buys, shared_out=True))


REFUSED = left_undone(SkipReason.REFUSED, "refused")


def buy_step(symbol: str, left: str | None, amount: str = "300", outcome: StepOutcome | None = None) -> PlannedBuy:
    remaining = None if left is None else D(left)
    return PlannedBuy(symbol=symbol, probability="0.9", amount=D(amount), left=remaining, outcome=outcome)


def buys_of(book: Book) -> tuple[PlannedBuy, ...]:
    assert book.plan is not None
    return book.plan.buys


def test_a_purchase_in_several_orders_counts_down_what_is_left() -> None:
    book = plan_book(buy_step("FET", "300"), buy_step("OP", "300"))
    book = bought(book, "100", "100")
    assert buys_of(book) == (buy_step("FET", "200"), buy_step("OP", "300"))
    book = bought(book, "200", "200")
    assert buys_of(book) == (buy_step("FET", "0", outcome=BOUGHT), buy_step("OP", "300"))


def test_what_was_ordered_is_taken_off_not_what_was_spent() -> None:
    # Binance spends a little less than the amount, by the lot step.
    book = with_fill(plan_book(buy_step("FET", "300")), buy_intent(quote_amount=D(300)), fill_of("99.9", "299.7"))
    assert buys_of(book) == (buy_step("FET", "0", outcome=BOUGHT),)
    assert book.capital == D("700.3")


def test_an_order_that_ended_short_ends_the_purchase() -> None:
    expired = fill_of("10", "10", status="EXPIRED")
    book = with_fill(plan_book(buy_step("FET", "300")), buy_intent(quote_amount=D(100)), expired)
    assert buys_of(book) == (buy_step("FET", "0", outcome=BOUGHT),)


def test_a_sale_takes_nothing_off_a_purchase() -> None:
    book = replace(plan_book(buy_step("FET", "300")), positions={"FET": a_position()})
    assert sold(book, sell_intent(), "100", "100").plan == book.plan


def test_a_purchase_without_a_plan_is_booked_all_the_same() -> None:
    assert bought(a_book(), "100", "100").positions["FET"].qty == 100


def test_the_steps_of_a_plan_are_marked_by_symbol() -> None:
    plan = a_plan(buy_step("OP", None), sells=(PlannedSell(symbol="FET"), PlannedSell(symbol="ARB")))
    book = with_buy_outcome(with_sell_outcome(a_book(plan=plan), "FET", SOLD), "OP", REFUSED)
    assert book.plan is not None
    assert book.plan.sells == (PlannedSell(symbol="FET", outcome=SOLD), PlannedSell(symbol="ARB"))
    assert book.plan.buys == (buy_step("OP", None, outcome=REFUSED),)


def test_without_a_plan_there_is_nothing_to_mark() -> None:
    assert with_buy_outcome(with_sell_outcome(a_book(), "FET", SOLD), "FET", BOUGHT) == a_book()


def test_a_new_plan_notes_the_skipped_sales_in_the_same_step() -> None:
    plan = a_plan()
    book = with_plan(a_book(positions={"FET": a_position(), "OP": a_position()}), plan, frozenset({"FET"}))
    assert book.plan == plan
    assert [held.did_skip_sell_once for held in book.positions.values()] == [True, False]


def test_a_skip_is_never_taken_back() -> None:
    book = a_book(positions={"FET": a_position(did_skip_sell_once=True)})
    assert with_plan(book, a_plan(), frozenset()).positions["FET"].did_skip_sell_once


def test_a_pass_that_is_done_leaves_its_date() -> None:
    assert with_daily_update_done(a_book(plan=a_plan()), TODAY) == a_book(last_daily_update=TODAY)


# --------------------------------------------------------------------------- selling all


@pytest.mark.parametrize(("fees", "capital"), [({}, "1100"), ({"USDT": "0.2"}, "1099.8"), ({"BNB": "0.0004"}, "1100")])
def test_a_full_sale_closes_the_position_and_brings_in_the_quote(fees: dict[str, str], capital: str) -> None:
    book = sold(holding(), sell_intent(), "100", "200", fees)
    assert (book.positions, book.capital, book.dust) == ({}, D(capital), {})


@pytest.mark.parametrize(
    ("step", "closed"), [("0.1", True), ("0.06", True), ("0.05", False), ("0.01", False), ("0", False)]
)
def test_what_is_under_one_lot_step_is_dust_and_the_position_is_closed(step: str, closed: bool) -> None:
    book = sold(holding(qty=D("99.95")), sell_intent(quantity=D("99.9"), lot_step=D(step)), "99.9", "200")
    assert (book.dust == {"FET": D("0.05")}) is closed
    assert ("FET" in book.positions) is not closed


def test_dust_adds_up() -> None:
    book = replace(holding(qty=D("100.05")), dust={"FET": D("0.02"), "OP": D("0.5")})
    assert sold(book, sell_intent(), "100", "200").dust == {"FET": D("0.07"), "OP": D("0.5")}


@pytest.mark.parametrize("status", ["FILLED", "EXPIRED", "CANCELED"])
@pytest.mark.parametrize(
    "reason", [OrderReason.STOP_LOSS, OrderReason.TRAILING_STOP, OrderReason.DAILY_SELL, OrderReason.SELL_ALL]
)
def test_a_full_sale_that_fills_in_part_keeps_the_rest_for_the_next_check(reason: OrderReason, status: str) -> None:
    book = with_fill(holding(partial_sold=True), sell_intent(reason=reason), fill_of("60", "120", status=status))
    assert book.positions["FET"] == a_position(qty=D(40), cost=D(40), partial_sold=True, exit_pending=reason)
    assert book.capital == 1020


def test_a_fee_in_bnb_lessens_the_bnb_that_is_left() -> None:
    book = a_book(positions={"BNB": a_position(qty=D(10))})
    intent = sell_intent(symbol="BNB", base_asset="BNB", reason=OrderReason.PARTIAL_TAKE_PROFIT, quantity=D(2))
    assert with_fill(book, intent, fill_of("2", "8", {"BNB": "0.1"})).positions["BNB"].qty == D("7.9")


def test_more_sold_than_held_leaves_no_position_and_no_dust() -> None:
    book = sold(replace(holding(qty=D(99)), dust={"FET": D(3), "OP": D(1)}), sell_intent(), "100", "200")
    assert not book.positions
    assert book.dust == {"FET": D(3), "OP": D(1)}
    assert book.capital == 1100


def test_a_pair_without_a_lot_step_is_sold_to_the_last_bit() -> None:
    assert not sold(holding(), sell_intent(lot_step=D(0)), "100", "200").positions


def test_a_sale_of_what_the_book_does_not_hold_is_booked_as_money() -> None:
    book = sold(a_book(), sell_intent(), "100", "200")
    assert not book.positions
    assert book.capital == 1200
    assert book.unwritten_trades[0].profit == ""


def test_sell_all_marks_every_position() -> None:
    book = with_everything_for_sale(a_book(positions={"FET": a_position(), "OP": a_position(qty=D(1))}))
    assert [held.exit_pending for held in book.positions.values()] == [OrderReason.SELL_ALL] * 2


def test_a_position_is_put_in_place_or_closed() -> None:
    book = with_position(a_book(positions={"OP": a_position()}), "FET", a_position(qty=D(1)))
    assert book.positions == {"OP": a_position(), "FET": a_position(qty=D(1))}
    assert with_position(book, "FET", None).positions == {"OP": a_position()}


# --------------------------------------------------------------------------- selling a part


def partial(**changes: object) -> Intent:
    return sell_intent(**{"reason": OrderReason.PARTIAL_TAKE_PROFIT, "quantity": D(20)} | changes)


@pytest.mark.parametrize(("base", "status"), [("20", "FILLED"), ("7", "EXPIRED"), ("0.1", "EXPIRED_IN_MATCH")])
def test_a_partial_sale_is_done_even_if_only_a_part_of_it_was_filled(base: str, status: str) -> None:
    book = with_fill(holding(), partial(), fill_of(base, "40", status=status))
    rest = 100 - D(base)
    assert book.positions["FET"] == a_position(qty=rest, cost=rest, partial_sold=True)


def test_a_partial_sale_leaves_entry_and_trailing_stop_as_they_were() -> None:
    before = a_position(trailing_armed=True, max_price=D(5))
    held = with_fill(a_book(positions={"FET": before}), partial(), fill_of("20", "100")).positions["FET"]
    assert held == replace(before, qty=D(80), cost=D(80), partial_sold=True)


def test_a_partial_sale_above_the_largest_order_is_done_with_its_last_order() -> None:
    book = with_fill(holding(partial_left=D(20)), partial(quantity=D(12)), fill_of("12", "24"))
    assert book.positions["FET"] == a_position(qty=D(88), cost=D(88), partial_left=D(8))
    book = with_fill(book, partial(quantity=D(8)), fill_of("8", "16"))
    assert book.positions["FET"] == a_position(qty=D(80), cost=D(80), partial_sold=True)


def test_an_order_that_ended_short_ends_the_partial_sale() -> None:
    book = with_fill(holding(partial_left=D(20)), partial(quantity=D(12)), fill_of("5", "10", status="EXPIRED"))
    assert book.positions["FET"] == a_position(qty=D(95), cost=D(95), partial_sold=True)


def test_less_than_a_lot_step_of_a_partial_sale_is_not_sold_after_it() -> None:
    book = with_fill(holding(partial_left=D("12.05")), partial(quantity=D(12)), fill_of("12", "24"))
    assert (book.positions["FET"].partial_sold, book.positions["FET"].partial_left) == (True, None)


def test_a_partial_sale_of_all_but_dust_closes_the_position() -> None:
    book = with_fill(holding(), partial(quantity=D("99.95")), fill_of("99.95", "200"))
    assert (book.positions, book.dust) == ({}, {"FET": D("0.05")})


# --------------------------------------------------------------------------- the journal


def test_a_row_tells_what_was_traded() -> None:
    fill = a_fill(base=D(100), quote=D("250.50"), fees={"USDT": D("0.2505"), "BNB": D("0.00010")}, order_id=42)
    (row,) = with_fill(holding(), sell_intent(reason=OrderReason.TRAILING_STOP), fill).unwritten_trades
    assert (row.time, row.symbol, row.side, row.reason) == ("2021-02-15T00:30:00Z", "FET", "SELL", "trailing_stop")
    assert (row.qty, row.price, row.quote) == (D(100), D("2.505"), D("250.5"))
    assert (row.fee, row.fee_asset) == ("0.0001+0.2505", "BNB+USDT")
    assert (row.client_order_id, row.pair, row.order_id, row.status) == ("ms-1", "FETUSDT", 42, "FILLED")
    assert row.profit == "150.2495"


def test_a_purchase_has_no_profit_and_no_fee_no_asset() -> None:
    (row,) = bought(a_book(), "3", "100").unwritten_trades
    assert (row.side, row.profit, row.fee, row.fee_asset) == ("BUY", "", "", "")
    assert row.price == D("33.3333333333")


def test_rows_wait_in_order_behind_those_that_wait_already() -> None:
    book = bought(bought(a_book(), "1", "10"), "1", "20")
    assert [row.quote for row in book.unwritten_trades] == [10, 20]


def test_time_is_the_exchanges() -> None:
    book = with_fill(a_book(), buy_intent(), a_fill(time_ms=NOW_MS + 86_400_000))
    assert book.unwritten_trades[0].time == "2021-02-16T00:30:00Z"


# --------------------------------------------------------------------------- profit


def profits(book: Book) -> Decimal:
    return sum((D(row.profit) for row in book.unwritten_trades if row.profit), D(0))


def test_the_profit_is_what_came_in_less_what_it_cost() -> None:
    book = bought(a_book(), "100", "100", {"FET": "0.1"})
    book = sold(book, sell_intent(quantity=D("99.9")), "99.9", "199.8", {"USDT": "0.1998"})
    assert profits(book) == D("99.6002") == book.capital - 1000


def test_a_partial_sale_takes_its_share_of_the_cost() -> None:
    book = bought(a_book(), "100", "100", {"USDT": "0.1"})
    book = sold(book, partial(), "20", "40", {"USDT": "0.04"})
    assert profits(book) == D("19.94")  # 39.96 came in for a fifth of 100.1
    assert book.positions["FET"].cost == D("80.08")


def test_the_cost_of_dust_is_part_of_the_loss() -> None:
    book = bought(a_book(), "10", "100", {"FET": "0.01"})
    book = sold(book, sell_intent(quantity=D(9), lot_step=D(1)), "9", "90")
    assert book.positions == {}
    assert profits(book) == book.capital - 1000


# --------------------------------------------------------------------------- conservation

_STEP = D("0.01")
_AMOUNTS = st.decimals(min_value="0.5", max_value="200", places=2)
_FEES = st.fixed_dictionaries(
    {}, optional={asset: st.decimals(min_value="0.0001", max_value="0.2", places=4) for asset in ("FET", "USDT", "BNB")}
)
_TRADES = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "sell", "sell", "partial"]),
        _AMOUNTS,  # base bought
        _AMOUNTS,  # quote
        st.decimals(min_value="0.05", max_value=1, places=2),  # share of the position sold
        _FEES,
        st.sampled_from(["FILLED", "FILLED", "EXPIRED"]),
    ),
    max_size=12,
)


@given(_TRADES)
def test_nothing_gets_lost_on_the_way(
    trades: list[tuple[str, Decimal, Decimal, Decimal, dict[str, Decimal], str]],
) -> None:
    """Capital, tokens and profit add up after every trade: what flowed in, less what flowed out, is there."""
    book = a_book()
    spent, earned, received, delivered = D(0), D(0), D(0), D(0)
    count = 0
    for kind, base, quote, share, all_fees, status in trades:
        fees = {asset: fee for asset, fee in all_fees.items() if kind == "buy" or asset != "FET"}
        held = book.positions.get("FET")
        if kind == "buy":
            intent = buy_intent(quote_amount=quote)
            received += base - fees.get("FET", D(0))
            spent += quote + fees.get("USDT", D(0))
        else:
            if held is None or (base := floor_to_step(held.qty * share, _STEP)) <= 0:
                continue
            reason = OrderReason.PARTIAL_TAKE_PROFIT if kind == "partial" else OrderReason.STOP_LOSS
            intent = sell_intent(quantity=base, reason=reason, lot_step=_STEP)
            delivered += base
            earned += quote - fees.get("USDT", D(0))
        before = book
        book = with_fill(before, intent, a_fill(base=base, quote=quote, fees=fees, status=status))
        count += 1

        after = book.positions.get("FET")
        assert book.capital == 1000 - spent + earned
        assert received - delivered == (after.qty if after else 0) + book.dust.get("FET", D(0))
        left = after.cost if after else D(0)
        assert abs(profits(book) - left - (book.capital - 1000)) < D("0.00000001")
        assert after is None or (after.qty >= _STEP and after.cost > 0)
    assert len(book.unwritten_trades) == count
