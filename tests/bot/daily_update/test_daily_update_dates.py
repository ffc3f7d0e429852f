"""Whose clock a daily update goes by, and to which date it belongs when midnight passes over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from marsshot.bot.daily_update.updater import Progress
from marsshot.core.decisions import DailyPlan, PlannedBuy
from marsshot.core.scores import Scoring
from marsshot.strategy.daily_plan import may_plan_go_on
from tests.helpers.builders import NOW, TODAY
from tests.helpers.trading_harness import NOON, StubScores, TradingHarness, open_trading_harness

MIDNIGHT = NOON.replace(hour=0) + timedelta(days=1)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path) as harness:
        yield harness


# --------------------------------------------------------------------------- the clock


@pytest.mark.parametrize("seconds", [-62.0, 62.0])
def test_a_clock_more_than_a_minute_off_makes_no_daily_update_and_is_tried_again_in_ten_minutes(
    harness: TradingHarness, seconds: float
) -> None:
    harness.clock_ahead_seconds = seconds
    scores = StubScores(harness.clock, ADA="0.9")
    bot = harness.bot(scores)
    assert bot.daily_update() is Progress.LATER
    assert scores.asked == []
    assert harness.orders == []
    told = harness.captured_log.of("daily.later")[0]
    assert ("behind" if seconds > 0 else "ahead") in told
    assert bot.daily_updater.not_before == harness.clock.now() + timedelta(minutes=10)

    harness.clock_ahead_seconds = 0.0
    harness.wait(600)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA"]


@pytest.mark.parametrize("seconds", [-58.0, 58.0])
def test_a_clock_less_than_a_minute_off_is_good_enough(harness: TradingHarness, seconds: float) -> None:
    harness.clock_ahead_seconds = seconds
    assert harness.bot(StubScores(harness.clock, ADA="0.9")).daily_update() is Progress.DONE


def test_exits_go_on_by_a_clock_that_is_wrong(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="4")
    harness.clock_ahead_seconds = -2400.0
    bot = harness.bot(StubScores(harness.clock))
    bot.start()
    assert "ahead" in harness.captured_log.of("clock.wrong")[0]
    bot.cycle()
    assert harness.traded() == ["SELL ADA"]


# --------------------------------------------------------------------------- midnight


@pytest.mark.parametrize(
    ("plan_day", "now", "goes_on"),
    [
        (TODAY, NOW, True),
        (TODAY, datetime(2021, 2, 15, 0, 0, tzinfo=NOW.tzinfo), True),
        (TODAY, datetime(2021, 2, 16, 0, 29, 59, tzinfo=NOW.tzinfo), True),
        (TODAY, datetime(2021, 2, 16, 0, 30, tzinfo=NOW.tzinfo), False),
        (TODAY, datetime(2021, 2, 17, 0, 10, tzinfo=NOW.tzinfo), False),
        (date(2021, 2, 16), NOW, False),
    ],
)
def test_a_plan_goes_on_past_midnight_until_the_next_update_is_due(
    plan_day: date, now: datetime, goes_on: bool
) -> None:
    assert may_plan_go_on(plan_day, now, 0, 30) is goes_on


def test_a_plan_that_midnight_interrupts_is_finished_for_its_date(harness: TradingHarness) -> None:
    day = NOON.date()
    harness.store.save(
        replace(harness.book, plan=DailyPlan(day=day, buys=(PlannedBuy(symbol="ADA", probability="1"),)))
    )
    bot = harness.bot(StubScores(harness.clock))
    harness.clock.idle(MIDNIGHT + timedelta(minutes=10))
    bot.cycle()
    assert harness.traded() == ["BUY ADA"]
    assert harness.book.last_daily_update == day
    assert harness.captured_log.of("daily.dropped") == []
    assert not bot.daily_is_due()


class SlowScores(StubScores):
    """Begun before midnight, there after it; the last answer came at `last_answer`."""

    last_answer: date

    def __call__(self, symbols: object, settings: object) -> Scoring | None:
        scoring = super().__call__(symbols, settings)  # type: ignore[arg-type]
        if scoring is None:
            return None
        return replace(scoring, day=NOON.date(), last_answer_day=self.last_answer)


def begun_before_midnight(harness: TradingHarness, last_answer: date) -> StubScores:
    scores = SlowScores(harness.clock, ADA="0.9")
    scores.last_answer = last_answer
    scores.pending_answers = 1
    return scores


def test_scores_from_answers_before_midnight_are_acted_on_after_it(harness: TradingHarness) -> None:
    bot = harness.bot(begun_before_midnight(harness, NOON.date()))
    harness.clock.idle(MIDNIGHT - timedelta(seconds=5))
    assert bot.daily_update() is Progress.WAITING
    harness.clock.idle(MIDNIGHT + timedelta(seconds=20))
    assert bot.daily_is_due()
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA"]
    assert harness.book.last_daily_update == NOON.date()


def test_an_answer_after_midnight_makes_no_update_of_the_old_date_and_is_told(harness: TradingHarness) -> None:
    bot = harness.bot(begun_before_midnight(harness, MIDNIGHT.date()))
    harness.clock.idle(MIDNIGHT - timedelta(seconds=5))
    bot.daily_update()
    harness.clock.idle(MIDNIGHT + timedelta(seconds=20))
    bot.daily_update()
    assert harness.orders == []
    assert harness.book.last_daily_update is None
    assert NOON.date().isoformat() in harness.captured_log.of("daily.too_late")[0]
    assert not bot.daily_is_due(), "the new date has an hour of its own"
