"""The bot's day against the embedded market: when what happens, sell-all, the loop, what outlives the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.loop import loop
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.core.reasons import OrderReason, QuietReason
from tests.helpers.trading_harness import NEW_ORDER, StubScores, TradingHarness, open_trading_harness

D = Decimal


def at(hour: int, minute: int, second: int = 0, day: int = 15) -> datetime:
    return datetime(2021, 2, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_trading_harness(tmp_path, now=at(0, 0)) as harness:
        yield harness


def nothing() -> None:
    """Settings that never change."""


def run_until(bot: Bot, moment: datetime) -> None:
    """Run the loop itself; the first cycle at or after the moment is the last."""
    loop(bot, nothing, after_cycle=lambda: bot.clock.now() < moment)


def prices_asked(harness: TradingHarness) -> int:
    return harness.requests("GET /v2/prices/ADA-USD/spot")


# ------------------------------------------------------------------ when the daily pass is due


@pytest.mark.parametrize(
    ("now", "due"),
    [(at(0, 0), False), (at(0, 29, 59), False), (at(0, 30), True), (at(9, 0), True), (at(23, 59, 59), True)],
)
def test_the_pass_is_due_from_half_past_midnight_to_the_end_of_the_day(
    harness: TradingHarness, now: datetime, due: bool
) -> None:
    harness.clock.idle(now)
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    assert bot.daily_is_due() is due
    bot.cycle()
    assert bot.daily_is_done() is due
    assert harness.traded() == (["BUY ADA"] if due else [])


def test_the_loop_wakes_at_half_past_midnight_exactly(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    bot = harness.bot(scores, check_interval_seconds=86_400)
    run_until(bot, at(0, 30))
    assert scores.asked == [at(0, 30)]


def test_a_bot_that_starts_at_nine_catches_up_at_once_and_is_back_on_time_the_next_day(harness: TradingHarness) -> None:
    harness.clock.idle(at(9, 0))
    scores = StubScores(harness.clock, ADA="0.9")
    bot = harness.bot(scores)
    run_until(bot, at(1, 0, day=16))
    assert scores.asked == [at(9, 0), at(0, 30, day=16)]
    assert harness.traded() == ["BUY ADA"], "held already on the second day"


def test_two_starts_on_one_date_make_one_pass(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    harness.clock.idle(at(3, 0))
    harness.bot(scores).cycle()
    harness.open()
    scores.probabilities = {"DOT": "0.9"}
    run_until(harness.bot(scores), at(23, 59, 59))
    assert len(scores.asked) == 1
    assert harness.traded() == ["BUY ADA"]


def test_an_hour_and_minute_of_the_owners_count(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9")
    bot = harness.bot(scores, daily_update_hour_utc=7, daily_update_minute_utc=5)
    assert bot.next_daily() == at(7, 5)
    run_until(bot, at(7, 5))
    assert scores.asked == [at(7, 5)]
    assert bot.next_daily() == at(7, 5, day=16)


def test_a_clock_that_was_set_back_makes_no_second_pass_and_holds_up_no_check(harness: TradingHarness) -> None:
    harness.clock.idle(at(1, 0, day=16))
    harness.add_position("ADA", "300")
    scores = StubScores(harness.clock, ADA="0.5")
    bot = harness.bot(scores)
    bot.cycle()
    harness.clock._now = at(5, 0)
    asked = prices_asked(harness)
    bot.cycle()
    assert len(scores.asked) == 1
    assert prices_asked(harness) == asked + 1
    assert bot.next_due() <= at(5, 5)


def test_the_daily_command_makes_no_pass_for_a_date_before_the_last_one_done(harness: TradingHarness) -> None:
    harness.clock.idle(at(1, 0, day=16))
    bot = harness.bot(StubScores(harness.clock, ADA="0.5"))
    bot.cycle()
    harness.clock._now = at(5, 0)
    assert bot.daily_is_done()


# ------------------------------------------------------------------ the interval of the checks


def test_positions_are_priced_every_five_minutes_and_not_more_often(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    for seconds, asked in [(0, 1), (100, 1), (199, 1), (1, 2), (299, 2), (1, 3), (3000, 4)]:
        harness.wait(seconds)
        bot.cycle()
        assert prices_asked(harness) == asked, f"after {seconds} more seconds"


def test_the_loop_keeps_the_interval_of_the_settings(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(check_interval_seconds=60)
    run_until(bot, at(0, 20))
    assert prices_asked(harness) == 21


def test_a_check_of_nothing_asks_nobody(harness: TradingHarness) -> None:
    harness.bot().cycle()
    assert sum(harness.market.requests.values()) == 0


def test_an_order_in_doubt_is_looked_up_before_anything_else_and_every_ten_seconds(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "0.5")
    harness.fault(NEW_ORDER, "drop_before")
    bot = harness.bot()
    bot.cycle()
    assert harness.book.intents
    assert bot.next_due() == harness.clock.now() + timedelta(seconds=10)
    harness.clock.idle(bot.next_due())
    harness.market.request_log.clear()
    bot.cycle()
    assert [seen.path for seen in harness.market.request_log] == ["/api/v3/time", "/api/v3/order"]


# ------------------------------------------------------------------ sell-all and stop


def test_sell_all_sells_every_position_and_takes_note(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "300")
    bot = harness.bot()
    bot.control.request_sell_all()
    bot.cycle()
    assert sorted(harness.traded()) == ["SELL ADA", "SELL DOT"]
    assert not harness.book.positions
    assert not bot.control.is_sell_all_requested()
    harness.assert_consistent()


def test_what_sell_all_could_not_sell_goes_at_the_next_checks_also_after_a_restart(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.fault(NEW_ORDER, "status", status=502)
    harness.fault(NEW_ORDER, "drop_before")
    bot = harness.bot()
    bot.control.request_sell_all()
    bot.cycle()
    assert harness.book.positions["ADA"].exit_pending is OrderReason.SELL_ALL
    harness.open()
    bot = harness.bot()
    for _ in range(8):
        harness.wait(100)
        bot.cycle()
    assert not harness.book.positions
    harness.assert_consistent()


def test_a_purchase_in_doubt_when_sell_all_is_asked_for_is_sold_when_it_is_found(harness: TradingHarness) -> None:
    harness.clock.idle(at(1, 0))
    harness.fault(NEW_ORDER, "drop_after")
    harness.fault("GET /api/v3/order", "status", times=2, status=502)
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    bot.cycle()
    bot.control.pause()
    bot.control.request_sell_all()
    for _ in range(60):
        harness.clock.idle(bot.next_due())
        bot.cycle()
    assert harness.traded() == ["BUY ADA", "SELL ADA"]


def test_a_sell_all_that_the_disk_refuses_is_not_taken_note_of(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.disk.failing_file = "bot_state.json"
    bot = harness.bot()
    bot.control.request_sell_all()
    with pytest.raises(MarsShotError):
        bot.cycle()
    assert bot.control.is_sell_all_requested()


def _keep_for_good(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let no file of this name be taken away, as in a folder of somebody else's."""
    remove = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        remove(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)


