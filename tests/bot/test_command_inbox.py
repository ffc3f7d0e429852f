"""The bot and its owner: his word is heard and answered, and what he may look up is written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.control_files import Heard
from marsshot.bot.journal import read_equity, read_seen
from marsshot.core.errors import TemporaryError
from tests.helpers.trading_harness import NEW_ORDER, Desk, Scores, open_desk

D = Decimal
TODAY = date(2021, 2, 15)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_desk(tmp_path, now=datetime(2021, 2, 15, 0, 0, tzinfo=UTC)) as desk:
        yield desk


# --------------------------------------------------------------------------- the owner's word, heard and answered


def test_the_owners_word_calls_until_a_cycle_has_heard_it(desk: Desk) -> None:
    bot = desk.bot()
    bot.cycle()
    assert not bot.is_called()
    bot.control.pause()
    assert bot.is_called()
    bot.cycle()
    assert not bot.is_called()
    assert bot.control.answered() == Heard(paused=True)
    bot.control.resume()
    bot.cycle()
    assert bot.control.answered() == Heard(paused=False)
    assert len(desk.told.of("control.heard")) == 2


def bot_on_a_disk_that_cannot_be_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Bot:
    bot = desk.bot()

    def fail(_path: Path) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(desk.disk, "exists", fail)
    monkeypatch.setattr(bot.control, "_disk", desk.disk)
    return bot


def test_a_disk_in_trouble_does_not_call(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = bot_on_a_disk_that_cannot_be_asked(desk, monkeypatch)
    assert not bot.is_called()


def test_an_answer_that_cannot_be_written_is_told_and_the_bot_goes_on(desk: Desk) -> None:
    bot = desk.bot()
    bot.control._disk = desk.disk
    desk.disk.refuses = "heard.json"
    bot.control.pause()
    bot.cycle()
    assert len(desk.told.of("control.not_answered")) == 1


def sell_all_of(desk: Desk, symbol: str = "ADA", qty: str = "300") -> tuple[str, str]:
    desk.give(symbol, qty)
    bot = desk.bot()
    bot.control.ask_to_sell_all()
    bot.cycle()
    answer = bot.control.answered()
    assert answer is not None
    assert answer.sold_all
    return answer.left.get(symbol, ("sold", ""))


def test_the_answer_to_sell_all_names_what_is_left_and_why(desk: Desk) -> None:
    assert sell_all_of(desk) == ("sold", "")
    assert sell_all_of(desk, "DOT", "1") == ("too_small", "")
    desk.market.set_status("LINKUSDT", "HALT")
    code, said = sell_all_of(desk, "LINK")
    assert (code, "HALT" in said) == ("refused", True)


def test_a_sale_in_doubt_is_answered_as_that_and_then_with_its_outcome(desk: Desk) -> None:
    desk.fault(NEW_ORDER, "drop_before")
    desk.fault("GET /api/v3/order", "status", times=2, status=502)
    assert sell_all_of(desk)[0] == "in_doubt"
    bot = desk.bots[-1]
    asked = desk.clock.now()
    while desk.book.positions:
        desk.clock.idle(bot.next_due())
        bot.cycle()
    assert bot.control.answered() == Heard(paused=False, sold_all=True)
    assert desk.clock.now() - asked < timedelta(minutes=2), "it waits for no five-minute check"


def test_without_any_price_the_answer_says_so(desk: Desk) -> None:
    desk.market.coinbase.unlisted.add("ADA")
    desk.fault("ticker/price", "status", times=-1, status=503)
    assert sell_all_of(desk)[0] == "no_price"


# --------------------------------------------------------------------------- today's pass, asked for


def test_the_pass_that_is_asked_for_before_its_hour_is_made_at_once_and_once(desk: Desk) -> None:
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    bot.cycle()
    assert not bot.daily_is_due(), "it is 00:00, the pass is at 00:30"
    bot.control.ask_for_daily(TODAY)
    assert bot.is_called()
    bot.cycle()
    assert bot.daily_is_done()
    assert not bot.control.is_daily_asked(), "the command that waits sees that"
    bot.control.ask_for_daily(TODAY)
    bot.cycle()
    desk.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    assert not bot.control.is_daily_asked()
    assert len(desk.orders) == 1


def test_a_pass_that_was_put_off_is_tried_at_once_when_asked_for(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = desk.bot(scores)
    desk.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    bot.control.ask_for_daily(TODAY)
    bot.cycle()
    assert not bot.control.is_daily_asked(), "put off once more: that is the answer"
    assert read_seen(desk.settings.file("seen.json"), desk.disk).put_off == "LunarCrush answered 502"
    scores.error = None
    bot.cycle()
    assert not bot.daily_is_done(), "ten minutes have not passed"
    bot.control.ask_for_daily(TODAY)
    bot.cycle()
    assert bot.daily_is_done()


def test_a_pass_begun_before_its_hour_is_gone_on_with(desk: Desk) -> None:
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    desk.fault(NEW_ORDER, "drop_before")
    bot.control.ask_for_daily(TODAY)
    bot.cycle()
    assert (bot.daily_is_done(), bot.store.book.plan is None) == (False, False), "the order is in doubt"
    bot.control.daily_answered()  # as if by a death of the process
    while not bot.daily_is_done():
        assert desk.clock.now() < datetime(2021, 2, 15, 0, 29, tzinfo=UTC)
        desk.clock.idle(bot.next_due())
        bot.cycle()


def test_a_request_of_yesterday_makes_no_pass_today(desk: Desk) -> None:
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    bot.control.ask_for_daily(TODAY)
    desk.clock.idle(datetime(2021, 2, 16, 0, 0, tzinfo=UTC))
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_asked()) == (False, False), "the command is told"


def test_a_request_made_by_hand_is_for_today(desk: Desk) -> None:
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    desk.settings.file("DAILY").touch()
    bot.cycle()
    assert bot.daily_is_done()


def test_a_request_that_comes_in_the_middle_of_a_cycle_is_tried_before_it_is_answered(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    scores.error = TemporaryError("the key is refused")
    bot = desk.bot(scores)
    desk.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    scores.error = None  # the owner has mended it, and asks while the bot is at work
    bot.control.sell_all_noted = lambda: bot.control.ask_for_daily(TODAY)  # type: ignore[method-assign]
    bot.control.ask_to_sell_all()
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_asked(), bot.is_called()) == (False, True, True)
    del bot.control.sell_all_noted
    bot.control.sell_all_noted()
    bot.cycle()
    assert (bot.daily_is_done(), bot.control.is_daily_asked()) == (True, False)


def test_a_second_request_right_after_an_answer_is_heard_and_tried(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = desk.bot(scores)
    bot.control.ask_for_daily(TODAY)
    bot.cycle()
    assert (bot.control.is_daily_asked(), bot.is_called()) == (False, False), "answered, and nothing new"
    scores.error = None
    bot.control.ask_for_daily(TODAY)
    assert bot.is_called()
    bot.cycle()
    assert bot.daily_is_done()


def test_a_request_that_cannot_be_taken_away_keeps_no_other_answer_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.give("ADA", "300")
    bot = desk.bot(Scores(desk.clock, ADA="0.5"))

    def refuse() -> None:
        raise TemporaryError("DAILY: cannot be taken away (Read-only file system)")

    monkeypatch.setattr(bot.control, "daily_answered", refuse)
    bot.control.ask_for_daily(TODAY)
    bot.control.ask_to_sell_all()
    bot.cycle()
    assert desk.told.of("control.not_answered") == ["DAILY: cannot be taken away (Read-only file system)"]
    assert bot.control.answered() == Heard(paused=False, sold_all=True)


def test_a_disk_that_cannot_be_asked_for_requests_ends_no_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = bot_on_a_disk_that_cannot_be_asked(desk, monkeypatch)
    assert not bot.daily_is_due()
    assert bot.next_due() > desk.clock.now()


# --------------------------------------------------------------------------- what is written down for the owner


def test_a_pass_that_is_put_off_is_written_down_until_it_is_done(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    scores.error = TemporaryError("LunarCrush answered 502")
    bot = desk.bot(scores)
    desk.clock.idle(datetime(2021, 2, 15, 0, 30, tzinfo=UTC))
    bot.cycle()
    path = desk.settings.file("seen.json")
    assert read_seen(path, desk.disk).put_off == "LunarCrush answered 502"
    assert read_seen(path, desk.disk).put_off_until == desk.clock.now() + timedelta(minutes=10)
    scores.error = None
    rows = len(read_equity(desk.settings.file("equity.csv"), desk.disk))
    desk.clock.idle(datetime(2021, 2, 15, 0, 40, tzinfo=UTC))
    bot.cycle()
    assert read_seen(path, desk.disk).put_off == ""
    assert len(read_equity(desk.settings.file("equity.csv"), desk.disk)) == rows + 1, "after the pass"


def test_a_check_writes_down_the_prices_it_went_by(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot()
    bot.intraday_check()
    prices = read_seen(desk.settings.file("seen.json"), desk.disk).prices
    assert {symbol: price for symbol, (price, _) in prices.items()} == {"ADA": D(1)}
