"""The five-minute check: stop-loss, partial take-profit and trailing stop, on both sides of every level."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import Position
from marsshot.core.exit_settings import ExitRules
from marsshot.core.reasons import OrderReason
from risk_manager import (
    HOLD,
    ExitDecision,
    decide_exit,
    exit_levels,
    positions_changed_by,
    update_positions_in_intraday,
    with_price_seen,
)
from tests.helpers.builders import EXIT_RULES, NOW, D, a_position, bought_at


def check(position: Position, price: str, rules: ExitRules = EXIT_RULES) -> ExitDecision:
    """One check at this price: the position sees it, then the rules decide."""
    return decide_exit(with_price_seen(position, D(price), rules), D(price), NOW, rules)


def reason_at(position: Position, price: str, rules: ExitRules = EXIT_RULES) -> OrderReason | None:
    return check(position, price, rules).reason


def after(position: Position, *prices: str) -> Position:
    """Return the position after it has seen these prices."""
    for price in prices:
        position = with_price_seen(position, D(price), EXIT_RULES)
    return position


# --------------------------------------------------------------------------- the owner's example: FET at 0.10


def test_fet_bought_at_10_cents_sells_a_fifth_when_it_has_doubled() -> None:
    assert check(bought_at("0.10"), "0.20") == ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(20))
    assert check(bought_at("0.10"), "0.1999") == HOLD


def test_fet_sells_its_fifth_once_in_its_life() -> None:
    sold = bought_at("0.10", qty="80", partial_sold=True)
    assert check(sold, "0.20") == HOLD
    assert check(sold, "0.299") == HOLD


@pytest.mark.parametrize(
    ("price", "reason"),
    [("0.2241", None), ("0.224", OrderReason.TRAILING_STOP), ("0.2239", OrderReason.TRAILING_STOP), ("0.3", None)],
)
def test_fet_armed_at_30_cents_with_its_high_at_32_is_sold_at_or_under_0_224(
    price: str, reason: OrderReason | None
) -> None:
    fet = after(bought_at("0.10", partial_sold=True), "0.30", "0.32")
    assert (fet.trailing_armed, fet.max_price) == (True, D("0.32"))
    assert reason_at(fet, price) is reason


def test_fet_is_armed_at_30_cents_and_not_before() -> None:
    assert not after(bought_at("0.10"), "0.2999").trailing_armed
    assert after(bought_at("0.10"), "0.30").trailing_armed


@pytest.mark.parametrize(
    ("price", "reason"), [("0.0501", None), ("0.05", OrderReason.STOP_LOSS), ("0.01", OrderReason.STOP_LOSS)]
)
def test_fet_is_sold_whole_at_5_cents_or_less(price: str, reason: OrderReason | None) -> None:
    decision = check(bought_at("0.10"), price)
    assert decision.reason is reason
    assert decision.quantity == (100 if reason else 0)


# --------------------------------------------------------------------------- both sides of every level


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("0.5", OrderReason.STOP_LOSS),
        ("0.500000000000000000000000000000000001", None),
        ("1.999999999999999999999999999999999999", None),
        ("2", OrderReason.PARTIAL_TAKE_PROFIT),
        ("1", None),
    ],
)
def test_a_price_at_its_level_counts_and_the_next_one_does_not(price: str, reason: OrderReason | None) -> None:
    assert reason_at(a_position(), price) is reason


def test_thresholds_are_compared_as_exact_decimals() -> None:
    # 0.30 / 0.10 is 2.9999999999999996 in binary floats, and 3 here.
    assert after(bought_at("0.10", qty="1"), "0.30").trailing_armed


@pytest.mark.parametrize(
    ("price", "reason"), [("10", OrderReason.STOP_LOSS), ("10.0000000000000000000000000001", None)]
)
def test_an_entry_price_without_end_is_not_rounded(price: str, reason: OrderReason | None) -> None:
    # 100 quote for 3 base is 33.333...; 30 % of it is 10, exactly.
    rules = replace(EXIT_RULES, stop_loss_fall=D("0.7"))
    endless = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)
    assert reason_at(endless, price, rules) is reason


@pytest.mark.parametrize(("price", "armed"), [("100", True), ("99.99999999999999999999999999999", False)])
def test_an_endless_entry_price_arms_at_its_exact_multiple(price: str, armed: bool) -> None:
    endless = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)
    assert with_price_seen(endless, D(price), EXIT_RULES).trailing_armed is armed


def test_a_threshold_with_many_digits_is_not_rounded() -> None:
    fall = D("0.50000000000000000000000000001")
    assert reason_at(a_position(), "0.499999999999999999999999999995", replace(EXIT_RULES, stop_loss_fall=fall)) is None


# --------------------------------------------------------------------------- which rule comes first


def test_a_jump_past_several_levels_arms_and_takes_the_partial_in_one_check() -> None:
    jumped = after(a_position(), "5")
    assert (jumped.trailing_armed, jumped.max_price) == (True, D(5))
    assert check(a_position(), "5") == ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(20))


def test_a_full_exit_outranks_the_partial_one() -> None:
    fallen = a_position(trailing_armed=True, max_price=D(10))
    assert check(fallen, "7") == ExitDecision(OrderReason.TRAILING_STOP, D(100))
    assert check(fallen, "7.01") == ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(20))


def test_the_stop_loss_outranks_the_trailing_stop() -> None:
    assert reason_at(a_position(trailing_armed=True, max_price=D(3)), "0.5") is OrderReason.STOP_LOSS


def test_a_full_exit_outranks_a_partial_sale_under_way() -> None:
    assert reason_at(a_position(partial_left=D(5)), "0.5") is OrderReason.STOP_LOSS


def test_the_partial_share_is_of_what_is_held() -> None:
    held = a_position(qty=D("33.3"))
    assert check(held, "2").quantity == D("6.66")
    assert check(held, "2", replace(EXIT_RULES, partial_exit_share=D("0.5"))).quantity == D("16.65")


# --------------------------------------------------------------------------- the trailing stop


def test_the_trailing_stop_stays_armed_below_three_times_the_entry() -> None:
    assert reason_at(after(a_position(partial_sold=True), "4", "2.9"), "2.81") is None
    assert reason_at(after(a_position(partial_sold=True), "4", "2.9"), "2.8") is OrderReason.TRAILING_STOP


def test_a_price_that_never_reached_its_trigger_arms_nothing() -> None:
    assert reason_at(after(a_position(partial_sold=True), "2.99"), "1") is None


def test_the_top_is_counted_from_the_arming_on_and_never_falls() -> None:
    paths = (["2"], ["2", "3"], ["3", "4"], ["4", "3"], ["4", "3", "5"])
    assert [after(a_position(), *path).max_price for path in paths] == [1, 3, 4, 4, 5]


def test_the_top_of_an_armed_position_rises_below_its_trigger_too() -> None:
    # A second order of the same purchase has raised the entry price since.
    assert after(a_position(trailing_armed=True, max_price=D(2)), "2.5").max_price == D("2.5")


def test_a_position_that_saw_nothing_new_is_the_same_object() -> None:
    quiet, armed = a_position(), a_position(trailing_armed=True, max_price=D(4))
    assert with_price_seen(quiet, D("2.99"), EXIT_RULES) is quiet
    assert with_price_seen(armed, D(4), EXIT_RULES) is armed


# --------------------------------------------------------------------------- sales under way


@pytest.mark.parametrize("price", ["0.1", "1", "2", "9"])
def test_what_is_left_of_a_full_sale_goes_at_the_next_check_whatever_the_price(price: str) -> None:
    rest = a_position(qty=D(40), exit_pending=OrderReason.TRAILING_STOP)
    assert check(rest, price) == ExitDecision(OrderReason.TRAILING_STOP, D(40))
    assert check(rest, price).is_full


def test_what_is_left_of_a_partial_sale_above_the_largest_order_goes_on() -> None:
    assert check(a_position(partial_left=D(5)), "1.5") == ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(5))
    assert check(a_position(qty=D(3), partial_left=D(5)), "1.5") == ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, D(3))


@pytest.mark.parametrize(
    ("reason", "full"),
    [(reason, reason is not OrderReason.PARTIAL_TAKE_PROFIT) for reason in OrderReason if "buy" not in reason],
)
def test_only_the_partial_sale_is_not_full(reason: OrderReason, full: bool) -> None:
    assert ExitDecision(reason, D(1)).is_full is full
    assert not HOLD.is_full


# --------------------------------------------------------------------------- any path of prices

_PRICES = st.lists(st.decimals(min_value="0.01", max_value="12", places=2), min_size=1, max_size=40)
_RULES = st.builds(
    ExitRules,
    stop_loss_fall=st.decimals(min_value="0.05", max_value="0.95", places=2),
    partial_exit_multiple=st.decimals(min_value="1.05", max_value="4", places=2),
    partial_exit_share=st.decimals(min_value="0.05", max_value="0.95", places=2),
    trailing_start_multiple=st.decimals(min_value="1.05", max_value="5", places=2),
    trailing_fall=st.decimals(min_value="0.05", max_value="0.95", places=2),
)
_ENTRIES = st.tuples(
    st.decimals(min_value="0.5", max_value="500", places=2), st.decimals(min_value="0.5", max_value="300", places=1)
)


@given(path=_PRICES, rules=st.just(EXIT_RULES) | _RULES, entry=st.just((D(100), D(100))) | _ENTRIES)
def test_the_rules_hold_on_any_path_of_prices(
    path: list[Decimal], rules: ExitRules, entry: tuple[Decimal, Decimal]
) -> None:
    """An oracle in fractions says at each check what the contract wants; every sale is filled as decided."""
    quote, base = entry
    held: Position | None = a_position(qty=base, entry_quote=quote, entry_base=base, max_price=quote / base)
    entry_price = Fraction(quote) / Fraction(base)
    top: Fraction | None = None  # the highest price seen at a check since the stop was armed
    partials = 0
    for price in path:
        assert held is not None
        seen = with_price_seen(held, price, rules)
        decision = decide_exit(seen, price, NOW, rules)
        ratio = Fraction(price) / entry_price
        if top is not None or ratio >= Fraction(rules.trailing_start_multiple):
            top = max(top or Fraction(0), Fraction(price))
        stop_loss = ratio <= 1 - Fraction(rules.stop_loss_fall)
        trailing = top is not None and Fraction(price) <= top * (1 - Fraction(rules.trailing_fall))
        partial = ratio >= Fraction(rules.partial_exit_multiple) and not partials

        assert seen.max_price >= held.max_price
        assert (decision.reason is OrderReason.STOP_LOSS) == stop_loss
        assert (decision.reason is OrderReason.TRAILING_STOP) == (trailing and not stop_loss)
        assert (decision.reason is OrderReason.PARTIAL_TAKE_PROFIT) == (partial and not trailing and not stop_loss)
        assert 0 <= decision.quantity <= held.qty
        if decision.is_full:
            assert decision.quantity == held.qty
            held = None
            break
        if decision.reason is not None:
            assert decision.quantity == held.qty * rules.partial_exit_share
            partials += 1
            seen = replace(seen, qty=seen.qty - decision.quantity, partial_sold=True)
        held = seen
    assert partials <= 1


# --------------------------------------------------------------------------- the check over all positions


class FakeExecutor:
    """Sells as told. Refuses the tokens it is told to; others may still have an order under way."""

    def __init__(
        self,
        held: Mapping[str, Position],
        *,
        refused: Collection[str] = (),
        undecided: Collection[str] = (),
    ) -> None:
        self.held = dict(held)
        self.refused = refused
        self.undecided = undecided
        self.asked: list[tuple[str, OrderReason | None, Decimal]] = []

    def positions(self) -> Mapping[str, Position]:
        return self.held

    def may_trade(self, symbol: str) -> bool:
        return symbol not in self.undecided

    def exit(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        self.asked.append((symbol, decision.reason, decision.quantity))
        if symbol in self.refused:
            return False
        held = self.held.pop(symbol)
        if not decision.is_full:
            self.held[symbol] = replace(held, qty=held.qty - decision.quantity, partial_sold=True)
        return True


def prices(**of: str) -> dict[str, Decimal]:
    return {symbol: D(price) for symbol, price in of.items()}


def test_each_position_is_checked_at_its_own_price() -> None:
    executor = FakeExecutor({"FET": a_position(), "OP": a_position(), "ARB": a_position()})
    assert update_positions_in_intraday(prices(FET="0.5", OP="2", ARB="1"), EXIT_RULES, NOW, executor) == []
    assert executor.asked == [("FET", OrderReason.STOP_LOSS, D(100)), ("OP", OrderReason.PARTIAL_TAKE_PROFIT, D(20))]
    assert executor.held == {"OP": a_position(qty=D(80), partial_sold=True), "ARB": a_position()}


def test_one_tokens_trouble_never_stops_the_others() -> None:
    executor = FakeExecutor({"FET": a_position(), "OP": a_position()}, refused={"FET"})
    assert update_positions_in_intraday(prices(FET="0.5", OP="0.5"), EXIT_RULES, NOW, executor) == ["FET"]
    assert executor.held == {"FET": a_position()}


def test_a_sale_that_failed_is_tried_again_at_the_next_check() -> None:
    executor = FakeExecutor({"FET": a_position()}, refused={"FET"})
    for _ in range(2):
        update_positions_in_intraday(prices(FET="2"), EXIT_RULES, NOW, executor)
    assert executor.asked == [("FET", OrderReason.PARTIAL_TAKE_PROFIT, D(20))] * 2
    assert not executor.held["FET"].partial_sold


def test_a_token_without_a_price_is_left_alone() -> None:
    falling = a_position(exit_pending=OrderReason.STOP_LOSS)
    executor = FakeExecutor({"FET": falling, "OP": a_position()})
    assert update_positions_in_intraday(prices(OP="0.5"), EXIT_RULES, NOW, executor) == []
    assert executor.held == {"FET": falling}


def test_a_token_whose_order_is_not_decided_is_left_alone() -> None:
    executor = FakeExecutor({"FET": a_position()}, undecided={"FET"})
    assert update_positions_in_intraday(prices(FET="0.5"), EXIT_RULES, NOW, executor) == []
    assert (executor.asked, executor.held) == ([], {"FET": a_position()})


def test_what_a_look_changes_is_returned_for_the_round_to_save() -> None:
    held = {"FET": a_position(), "OP": a_position(), "ARB": a_position(trailing_armed=True, max_price=D(4))}
    armed = a_position(trailing_armed=True, max_price=D(5))
    assert positions_changed_by(prices(FET="5", OP="2.99", ARB="4", DOT="5"), held, EXIT_RULES) == {"FET": armed}


def test_what_a_look_changes_stands_in_the_order_of_the_prices() -> None:
    symbols = [f"T{number}" for number in range(50)]
    held = {symbol: a_position() for symbol in reversed(symbols)}
    assert list(positions_changed_by(dict.fromkeys(symbols, D(5)), held, EXIT_RULES)) == symbols


def test_a_position_is_checked_as_it_is_after_this_price_though_nothing_was_saved() -> None:
    rules = replace(EXIT_RULES, trailing_start_multiple=D("0.6"), trailing_fall=D("0.01"))
    executor = FakeExecutor({"FET": a_position(trailing_armed=True, max_price=D("0.5"))})
    assert update_positions_in_intraday(prices(FET="0.9"), rules, NOW, executor) == []
    assert executor.asked == [], "0.9 is the top by now, and no fall from it"


def test_a_price_of_a_token_that_is_not_held_sells_nothing() -> None:
    executor = FakeExecutor({})
    assert update_positions_in_intraday(prices(FET="0.5"), EXIT_RULES, NOW, executor) == []
    assert executor.asked == []


# --------------------------------------------------------------------------- where the rules act, for people


def test_the_levels_of_a_new_position() -> None:
    levels = exit_levels(bought_at("0.10"), EXIT_RULES)
    assert (levels.stop_loss, levels.partial_exit) == (D("0.05"), D("0.2"))
    assert (levels.trailing_start, levels.trailing_stop) == (D("0.3"), None)


def test_the_levels_of_a_position_in_the_middle_of_its_life() -> None:
    levels = exit_levels(bought_at("0.10", trailing_armed=True, max_price=D("0.32"), partial_sold=True), EXIT_RULES)
    assert (levels.partial_exit, levels.trailing_start, levels.trailing_stop) == (None, None, D("0.224"))


@pytest.mark.parametrize("changes", [{}, {"trailing_armed": True, "max_price": D("0.32")}])
def test_at_each_level_the_rules_act_and_just_before_it_they_do_not(changes: dict[str, Any]) -> None:
    held = bought_at("0.10", **changes)
    levels = exit_levels(held, EXIT_RULES)
    just = D("0.000001")
    assert check(held, str(levels.stop_loss)).reason is OrderReason.STOP_LOSS
    if levels.trailing_stop is not None:
        assert check(held, str(levels.trailing_stop)).reason is OrderReason.TRAILING_STOP
        assert check(held, str(levels.trailing_stop + just)).reason is not OrderReason.TRAILING_STOP
    else:
        assert levels.partial_exit is not None
        assert levels.trailing_start is not None
        assert check(held, str(levels.stop_loss + just)) == HOLD
        assert check(held, str(levels.partial_exit)).reason is OrderReason.PARTIAL_TAKE_PROFIT
        assert check(held, str(levels.partial_exit - just)) == HOLD
        assert with_price_seen(held, levels.trailing_start, EXIT_RULES).trailing_armed
        assert not with_price_seen(held, levels.trailing_start - just, EXIT_RULES).trailing_armed
