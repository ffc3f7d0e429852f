"""Checks that would change nothing are leapt over, and only those: a run comes to the same, to the last digit."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.simulation.check_skipping import MAX_BAND_RATIO, _outside
from marsshot.backtesting.simulation.engine import RunResult, run
from marsshot.backtesting.simulation.simulated_market import RecordedPrices
from marsshot.bot.price_feed import MAX_JUMP_FACTOR
from marsshot.core.domain import ExitRules, Position, Score
from marsshot.core.reasons import OrderReason
from risk_manager import HIGH_PRECISION, decide_exit, same_decision_band, turning_points, with_price_seen
from tests.helpers.backtest_builders import random_scores, synthetic_request, write_synthetic_bars
from tests.helpers.builders import EXIT_RULES, D, bought_at

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
    low, high = same_decision_band(price, turning_points(held, rules), MAX_BAND_RATIO)
    assert low <= price < high
    places = Decimal("1e-8")
    other = data.draw(st.decimals(min_value=low, max_value=high, places=12).filter(lambda one: low <= one < high))
    # Beside any price of the band those nearest to its ends: there roundings would show.
    near = (edge.quantize(places) + step * places for edge in (low, high) for step in (-1, 0, 1))
    for one in {other, *near}:
        if low <= one < high:
            assert _does(held, one, rules) == _does(held, price, rules)


def _does(held: Position, price: Decimal, rules: ExitRules) -> tuple[bool, OrderReason | None]:
    """Return whether a check at this price changes the position, and why it sells."""
    seen = with_price_seen(held, price, rules)
    return seen is not held, decide_exit(seen, price, rules).reason


@pytest.mark.parametrize(
    ("price", "low", "high"),
    [
        ("0.50", D("0.05"), D("0.5").next_plus(HIGH_PRECISION)),  # at the stop-loss a check does what it does below
        ("0.51", D("0.5").next_plus(HIGH_PRECISION), D(2)),
        ("1.99", D("0.5").next_plus(HIGH_PRECISION), D(2)),
        ("2", D(2), D(3)),  # at the partial sale what it does above
        ("3", D(3), D(30)),
    ],
)
def test_a_band_reaches_from_where_one_rule_begins_to_where_the_next_does(
    price: str, low: Decimal, high: Decimal
) -> None:
    assert same_decision_band(D(price), turning_points(bought_at("1"), EXIT_RULES), D(10)) == (low, high)


def test_a_price_at_the_top_is_as_quiet_as_one_below() -> None:
    armed = bought_at("1", partial_sold=True, trailing_armed=True, max_price=D(4))
    assert same_decision_band(D(4), turning_points(armed, EXIT_RULES), D(10)) == (
        D("2.8").next_plus(HIGH_PRECISION),
        D(4).next_plus(HIGH_PRECISION),
    )


def _both(
    seed: int, *, hourly: bool, swing: float, capital: str, stop: str, partial: str
) -> tuple[RunResult, RunResult]:
    with tempfile.TemporaryDirectory() as scratch:
        backtest_request = synthetic_request(
            write_synthetic_bars(Path(scratch), seed, hourly=hourly, swing=swing),
            buy_threshold="0.5",
            sell_threshold="0.45",
            stop_loss_pct=stop,
            partial_take_profit_pct=partial,
            trailing_trigger_pct="1.1",
            trailing_pct="0.05",
            big_gain_exception_pct="1.05",
            capital_initial=capital,
        )
    scores = random_scores(backtest_request, seed)
    # Of AAA only Binance tells, so a jump beyond belief has to wait for a second look.
    with patch("marsshot.backtesting.simulation.simulated_market.UNLISTED_AT_COINBASE", frozenset({"AAA"})):
        leaping, plodding = (
            run(
                backtest_request.settings,
                backtest_request.dataset,
                scores,
                *backtest_request.span,
                skip_unchanged_checks=skip_unchanged_checks,
            )
            for skip_unchanged_checks in (True, False)
        )
    return leaping, plodding


@hypothesis_settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    hourly=st.booleans(),
    swing=st.sampled_from((0.002, 0.02, 0.2, 1.0)),  # the last one jumps beyond belief
    capital=st.sampled_from(("11", "12.5", "1000")),  # a position just above the smallest order, and a large one
    stop=st.sampled_from(("0.02", "0.3", "0.99")),
    partial=st.sampled_from(("0.03", "0.5", "500")),
)
def test_leaping_changes_nothing(seed: int, hourly: bool, swing: float, capital: str, stop: str, partial: str) -> None:
    leaping, plodding = _both(seed, hourly=hourly, swing=swing, capital=capital, stop=stop, partial=partial)
    assert leaping.trades_csv == plodding.trades_csv
    assert leaping.points == plodding.points
    assert leaping.skipped_sales == plodding.skipped_sales
    assert leaping.book.positions == plodding.book.positions


def test_such_runs_see_every_rule() -> None:
    reasons = set[str]()
    for seed in range(12):
        stop = ("0.02", "0.3")[seed % 2]
        leaping, _ = _both(seed, hourly=True, swing=0.02, capital="1000", stop=stop, partial="0.03")
        reasons |= {row["reason"] for row in leaping.trades}
    assert reasons == {"daily_buy", "daily_sell", "stop_loss", "partial_take_profit", "trailing_stop"}


def test_no_two_prices_of_a_band_are_beyond_belief_after_each_other() -> None:
    low, high = same_decision_band(D(7), (), MAX_BAND_RATIO)
    assert high / low < MAX_JUMP_FACTOR


@pytest.mark.parametrize("skip_unchanged_checks", [True, False])
def test_a_jump_beyond_belief_after_a_long_quiet_waits_for_its_second_look(
    tmp_path: Path, skip_unchanged_checks: bool
) -> None:
    """The price feed measures a jump from the last check; so the check before it is made, however quiet it was."""
    write_synthetic_bars(tmp_path, 1, hourly=True)
    daily, hours = (tmp_path / "daily.csv"), (tmp_path / "intraday_1h.csv")
    daily.write_text("\n".join(_at(line, "100", 2) for line in daily.read_text().splitlines()) + "\n")
    fallen = int(datetime(2023, 1, 12, 15, tzinfo=UTC).timestamp())
    hours.write_text(
        "\n".join(
            _at(line, "5" if line.split(",")[1] >= str(fallen) else "100", 2) for line in hours.read_text().splitlines()
        )
        + "\n"
    )
    backtest_request = synthetic_request(tmp_path, sell_threshold="0.1")
    days = (date.fromordinal(backtest_request.first.toordinal() + number) for number in range(6))
    scores = DailyScores(
        {day: {"AAA": Score("AAA", D("0.9" if day == backtest_request.first else "0.5"))} for day in days}
    )
    with patch("marsshot.backtesting.simulation.simulated_market.UNLISTED_AT_COINBASE", frozenset({"AAA"})):
        trades = run(
            backtest_request.settings,
            backtest_request.dataset,
            scores,
            *backtest_request.span,
            skip_unchanged_checks=skip_unchanged_checks,
        ).trades
    assert [(row["time"], row["reason"]) for row in trades] == [
        ("2023-01-11T00:30:00Z", "daily_buy"),
        ("2023-01-12T15:05:00Z", "stop_loss"),
    ]


def _at(line: str, price: str, first: int) -> str:
    """Return a line of AAA's bars with this price in place of all four."""
    fields = line.split(",")
    if fields[0] == "AAA":
        fields[first : first + 4] = [price] * 4
    return ",".join(fields)


def test_a_price_at_the_stop_loss_itself_is_outside_the_band_above_it(tmp_path: Path) -> None:
    """To the tick: levels are not rounded on their way into ticks."""
    write_synthetic_bars(tmp_path, 1, hourly=True)
    hours = tmp_path / "intraday_1h.csv"
    hours.write_text("\n".join(_at(line, "50", 2) for line in hours.read_text().splitlines()) + "\n")
    board = RecordedPrices(synthetic_request(tmp_path).dataset)
    moment = np.array([int(datetime(2023, 1, 12, tzinfo=UTC).timestamp())])
    held = bought_at("100")
    for rules, is_outside in ((EXIT_RULES, True), (replace(EXIT_RULES, stop_loss_fall=D("0.50000001")), False)):
        band = same_decision_band(D(60), turning_points(held, rules), MAX_BAND_RATIO)
        assert _outside(band, board, "AAA", moment).tolist() == [is_outside]
