"""The bot's day against the stand-in market: when what happens, which price counts, exits from price to order."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.loop import loop
from marsshot.bot.price_feed import PriceDesk
from marsshot.core.domain import Intent, OrderReport, Reason
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.market_data import price_aggregator
from marsshot.market_data.coinbase import HearSpot
from tests.helpers.trading_harness import NEW_ORDER, Desk, Scores, open_desk

D = Decimal


def at(hour: int, minute: int, second: int = 0, day: int = 15) -> datetime:
    return datetime(2021, 2, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_desk(tmp_path, now=at(0, 0)) as desk:
        yield desk


def nothing() -> None:
    """Settings that never change."""


def run_until(bot: Bot, moment: datetime) -> None:
    """Run the loop itself; the first cycle at or after the moment is the last."""
    loop(bot, nothing, after_cycle=lambda: bot.clock.now() < moment)


def prices_asked(desk: Desk) -> int:
    return desk.requests("GET /v2/prices/ADA-USD/spot")


# ------------------------------------------------------------------ when the daily pass is due


@pytest.mark.parametrize(
    ("now", "due"),
    [(at(0, 0), False), (at(0, 29, 59), False), (at(0, 30), True), (at(9, 0), True), (at(23, 59, 59), True)],
)
def test_the_pass_is_due_from_half_past_midnight_to_the_end_of_the_day(desk: Desk, now: datetime, due: bool) -> None:
    desk.clock.idle(now)
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    assert bot.daily_is_due() is due
    bot.cycle()
    assert bot.daily_is_done() is due
    assert desk.traded() == (["BUY ADA"] if due else [])


def test_the_loop_wakes_at_half_past_midnight_exactly(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    bot = desk.bot(scores, check_interval_seconds=86_400)
    run_until(bot, at(0, 30))
    assert scores.asked == [at(0, 30)]


def test_a_bot_that_starts_at_nine_catches_up_at_once_and_is_back_on_time_the_next_day(desk: Desk) -> None:
    desk.clock.idle(at(9, 0))
    scores = Scores(desk.clock, ADA="0.9")
    bot = desk.bot(scores)
    run_until(bot, at(1, 0, day=16))
    assert scores.asked == [at(9, 0), at(0, 30, day=16)]
    assert desk.traded() == ["BUY ADA"], "held already on the second day"


def test_two_starts_on_one_date_make_one_pass(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    desk.clock.idle(at(3, 0))
    desk.bot(scores).cycle()
    desk.open()
    scores.probabilities = {"DOT": "0.9"}
    run_until(desk.bot(scores), at(23, 59, 59))
    assert len(scores.asked) == 1
    assert desk.traded() == ["BUY ADA"]


def test_an_hour_and_minute_of_the_owners_count(desk: Desk) -> None:
    scores = Scores(desk.clock, ADA="0.9")
    bot = desk.bot(scores, daily_update_hour_utc=7, daily_update_minute_utc=5)
    assert bot.next_daily() == at(7, 5)
    run_until(bot, at(7, 5))
    assert scores.asked == [at(7, 5)]
    assert bot.next_daily() == at(7, 5, day=16)


def test_a_clock_that_was_set_back_makes_no_second_pass_and_holds_up_no_check(desk: Desk) -> None:
    desk.clock.idle(at(1, 0, day=16))
    desk.give("ADA", "300")
    scores = Scores(desk.clock, ADA="0.5")
    bot = desk.bot(scores)
    bot.cycle()
    desk.clock._now = at(5, 0)
    asked = prices_asked(desk)
    bot.cycle()
    assert len(scores.asked) == 1
    assert prices_asked(desk) == asked + 1
    assert bot.next_due() <= at(5, 5)


def test_the_daily_command_makes_no_pass_for_a_date_before_the_last_one_done(desk: Desk) -> None:
    desk.clock.idle(at(1, 0, day=16))
    bot = desk.bot(Scores(desk.clock, ADA="0.5"))
    bot.cycle()
    desk.clock._now = at(5, 0)
    assert bot.daily_is_done()


# ------------------------------------------------------------------ the interval of the checks


def test_positions_are_priced_every_five_minutes_and_not_more_often(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot()
    for seconds, asked in [(0, 1), (100, 1), (199, 1), (1, 2), (299, 2), (1, 3), (3000, 4)]:
        desk.wait(seconds)
        bot.cycle()
        assert prices_asked(desk) == asked, f"after {seconds} more seconds"


def test_the_loop_keeps_the_interval_of_the_settings(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot(check_interval_seconds=60)
    run_until(bot, at(0, 20))
    assert prices_asked(desk) == 21


def test_a_check_of_nothing_asks_nobody(desk: Desk) -> None:
    desk.bot().cycle()
    assert sum(desk.market.requests.values()) == 0


def test_an_order_in_doubt_is_looked_up_before_anything_else_and_every_ten_seconds(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.market.set_price("ADA", "0.5")
    desk.fault(NEW_ORDER, "drop_before")
    bot = desk.bot()
    bot.cycle()
    assert desk.book.intents
    assert bot.next_due() == desk.clock.now() + timedelta(seconds=10)
    desk.clock.idle(bot.next_due())
    desk.market.request_log.clear()
    bot.cycle()
    assert [seen.path for seen in desk.market.request_log] == ["/api/v3/time", "/api/v3/order"]


# ------------------------------------------------------------------ which price counts


def told_of_prices(desk: Desk) -> list[str]:
    return desk.told.of("price.note") + desk.told.of("price.normal")


def test_coinbases_price_counts_where_binances_confirms_it(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.market.set_price("ADA", "0.51")
    desk.market.set_coinbase_price("ADA", "0.50")
    desk.bot().cycle()
    assert desk.traded() == ["SELL ADA"]
    assert not told_of_prices(desk)


@pytest.mark.parametrize(
    ("coinbase", "binance", "sold"),
    [
        ("0.50", "0.55", True),  # 9.1 % off: near enough
        ("0.495", "0.55", True),  # 10 % off exactly: near enough
        ("0.4949", "0.55", False),  # further: Binance's 0.55 counts
        ("0.60", "0.50", True),  # further: Binance's 0.50 counts
    ],
)
def test_a_coinbase_price_too_far_from_binances_does_not_count(
    desk: Desk, coinbase: str, binance: str, sold: bool
) -> None:
    desk.give("ADA", "300")
    desk.market.set_price("ADA", binance)
    desk.market.set_coinbase_price("ADA", coinbase)
    bot = desk.bot()
    bot.cycle()
    assert desk.traded() == (["SELL ADA"] if sold else [])
    far = abs(D(coinbase) - D(binance)) > D(binance) / 10
    assert len(told_of_prices(desk)) == far
    desk.wait(300)
    bot.cycle()
    assert len(told_of_prices(desk)) == far, "said once"


def break_coinbase(desk: Desk, how: str) -> None:
    if how == "unknown to it":
        desk.market.coinbase.unlisted.add("ADA")
        return
    answers = {
        "zero": (200, '{"data":{"amount":"0","base":"ADA","currency":"USD"}}'),
        "not a number": (200, '{"data":{"amount":"NaN","base":"ADA","currency":"USD"}}'),
        "another pair": (200, '{"data":{"amount":"1","base":"BTC","currency":"USD"}}'),
        "not JSON": (200, "<html>"),
        "error": (503, "<html>"),
    }
    if how == "silent":
        desk.market.faults.add(service="coinbase", match="ADA-USD", kind="drop_before", times=-1)
    else:
        status, body = answers[how]
        desk.market.faults.add(service="coinbase", match="ADA-USD", kind="status", times=-1, status=status, body=body)


@pytest.mark.parametrize(
    "how", ["unknown to it", "zero", "not a number", "another pair", "not JSON", "error", "silent"]
)
def test_binances_price_stands_in_where_coinbase_has_none_and_that_is_said_once(desk: Desk, how: str) -> None:
    desk.give("ADA", "300")
    break_coinbase(desk, how)
    bot = desk.bot()
    for _ in range(3):
        bot.cycle()
        desk.wait(300)
    assert len(told_of_prices(desk)) == 1
    assert "ADA" in told_of_prices(desk)[0]
    assert "Binance's price is used" in told_of_prices(desk)[0]
    desk.market.set_price("ADA", "0.5")
    bot.cycle()
    assert desk.traded() == ["SELL ADA"]


def test_when_coinbase_has_a_price_again_that_is_said_too(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.market.coinbase.unlisted.add("ADA")
    bot = desk.bot()
    bot.cycle()
    desk.market.coinbase.unlisted.clear()
    desk.wait(300)
    bot.cycle()
    assert len(desk.told.of("price.note")) == len(desk.told.of("price.normal")) == 1


def test_a_token_without_any_price_is_left_alone_and_that_is_said(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.give("DOT", "300", "3")
    desk.market.delist("ADAUSDT")
    desk.market.coinbase.unlisted.add("ADA")
    bot = desk.bot()
    assert bot.intraday_check() is False
    assert desk.traded() == ["SELL DOT"], "its trouble is no one else's"
    assert any("ADA" in line and "no rule can act" in line for line in desk.told.of("price.note"))
    assert "ADA" in desk.book.positions


def test_without_binance_coinbases_prices_go_on_being_watched(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.market.set_price("ADA", "3")
    desk.fault("ticker/price", "drop_before", times=-1)
    bot = desk.bot()
    bot.cycle()
    assert desk.book.positions["ADA"].trailing_armed
    assert any("Binance's prices cannot be had" in line for line in desk.told.of("price.note"))


def test_a_price_of_coinbase_that_was_wrong_is_not_believed_alone(desk: Desk) -> None:
    """RON is the Romanian leu at Coinbase: without Binance's price its 0.2173 is no reason to sell a token at 6.54."""
    desk.give("ADA", "300", "6.54")
    desk.market.set_price("ADA", "6.54")
    desk.market.set_coinbase_price("ADA", "0.2173")
    desk.bot().cycle()
    desk.fault("ticker/price", "status", times=2, status=503)
    desk.open()  # a restart remembers
    bot = desk.bot()
    for _ in range(2):
        bot.cycle()
        desk.wait(300)
    assert desk.traded() == []
    assert any("no rule can act" in line for line in desk.told.of("price.note"))
    desk.market.set_coinbase_price("ADA", "6.54")
    bot.cycle()
    assert "coinbase_strays" not in desk.book.positions["ADA"].said


