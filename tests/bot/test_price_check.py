"""The five-minute check: which price counts, what is looked at twice, and what is then sold."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.bot import Bot
from marsshot.bot.journal import read_last_seen
from marsshot.bot.price_feed import PriceFeed
from marsshot.config.bot_files import LAST_SEEN
from marsshot.core.book import STANDSTILL
from marsshot.core.moments import utc_text
from marsshot.core.orders import Intent, OrderReport
from marsshot.core.reasons import OrderReason
from marsshot.infra.atomic_files import Disk
from marsshot.market_data import price_aggregator
from marsshot.market_data.coinbase import SpotPricesCallback
from marsshot.portfolio.ledger import with_position
from tests.helpers.builders import spot
from tests.helpers.crash_injection import SimulatedCrash
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


def test_what_was_paid_now_counts_more_than_what_was_seen_of_an_earlier_position(harness: TradingHarness) -> None:
    """Sold hours ago, bought again a minute ago; Binance prints twelve times as much for one look."""
    harness.add_position("ADA", "300", "0.3")
    harness.market.set_price("ADA", "0.3")
    bot = harness.bot()
    bot.cycle()
    harness.wait(7200)
    harness.add_position("ADA", "300", "0.6", opened_at=utc_text(harness.clock.now()))
    harness.wait(60)
    harness.market.set_price("ADA", "7.2")
    break_coinbase(harness, "silent")
    bot.cycle()
    assert bot.price_feed.last_quotes["ADA"].price is None
    assert harness.traded() == []


@pytest.mark.parametrize("is_other_held", [False, True])
def test_what_was_seen_of_a_token_ends_with_its_position(harness: TradingHarness, *, is_other_held: bool) -> None:
    """All sold, the owner's coins, too; bought again at far more, and not looked at for two hours."""
    harness.market.exchange.free["ADA"] = D(100)
    harness.add_position("ADA", "300", "0.3")
    harness.market.set_price("ADA", "0.3")
    if is_other_held:
        harness.add_position("DOT", "10")
    bot = harness.bot()
    bot.cycle()
    assert bot.price_feed.owners_share("ADA") == 100
    harness.store.change(lambda book: with_position(book, "ADA", None))
    harness.market.exchange.free["ADA"] = D(0)
    harness.wait(3600)
    bot.cycle()
    assert bot.price_feed.owners_share("ADA") is None
    harness.add_position("ADA", "300", "8", opened_at=utc_text(harness.clock.now()))
    harness.wait(7200)
    harness.market.set_price("ADA", "3.9")
    bot.cycle()
    assert harness.traded() == ["SELL ADA"], "its stop-loss is hit"


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


def test_a_death_leaves_no_new_top_beside_the_price_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By that price the next start would believe a wick, and sell all under the top."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        monkeypatch.chdir(folder)
        with open_trading_harness(folder, now=at(0, 0)) as harness:
            harness.add_position("ADA", "300", "0.3", partial_sold=True)
            harness.market.set_price("ADA", "0.4")
            bot = harness.bot()
            bot.cycle()
            harness.market.set_price("ADA", "1.2")
            harness.wait(300)
            harness.crash_injector.steps_left = step
            try:
                bot.cycle()
            except SimulatedCrash:
                harness.open()
                if harness.book.positions["ADA"].trailing_armed:
                    seen = read_last_seen(harness.settings.file(LAST_SEEN), Disk())
                    assert seen.prices["ADA"][0] == harness.book.positions["ADA"].max_price
            else:
                assert harness.book.positions["ADA"].trailing_armed
                return
    raise AssertionError("it never came to an end")


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


