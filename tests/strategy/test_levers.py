"""The levers: what holds a purchase back, on both sides of every threshold; off, none of them says anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import WorthTop
from marsshot.core.catalog import LANGUAGES, load_texts
from marsshot.core.decisions import Action, DailyPlan
from marsshot.core.lever_settings import LeverRules, LeverSettings
from marsshot.core.reasons import DecisionReason, SkipReason
from marsshot.strategy.daily_plan import allocate_capital, decide_daily_plan, settled_decisions
from marsshot.strategy.levers import LEVER_REASONS, LEVERS, LeverFacts, blocked_by_lever, most_for_one_token
from tests.helpers.builders import DAILY_RULES, TODAY, D, a_score, planned_buys

WORST_FACTS = LeverFacts(
    day=TODAY,
    worth=D(1),
    worth_top=WorthTop(amount=D(1000), is_paused=True),
    btc_closes=(D(100), D(1)),
    stop_losses={"FET": TODAY},
)
OFF = LeverRules()


def closes(*last: str, before: str = "100", days: int = 20) -> tuple[Decimal, ...]:
    return (*(D(before) for _ in range(days - len(last))), *map(D, last))


def test_without_their_keys_the_levers_say_nothing() -> None:
    assert LeverSettings().lever_rules == OFF
    assert blocked_by_lever("FET", WORST_FACTS, OFF) is None
    assert most_for_one_token(D(1000), OFF) is None


def test_every_lever_has_its_key_its_meaning_and_words_for_its_reasons() -> None:
    assert {lever.key for lever in LEVERS} == LeverSettings.model_fields.keys()
    assert sum(len(lever.reasons) for lever in LEVERS) == len(LEVER_REASONS)
    for language in LANGUAGES:
        texts = load_texts(language)
        assert all(f"fault.config.meaning.{lever.key}" in texts for lever in LEVERS)
        assert all(reason.text_key in texts for reason in LEVER_REASONS)


# --------------------------------------------------------------------------- btc_trend_days


@pytest.mark.parametrize(("last", "is_held_back"), [("99.99999999", True), ("100", False), ("100.00000001", False)])
def test_nothing_is_bought_while_btcs_last_close_is_under_its_mean(last: str, is_held_back: bool) -> None:
    why = blocked_by_lever("FET", replace(WORST_FACTS, btc_closes=closes(last)), LeverRules(btc_trend_days=20))
    assert (why is not None and why[0] is DecisionReason.BTC_UNDER_MEAN) is is_held_back


def test_the_mean_is_of_that_many_closes_and_no_more() -> None:
    facts = replace(WORST_FACTS, btc_closes=(D(10_000), *closes("100")))
    assert blocked_by_lever("FET", facts, LeverRules(btc_trend_days=20)) is None
    why = blocked_by_lever("FET", facts, LeverRules(btc_trend_days=21))
    assert why is not None
    assert why[1] == "last close 100, mean of 21 days 571.429"


@pytest.mark.parametrize("there", [0, 19])
def test_fewer_closes_than_asked_for_are_no_mean(there: int) -> None:
    facts = replace(WORST_FACTS, btc_closes=closes(days=there))
    why = blocked_by_lever("FET", facts, LeverRules(btc_trend_days=20))
    assert why == (DecisionReason.BTC_TREND_UNKNOWN, f"{there} of 20 daily closes are there")


# --------------------------------------------------------------------------- cooldown_days


@pytest.mark.parametrize(("days_after", "is_held_back"), [(0, True), (1, True), (3, True), (4, False), (30, False)])
def test_a_token_is_not_bought_for_that_many_days_after_its_stop_loss(days_after: int, is_held_back: bool) -> None:
    facts = replace(WORST_FACTS, stop_losses={"FET": TODAY - timedelta(days=days_after)})
    rules = LeverRules(cooldown_days=3)
    why = blocked_by_lever("FET", facts, rules)
    assert (why is not None and why[0] is DecisionReason.COOLDOWN) is is_held_back
    assert blocked_by_lever("OP", facts, rules) is None, "no other token waits"


# --------------------------------------------------------------------------- max_drawdown_pause


def test_a_pause_holds_everything_back_and_a_top_alone_nothing() -> None:
    rules = LeverRules(max_drawdown_fall=D("0.3"))
    why = blocked_by_lever("FET", WORST_FACTS, rules)
    assert why == (DecisionReason.DRAWDOWN_PAUSE, "1.00, top 1,000.00")
    assert blocked_by_lever("FET", replace(WORST_FACTS, worth_top=WorthTop(amount=D(1000))), rules) is None


# --------------------------------------------------------------------------- max_share_per_token


def shared_out(tokens: int, *, capital: str, share: str, worth: str, smallest: str = "5") -> DailyPlan:
    most = most_for_one_token(D(worth), LeverRules(max_share_per_token=D(share)))
    symbols = [f"T{number}" for number in range(tokens)]
    plan = DailyPlan(day=date(2021, 2, 15), buys=planned_buys(*symbols))
    return allocate_capital(plan, D(capital), dict.fromkeys(symbols, D(smallest)), most=most)


def test_a_purchase_is_cut_to_its_share_of_cash_and_positions_and_the_rest_stays_cash() -> None:
    (one,) = shared_out(1, capital="1000", share="0.2", worth="2000").buys
    assert (one.amount, one.left, one.equal_share) == (D(400), D(400), D(1000))
    pair = shared_out(2, capital="1000", share="0.2", worth="2000").buys
    assert [buy.amount for buy in pair] == [D(400), D(400)], "what is cut goes to no other"


def test_a_share_that_is_no_larger_is_not_cut() -> None:
    (one,) = shared_out(1, capital="400", share="0.2", worth="2000").buys
    assert (one.amount, one.equal_share) == (D(400), None)


@pytest.mark.parametrize(("worth", "is_left"), [("24.95", True), ("25", False)])
def test_a_cut_under_the_smallest_order_leaves_the_purchase_out(worth: str, is_left: bool) -> None:
    (one,) = shared_out(1, capital="25", share="0.2", worth=worth).buys
    assert (one.outcome is not None and one.outcome.skip_reason is SkipReason.SHARE_TOO_SMALL) is is_left
    assert (one.amount is None) is is_left


def test_a_cut_and_a_left_out_purchase_say_so_in_their_decisions() -> None:
    scores = {"FET": a_score("FET", "0.8")}
    plan = decide_daily_plan(TODAY, ["FET"], {}, scores, {}, {}, DAILY_RULES)
    cut = allocate_capital(plan, D(1000), {"FET": D(5)}, most=D(200))
    (decision,) = settled_decisions(cut)
    assert (decision.action, decision.reason, decision.quote) == (Action.BUY, DecisionReason.CUT_TO_SHARE, D(200))
    assert decision.told == "200.00 in place of an equal share of 1,000.00; the rest stays cash"
    (left,) = settled_decisions(allocate_capital(plan, D(1000), {"FET": D(5)}, most=D(4)))
    assert (left.action, left.reason, left.quote) == (Action.LEAVE, DecisionReason.SHARE_TOO_SMALL, None)


@given(
    st.integers(1, 9),
    st.decimals(1, 5000, places=2),
    st.decimals("0.01", 1, places=2),
    st.decimals(0, 5000, places=2),
)
def test_no_purchase_is_over_its_share_and_all_together_never_over_the_capital(
    tokens: int, capital: Decimal, share: Decimal, held: Decimal
) -> None:
    worth = capital + held
    amounts = [
        buy.amount
        for buy in shared_out(tokens, capital=str(capital), share=str(share), worth=str(worth)).buys
        if buy.amount
    ]
    assert sum(amounts) <= capital
    assert all(amount <= worth * share for amount in amounts)
    assert all(amount >= 5 for amount in amounts)