def test_all_binance_prices_come_in_one_request(desk: Desk) -> None:
    for symbol in ("ADA", "DOT", "LINK"):
        desk.give(symbol, "300")
    desk.bot().cycle()
    assert desk.requests("ticker/price") == 1


# ------------------------------------------------------------------ from price to order


def check_at(desk: Desk, bot: Bot, *prices: str) -> None:
    for price in prices:
        desk.market.set_price("ADA", price)
        desk.wait(300)
        bot.cycle()


def test_the_stop_loss_sells_everything_at_half_the_entry_price(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot()
    check_at(desk, bot, "0.500001")
    assert desk.traded() == []
    check_at(desk, bot, "0.5")
    assert desk.traded() == ["SELL ADA"]
    assert not desk.book.positions
    desk.assert_agreement()


def test_the_partial_sale_sells_a_fifth_at_twice_the_entry_price_once(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot()
    check_at(desk, bot, "1.999999")
    assert desk.traded() == []
    check_at(desk, bot, "2", "2.5", "1.5", "2.2")
    assert desk.traded() == ["SELL ADA"]
    assert desk.orders[0].executed_quantity == 60
    assert desk.book.positions["ADA"].partial_sold
    desk.assert_agreement()


def test_the_trailing_stop_of_the_seeds_example(desk: Desk) -> None:
    desk.give("ADA", "3000", "0.10")
    bot = desk.bot()
    check_at(desk, bot, "0.30", "0.32", "0.2241")
    assert desk.traded() == ["SELL ADA"], "the partial sale alone"
    assert desk.book.positions["ADA"].max_price == D("0.32")
    check_at(desk, bot, "0.224")
    assert desk.traded() == ["SELL ADA", "SELL ADA"]
    assert desk.orders[1].executed_quantity == 2400
    desk.assert_agreement()


def test_the_trailing_stop_stays_armed_under_three_times_the_entry_over_a_restart(desk: Desk) -> None:
    desk.give("ADA", "3000", "0.10")
    check_at(desk, desk.bot(), "0.30")
    desk.open()
    check_at(desk, desk.bot(), "0.22", "0.21")
    assert desk.traded() == ["SELL ADA", "SELL ADA"]
    assert not desk.book.positions


def test_a_jump_past_several_levels_arms_and_sells_the_part_in_one_check(desk: Desk) -> None:
    desk.give("ADA", "300")
    check_at(desk, desk.bot(), "5")
    position = desk.book.positions["ADA"]
    assert (position.trailing_armed, position.max_price, position.partial_sold) == (True, D(5), True)
    assert desk.orders[0].executed_quantity == 60


def test_a_sale_that_fails_sets_no_flag_and_is_tried_at_the_next_check(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.fault(NEW_ORDER, "status", status=400, body='{"code":-2010,"msg":"Market is closed."}')
    bot = desk.bot()
    check_at(desk, bot, "2")
    assert not desk.book.positions["ADA"].partial_sold
    check_at(desk, bot, "2")
    assert desk.book.positions["ADA"].partial_sold
    desk.assert_agreement()


def test_a_stop_loss_that_was_tried_goes_through_even_if_the_price_recovers_after_a_part(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.market.exchange.pairs["ADAUSDT"].depth = D(30)
    bot = desk.bot()
    check_at(desk, bot, "0.5")
    assert desk.book.positions["ADA"].exit_pending is Reason.STOP_LOSS
    desk.market.exchange.pairs["ADAUSDT"].depth = D(10_000)
    check_at(desk, bot, "0.9")
    assert not desk.book.positions
    desk.assert_agreement()


class SlowForDot:
    """Coinbase, which has DOT's price only once another token's sale has gone out."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.waited_for_it = False

    def spot_prices_soon(self, assets: Collection[str], hear: HearSpot) -> None:
        hear({asset: Decimal("0.4") for asset in assets if asset != "DOT"})
        threading.Thread(target=self._tell_dot, args=(hear,), daemon=True).start()

    def _tell_dot(self, hear: HearSpot) -> None:
        until = time.monotonic() + 10
        while not self.desk.orders and time.monotonic() < until:
            time.sleep(0.001)
        self.waited_for_it = bool(self.desk.orders)
        hear({"DOT": Decimal("0.4")})

    def give_up(self) -> None:
        """Ask on: there is but one question."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_token_whose_price_is_late_delays_no_other_tokens_sale(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_aggregator, "FAIR_CHANCE_SECONDS", 60.0)
    for token in ("DOT", "ADA"):
        desk.give(token, "300")
        desk.market.set_price(token, "0.4")
    bot = desk.bot()
    bot.price_desk = PriceDesk(desk.store, desk.clock)
    bot.coinbase = coinbase = SlowForDot(desk)
    assert bot.intraday_check()
    assert coinbase.waited_for_it
    assert desk.traded() == ["SELL ADA", "SELL DOT"]
    desk.assert_agreement()


def test_one_tokens_trouble_does_not_keep_another_from_its_stop_loss(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.give("DOT", "300")
    desk.market.exchange.pairs["ADAUSDT"].permitted = False
    for symbol in ("ADA", "DOT"):
        desk.market.set_price(symbol, "0.4")
    desk.bot().cycle()
    assert desk.traded() == ["SELL DOT"]
    assert list(desk.book.positions) == ["ADA"]


def test_exits_go_on_while_the_daily_pass_waits_for_its_scores(desk: Desk) -> None:
    desk.give("ADA", "300")
    scores = Scores(desk.clock)
    scores.under_way = 1000
    bot = desk.bot(scores)
    desk.clock.idle(at(0, 30))
    bot.cycle()
    check_at(desk, bot, "0.5")
    assert desk.traded() == ["SELL ADA"]


# ------------------------------------------------------------------ sell-all and stop


def test_sell_all_sells_every_position_and_takes_note(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.give("DOT", "300")
    bot = desk.bot()
    bot.control.ask_to_sell_all()
    bot.cycle()
    assert sorted(desk.traded()) == ["SELL ADA", "SELL DOT"]
    assert not desk.book.positions
    assert not bot.control.is_to_sell_all()
    desk.assert_agreement()


def test_what_sell_all_could_not_sell_goes_at_the_next_checks_also_after_a_restart(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.fault(NEW_ORDER, "status", status=502)
    desk.fault(NEW_ORDER, "drop_before")
    bot = desk.bot()
    bot.control.ask_to_sell_all()
    bot.cycle()
    assert desk.book.positions["ADA"].exit_pending is Reason.SELL_ALL
    desk.open()
    bot = desk.bot()
    for _ in range(8):
        desk.wait(100)
        bot.cycle()
    assert not desk.book.positions
    desk.assert_agreement()


def test_a_purchase_in_doubt_when_sell_all_is_asked_for_is_sold_when_it_is_found(desk: Desk) -> None:
    desk.clock.idle(at(1, 0))
    desk.fault(NEW_ORDER, "drop_after")
    desk.fault("GET /api/v3/order", "status", times=2, status=502)
    bot = desk.bot(Scores(desk.clock, ADA="0.9"))
    bot.cycle()
    bot.control.pause()
    bot.control.ask_to_sell_all()
    for _ in range(60):
        desk.clock.idle(bot.next_due())
        bot.cycle()
    assert desk.traded() == ["BUY ADA", "SELL ADA"]


def test_a_sell_all_that_the_disk_refuses_is_not_taken_note_of(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.disk.refuses = "bot_state.json"
    bot = desk.bot()
    bot.control.ask_to_sell_all()
    with pytest.raises(MarsShotError):
        bot.cycle()
    assert bot.control.is_to_sell_all()


def test_a_stop_in_the_middle_of_a_check_ends_the_loop_after_the_order_in_hand(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.give("DOT", "300")
    for symbol in ("ADA", "DOT"):
        desk.market.set_price(symbol, "0.4")
    desk.market.binance.account.on_order = desk.clock.stop
    loop(desk.bot(), nothing)
    assert desk.traded() == ["SELL ADA"]
    assert list(desk.book.positions) == ["DOT"]
    desk.assert_agreement()


# ------------------------------------------------------------------ the loop


def test_no_error_ends_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = desk.bot()
    troubles: list[Exception] = [MarsShotError("a disk in trouble"), ZeroDivisionError("unforeseen"), RuntimeError()]
    seen: list[datetime] = []

    def cycle() -> None:
        seen.append(desk.clock.now())
        if troubles:
            raise troubles.pop(0)

    monkeypatch.setattr(bot, "cycle", cycle)
    run_until(bot, at(0, 20))
    assert len(seen) >= 4
    assert seen == sorted(set(seen)), "time passes between two rounds"
    assert desk.told.of("cycle.failed")
    assert len(desk.told.of("cycle.surprise")) == 2


def test_a_stop_while_waiting_ends_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = desk.bot()

    def cycle() -> None:
        raise StopRequested

    monkeypatch.setattr(bot, "cycle", cycle)
    loop(bot, nothing)


def test_changed_settings_are_taken_up_before_a_pass_is_planned_and_not_within_one(desk: Desk) -> None:
    taken_up: list[datetime] = []
    scores = Scores(desk.clock, ADA="0.9")
    bot = desk.bot(scores, check_interval_seconds=60)
    desk.clock.idle(at(0, 20))
    desk.fault(NEW_ORDER, "drop_before")
    loop(bot, lambda: taken_up.append(desk.clock.now()), after_cycle=lambda: not bot.daily_is_done())
    assert taken_up == [at(0, 30)]
    assert desk.clock.now() >= at(0, 31), "the plan was under way for a while"


def test_a_bot_leaves_no_threads_behind(desk: Desk) -> None:
    desk.give("ADA", "300")
    bot = desk.bot()
    bot.cycle()
    bot.coinbase.close()
    for thread in threading.enumerate():
        if thread.name.startswith("coinbase"):
            thread.join(2)
            assert not thread.is_alive()


# ------------------------------------------------------------------ what outlives the process


def test_a_ban_outlives_a_restart(desk: Desk) -> None:
    desk.give("ADA", "300")
    desk.fault("ticker/price", "status", status=418, headers={"Retry-After": "600"})
    desk.bot().cycle()
    asked = desk.requests("/api/v3/")
    desk.open()
    bot = desk.bot()
    desk.wait(599)
    bot.cycle()
    assert desk.requests("/api/v3/") == asked
    desk.wait(1)
    bot.executor.settle_unknown()
    bot.intraday_check()
    assert desk.requests("/api/v3/ticker/price") == 2


@pytest.mark.parametrize(("seconds", "sells"), [(39, False), (40, True)])
def test_a_stop_loss_that_met_a_silence_is_carried_out_as_soon_as_that_is_over(
    desk: Desk, seconds: int, sells: bool
) -> None:
    desk.give("ADA", "300", entry_price="2.5")
    desk.fault(NEW_ORDER, "status", status=429, headers={"Retry-After": "40"}, body=b"{}")
    bot = desk.bot()
    bot.cycle()
    assert (desk.traded(), bot.next_due()) == ([], desk.clock.now() + timedelta(seconds=40))
    desk.wait(seconds)
    bot.cycle()
    assert desk.traded() == (["SELL ADA"] if sells else [])


def test_a_ban_is_kept_by_a_bot_that_is_stopped(desk: Desk) -> None:
    bot = desk.bot()

    def cycle() -> None:
        bot.executor.exchange.keep_quiet_until(int(at(4, 0).timestamp() * 1000))
        raise StopRequested

    bot.cycle = cycle  # type: ignore[method-assign]
    loop(bot, nothing)
    assert desk.book.exchange_quiet_until_ms == at(4, 0).timestamp() * 1000


@pytest.mark.parametrize(("seconds", "looks"), [(60, 1), (61, 2)])
def test_a_token_whose_turn_comes_late_gets_a_new_price_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: int, looks: int
) -> None:
    desk.give("ADA", "300", entry_price="2.5")
    desk.give("DOT", "300", entry_price="2.5")
    bot = desk.bot()
    send = bot.executor.exchange.send_market_order

    def slow(intent: Intent) -> OrderReport:
        report = send(intent)
        desk.wait(seconds)
        desk.market.set_price("DOT", "2")
        return report

    monkeypatch.setattr(bot.executor.exchange, "send_market_order", slow)
    bot.intraday_check()
    assert desk.requests("DOT-USD") == looks
    assert desk.traded() == (["SELL ADA"] if looks == 2 else ["SELL ADA", "SELL DOT"])


def test_a_pause_says_why(desk: Desk) -> None:
    bot = desk.bot()
    bot.control.pause("ADA: coins are missing")
    bot.control.pause("DOT: so are these")
    assert "(ADA: coins are missing DOT: so are these); python main.py resume" in bot.control.paused()
    assert bot.control.resume()
    assert bot.control.paused() == ""


@pytest.mark.parametrize(
    ("before_seconds", "made_seconds"), [(-1, 0), (0, 0), (300, 0), (301, 300), (900, 600), (901, 900)]
)
def test_checks_before_a_moment_may_be_taken_as_made(desk: Desk, before_seconds: int, made_seconds: int) -> None:
    bot = desk.bot(Scores(desk.clock), check_interval_seconds=300)
    bot.intraday_check()
    checked = bot.checked_at
    assert checked == desk.clock.now()
    bot.skip_checks(checked + timedelta(seconds=before_seconds))
    assert bot.checked_at == checked + timedelta(seconds=made_seconds)