def a_bot_whose_token_stands_still(harness: TradingHarness) -> Bot:
    """ADA, 300 of the bot's and 100 of the owner's, has come back from a halt at more than three times its price."""
    harness.add_position("ADA", "300", "0.6", partial_sold=True)
    harness.market.exchange.free["ADA"] += 100
    harness.bot().cycle()
    harness.market.exchange.pairs["ADAUSDT"].status = "BREAK"
    harness.wait(300)
    harness.bot().cycle()
    harness.market.exchange.pairs["ADAUSDT"].status = "TRADING"
    harness.market.set_price("ADA", "3.01")
    bot = harness.bot()
    for seconds in (300, 60):
        harness.wait(seconds)
        bot.cycle()
    assert STANDSTILL in harness.book.positions["ADA"].said
    return bot


def test_coins_that_the_owner_buys_while_a_token_stands_still_stay_his(harness: TradingHarness) -> None:
    bot = a_bot_whose_token_stands_still(harness)
    bot.control.resume()
    harness.market.exchange.free["ADA"] += 50
    bot.cycle()
    held = harness.book.positions["ADA"]
    assert (held.qty, held.said & {STANDSTILL}) == (D(300), frozenset())


def test_whose_coins_they_are_is_known_without_the_last_prices(harness: TradingHarness) -> None:
    """A power cut takes seen.json while ADA stands still; ten new coins for one since."""
    a_bot_whose_token_stands_still(harness)
    harness.settings.file(LAST_SEEN).unlink()
    harness.market.exchange.free["ADA"] *= 10
    bot = harness.bot()
    bot.control.resume()
    bot.cycle()
    assert harness.book.positions["ADA"].qty == D(3000)


def test_a_book_of_before_takes_the_owners_share_from_the_last_prices(harness: TradingHarness) -> None:
    """Ten new coins for one, in a token that stood still already when the book kept no share of his."""
    a_bot_whose_token_stands_still(harness)
    held = replace(harness.book.positions["ADA"], owners_share=None)
    harness.store.save(with_position(harness.book, "ADA", held))
    harness.market.exchange.free["ADA"] *= 10
    bot = harness.bot()
    bot.start()
    bot.control.resume()
    bot.cycle()
    assert harness.book.positions["ADA"].qty == D(3000)


@pytest.mark.parametrize("gone", ["100", "145"])
def test_coins_that_went_meanwhile_change_no_price_that_was_paid(harness: TradingHarness, gone: str) -> None:
    """All of the owner's 100; and 45 of the bot's, too, which is told like anything that is missing."""
    bot = a_bot_whose_token_stands_still(harness)
    harness.market.exchange.free["ADA"] -= D(gone)
    paid = harness.book.positions["ADA"].entry_price
    bot.control.resume()
    bot.cycle()
    held = harness.book.positions["ADA"]
    assert (held.qty, held.entry_price) == (D(300), paid)
    assert len(harness.captured_log.of("token.looked_at")) == 1
    assert not harness.captured_log.of("book.adjusted"), "300 instead of 300 would say nothing"


def test_what_the_owner_has_looked_at_stands_still_no_more_after_a_death(harness: TradingHarness) -> None:
    """The process that has read `resume` dies before its next look; seen.json tells the price of before still."""
    bot = a_bot_whose_token_stands_still(harness)
    bot.control.resume()
    bot.reconciler.reconcile(bot.settings, bot.executor)
    assert STANDSTILL not in harness.book.positions["ADA"].said
    bot = harness.bot()
    for seconds in (300, 60):
        harness.wait(seconds)
        bot.cycle()
    assert STANDSTILL not in harness.book.positions["ADA"].said
    assert bot.price_feed.last_quotes["ADA"].price == D("3.01")


def test_a_resume_in_a_time_to_come_lets_nothing_be_forgotten(harness: TradingHarness) -> None:
    """The clock was ahead when the owner resumed, and has been set right."""
    harness.add_position("ADA", "300", "0.6", partial_sold=True, resumed_at="2100-01-01T00:00:00Z")
    bot = harness.bot()
    bot.cycle()
    harness.market.set_price("ADA", "30")
    harness.wait(300)
    bot.cycle()
    assert bot.price_feed.last_quotes["ADA"].price is None


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
