"""The bot's day against the embedded market: when what happens, which price counts, exits from price to order."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.loop import loop
from marsshot.bot.price_feed import PriceFeed
from marsshot.core.book import STANDSTILL
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.core.orders import Intent, OrderReport
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.market_data import price_aggregator
from marsshot.market_data.coinbase import SpotPricesCallback
from marsshot.portfolio.ledger import with_position
from tests.helpers.builders import spot
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


# ------------------------------------------------------------------ which price counts


def told_of_prices(harness: TradingHarness) -> list[str]:
    return harness.captured_log.of("price.note") + harness.captured_log.of("price.normal")


def test_coinbases_price_counts_where_binances_confirms_it(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "0.51")
    harness.market.set_coinbase_price("ADA", "0.50")
    harness.bot().cycle()
    assert harness.traded() == ["SELL ADA"]
    assert not told_of_prices(harness)


@pytest.mark.parametrize(
    ("coinbase", "binance", "sold"),
    [
        ("0.50", "0.55", True),  # 9.1 % off: near enough
        ("0.495", "0.55", True),  # 10 % off exactly: near enough
        ("0.4949", "0.55", False),  # further: Binance's 0.55 counts
        ("0.40", "0.50", True),  # further: Binance's 0.50 counts, and both would sell
    ],
)
def test_a_coinbase_price_too_far_from_binances_does_not_count(
    harness: TradingHarness, coinbase: str, binance: str, sold: bool
) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", binance)
    harness.market.set_coinbase_price("ADA", coinbase)
    bot = harness.bot()
    bot.cycle()
    assert harness.traded() == (["SELL ADA"] if sold else [])
    far = abs(D(coinbase) - D(binance)) > D(binance) / 10
    assert len(told_of_prices(harness)) == far
    harness.wait(300)
    bot.cycle()
    assert len(told_of_prices(harness)) == far, "said once"


def break_coinbase(harness: TradingHarness, how: str) -> None:
    if how == "unknown to it":
        harness.market.coinbase.unlisted.add("ADA")
        return
    answers = {
        "zero": (200, '{"data":{"amount":"0","base":"ADA","currency":"USD"}}'),
        "not a number": (200, '{"data":{"amount":"NaN","base":"ADA","currency":"USD"}}'),
        "another pair": (200, '{"data":{"amount":"1","base":"BTC","currency":"USD"}}'),
        "not JSON": (200, "<html>"),
        "error": (503, "<html>"),
    }
    if how == "silent":
        harness.market.faults.add(service="coinbase", match="ADA-USD", kind="drop_before", times=-1)
    else:
        status, body = answers[how]
        harness.market.faults.add(
            service="coinbase", match="ADA-USD", kind="status", times=-1, status=status, body=body
        )


@pytest.mark.parametrize(
    "how", ["unknown to it", "zero", "not a number", "another pair", "not JSON", "error", "silent"]
)
def test_binances_price_stands_in_where_coinbase_has_none_and_that_is_said_once(
    harness: TradingHarness, how: str
) -> None:
    harness.add_position("ADA", "300")
    break_coinbase(harness, how)
    bot = harness.bot()
    for _ in range(3):
        bot.cycle()
        harness.wait(300)
    assert len(told_of_prices(harness)) == 1
    assert "ADA" in told_of_prices(harness)[0]
    assert "Binance's price is used" in told_of_prices(harness)[0]
    harness.market.set_price("ADA", "0.5")
    bot.cycle()
    assert harness.traded() == [], "half the price, on one venue's word: a second look"
    harness.wait(60)
    bot.cycle()
    assert harness.traded() == ["SELL ADA"]


def test_what_only_one_of_two_contradicting_prices_would_sell_is_looked_at_twice(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "0.50")
    harness.market.set_coinbase_price("ADA", "0.60")
    bot = harness.bot()
    bot.cycle()
    assert harness.traded() == []
    assert bot.next_due() == harness.clock.now() + timedelta(seconds=60)
    harness.wait(60)
    bot.cycle()
    assert harness.traded() == ["SELL ADA"], "Binance's 0.50 counts"


def test_a_doubt_that_no_look_can_settle_is_looked_at_once_a_minute(harness: TradingHarness) -> None:
    """A hundredfold price while the account cannot be asked: what it is, the balance alone could tell."""
    harness.add_position("ADA", "300")
    bot = harness.bot()
    bot.cycle()
    harness.wait(300)
    harness.market.set_price("ADA", "100")
    harness.fault("GET /api/v3/account", "status", times=-1, status=400)
    bot.cycle()
    for _ in range(5):
        assert bot.next_due() == harness.clock.now() + timedelta(seconds=60)
        harness.clock.idle(bot.next_due())
        bot.cycle()
    assert harness.traded() == []


def test_a_doubted_token_that_then_has_no_price_keeps_the_loop_at_rest(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "0.50")
    harness.market.set_coinbase_price("ADA", "0.60")
    bot = harness.bot()
    bot.cycle()
    harness.market.delist("ADAUSDT")
    harness.market.coinbase.unlisted.add("ADA")
    for _ in range(3):
        harness.clock.idle(bot.next_due())
        bot.cycle()
        assert bot.next_due() > harness.clock.now()


def test_a_doubt_about_a_token_that_is_sold_meanwhile_wakes_nobody(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "0.50")
    harness.market.set_coinbase_price("ADA", "0.60")
    bot = harness.bot()
    bot.cycle()
    assert bot.next_due() == harness.clock.now() + timedelta(seconds=60)
    harness.store.change(lambda book: with_position(book, "ADA", None))
    assert bot.next_due() > harness.clock.now() + timedelta(seconds=60)


@pytest.mark.parametrize(("opened_at", "sold"), [("2021-02-14T23:00:01Z", False), ("2021-02-14T23:00:00Z", True)])
def test_what_was_paid_within_the_hour_is_the_last_price_where_none_was_seen(
    harness: TradingHarness, opened_at: str, sold: bool
) -> None:
    harness.add_position("ADA", "300", "0.6", opened_at=opened_at)
    harness.market.set_price("ADA", "0.29")
    break_coinbase(harness, "silent")
    bot = harness.bot()
    bot.cycle()
    assert bool(harness.traded()) is sold, "on one venue's word, by the first process that looks"
    harness.wait(60)
    bot.cycle()
    assert harness.traded() == ["SELL ADA"]


@pytest.mark.parametrize(("price", "replaced"), [("3", False), ("3.01", True), ("0.34", False), ("0.33", True)])
def test_a_pair_that_was_halted_may_come_back_as_another_coin(
    harness: TradingHarness, price: str, replaced: bool
) -> None:
    harness.add_position("ADA", "300", "0.6", partial_sold=True)
    harness.market.exchange.pairs["ADAUSDT"].status = "BREAK"
    bot = harness.bot()
    bot.cycle()
    harness.wait(300)
    harness.market.exchange.pairs["ADAUSDT"].status = "TRADING"
    bot.cycle()  # back, and no trade yet
    harness.market.set_price("ADA", price)
    for seconds in (300, 60):
        harness.wait(seconds)
        bot.cycle()
    assert (STANDSTILL in harness.book.positions["ADA"].said) is replaced
    assert harness.traded() == []


def test_a_halt_is_remembered_over_a_restart(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", "0.6", partial_sold=True)
    harness.market.exchange.pairs["ADAUSDT"].status = "BREAK"
    harness.bot().cycle()
    harness.market.exchange.pairs["ADAUSDT"].status = "TRADING"
    harness.market.set_price("ADA", "3.01")
    bot = harness.bot()
    for seconds in (300, 60):
        harness.wait(seconds)
        bot.cycle()
    assert STANDSTILL in harness.book.positions["ADA"].said
    assert harness.traded() == []


def test_coins_that_were_the_owners_before_are_no_exchange_after_a_restart(harness: TradingHarness) -> None:
    """300 of his beside 300 of the bot's, at half the price: by the book alone, two new coins for one."""
    harness.add_position("ADA", "300", "0.9")
    harness.market.exchange.free["ADA"] += 300
    harness.market.set_price("ADA", "0.9")
    harness.bot().cycle()
    harness.wait(300)
    harness.market.set_price("ADA", "0.45")
    harness.bot().cycle()
    assert harness.traded() == ["SELL ADA"]


