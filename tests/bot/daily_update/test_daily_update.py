"""The daily pass at the embedded exchange, with scores of the test's making: sold, bought, split, carried on."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from marsshot.bot.bot import Bot
from marsshot.bot.daily_update.updater import Progress
from marsshot.bot.journal import read_last_seen
from marsshot.config.bot_files import LAST_SEEN
from marsshot.core.decisions import DailyPlan, PlannedBuy, PlannedSell
from marsshot.core.errors import InputError, StopRequested, TemporaryError, UnknownOutcomeError
from marsshot.core.moments import utc_text
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import (
    NEW_ORDER,
    NO_SUCH_ORDER,
    NOON,
    StubScores,
    TradingHarness,
    open_trading_harness,
)

D = Decimal
TODAY = NOON.date()
INSUFFICIENT = '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # what the power does is not the point here
    with open_trading_harness(tmp_path) as harness:
        yield harness


def scored(harness: TradingHarness, **probabilities: str | None) -> StubScores:
    return StubScores(harness.clock, **probabilities)


def set_capital(harness: TradingHarness, capital: str) -> None:
    harness.owner_balances["USDT"] += harness.book.capital - D(capital)
    harness.store.save(replace(harness.book, capital=D(capital), capital_started=D(capital)))


def bought(harness: TradingHarness) -> dict[str, Decimal]:
    """Return what was ordered of each token, in USDT."""
    amounts: dict[str, Decimal] = {}
    for order in harness.orders:
        if order.request.quote_quantity is not None:
            token = order.symbol[:-4]
            amounts[token] = amounts.get(token, D(0)) + order.request.quote_quantity
    return amounts


def run_until_done(harness: TradingHarness, bot: Bot, cycles: int = 60) -> None:
    for _ in range(cycles):
        bot.cycle()
        if bot.daily_is_done():
            return
        harness.clock.idle(bot.next_due())
    raise AssertionError(f"the pass is not done at {harness.clock.now()}: {harness.book.plan}")


# ------------------------------------------------------------------ sells, then buys


def test_sells_come_before_buys_and_what_they_bring_in_is_split_too(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(scored(harness, ADA="0.29", DOT="0.70", LINK="0.95"))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA", "BUY LINK", "BUY DOT"]
    sold = harness.orders[0]
    proceeds = sold.executed_quote - sum((fill.commission for fill in sold.fills), D(0))
    share = ((1000 + proceeds) / 2).quantize(D("0.00000001"), rounding=ROUND_DOWN)
    assert bought(harness) == {"DOT": share, "LINK": share}
    harness.assert_consistent()


@pytest.mark.parametrize(
    ("probability", "trades"), [("0.2999", ["SELL ADA"]), ("0.30", []), ("0.69", []), ("0.95", [])]
)
def test_a_held_token_is_sold_under_the_threshold_and_never_bought_on_top(
    harness: TradingHarness, probability: str, trades: list[str]
) -> None:
    harness.add_position("ADA", "300")
    harness.bot(scored(harness, ADA=probability)).daily_update()
    assert harness.traded() == trades


@pytest.mark.parametrize(("probability", "trades"), [("0.6999", []), ("0.70", ["BUY ADA"])])
def test_a_token_is_bought_from_the_threshold_on(harness: TradingHarness, probability: str, trades: list[str]) -> None:
    harness.bot(scored(harness, ADA=probability)).daily_update()
    assert harness.traded() == trades


def test_a_held_token_that_is_no_longer_in_the_list_is_scored_and_sold(harness: TradingHarness) -> None:
    harness.add_position("LTC", "300")
    harness.bot(scored(harness, LTC="0.1")).daily_update()
    assert harness.traded() == ["SELL LTC"]


def test_a_token_without_a_probability_is_not_traded(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    assert harness.bot(scored(harness, ADA=None, DOT=None, LINK="0.5")).daily_update() is Progress.DONE
    assert harness.traded() == []


def test_a_token_sold_today_is_not_bought_back_in_the_same_pass(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.9"))
    bot.daily_update()
    assert harness.traded() == ["SELL ADA", "BUY DOT"]
    assert sorted(harness.book.positions) == ["DOT"]


def test_a_gain_of_four_times_skips_the_sale_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "4")
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.5"))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == []
    assert harness.book.positions["ADA"].did_skip_sell_once
    harness.clock.idle(NOON + timedelta(days=1))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA"]


def test_a_gain_just_under_four_times_skips_nothing(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_price("ADA", "3.999999")
    harness.bot(scored(harness, ADA="0.1", DOT="0.5")).daily_update()
    assert harness.traded() == ["SELL ADA"]


# ------------------------------------------------------------------ the split


@pytest.mark.parametrize(("free", "split"), [("600", "600"), ("999.99", "999.99"), ("1000", "1000"), ("5000", "1000")])
def test_what_is_split_is_the_smaller_of_capital_and_free_balance(
    harness: TradingHarness, free: str, split: str
) -> None:
    harness.market.exchange.free["USDT"] = D(free)
    harness.bot(scored(harness, ADA="0.9", DOT="0.8")).daily_update()
    assert bought(harness) == {"ADA": D(split) / 2, "DOT": D(split) / 2}


def test_a_share_under_the_smallest_order_goes_to_the_most_probable(harness: TradingHarness) -> None:
    set_capital(harness, "12")
    harness.bot(scored(harness, ADA="0.75", DOT="0.9", LINK="0.8")).daily_update()
    assert bought(harness) == {"DOT": D(6), "LINK": D(6)}
    assert "too little money" in harness.captured_log.of("daily.done")[0]


def test_the_dearest_smallest_order_of_those_kept_counts(harness: TradingHarness) -> None:
    set_capital(harness, "12")
    scores = scored(harness, LTC="0.95", ADA="0.8", DOT="0.75")  # LTC takes 10 USDT or more
    harness.bot(scores, tokens_daily=["LTC", "ADA", "DOT"]).daily_update()
    assert bought(harness) == {"LTC": D(12)}


def test_a_capital_under_the_smallest_order_buys_nothing_and_the_pass_is_done(harness: TradingHarness) -> None:
    set_capital(harness, "4.99")
    assert harness.bot(scored(harness, ADA="0.9")).daily_update() is Progress.DONE
    assert harness.traded() == []


def test_a_share_above_the_largest_order_is_bought_in_parts(harness: TradingHarness) -> None:
    harness.set_rules(
        "ADAUSDT", max_market_quantity=D(260)
    )  # a price that falls a little must not make an order too large
    harness.bot(scored(harness, ADA="0.9")).daily_update()
    assert [order.request.quote_quantity for order in harness.orders] == [D(250)] * 4
    harness.assert_consistent()


# ------------------------------------------------------------------ what is left out before the split


def test_another_coin_under_the_same_ticker_is_not_traded(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    scores = scored(harness, ADA="0.1", DOT="0.9", LINK="0.9")
    scores.last_closes = {"ADA": "0.49", "DOT": "1.5", "LINK": "1.51"}
    harness.bot(scores).daily_update()
    assert bought(harness) == {"DOT": D(1000)}
    assert harness.traded() == ["BUY DOT"]
    assert any("LINK" in line and "too far apart" in line for line in harness.captured_log.of("daily.decision"))


@pytest.mark.parametrize(("is_coinbase_there", "sold"), [(True, ["SELL ADA"]), (False, [])])
def test_a_held_token_that_crashed_is_sold_by_its_score_where_both_venues_agree(
    harness: TradingHarness, is_coinbase_there: bool, sold: list[str]
) -> None:
    harness.add_position("ADA", "300")
    if not is_coinbase_there:
        harness.market.coinbase.unlisted.add("ADA")
    scores = scored(harness, ADA="0.1")
    scores.last_closes = {"ADA": "3.1"}
    harness.bot(scores).daily_update()
    assert harness.traded() == sold


def leave_out_dot_because_it_is_not_permitted(harness: TradingHarness) -> None:
    ask = f'{harness.url}/api/v3/exchangeInfo?symbols=["ADAUSDT","DOTUSDT","LINKUSDT"]'
    answer = requests.get(ask, timeout=5).json()
    answer["symbols"][1]["permissionSets"] = [["TRD_GRP_900"]]
    harness.fault("GET /api/v3/exchangeInfo", "status", status=200, body=json.dumps(answer))


@pytest.mark.parametrize("why", ["unknown", "BREAK", "HALT", "CANCEL_ONLY", "not permitted"])
def test_a_pair_that_cannot_be_bought_takes_no_share_from_the_others(harness: TradingHarness, why: str) -> None:
    if why == "unknown":
        harness.market.delist("DOTUSDT")
    elif why == "not permitted":
        leave_out_dot_because_it_is_not_permitted(harness)
    else:
        harness.market.set_status("DOTUSDT", why)
    assert harness.bot(scored(harness, ADA="0.9", DOT="0.9", LINK="0.9")).daily_update() is Progress.DONE
    assert bought(harness) == {"ADA": D(500), "LINK": D(500)}


def test_a_pair_that_stops_trading_before_the_split_takes_no_share_from_the_others(harness: TradingHarness) -> None:
    buys = tuple(PlannedBuy(symbol=symbol, probability="0.9") for symbol in ("ADA", "DOT"))
    harness.store.save(replace(harness.book, plan=DailyPlan(day=TODAY, buys=buys)))
    harness.market.set_status("DOTUSDT", "BREAK")
    harness.open()
    assert harness.bot().daily_update() is Progress.DONE
    assert bought(harness) == {"ADA": D(1000)}


def test_while_buying_is_paused_only_sales_are_made(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.9"))
    bot.control.pause()
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA"]
    assert any("paused" in line for line in harness.captured_log.of("daily.decision"))


def test_a_pause_after_the_plan_was_made_stops_its_purchases(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, ADA="0.9", DOT="0.8"))
    harness.market.binance.account.on_order = bot.control.pause  # in the middle of the first purchase
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA"]


def test_an_account_that_may_not_trade_buys_nothing_and_says_so(harness: TradingHarness) -> None:
    harness.market.exchange.can_trade = False
    bot = harness.bot(scored(harness, ADA="0.9"))
    assert bot.daily_update() is Progress.LATER
    assert harness.requests(NEW_ORDER) == 0
    assert "this account may not trade" in harness.captured_log.of("daily.later")[0]
    harness.market.exchange.can_trade = True  # the owner has looked: the same plan goes on, the same day
    run_until_done(harness, bot)
    assert harness.traded() == ["BUY ADA"]


@pytest.mark.parametrize("code", [-2015, -2014])
def test_a_key_that_is_refused_puts_the_purchases_off_and_the_amounts_stay(harness: TradingHarness, code: int) -> None:
    harness.fault(
        NEW_ORDER, "status", status=401, body=f'{{"code":{code},"msg":"Invalid API-key, IP, or permissions."}}'
    )
    bot = harness.bot(scored(harness, ADA="0.9", DOT="0.8"))
    assert bot.daily_update() is Progress.LATER
    plan = harness.book.plan
    assert plan is not None
    run_until_done(harness, bot)
    assert harness.traded() == ["BUY ADA", "BUY DOT"]
    assert [order.request.quote_quantity for order in harness.orders] == [buy.amount for buy in plan.buys]


# ------------------------------------------------------------------ refusals


def test_a_refused_token_does_not_stop_the_others(harness: TradingHarness) -> None:
    harness.market.exchange.pairs["DOTUSDT"].permitted = False  # Binance lists it, and refuses the order
    assert harness.bot(scored(harness, ADA="0.8", DOT="0.9", LINK="0.7")).daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA", "BUY LINK"]
    assert "not permitted for this account" in harness.captured_log.of("daily.done")[0]
    harness.assert_consistent()


def test_an_insufficient_balance_ends_the_purchases_of_the_day(harness: TradingHarness) -> None:
    harness.fault("side=BUY&symbol=ADAUSDT", "status", status=400, body=INSUFFICIENT)
    bot = harness.bot(scored(harness, ADA="0.8", DOT="0.9", LINK="0.7"))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]
    assert harness.requests(NEW_ORDER) == 2
    assert len(harness.captured_log.of("daily.no_more_buys")) == 1
    harness.assert_consistent()


def test_a_refused_sale_does_not_stop_the_pass(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("LINK", "300")
    harness.market.exchange.pairs["ADAUSDT"].permitted = False
    assert harness.bot(scored(harness, ADA="0.1", LINK="0.1", DOT="0.9")).daily_update() is Progress.DONE
    assert harness.traded() == ["SELL LINK", "BUY DOT"]
    assert harness.book.positions["ADA"].qty == 300


def test_a_sale_on_a_closed_market_waits_for_it_and_nothing_else_waits_for_the_sale(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("LINK", "300")
    harness.market.set_status("ADAUSDT", "HALT")
    bot = harness.bot(scored(harness, ADA="0.1", LINK="0.1", DOT="0.9"))
    before = harness.clock.now()
    assert bot.daily_update() is Progress.LATER
    assert harness.traded() == ["SELL LINK", "BUY DOT"]
    assert bot.daily_updater.not_before == before + timedelta(minutes=10)
    assert "ADA" in harness.captured_log.of("daily.later")[0]
    assert not bot.daily_is_done()
    harness.market.set_status("ADAUSDT", "TRADING")
    run_until_done(harness, bot)
    assert harness.traded() == ["SELL LINK", "BUY DOT", "SELL ADA"]
    harness.assert_consistent()


ADAS_RULES = "exchangeInfo?symbols=%5B%22ADAUSDT%22%5D"  # asked for before each attempt at a closed market


def test_a_closed_market_keeps_its_pace_while_another_order_is_in_doubt(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("LINK", "300")
    harness.market.set_status("ADAUSDT", "HALT")
    harness.fault("side=SELL&symbol=LINKUSDT", "status", status=504, body="")
    bot = harness.bot(scored(harness, ADA="0.1", LINK="0.1"))
    assert bot.daily_update() is Progress.WAITING
    asked = harness.requests(ADAS_RULES)
    assert asked > 0
    harness.clock.idle(harness.clock.now() + timedelta(minutes=10) - timedelta(seconds=1))
    assert bot.daily_update() is Progress.WAITING
    assert harness.requests(ADAS_RULES) == asked
    harness.clock.idle(harness.clock.now() + timedelta(seconds=1))
    assert bot.daily_update() is Progress.WAITING
    assert harness.requests(ADAS_RULES) > asked


def test_a_purchase_on_a_closed_market_is_left_undone(harness: TradingHarness) -> None:
    buys = tuple(PlannedBuy(symbol=one, probability="0.9", amount=D(300), left=D(300)) for one in ("ADA", "DOT"))
    plan = DailyPlan(day=TODAY, buys=buys, shared_out=True, decided_at=utc_text(harness.clock.now()))
    harness.store.save(replace(harness.book, plan=plan))
    harness.market.set_status("ADAUSDT", "HALT")
    harness.open()
    bot = harness.bot()
    assert bot.daily_update() is Progress.DONE
    assert bought(harness) == {"DOT": D(300)}
    assert "ADA" in harness.captured_log.of("order.refused")[0]


@pytest.mark.parametrize(("minutes", "progress"), [(59, Progress.LATER), (60, Progress.DONE)])
def test_a_sale_waits_an_hour_for_its_market_and_is_then_left_undone(
    harness: TradingHarness, minutes: int, progress: Progress
) -> None:
    harness.add_position("ADA", "300")
    harness.market.set_status("ADAUSDT", "BREAK")
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.9"))
    assert bot.daily_update() is Progress.LATER
    harness.clock.idle(harness.clock.now() + timedelta(minutes=minutes))
    assert bot.daily_update() is progress
    assert bot.daily_is_done() is (progress is Progress.DONE)
    assert len(harness.captured_log.of("daily.done")) == (progress is Progress.DONE)
    assert harness.traded() == ["BUY DOT"]
    assert harness.book.positions["ADA"].qty == 300


@pytest.mark.parametrize(("minutes", "trades"), [(59, ["SELL ADA"]), (60, [])])
def test_a_planned_sale_waits_an_hour_for_a_price(harness: TradingHarness, minutes: int, trades: list[str]) -> None:
    """A start in the middle of a plan may come before the network does."""
    harness.add_position("ADA", "300")
    plan = DailyPlan(day=TODAY, sells=(PlannedSell(symbol="ADA"),), decided_at=utc_text(harness.clock.now()))
    harness.store.save(replace(harness.book, plan=plan))
    harness.market.coinbase.unlisted.add("ADA")
    harness.fault("ticker/price", "status", times=-1, status=503)
    harness.open()
    bot = harness.bot()
    assert bot.daily_update() is Progress.LATER
    harness.clock.idle(harness.clock.now() + timedelta(minutes=minutes))
    if trades:
        harness.market.faults.clear()
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == trades


def test_a_plan_of_an_older_version_waits_for_no_market(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.store.save(replace(harness.book, plan=DailyPlan(day=TODAY, sells=(PlannedSell(symbol="ADA"),))))
    harness.market.set_status("ADAUSDT", "HALT")
    harness.open()
    assert harness.bot().daily_update() is Progress.DONE


def test_an_account_in_trouble_is_told_and_the_pass_is_tried_again_later(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    refusal = '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
    harness.fault(NEW_ORDER, "status", status=401, body=refusal)
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.9"))
    assert bot.daily_update() is Progress.LATER
    assert "allow the key spot trading" in harness.captured_log.of("daily.later")[0]
    run_until_done(harness, bot)
    assert harness.traded() == ["SELL ADA", "BUY DOT"]


def test_a_sale_of_which_a_part_is_left_is_done_for_the_pass(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.exchange.pairs["ADAUSDT"].depth = D(100)
    assert harness.bot(scored(harness, ADA="0.1", DOT="0.9")).daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA", "BUY DOT"]
    assert harness.book.positions["ADA"].exit_pending is not None
    harness.assert_consistent()


def test_a_held_token_without_any_price_is_left_for_the_day(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.delist("ADAUSDT")
    harness.market.coinbase.unlisted.add("ADA")
    assert harness.bot(scored(harness, ADA="0.1")).daily_update() is Progress.DONE
    assert harness.traded() == []
    assert "ADA" in harness.book.positions


def test_an_unreadable_price_list_does_not_cost_the_day(harness: TradingHarness) -> None:
    scores = scored(harness, ADA="0.9")
    scores.last_closes = {"ADA": "1"}
    harness.fault("ticker/price", "empty_200")
    bot = harness.bot(scores)
    bot.daily_update()
    run_until_done(harness, bot)
    assert harness.traded() == ["BUY ADA"]


# ------------------------------------------------------------------ no probability


@pytest.mark.parametrize("why", ["none has one", "source refuses", "source down", "model broken", "unforeseen wait"])
def test_without_any_probability_the_pass_is_tried_every_ten_minutes_until_the_date_ends(
    harness: TradingHarness, why: str
) -> None:
    harness.clock.idle(datetime(2021, 2, 15, 22, 0, tzinfo=UTC))
    scores = scored(harness)
    scores.error = {
        "source refuses": InputError("LunarCrush refuses the key"),
        "source down": TemporaryError("BTC: LunarCrush answered 502"),
        "model broken": InputError("model.pkl: cannot be loaded"),
    }.get(why)
    bot = harness.bot(scores)
    next_noon = NOON + timedelta(days=1)
    while harness.clock.now() < datetime(2021, 2, 16, 0, 35, tzinfo=UTC):
        bot.cycle()
        harness.clock.idle(bot.next_due())
    today = [moment for moment in scores.asked if moment.date() == TODAY]
    assert today == [datetime(2021, 2, 15, 22, 0, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(12)]
    assert scores.asked[12] == datetime(2021, 2, 16, 0, 30, tzinfo=UTC)
    scores.probabilities, scores.error = {"ADA": "0.9"}, None
    run_until_done(harness, bot)
    assert harness.clock.now() < next_noon
    assert harness.traded() == ["BUY ADA"]


def test_one_probability_is_enough_for_the_pass_to_be_done(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, LINK="0.1"))
    assert bot.daily_update() is Progress.DONE
    assert harness.book.last_daily_update == TODAY


def test_while_the_scores_are_being_made_the_pass_waits_and_checks_go_on(harness: TradingHarness) -> None:
    scores = scored(harness, ADA="0.9")
    scores.pending_answers = 3
    bot = harness.bot(scores)
    assert bot.daily_update() is Progress.WAITING
    assert harness.book.plan is None
    run_until_done(harness, bot)
    assert len(scores.asked) == 4
    assert harness.traded() == ["BUY ADA"]


def test_scores_that_arrive_after_midnight_are_not_used(harness: TradingHarness) -> None:
    scores = scored(harness, ADA="0.9")
    bot = harness.bot(scores)
    scoring = scores(["ADA"], harness.settings)
    assert scoring is not None
    harness.clock.idle(NOON + timedelta(hours=12, minutes=1))
    bot.daily_updater.plan_maker._scores = lambda symbols: scoring
    assert bot.daily_update() is Progress.WAITING
    assert harness.traded() == []


def test_how_far_the_features_have_gone_is_kept_with_the_pass(harness: TradingHarness) -> None:
    scores = scored(harness, ADA="0.9")
    bot = harness.bot(scores)
    scoring = scores(["ADA"], harness.settings)
    assert scoring is not None
    bot.daily_updater.plan_maker._scores = lambda symbols: replace(scoring, drift={"rsi": 0.25})
    run_until_done(harness, bot)
    assert read_last_seen(harness.settings.file(LAST_SEEN), harness.disk).drift == {"rsi": 0.25}


# ------------------------------------------------------------------ interrupted, and carried on

FAULTS: list[dict[str, Any]] = [
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "truncate"},
    {"kind": "status", "status": 504, "body": '{"code":-1007,"msg":"Timeout waiting for response."}'},
    {
        "kind": "status_after",
        "status": 504,
        "body": '{"code":-1007,"msg":"Timeout waiting for response."}',
    },
    {"kind": "status", "status": 429, "headers": {"Retry-After": "90"}, "body": '{"code":-1003,"msg":"Too many."}'},
    {"kind": "status", "status": 400, "body": '{"code":-1021,"msg":"Timestamp for this request is outside."}'},
]
ORDERS = ["side=SELL&symbol=ADAUSDT", "side=BUY&symbol=DOTUSDT", "side=BUY&symbol=LINKUSDT"]


def hold_ada_and_want_dot_and_link(harness: TradingHarness) -> StubScores:
    harness.add_position("ADA", "300")
    return scored(harness, ADA="0.1", DOT="0.9", LINK="0.8")


def assert_done_as_planned(harness: TradingHarness) -> None:
    """One sale, then two purchases, each once, of half of capital and proceeds; all of it booked."""
    assert harness.traded()[0] == "SELL ADA"
    assert sorted(harness.traded()[1:]) == ["BUY DOT", "BUY LINK"]
    sold = harness.orders[0]
    proceeds = sold.executed_quote - sum((fill.commission for fill in sold.fills), D(0))
    share = ((1000 + proceeds) / 2).quantize(D("0.00000001"), rounding=ROUND_DOWN)
    assert bought(harness) == {"DOT": share, "LINK": share}
    assert (harness.book.plan, harness.book.last_daily_update) == (None, TODAY)
    harness.assert_consistent()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")
@pytest.mark.parametrize("restart", [False, True])
def test_a_pass_interrupted_at_any_order_is_carried_on(
    harness: TradingHarness, order: str, fault: dict[str, Any], restart: bool
) -> None:
    scores = hold_ada_and_want_dot_and_link(harness)
    harness.fault(order, **fault)
    bot = harness.bot(scores)
    bot.daily_update()
    if restart:
        harness.open()
        bot = harness.bot(scores)
    run_until_done(harness, bot)
    assert_done_as_planned(harness)
    assert len(scores.asked) == 1, "carried on, not begun again"


def test_purchases_wait_until_the_outcome_of_the_sales_is_known(harness: TradingHarness) -> None:
    harness.fault(ORDERS[0], "drop_after")
    harness.fault("GET /api/v3/order", "status", times=3, status=400, body=NO_SUCH_ORDER)
    bot = harness.bot(hold_ada_and_want_dot_and_link(harness))
    assert bot.daily_update() is Progress.WAITING
    assert harness.traded() == ["SELL ADA"]
    run_until_done(harness, bot)
    assert_done_as_planned(harness)


def test_one_purchase_in_doubt_does_not_hold_up_the_others(harness: TradingHarness) -> None:
    harness.fault(ORDERS[1], "drop_before")
    bot = harness.bot(hold_ada_and_want_dot_and_link(harness))
    assert bot.daily_update() is Progress.WAITING
    assert harness.traded() == ["SELL ADA", "BUY LINK"]
    planned = {step.symbol: step.amount for step in harness.plan.buys}
    run_until_done(harness, bot)
    assert bought(harness) == planned
    harness.assert_consistent()


def test_a_price_that_moves_while_the_pass_is_interrupted_changes_no_amount(harness: TradingHarness) -> None:
    harness.fault(ORDERS[2], "status", status=429, headers={"Retry-After": "300"}, body="{}")
    scores = hold_ada_and_want_dot_and_link(harness)
    bot = harness.bot(scores)
    assert bot.daily_update() is Progress.LATER
    planned = {step.symbol: step.amount for step in harness.plan.buys}
    harness.market.set_price("DOT", "1.9")
    scores.probabilities = {"ADA": "0.9"}
    harness.open()
    run_until_done(harness, harness.bot(scores))
    assert bought(harness) == planned


def test_a_process_that_dies_at_any_step_of_the_pass_trades_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for step in range(1000):
        folder = tmp_path / str(step)
        folder.mkdir()
        monkeypatch.chdir(folder)
        with open_trading_harness(folder) as harness:
            scores = hold_ada_and_want_dot_and_link(harness)
            harness.open()
            bot = harness.bot(scores)
            harness.crash_injector.steps_left = step
            try:
                bot.daily_update()
            except SimulatedCrash:
                harness.open()
                run_until_done(harness, harness.bot(scores))
                assert_done_as_planned(harness)
                assert sorted(decisions(harness)) == ["ADA", "DOT", "LINK"]
            else:
                assert_done_as_planned(harness)
                assert step > 40
                return
    raise AssertionError("it never came to an end")


def test_a_bot_that_is_stopped_in_the_middle_does_what_is_left_when_it_starts_again(harness: TradingHarness) -> None:
    scores = hold_ada_and_want_dot_and_link(harness)
    bot = harness.bot(scores)
    harness.market.binance.account.on_order = harness.clock.stop
    with pytest.raises(StopRequested):
        bot.daily_update()
    assert harness.traded() == ["SELL ADA"]
    harness.market.binance.account.on_order = None
    harness.clock._stopping = False
    harness.open()
    run_until_done(harness, harness.bot(scores))
    assert_done_as_planned(harness)


def test_a_full_disk_stops_the_pass_before_its_next_order(harness: TradingHarness) -> None:
    scores = hold_ada_and_want_dot_and_link(harness)
    bot = harness.bot(scores)

    def fill_the_disk() -> None:
        harness.disk.failing_file = "bot_state.json"

    harness.market.binance.account.on_order = fill_the_disk
    assert bot.daily_update() is Progress.LATER
    assert harness.traded() == ["SELL ADA"]
    harness.market.binance.account.on_order = None
    harness.disk.failing_file = ""
    run_until_done(harness, bot)
    assert_done_as_planned(harness)


@pytest.mark.parametrize(
    ("request_line", "times"),
    [("GET /api/v3/exchangeInfo", 1), ("GET /api/v3/ticker/price", 1), ("GET /api/v3/account", 4)],
)
def test_a_read_that_fails_puts_the_pass_off_by_a_minute(
    harness: TradingHarness, request_line: str, times: int
) -> None:
    bot = harness.bot(hold_ada_and_want_dot_and_link(harness))
    harness.fault(request_line, "status", status=502, times=times)
    before = harness.clock.now()
    assert bot.daily_update() is Progress.LATER
    assert bot.daily_updater.not_before == before + timedelta(minutes=1)
    assert bot.daily_update() is Progress.LATER
    run_until_done(harness, bot)
    assert_done_as_planned(harness)


# ------------------------------------------------------------------ once per date


def test_the_pass_is_done_once_per_date(harness: TradingHarness) -> None:
    scores = scored(harness, ADA="0.9")
    bot = harness.bot(scores)
    run_until_done(harness, bot)
    scores.probabilities = {"DOT": "0.9"}
    for _ in range(20):
        harness.clock.idle(bot.next_due())
        bot.cycle()
    harness.open()
    harness.bot(scores).cycle()
    assert harness.traded() == ["BUY ADA"]
    assert len(scores.asked) == 1


def test_what_is_left_of_yesterdays_plan_is_dropped(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    plan = DailyPlan(
        day=TODAY - timedelta(days=1),
        sells=(PlannedSell(symbol="ADA"),),
        buys=(PlannedBuy(symbol="LINK", probability="0.9", amount=D(500), left=D(500)),),
        shared_out=True,
    )
    harness.store.save(replace(harness.book, plan=plan))
    assert harness.bot(scored(harness, ADA="0.5", DOT="0.9")).daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]
    assert "ADA, LINK" in harness.captured_log.of("daily.dropped")[0]


def test_a_purchase_in_doubt_over_midnight_is_not_made_again_by_the_next_pass(harness: TradingHarness) -> None:
    harness.clock.idle(datetime(2021, 2, 15, 23, 59, 50, tzinfo=UTC))
    harness.fault(NEW_ORDER, "drop_after")
    scores = scored(harness, ADA="0.9")
    bot = harness.bot(scores)
    assert bot.daily_update() is Progress.WAITING
    harness.fault("GET /api/v3/order", "status", times=-1, status=502)
    harness.clock.idle(datetime(2021, 2, 16, 0, 30, tzinfo=UTC))
    bot.cycle()
    assert harness.traded() == ["BUY ADA"]
    harness.market.faults.clear()
    harness.settle(10)
    assert harness.traded() == ["BUY ADA"]
    harness.assert_consistent()


def doubt_a_purchase_of_ada(harness: TradingHarness, amount: str) -> None:
    """An earlier purchase has been executed, its answer was lost, and it cannot be looked up."""
    harness.fault(NEW_ORDER, "drop_after")
    with pytest.raises(UnknownOutcomeError):
        harness.executor.buy("ADA", D(amount), D(1))
    harness.fault("GET /api/v3/order", "status", times=-1, status=502)


def test_a_token_in_doubt_is_not_planned_again(harness: TradingHarness) -> None:
    doubt_a_purchase_of_ada(harness, "400")
    assert harness.bot(scored(harness, ADA="0.9", DOT="0.9")).daily_update() is Progress.DONE
    assert list(bought(harness)) == ["ADA", "DOT"]
    assert bought(harness)["ADA"] == 400


def test_what_an_order_in_doubt_may_have_spent_is_not_split_again(harness: TradingHarness) -> None:
    doubt_a_purchase_of_ada(harness, "400")
    harness.bot(scored(harness, ADA="0.9", DOT="0.9")).daily_update()
    harness.market.faults.clear()
    harness.settle()
    assert harness.book.capital >= 0, "the owner's money has been spent besides the bot's"
    assert bought(harness) == {"ADA": D(400), "DOT": D(600)}


def test_a_token_that_is_sold_by_the_stop_loss_meanwhile_counts_as_sold(harness: TradingHarness) -> None:
    harness.store.save(replace(harness.book, plan=DailyPlan(day=TODAY, sells=(PlannedSell(symbol="ADA"),))))
    assert harness.bot().daily_update() is Progress.DONE
    assert harness.traded() == []


def test_the_scores_of_today_are_asked_for_held_tokens_and_the_list(harness: TradingHarness) -> None:
    harness.add_position("LTC", "300")
    asked: list[list[str]] = []
    bot = harness.bot(scored(harness, ADA="0.5"))
    bot.daily_updater.plan_maker._scores = lambda symbols: asked.append(list(symbols))
    bot.daily_update()
    assert asked == [["LTC", "ADA", "DOT", "LINK"]]


# ------------------------------------------------------------------ decisions.csv


def decisions(harness: TradingHarness) -> dict[str, dict[str, str]]:
    """Return the rows of decisions.csv by token; each stands there once."""
    with (harness.folder / "decisions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["day"], row["symbol"]) for row in rows}) == len(rows)
    return {row["symbol"]: row for row in rows}


def decisions_written(harness: TradingHarness) -> dict[str, tuple[str, str]]:
    return {symbol: (row["action"], row["reason"]) for symbol, row in decisions(harness).items()}


def test_every_token_of_the_pass_gets_a_row_with_its_reason(harness: TradingHarness) -> None:
    harness.add_position("LTC", "300")
    harness.bot(scored(harness, LTC="0.1", ADA="0.9", DOT="0.5", LINK=None)).daily_update()
    assert decisions_written(harness) == {
        "ADA": ("buy", "at_buy_threshold"),
        "DOT": ("leave", "below_buy_threshold"),
        "LTC": ("sell", "below_sell_threshold"),
        "LINK": ("leave", "not_scored"),
    }
    rows = decisions(harness)
    assert list(rows) == ["ADA", "DOT", "LTC", "LINK"], "by score, those without one at the end"
    assert rows["LTC"]["quote"] == "300", "what it is worth at the price of the decision"
    assert D(rows["ADA"]["quote"]) == bought(harness)["ADA"]
    assert {row["time"] for row in rows.values()} == {"2021-02-15T12:00:00Z"}
    assert [row["held"] for row in rows.values()] == ["false", "false", "true", "false"]
    assert stat.S_IMODE((harness.folder / "decisions.csv").stat().st_mode) == 0o600


def test_the_reason_is_told_in_the_owners_language(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, ADA="0.5", DOT="0.9"))
    bot.settings = bot.settings.model_copy(update={"language": "fr"})
    bot.control.pause("parce que")
    bot.daily_update()
    assert decisions(harness)["ADA"]["detail"] == "score sous 0,70"
    assert decisions(harness)["DOT"]["detail"] == "score de 0,70 ou plus, mais les achats sont suspendus (parce que)"
    assert any("under 0.70" in line for line in harness.captured_log.of("daily.decision")), "the log stays English"


def test_a_share_that_the_capital_is_too_small_for_is_told(harness: TradingHarness) -> None:
    set_capital(harness, "12")
    harness.bot(scored(harness, ADA="0.75", DOT="0.9", LINK="0.8")).daily_update()
    assert decisions_written(harness)["ADA"] == ("leave", "not_in_share")
    assert decisions(harness)["DOT"]["quote"] == "6"


def test_a_pause_before_or_amid_the_purchases_is_told(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, ADA="0.9", DOT="0.8"))
    harness.market.binance.account.on_order = bot.control.pause
    bot.daily_update()
    assert decisions_written(harness)["ADA"] == ("buy", "at_buy_threshold")
    assert decisions_written(harness)["DOT"] == ("leave", "paused")


def test_the_log_has_a_line_for_each_token_by_score(harness: TradingHarness) -> None:
    harness.bot(scored(harness, ADA="0.5", DOT="0.9", LINK="0.6")).daily_update()
    lines = harness.captured_log.of("daily.decision")
    assert [line.split(":")[0] for line in lines] == ["DOT", "LINK", "ADA"]
    assert lines[0] == "DOT: score 0.900, buy: 0.70 or more"


def test_a_pass_that_cannot_go_on_has_told_its_reasons_already(harness: TradingHarness) -> None:
    harness.market.exchange.can_trade = False
    assert harness.bot(scored(harness, ADA="0.9")).daily_update() is Progress.LATER
    assert decisions_written(harness)["ADA"] == ("buy", "at_buy_threshold")
    assert decisions(harness)["ADA"]["quote"] == "", "no amount is fixed yet"


def test_a_full_disk_for_the_reasons_does_not_touch_the_pass(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, ADA="0.9"))
    harness.disk.failing_file = "decisions.csv"
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA"]
    assert len(harness.captured_log.of("diary.not_written")) == 1
