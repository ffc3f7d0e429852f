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
from marsshot.backtesting.simulation.check_skipping import MAX_PRICE_FACTOR, PriceRanges, decision_at_all_corners
from marsshot.backtesting.simulation.engine import RunResult, run
from marsshot.backtesting.simulation.simulated_market import RecordedPrices
from marsshot.core.book import Position
from marsshot.core.exit_settings import ExitRules
from marsshot.core.moments import utc_text
from marsshot.core.reasons import OrderReason
from marsshot.core.scores import Score
from marsshot.strategy.second_look import BEYOND_BELIEF
from risk_manager import (
    ALL_EXIT_RULES,
    HOLD,
    ExitRule,
    decide_exit,
    with_price_seen,
)
from tests.helpers.backtest_builders import random_scores, synthetic_request, write_synthetic_bars
from tests.helpers.builders import EXIT_RULES, NOW, D, bought_at
from tests.helpers.exit_settings import any_exit_rules

MOMENTS = st.datetimes(datetime(2021, 2, 15), datetime(2021, 5, 1), timezones=st.just(UTC))  # noqa: DTZ001
PRICES = st.decimals(min_value="0.0001", max_value="1000", places=4)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Any position: armed or not, in part sold or not, with an entry price that no decimal has."""
    entry, quantity = draw(PRICES), draw(st.sampled_from((D(1), D(3), D(7))))
    top = draw(PRICES)
    held = bought_at(str(entry), str(quantity), partial_sold=draw(st.booleans()), cost=entry)
    held = replace(held, entry_quote=entry * 10, entry_base=quantity, opened_at=utc_text(draw(MOMENTS)))
    return replace(held, trailing_armed=True, max_price=top) if draw(st.booleans()) else held


@pytest.mark.parametrize("rule", ALL_EXIT_RULES, ids=lambda rule: rule.__name__)
@given(
    positions(), any_exit_rules(), st.lists(PRICES, min_size=3, max_size=3), st.lists(MOMENTS, min_size=3, max_size=3)
)
def test_every_rule_acts_on_one_side_of_a_price_and_from_a_moment_on(
    rule: ExitRule, held: Position, rules: ExitRules, prices: list[Decimal], moments: list[datetime]
) -> None:
    """What check-skipping rests upon: a rule that does nothing at the ends does nothing in between."""
    (low, price, high), (first, moment, last) = sorted(prices), sorted(moments)
    if not any(rule(held, one, when, rules) for one in (low, high) for when in (first, last)):
        assert rule(held, price, moment, rules) is None


@given(positions(), any_exit_rules(), st.lists(PRICES, min_size=3, max_size=3))
def test_what_is_decided_alike_at_both_ends_is_decided_at_every_price_between(
    held: Position, rules: ExitRules, prices: list[Decimal]
) -> None:
    low, price, high = sorted(prices)
    decision = decision_at_all_corners(held, (low, high), (NOW, NOW), rules)
    if decision is not None:
        assert with_price_seen(held, price, rules) is held
        assert decide_exit(held, price, NOW, rules) == decision


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        ("0.50", "1.99", "differs"),
        ("0.51", "1.99", None),
        ("0.51", "2", "differs"),
        ("0.10", "0.50", OrderReason.STOP_LOSS),
        ("2", "2.99", OrderReason.PARTIAL_TAKE_PROFIT),
        ("2", "3", "differs"),  # the trailing stop is armed
    ],
)
def test_the_ends_are_compared_to_the_last_digit(low: str, high: str, reason: OrderReason | str | None) -> None:
    decision = decision_at_all_corners(bought_at("1"), (D(low), D(high)), (NOW, NOW), EXIT_RULES)
    assert ("differs" if decision is None else decision.reason) == reason


@pytest.mark.parametrize(("high", "is_quiet"), [("4", True), ("4.01", False)])
def test_a_price_at_the_top_is_as_quiet_as_one_below(high: str, is_quiet: bool) -> None:
    armed = bought_at("1", partial_sold=True, trailing_armed=True, max_price=D(4))
    decision = decision_at_all_corners(armed, (D("2.81"), D(high)), (NOW, NOW), EXIT_RULES)
    assert (decision == HOLD) is is_quiet


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


@pytest.mark.slow
@hypothesis_settings(max_examples=10)
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


@pytest.mark.slow
def test_such_runs_see_every_rule() -> None:
    reasons = set[str]()
    for seed in range(12):
        stop = ("0.02", "0.3")[seed % 2]
        leaping, _ = _both(seed, hourly=True, swing=0.02, capital="1000", stop=stop, partial="0.03")
        reasons |= {trade.reason for trade in leaping.trades}
    assert reasons == {"daily_buy", "daily_sell", "stop_loss", "partial_take_profit", "trailing_stop"}


def test_no_two_prices_near_the_one_that_was_seen_are_beyond_belief_after_each_other() -> None:
    assert MAX_PRICE_FACTOR**2 < BEYOND_BELIEF


@pytest.mark.parametrize("skip_unchanged_checks", [True, False])
def test_a_jump_on_one_venues_word_after_a_long_quiet_waits_for_its_second_look(
    tmp_path: Path, skip_unchanged_checks: bool
) -> None:
    """The price feed measures a jump from the last check; so the check before it is made, however quiet it was."""
    write_synthetic_bars(tmp_path, 1, hourly=True)
    daily, hours = (tmp_path / "daily.csv"), (tmp_path / "intraday_1h.csv")
    daily.write_text("\n".join(_at(line, "100", 2) for line in daily.read_text().splitlines()) + "\n")
    fallen = int(datetime(2023, 1, 12, 15, tzinfo=UTC).timestamp())
    hours.write_text(
        "\n".join(
            _at(line, "15" if line.split(",")[1] >= str(fallen) else "100", 2)
            for line in hours.read_text().splitlines()
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
    assert [(utc_text(trade.time), trade.reason) for trade in trades] == [
        ("2023-01-11T00:30:00Z", "daily_buy"),
        ("2023-01-12T15:01:00Z", "stop_loss"),
    ]


def _at(line: str, price: str, first: int) -> str:
    """Return a line of AAA's bars with this price in place of all four."""
    fields = line.split(",")
    if fields[0] == "AAA":
        fields[first : first + 4] = [price] * 4
    return ",".join(fields)


def test_recorded_prices_are_looked_at_to_the_tick(tmp_path: Path) -> None:
    write_synthetic_bars(tmp_path, 1, hourly=True)
    hours = tmp_path / "intraday_1h.csv"
    hours.write_text("\n".join(_at(line, "50", 2) for line in hours.read_text().splitlines()) + "\n")
    backtest_request = synthetic_request(tmp_path)
    board = RecordedPrices(backtest_request.dataset)
    checks = np.array([int(datetime(2023, 1, 12, hour, tzinfo=UTC).timestamp()) for hour in range(3)])
    assert PriceRanges(board, "AAA", backtest_request.settings, checks).over(3) == (D(50), D(50))