def test_coins_exchanged_between_two_processes_stand_still_and_leave_the_owner_his_own(
    harness: TradingHarness,
) -> None:
    """100 new coins for an old one, of which the bot had 300 and the owner 100, while no process ran."""
    harness.add_position("ADA", "300", "0.9")
    harness.market.exchange.free["ADA"] += 100
    harness.market.set_price("ADA", "0.9")
    harness.bot().cycle()
    harness.wait(7200)
    harness.market.exchange.free["ADA"] *= 100
    harness.market.set_price("ADA", "0.009")
    bot = harness.bot()
    for _ in range(3):
        bot.cycle()
        harness.wait(60)
    assert STANDSTILL in harness.book.positions["ADA"].said
    assert harness.traded() == []
    bot = harness.bot()
    bot.control.resume()
    for _ in range(3):
        bot.cycle()
        harness.wait(60)
    held = harness.book.positions["ADA"]
    assert (held.qty, held.entry_price, held.said & {STANDSTILL}) == (D(30000), D("0.009"), frozenset())
    assert harness.traded() == []


def test_without_a_halt_a_price_three_times_as_high_is_a_good_day(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", "0.6", partial_sold=True)
    bot = harness.bot()
    bot.cycle()
    harness.market.set_price("ADA", "3.01")
    for seconds in (300, 60):
        harness.wait(seconds)
        bot.cycle()
    assert STANDSTILL not in harness.book.positions["ADA"].said


def test_when_coinbase_has_a_price_again_that_is_said_too(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.coinbase.unlisted.add("ADA")
    bot = harness.bot()
    bot.cycle()
    harness.market.coinbase.unlisted.clear()
    harness.wait(300)
    bot.cycle()
    assert len(harness.captured_log.of("price.note")) == len(harness.captured_log.of("price.normal")) == 1


def test_a_token_without_any_price_is_left_alone_and_that_is_said(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "300", "3")
    harness.market.delist("ADAUSDT")
    harness.market.coinbase.unlisted.add("ADA")
    bot = harness.bot()
    assert bot.intraday_check() is False
    assert harness.traded() == ["SELL DOT"], "its trouble is no one else's"
    assert any("ADA" in line and "no rule can act" in line for line in harness.captured_log.of("price.note"))
    assert "ADA" in harness.book.positions


def test_without_binance_coinbases_prices_go_on_being_watched(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "3")
    harness.fault("ticker/price", "drop_before", times=-1)
    bot = harness.bot()
    bot.cycle()
    harness.wait(60)
    bot.cycle()
    assert harness.book.positions["ADA"].trailing_armed
    assert any("Binance's prices cannot be had" in line for line in harness.captured_log.of("price.note"))


def test_a_price_of_coinbase_that_was_wrong_is_not_believed_alone(harness: TradingHarness) -> None:
    """RON is the Romanian leu at Coinbase: without Binance's price its 0.2173 is no reason to sell a token at 6.54."""
    harness.add_position("ADA", "300", "6.54")
    harness.market.set_price("ADA", "6.54")
    harness.market.set_coinbase_price("ADA", "0.2173")
    harness.bot().cycle()
    harness.fault("ticker/price", "status", times=2, status=503)
    harness.open()  # a restart remembers
    bot = harness.bot()
    for _ in range(2):
        bot.cycle()
        harness.wait(300)
    assert harness.traded() == []
    assert any("no rule can act" in line for line in harness.captured_log.of("price.note"))
    harness.market.set_coinbase_price("ADA", "6.54")
    bot.cycle()
    assert "coinbase_strays" not in harness.book.positions["ADA"].said


def test_all_binance_prices_come_in_one_request(harness: TradingHarness) -> None:
    for symbol in ("ADA", "DOT", "LINK"):
        harness.add_position(symbol, "300")
    harness.bot().cycle()
    assert harness.requests("ticker/price") == 1


# ------------------------------------------------------------------ from price to order


def check_at(harness: TradingHarness, bot: Bot, *prices: str) -> None:
    for price in prices:
        harness.market.set_price("ADA", price)
        harness.wait(300)
        bot.cycle()


def test_the_stop_loss_sells_everything_at_half_the_entry_price(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    check_at(harness, bot, "0.500001")
    assert harness.traded() == []
    check_at(harness, bot, "0.5")
    assert harness.traded() == ["SELL ADA"]
    assert not harness.book.positions
    harness.assert_consistent()


def test_the_partial_sale_sells_a_fifth_at_twice_the_entry_price_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    check_at(harness, bot, "1.999999")
    assert harness.traded() == []
    check_at(harness, bot, "2", "2.5", "1.5", "2.2")
    assert harness.traded() == ["SELL ADA"]
    assert harness.orders[0].executed_quantity == 60
    assert harness.book.positions["ADA"].partial_sold
    harness.assert_consistent()


def test_the_trailing_stop_of_the_seeds_example(harness: TradingHarness) -> None:
    harness.add_position("ADA", "3000", "0.10")
    bot = harness.bot()
    check_at(harness, bot, "0.30", "0.32", "0.2241")
    assert harness.traded() == ["SELL ADA"], "the partial sale alone"
    assert harness.book.positions["ADA"].max_price == D("0.32")
    check_at(harness, bot, "0.224")
    assert harness.traded() == ["SELL ADA", "SELL ADA"]
    assert harness.orders[1].executed_quantity == 2400
    harness.assert_consistent()


def test_the_trailing_stop_stays_armed_under_three_times_the_entry_over_a_restart(harness: TradingHarness) -> None:
    harness.add_position("ADA", "3000", "0.10")
    check_at(harness, harness.bot(), "0.30")
    harness.open()
    check_at(harness, harness.bot(), "0.22", "0.21")
    assert harness.traded() == ["SELL ADA", "SELL ADA"]
    assert not harness.book.positions


def test_a_jump_past_several_levels_arms_and_sells_the_part_in_one_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    check_at(harness, harness.bot(), "5")
    position = harness.book.positions["ADA"]
    assert (position.trailing_armed, position.max_price, position.partial_sold) == (True, D(5), True)
    assert harness.orders[0].executed_quantity == 60


def test_a_sale_that_fails_sets_no_flag_and_is_tried_at_the_next_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.fault(NEW_ORDER, "status", status=400, body='{"code":-2010,"msg":"Market is closed."}')
    bot = harness.bot()
    check_at(harness, bot, "2")
    assert not harness.book.positions["ADA"].partial_sold
    check_at(harness, bot, "2")
    assert harness.book.positions["ADA"].partial_sold
    harness.assert_consistent()


def test_a_stop_loss_that_was_tried_goes_through_even_if_the_price_recovers_after_a_part(
    harness: TradingHarness,
) -> None:
    harness.add_position("ADA", "300")
    harness.market.exchange.pairs["ADAUSDT"].depth = D(30)
    bot = harness.bot()
    check_at(harness, bot, "0.5")
    assert harness.book.positions["ADA"].exit_pending is OrderReason.STOP_LOSS
    harness.market.exchange.pairs["ADAUSDT"].depth = D(10_000)
    check_at(harness, bot, "0.9")
    assert not harness.book.positions
    harness.assert_consistent()


class CoinbaseSlowForDot:
    """Coinbase, which has DOT's price only once another token's sale has gone out."""

    def __init__(self, harness: TradingHarness) -> None:
        self.harness = harness
        self.waited_for_it = False

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        callback({asset: spot("0.4") for asset in assets if asset != "DOT"})
        threading.Thread(target=self._tell_dot, args=(callback,), daemon=True).start()

    def _tell_dot(self, callback: SpotPricesCallback) -> None:
        until = time.monotonic() + 10
        while not self.harness.orders and time.monotonic() < until:
            time.sleep(0.001)
        self.waited_for_it = bool(self.harness.orders)
        callback({"DOT": spot("0.4")})

    def cancel_pending(self) -> None:
        """Ask on: there is but one question."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_token_whose_price_is_late_delays_no_other_tokens_sale(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_aggregator, "SOFT_TIMEOUT_SECONDS", 60.0)
    for token in ("DOT", "ADA"):
        harness.add_position(token, "300")
        harness.market.set_price(token, "0.4")
    bot = harness.bot()
    bot.price_check.price_feed = PriceFeed(harness.store, harness.clock)
    bot.price_check.coinbase = coinbase = CoinbaseSlowForDot(harness)
    assert bot.intraday_check()
    assert coinbase.waited_for_it
    assert harness.traded() == ["SELL ADA", "SELL DOT"]
    harness.assert_consistent()


def test_one_tokens_trouble_does_not_keep_another_from_its_stop_loss(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "300")
    harness.market.exchange.pairs["ADAUSDT"].permitted = False
    for symbol in ("ADA", "DOT"):
        harness.market.set_price(symbol, "0.4")
    harness.bot().cycle()
    assert harness.traded() == ["SELL DOT"]
    assert list(harness.book.positions) == ["ADA"]


def test_exits_go_on_while_the_daily_pass_waits_for_its_scores(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    scores = StubScores(harness.clock)
    scores.pending_answers = 1000
    bot = harness.bot(scores)
    harness.clock.idle(at(0, 30))
    bot.cycle()
    check_at(harness, bot, "0.5")
    assert harness.traded() == ["SELL ADA"]


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


@pytest.mark.parametrize(("seconds", "looks"), [(60, 1), (61, 2)])
def test_a_token_whose_turn_comes_late_gets_a_new_price_first(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch, seconds: int, looks: int
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.add_position("DOT", "300", entry_price="2.5")
    bot = harness.bot()
    send = bot.executor.exchange.send_market_order

    def slow(intent: Intent) -> OrderReport:
        report = send(intent)
        harness.wait(seconds)
        harness.market.set_price("DOT", "2")
        return report

    monkeypatch.setattr(bot.executor.exchange, "send_market_order", slow)
    bot.intraday_check()
    assert harness.requests("DOT-USD") == looks
    assert harness.traded() == (["SELL ADA"] if looks == 2 else ["SELL ADA", "SELL DOT"])


def test_a_pause_says_why(harness: TradingHarness) -> None:
    bot = harness.bot()
    bot.control.pause("ADA: coins are missing")
    bot.control.pause("DOT: so are these")
    assert "(ADA: coins are missing DOT: so are these); python main.py resume" in bot.control.paused()
    assert bot.control.resume()
    assert bot.control.paused() == ""


@pytest.mark.parametrize(
    ("before_seconds", "made_seconds"), [(-1, 0), (0, 0), (300, 0), (301, 300), (900, 600), (901, 900)]
)
def test_checks_before_a_moment_may_be_taken_as_made(
    harness: TradingHarness, before_seconds: int, made_seconds: int
) -> None:
    bot = harness.bot(StubScores(harness.clock), check_interval_seconds=300)
    bot.intraday_check()
    checked = bot.price_check.last_at
    assert checked == harness.clock.now()
    bot.price_check.skip(checked + timedelta(seconds=before_seconds))
    assert bot.price_check.last_at == checked + timedelta(seconds=made_seconds)