def test_a_sell_all_whose_file_cannot_be_taken_away_is_carried_out_once(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    bot.control.request_sell_all()
    with monkeypatch.context() as stuck:
        _keep_for_good(stuck, "SELL_ALL")
        bot.cycle()
        assert harness.traded() == ["SELL ADA"]
        assert any("SELL_ALL" in line for line in harness.captured_log.of("control.sell_all_stays"))
        harness.add_position("DOT", "300")
        for _ in range(2):  # also a process that begins anew
            harness.wait(300)
            bot.cycle()
            harness.open()
            bot = harness.bot()
        assert harness.traded() == ["SELL ADA"], "what was bought since is not meant"
    bot.cycle()
    assert not bot.control.is_sell_all_requested(), "taken away as soon as that can be"
    bot.control.request_sell_all()
    bot.cycle()
    assert harness.traded() == ["SELL ADA", "SELL DOT"], "a new request counts"


def test_a_stop_in_the_middle_of_a_check_ends_the_loop_after_the_order_in_hand(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "300")
    for symbol in ("ADA", "DOT"):
        harness.market.set_price(symbol, "0.4")
    harness.market.binance.account.on_order = harness.clock.stop
    loop(harness.bot(), nothing)
    assert harness.traded() == ["SELL ADA"]
    assert list(harness.book.positions) == ["DOT"]
    harness.assert_consistent()


# ------------------------------------------------------------------ the loop


def test_no_error_ends_the_loop(harness: TradingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = harness.bot()
    troubles: list[Exception] = [MarsShotError("a disk in trouble"), ZeroDivisionError("unforeseen"), RuntimeError()]
    seen: list[datetime] = []

    def cycle() -> None:
        seen.append(harness.clock.now())
        if troubles:
            raise troubles.pop(0)

    monkeypatch.setattr(bot, "cycle", cycle)
    run_until(bot, at(0, 20))
    assert len(seen) >= 4
    assert seen == sorted(set(seen)), "time passes between two rounds"
    assert harness.captured_log.of("cycle.failed")
    assert len(harness.captured_log.of("cycle.surprise")) == 2


def test_a_stop_while_waiting_ends_the_loop(harness: TradingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = harness.bot()

    def cycle() -> None:
        raise StopRequested

    monkeypatch.setattr(bot, "cycle", cycle)
    loop(bot, nothing)


def test_changed_settings_are_looked_for_before_every_check_within_a_pass_too(harness: TradingHarness) -> None:
    taken_up: list[datetime] = []
    scores = StubScores(harness.clock, ADA="0.9")
    bot = harness.bot(scores, check_interval_seconds=60)
    harness.clock.idle(at(0, 20))
    harness.fault(NEW_ORDER, "drop_before")
    loop(bot, lambda: taken_up.append(harness.clock.now()), after_cycle=lambda: not bot.daily_is_done())
    assert taken_up[0] == at(0, 20)
    assert at(0, 30) in taken_up, "before the pass is planned"
    assert any(moment > at(0, 30) for moment in taken_up), "while its order is in doubt"
    assert all(later - one <= timedelta(seconds=60) for one, later in pairwise(taken_up))


def test_a_bot_leaves_no_threads_behind(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    bot.cycle()
    bot.price_check.coinbase.close()
    for thread in threading.enumerate():
        if thread.name.startswith("coinbase"):
            thread.join(2)
            assert not thread.is_alive()


# ------------------------------------------------------------------ what outlives the process


def test_a_ban_outlives_a_restart(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.fault("ticker/price", "status", status=418, headers={"Retry-After": "600"})
    harness.bot().cycle()
    asked = harness.requests("/api/v3/")
    harness.open()
    bot = harness.bot()
    harness.wait(599)
    bot.cycle()
    assert harness.requests("/api/v3/") == asked
    harness.wait(1)
    bot.executor.resolve_unknown()
    bot.intraday_check()
    assert harness.requests("/api/v3/ticker/price") == 2


@pytest.mark.parametrize(("seconds", "sells"), [(39, False), (40, True)])
def test_a_stop_loss_that_met_a_silence_is_carried_out_as_soon_as_that_is_over(
    harness: TradingHarness, seconds: int, sells: bool
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.fault(NEW_ORDER, "status", status=429, headers={"Retry-After": "40"}, body=b"{}")
    bot = harness.bot()
    bot.cycle()
    assert (harness.traded(), bot.next_due()) == ([], harness.clock.now() + timedelta(seconds=40))
    harness.wait(seconds)
    bot.cycle()
    assert harness.traded() == (["SELL ADA"] if sells else [])


def test_a_ban_is_kept_by_a_bot_that_is_stopped(harness: TradingHarness) -> None:
    bot = harness.bot()

    def cycle() -> None:
        bot.executor.exchange.keep_quiet_until(int(at(4, 0).timestamp() * 1000), QuietReason.BAN)
        raise StopRequested

    bot.cycle = cycle  # type: ignore[method-assign]
    loop(bot, nothing)
    assert harness.book.exchange_quiet_until_ms == at(4, 0).timestamp() * 1000


@pytest.mark.parametrize("match", ["GET /api/v3/account", "GET /api/v3/exchangeInfo", "ticker/price", NEW_ORDER])
def test_a_day_of_silence_that_a_503_asks_for_is_a_minute_at_most_over_a_restart_too(
    harness: TradingHarness, match: str
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.fault(match, "status", status=503, headers={"Retry-After": "86400"}, body=b"<html></html>")
    bot = harness.bot()
    bot.start()
    bot.cycle()
    harness.open()
    harness.wait(60)
    bot = harness.bot()
    bot.start()
    bot.cycle()
    harness.wait(2)
    bot.cycle()
    harness.wait(60)  # an order that was answered so is looked up before it is sent anew
    bot.cycle()
    bot.intraday_check()
    assert harness.traded() == ["SELL ADA"]


@pytest.mark.parametrize(("reason", "sells"), [(QuietReason.TROUBLE, True), (QuietReason.BAN, False)])
def test_a_book_that_says_a_day_of_silence_is_believed_of_a_ban_alone(
    harness: TradingHarness, reason: QuietReason, sells: bool
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    until = int((harness.clock.now() + timedelta(days=1)).timestamp() * 1000)
    harness.store.change(lambda book: replace(book, exchange_quiet_until_ms=until, exchange_quiet_reason=reason))
    harness.open()
    bot = harness.bot()
    harness.wait(61)
    bot.cycle()
    assert harness.traded() == (["SELL ADA"] if sells else [])


@pytest.mark.parametrize("status", [429, 503])
def test_what_coinbase_asks_for_delays_no_order_at_binance(harness: TradingHarness, status: int) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.market.faults.add(
        service="coinbase", match="", kind="status", times=-1, status=status, headers={"Retry-After": "86400"}
    )
    harness.bot().cycle()
    assert harness.traded() == ["SELL ADA"]


def test_a_pause_says_why(harness: TradingHarness) -> None:
    bot = harness.bot()
    bot.control.pause("ADA: coins are missing")
    bot.control.pause("DOT: so are these")
    assert "(ADA: coins are missing DOT: so are these); python main.py resume" in bot.control.paused()
    assert bot.control.resume()
    assert bot.control.paused() == ""
