"""Checks that would change nothing are leapt over, and only those: a run comes to the same, to the last digit."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from builders import EXIT_RULES, D, bought_at
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from replays import ask_made_up, random_scores, write_made_up

from domain import ExitRules, Position, Reason
from replay.quiet import WIDEST
from replay.run import Outcome, run
from risk_manager import decide_exit, quiet_band, turning_points, watch

PRICES = st.decimals(min_value="0.0001", max_value="1000", places=4)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Any position: armed or not, in part sold or not, with an entry price that no decimal has."""
    entry, quantity = draw(PRICES), draw(st.sampled_from((D(1), D(3), D(7))))
    top = draw(PRICES)
    held = bought_at(str(entry), str(quantity), partial_sold=draw(st.booleans()), cost=entry)
    held = replace(held, entry_quote=entry * 10, entry_base=quantity)
    return replace(held, trailing_armed=True, max_price=top) if draw(st.booleans()) else held


@st.composite
def rules(draw: st.DrawFn) -> ExitRules:
    """Any rules that the settings allow."""
    share = st.decimals(min_value="0.01", max_value="0.99", places=2)
    multiple = st.decimals(min_value="1.01", max_value="20", places=2)
    return ExitRules(
        stop_loss_fall=draw(share),
        partial_exit_multiple=draw(multiple),
        partial_exit_share=draw(share),
        trailing_start_multiple=draw(multiple),
        trailing_fall=draw(share),
    )


@given(positions(), rules(), PRICES, st.data())
def test_within_a_band_every_check_does_the_same(
    held: Position, rules: ExitRules, price: Decimal, data: st.DataObject
) -> None:
    low, high = quiet_band(price, turning_points(held, rules), WIDEST)
    assert low <= price < high
    places = Decimal("1e-8")
    other = data.draw(st.decimals(min_value=low, max_value=high, places=20).filter(lambda one: low <= one < high))
    for one in {other, low.quantize(places) + places, high.quantize(places) - places}:
        if low <= one < high:
            assert _does(held, one, rules) == _does(held, price, rules)


def _does(held: Position, price: Decimal, rules: ExitRules) -> tuple[bool, Reason | None]:
    """Return whether a check at this price changes the position, and why it sells."""
    seen = watch(held, price, rules)
    return seen is not held, decide_exit(seen, price, rules).reason


@pytest.mark.parametrize(
    ("price", "low", "high"),
    [
        ("0.50", D("0.05"), D("0.5").next_plus()),  # at the stop-loss a check does what it does below
        ("0.51", D("0.5").next_plus(), D(2)),
        ("1.99", D("0.5").next_plus(), D(2)),
        ("2", D(2), D(3)),  # at the partial sale what it does above
        ("3", D(3), D(30)),
    ],
)
def test_a_band_reaches_from_where_one_rule_begins_to_where_the_next_does(
    price: str, low: Decimal, high: Decimal
) -> None:
    assert quiet_band(D(price), turning_points(bought_at("1"), EXIT_RULES), D(10)) == (low, high)


def test_a_price_at_the_top_is_as_quiet_as_one_below() -> None:
    armed = bought_at("1", partial_sold=True, trailing_armed=True, max_price=D(4))
    assert quiet_band(D(4), turning_points(armed, EXIT_RULES), D(10)) == (D("2.8").next_plus(), D(4).next_plus())


def _both(seed: int, *, hourly: bool, swing: float, capital: str, stop: str, partial: str) -> tuple[Outcome, Outcome]:
    with tempfile.TemporaryDirectory() as scratch:
        question = ask_made_up(
            write_made_up(Path(scratch), seed, hourly=hourly, swing=swing),
            buy_threshold="0.5",
            sell_threshold="0.45",
            stop_loss_pct=stop,
            partial_take_profit_pct=partial,
            trailing_trigger_pct="1.1",
            trailing_pct="0.05",
            big_gain_exception_pct="1.05",
            capital_initial=capital,
        )
    scores = random_scores(question, seed)
    leaping, plodding = (
        run(question.settings, question.recording, scores, *question.span, leaps=leaps) for leaps in (True, False)
    )
    return leaping, plodding


@hypothesis_settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    hourly=st.booleans(),
    swing=st.sampled_from((0.002, 0.02, 0.2)),  # the last one jumps beyond belief
    capital=st.sampled_from(("11", "12.5", "1000")),  # a position just above the smallest order, and a large one
    stop=st.sampled_from(("0.02", "0.3")),
    partial=st.sampled_from(("0.03", "0.5")),
)
def test_leaping_changes_nothing(seed: int, hourly: bool, swing: float, capital: str, stop: str, partial: str) -> None:
    leaping, plodding = _both(seed, hourly=hourly, swing=swing, capital=capital, stop=stop, partial=partial)
    assert leaping.trades_csv == plodding.trades_csv
    assert leaping.points == plodding.points
    assert leaping.skips == plodding.skips
    assert leaping.book.positions == plodding.book.positions


def test_such_runs_see_every_rule() -> None:
    reasons = set[str]()
    for seed in range(12):
        stop = ("0.02", "0.3")[seed % 2]
        leaping, _ = _both(seed, hourly=True, swing=0.02, capital="1000", stop=stop, partial="0.03")
        reasons |= {row["reason"] for row in leaping.trades}
    assert reasons == {"daily_buy", "daily_sell", "stop_loss", "partial_take_profit", "trailing_stop"}
