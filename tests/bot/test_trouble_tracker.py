"""A trouble that lasts a quarter of an hour is told once, and once more when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.bot.bot import Bot
from marsshot.bot.trouble_tracker import TOLD_AFTER, Trouble, TroubleKind, Troubles, updated
from marsshot.core.moments import utc_text
from marsshot.core.reasons import QuietReason
from marsshot.monitoring.bot_state import state_content
from tests.helpers.builders import NOW
from tests.helpers.trading_harness import TradingHarness, open_trading_harness

BLIND = Trouble(TroubleKind.NO_PRICE, "FET")
COINBASE_SILENT = Trouble(TroubleKind.NO_ANSWER, "Coinbase")
DOUBT = Trouble(TroubleKind.ORDER_IN_DOUBT, "OP")
MINUTE = timedelta(minutes=1)


def after(*minutes: float, wrong: Trouble = BLIND) -> Troubles:
    troubles = Troubles()
    for minute in minutes:
        troubles = updated(troubles, [wrong], NOW + minute * MINUTE)
    return troubles


def test_fourteen_minutes_are_not_told_and_fifteen_are() -> None:
    assert after(0, 5, 14.9).to_tell == ()
    assert after(0, 5, 15).to_tell == (BLIND,)


def test_it_is_told_once() -> None:
    assert after(0, 15, 16, 60).to_tell == ()
    assert after(0, 15, 16, 60).told() == {BLIND: NOW}


def test_its_end_is_told_where_it_was_told() -> None:
    assert updated(after(0, 15), [], NOW + 16 * MINUTE).over == (BLIND,)
    assert updated(after(0, 14), [], NOW + 16 * MINUTE).over == ()


def test_one_that_comes_back_begins_anew() -> None:
    between = updated(after(0, 14), [], NOW + 14.5 * MINUTE)
    assert updated(between, [BLIND], NOW + 15 * MINUTE).to_tell == ()


def test_each_trouble_has_its_own_time() -> None:
    later = updated(after(0), [BLIND, DOUBT], NOW + 10 * MINUTE)
    assert updated(later, [BLIND, DOUBT], NOW + 15 * MINUTE).to_tell == (BLIND,)
    assert updated(later, [BLIND, DOUBT], NOW + 25 * MINUTE).to_tell == (BLIND, DOUBT)


def test_a_clock_that_is_set_back_does_not_keep_it_silent_for_long() -> None:
    back = updated(after(0), [BLIND], NOW - timedelta(days=1))
    assert updated(back, [BLIND], NOW - timedelta(days=1) + TOLD_AFTER).to_tell == (BLIND,)


@given(st.lists(st.booleans(), max_size=60))
def test_beginning_and_end_take_turns(rounds: list[bool]) -> None:
    troubles, told = Troubles(), []
    for minute, is_wrong in enumerate(rounds):
        troubles = updated(troubles, [BLIND] if is_wrong else [], NOW + minute * 5 * MINUTE)
        told += ["begun"] * len(troubles.to_tell) + ["over"] * len(troubles.over)
    assert told == ["begun", "over"] * (len(told) // 2) + ["begun"] * (len(told) % 2)


# --------------------------------------------------------------------------- in the bot


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path) as harness:
        yield harness


def test_a_position_without_a_price_is_told_after_a_quarter_of_an_hour(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.coinbase.unlisted.add("ADA")
    harness.fault("ticker/price", "drop_before", times=-1)
    bot = harness.bot()
    for _ in range(3):
        bot.cycle()
        harness.wait(300)
    assert harness.captured_log.of("trouble.lasts") == []
    bot.cycle()
    venue, token = harness.captured_log.of("trouble.lasts")
    assert venue.startswith("Binance has given no usable answer")
    assert token.startswith("ADA: no venue has had a price")
    harness.market.faults.clear()
    harness.wait(300)
    bot.cycle()
    assert harness.captured_log.of("trouble.over") == ["Binance: that trouble is over", "ADA: that trouble is over"]


def lasting(harness: TradingHarness) -> Bot:
    """Return a bot after a quarter of an hour of checks."""
    bot = harness.bot()
    for _ in range(4):
        bot.cycle()
        harness.wait(300)
    return bot


def test_a_venue_that_answers_nothing_is_told_by_name_although_the_other_has_prices(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.faults.add(service="coinbase", match="spot", kind="status", times=-1, status=503)
    bot = lasting(harness)
    (told,) = harness.captured_log.of("trouble.lasts")
    assert told.startswith("Coinbase has given no usable answer")
    assert state_content(bot)["troubles"] == [
        {"kind": "no_answer", "subject": "Coinbase", "since": utc_text(bot.troubles.told()[COINBASE_SILENT])}
    ]
    harness.market.faults.clear()
    bot.cycle()
    assert harness.captured_log.of("trouble.over") == ["Coinbase: that trouble is over"]
    assert state_content(bot)["troubles"] == []


def test_a_token_that_a_venue_does_not_list_is_no_trouble_of_the_venues(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.coinbase.unlisted.add("ADA")
    lasting(harness)
    assert harness.captured_log.of("trouble.lasts") == []


def test_a_trouble_stands_in_the_heartbeats_content_while_it_lasts(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.coinbase.unlisted.add("ADA")
    harness.fault("ticker/price", "drop_before", times=-1)
    bot = lasting(harness)
    told = state_content(bot)["troubles"]
    assert isinstance(told, list)
    assert {(one["kind"], one["subject"]) for one in told} == {("no_price", "ADA"), ("no_answer", "Binance")}


def test_the_end_of_a_ban_stands_in_the_heartbeats_content_while_it_lasts(harness: TradingHarness) -> None:
    bot = harness.bot()
    until = harness.clock.now() + timedelta(minutes=20)
    bot.executor.exchange.keep_quiet_until(int(until.timestamp() * 1000), QuietReason.BAN)
    content = state_content(bot)
    assert (content["exchange_quiet_until"], content["exchange_quiet_reason"]) == (utc_text(until), "ban")
    harness.wait(1201)
    content = state_content(bot)
    assert (content["exchange_quiet_until"], content["exchange_quiet_reason"]) == (None, "")
