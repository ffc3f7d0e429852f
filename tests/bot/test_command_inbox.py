"""The bot and its owner: his word is heard and answered, and what he may look up is written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.control_files import CommandReply
from marsshot.bot.journal import read_equity, read_last_seen
from marsshot.core.errors import TemporaryError
from tests.helpers.trading_harness import NEW_ORDER, StubScores, TradingHarness, open_trading_harness

D = Decimal
TODAY = date(2021, 2, 15)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_trading_harness(tmp_path, now=datetime(2021, 2, 15, 0, 0, tzinfo=UTC)) as harness:
        yield harness


# --------------------------------------------------------------------------- the owner's word, heard and answered


def test_the_owners_word_calls_until_a_cycle_has_heard_it(harness: TradingHarness) -> None:
    bot = harness.bot()
    bot.cycle()
    assert not bot.has_pending_command()
    bot.control.pause()
    assert bot.has_pending_command()
    bot.cycle()
    assert not bot.has_pending_command()
    assert bot.control.read_reply() == CommandReply(paused=True)
    bot.control.resume()
    bot.cycle()
    assert bot.control.read_reply() == CommandReply(paused=False)
    assert len(harness.captured_log.of("control.heard")) == 2


def bot_on_a_disk_that_cannot_be_asked(harness: TradingHarness, monkeypatch: pytest.MonkeyPatch) -> Bot:
    bot = harness.bot()

    def fail(_path: Path) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(harness.disk, "exists", fail)
    monkeypatch.setattr(bot.control, "_disk", harness.disk)
    return bot


def test_a_disk_in_trouble_does_not_call(harness: TradingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = bot_on_a_disk_that_cannot_be_asked(harness, monkeypatch)
    assert not bot.has_pending_command()


def test_an_answer_that_cannot_be_written_is_told_and_the_bot_goes_on(harness: TradingHarness) -> None:
    bot = harness.bot()
    bot.control._disk = harness.disk
    harness.disk.failing_file = "heard.json"
    bot.control.pause()
    bot.cycle()
    assert len(harness.captured_log.of("control.not_answered")) == 1


def sell_all_of(harness: TradingHarness, symbol: str = "ADA", qty: str = "300") -> tuple[str, str]:
    harness.add_position(symbol, qty)
    bot = harness.bot()
    bot.control.request_sell_all()
    bot.cycle()
    answer = bot.control.read_reply()
    assert answer is not None
    assert answer.sold_all
    return answer.left.get(symbol, ("sold", ""))


def test_the_answer_to_sell_all_names_what_is_left_and_why(harness: TradingHarness) -> None:
    assert sell_all_of(harness) == ("sold", "")
    assert sell_all_of(harness, "DOT", "1") == ("too_small", "")
    harness.market.set_status("LINKUSDT", "HALT")
    code, said = sell_all_of(harness, "LINK")
    assert (code, "HALT" in said) == ("refused", True)


def test_a_sale_in_doubt_is_answered_as_that_and_then_with_its_outcome(harness: TradingHarness) -> None:
    harness.fault(NEW_ORDER, "drop_before")
    harness.fault("GET /api/v3/order", "status", times=2, status=502)
    assert sell_all_of(harness)[0] == "in_doubt"
    bot = harness.bots[-1]
    asked = harness.clock.now()
    while harness.book.positions:
        harness.clock.idle(bot.next_due())
        bot.cycle()
    assert bot.control.read_reply() == CommandReply(paused=False, sold_all=True)
    assert harness.clock.now() - asked < timedelta(minutes=2), "it waits for no five-minute check"


def test_without_any_price_the_answer_says_so(harness: TradingHarness) -> None:
    harness.market.coinbase.unlisted.add("ADA")
    harness.fault("ticker/price", "status", times=-1, status=503)
    assert sell_all_of(harness)[0] == "no_price"


# --------------------------------------------------------------------------- today's pass, asked for


def test_the_pass_that_is_asked_for_before_its_hour_is_made_at_once_and_once(harness: TradingHarness) -> None:
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    bot.cycle()
    assert not bot.daily_is_due(), "it is 00:00, the pass is at 00:30"
    bot.control.request_daily_update(TODAY)
    assert bot.has_pending_command()
    bot.cycle()
    assert bot.daily_is_done()
    assert not bot.control.is_daily_update_requested(), "the command that waits sees that"
    bot.control.request_daily_update(TODAY)
    bot.cycle()
    harness.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    assert not bot.control.is_daily_update_requested()
    assert len(harness.orders) == 1


def test_a_pass_that_was_put_off_is_tried_at_once_when_asked_for(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = harness.bot(scores)
    harness.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    bot.control.request_daily_update(TODAY)
    bot.cycle()
    assert not bot.control.is_daily_update_requested(), "put off once more: that is the answer"
    assert read_last_seen(harness.settings.file("seen.json"), harness.disk).put_off == "LunarCrush answered 502"
    scores.error = None
    bot.cycle()
    assert not bot.daily_is_done(), "ten minutes have not passed"
    bot.control.request_daily_update(TODAY)
    bot.cycle()
    assert bot.daily_is_done()


def test_a_pass_begun_before_its_hour_is_gone_on_with(harness: TradingHarness) -> None:
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    harness.fault(NEW_ORDER, "drop_before")
    bot.control.request_daily_update(TODAY)
    bot.cycle()
    assert (bot.daily_is_done(), bot.store.book.plan is None) == (False, False), "the order is in doubt"
    bot.control.acknowledge_daily_request()  # as if by a death of the process
    while not bot.daily_is_done():
        assert harness.clock.now() < datetime(2021, 2, 15, 0, 29, tzinfo=UTC)
        harness.clock.idle(bot.next_due())
        bot.cycle()


def test_a_request_of_yesterday_makes_no_pass_today(harness: TradingHarness) -> None:
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    bot.control.request_daily_update(TODAY)
    harness.clock.idle(datetime(2021, 2, 16, 0, 0, tzinfo=UTC))
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_update_requested()) == (False, False), "the command is told"


def test_a_request_made_by_hand_is_for_today(harness: TradingHarness) -> None:
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    harness.settings.file("DAILY").touch()
    bot.cycle()
    assert bot.daily_is_done()


def test_a_request_that_comes_in_the_middle_of_a_cycle_is_tried_before_it_is_answered(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    scores.error = TemporaryError("the key is refused")
    bot = harness.bot(scores)
    harness.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    scores.error = None  # the owner has mended it, and asks while the bot is at work
    bot.control.acknowledge_sell_all = lambda: bot.control.request_daily_update(TODAY)  # type: ignore[method-assign]
    bot.control.request_sell_all()
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_update_requested(), bot.has_pending_command()) == (
        False,
        True,
        True,
    )
    del bot.control.acknowledge_sell_all
    bot.control.acknowledge_sell_all()
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_update_requested()) == (True, False)


def test_a_second_request_right_after_an_answer_is_heard_and_tried(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = harness.bot(scores)
    bot.control.request_daily_update(TODAY)
    bot.cycle()
    assert (bot.control.is_daily_update_requested(), bot.has_pending_command()) == (False, False), (
        "answered, and nothing new"
    )
    scores.error = None
    bot.control.request_daily_update(TODAY)
    assert bot.has_pending_command()
    bot.cycle()
    assert bot.daily_is_done()


def test_a_request_that_cannot_be_taken_away_keeps_no_other_answer_back(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(StubScores(harness.clock, ADA="0.5"))

    def refuse() -> None:
        raise TemporaryError("DAILY: cannot be taken away (Read-only file system)")

    monkeypatch.setattr(bot.control, "acknowledge_daily_request", refuse)
    bot.control.request_daily_update(TODAY)
    bot.control.request_sell_all()
    bot.cycle()
    assert harness.captured_log.of("control.not_answered") == ["DAILY: cannot be taken away (Read-only file system)"]
    assert bot.control.read_reply() == CommandReply(paused=False, sold_all=True)


def test_a_disk_that_cannot_be_asked_for_requests_ends_no_loop(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = bot_on_a_disk_that_cannot_be_asked(harness, monkeypatch)
    assert not bot.daily_is_due()
    assert bot.next_due() > harness.clock.now()


# --------------------------------------------------------------------------- what is written down for the owner


def test_a_pass_that_is_put_off_is_written_down_until_it_is_done(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = harness.bot(scores)
    harness.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    path = harness.settings.file("seen.json")
    assert read_last_seen(path, harness.disk).put_off == "LunarCrush answered 502"
    assert read_last_seen(path, harness.disk).put_off_until == harness.clock.now() + timedelta(minutes=10)
    scores.error = None
    rows = len(read_equity(harness.settings.file("equity.csv"), harness.disk))
    harness.clock.idle(datetime(2021, 2, 15, 0, 40, tzinfo=UTC))
    bot.cycle()
    assert read_last_seen(path, harness.disk).put_off == ""
    assert len(read_equity(harness.settings.file("equity.csv"), harness.disk)) == rows + 1, "after the pass"


def test_a_check_writes_down_the_prices_it_went_by(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    bot.intraday_check()
    prices = read_last_seen(harness.settings.file("seen.json"), harness.disk).prices
    assert {symbol: price for symbol, (price, _) in prices.items()} == {"ADA": D(1)}
