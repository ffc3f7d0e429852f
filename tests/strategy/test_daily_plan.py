"""The daily plan: when it is due, what it sells and buys, and how the capital is split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.book import Position
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.decisions import (
    BOUGHT,
    BOUGHT_IN_PART,
    Action,
    DailyPlan,
    Decision,
    PlannedBuy,
    PlannedSell,
    StepOutcome,
    StepResult,
    left_undone,
)
from marsshot.core.reasons import DecisionReason, SkipReason
from marsshot.core.scores import HitBand, Score
from marsshot.strategy.daily_plan import (
    Blocker,
    allocate_capital,
    decide_buy,
    decide_daily_plan,
    decide_sell,
    is_daily_update_due,
    settled_decisions,
    without_other_coins,
)
from marsshot.strategy.decision_reasons import skip_text
from tests.helpers.builders import DAILY_RULES, TODAY, D, a_plan, a_position, a_score, planned_buys
from tests.helpers.french_text import plain

# --------------------------------------------------------------------------- when

YESTERDAY = date(2021, 2, 14)


@pytest.mark.parametrize(
    ("time", "due"),
    [
        ("00:00:00", False),
        ("00:29:59", False),
        ("00:30:00", True),
        ("00:30:01", True),
        ("01:00", True),
        ("23:59", True),
    ],
)
def test_the_pass_is_due_from_half_past_midnight_on(time: str, due: bool) -> None:
    assert is_daily_update_due(datetime.fromisoformat(f"2021-02-15T{time}Z"), YESTERDAY, 0, 30) is due


@pytest.mark.parametrize(("time", "due"), [("14:04:59", False), ("14:05:00", True), ("15:00:00", True)])
def test_hour_and_minute_are_the_owners(time: str, due: bool) -> None:
    assert is_daily_update_due(datetime.fromisoformat(f"2021-02-15T{time}Z"), YESTERDAY, 14, 5) is due


@pytest.mark.parametrize("last_done", [None, YESTERDAY, date(2020, 12, 31)])
def test_a_bot_started_at_nine_catches_up(last_done: date | None) -> None:
    assert is_daily_update_due(datetime(2021, 2, 15, 9, 0, tzinfo=UTC), last_done, 0, 30)


@pytest.mark.parametrize("hour", [1, 9, 23])
def test_the_pass_is_not_due_twice_on_one_date(hour: int) -> None:
    assert not is_daily_update_due(datetime(2021, 2, 15, hour, 59, tzinfo=UTC), TODAY, 0, 30)


def test_a_pass_done_before_midnight_is_due_again_half_an_hour_after_it() -> None:
    late = [datetime.fromisoformat(f"2021-02-{moment}Z") for moment in ("15T23:59:59", "16T00:00:00", "16T00:30:00")]
    assert [is_daily_update_due(now, TODAY, 0, 30) for now in late] == [False, False, True]


def test_a_clock_that_was_set_back_does_no_pass_twice() -> None:
    assert not is_daily_update_due(datetime(2021, 2, 15, 9, 0, tzinfo=UTC), date(2021, 2, 16), 0, 30)


# --------------------------------------------------------------------------- sells


def test_the_owners_example_a_held_token_of_score_25_is_sold() -> None:
    assert decide_sell("FET", a_position(), a_score("FET", "0.25"), D("1.3"), DAILY_RULES).action == "sell"


@pytest.mark.parametrize(
    ("probability", "action"), [("0", "sell"), ("0.2999", "sell"), ("0.30", "keep"), ("0.3001", "keep"), ("1", "keep")]
)
def test_a_held_token_is_sold_under_the_sell_threshold(probability: str, action: str) -> None:
    assert decide_sell("FET", a_position(), a_score("FET", probability), D(1), DAILY_RULES).action == action


@pytest.mark.parametrize(
    ("price", "action"), [("3.9999", "sell"), ("4", "skip_sale"), ("4.0001", "skip_sale"), ("40", "skip_sale")]
)
def test_a_sale_at_four_times_the_entry_is_skipped(price: str, action: str) -> None:
    assert decide_sell("FET", a_position(), a_score("FET", "0.1"), D(price), DAILY_RULES).action == action


@pytest.mark.parametrize("price", ["4", "40"])
def test_a_sale_is_skipped_once(price: str) -> None:
    skipped = a_position(did_skip_sell_once=True)
    assert decide_sell("FET", skipped, a_score("FET", "0.1"), D(price), DAILY_RULES).action == "sell"


def test_a_big_gain_skips_nothing_that_is_not_due() -> None:
    assert decide_sell("FET", a_position(), a_score("FET", "0.30"), D(4), DAILY_RULES).action == "keep"


def test_an_endless_entry_price_skips_at_exactly_four_times_it() -> None:
    third = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)  # 33.333...; four times that is 133.333...
    just_under = D("133.3333333333333333333333333333333333")
    assert decide_sell("FET", third, a_score("FET", "0"), just_under, DAILY_RULES).action == "sell"
    sixth = a_position(qty=D(6), entry_quote=D(1), entry_base=D(6), max_price=D(1) / 6)  # 0.1666...; x4.5 is 0.75
    rules = replace(DAILY_RULES, big_gain_multiple=D("4.5"))
    assert decide_sell("FET", sixth, a_score("FET", "0"), D("0.75"), rules).action == "skip_sale"


def test_without_a_price_nothing_is_sold_and_no_skip_is_used_up() -> None:
    assert decide_sell("FET", a_position(), a_score("FET", "0.1"), None, DAILY_RULES).action == "keep"


# --------------------------------------------------------------------------- buys


@pytest.mark.parametrize(
    ("probability", "action"), [("0.65", "leave"), ("0.6999", "leave"), ("0.70", "buy"), ("0.72", "buy"), ("1", "buy")]
)
def test_a_token_is_bought_from_the_buy_threshold_on(probability: str, action: str) -> None:
    assert decide_buy("FET", a_score("FET", probability), None, DAILY_RULES).action == action


def test_a_token_that_cannot_be_bought_now_is_not_and_says_why() -> None:
    decision = decide_buy("FET", a_score("FET", "0.9"), (DecisionReason.NOT_TRADED, "status HALT"), DAILY_RULES)
    assert (decision.action, decision.reason, decision.told) == ("leave", "not_traded", "status HALT")


def test_a_token_under_the_threshold_is_left_for_that_reason_even_when_it_could_not_be_bought() -> None:
    decision = decide_buy("FET", a_score("FET", "0.5"), (DecisionReason.PAUSED, ""), DAILY_RULES)
    assert decision.reason is DecisionReason.BELOW_BUY_THRESHOLD


@pytest.mark.parametrize(
    "score", [None, a_score("FET", None, unavailable_reason="a line", reason=DecisionReason.NO_BAR)]
)
def test_without_a_probability_nothing_is_traded(score: Score | None) -> None:
    held = decide_sell("FET", a_position(did_skip_sell_once=True), score, D(1), DAILY_RULES)
    other = decide_buy("FET", score, None, DAILY_RULES)
    assert (held.action, other.action) == ("keep", "leave")
    assert held.reason is other.reason is (DecisionReason.NO_BAR if score else DecisionReason.NOT_SCORED)
    assert held.told == other.told == ("a line" if score else "")
    assert (held.held, other.held) == (True, False)


@pytest.mark.parametrize(("said", "told"), [("x" * 201, "x" * 200), ("a lone \ud800", "a lone ?")])
def test_what_a_venue_said_can_be_kept_in_any_file(said: str, told: str) -> None:
    decision = decide_buy(
        "FET", a_score("FET", None, unavailable_reason=said, reason=DecisionReason.SOURCE_DOWN), None, DAILY_RULES
    )
    assert decision.told == told
    assert decision.told.encode()


# --------------------------------------------------------------------------- the plan


def plan_of(
    scores: Mapping[str, str | None],
    *,
    positions: Mapping[str, Position] | None = None,
    prices: Mapping[str, Decimal] | None = None,
    blockers: Mapping[str, Blocker] | None = None,
    hit_bands: Sequence[HitBand] = (),
) -> DailyPlan:
    return decide_daily_plan(
        TODAY,
        ["FET", "AGIX", "ARB", "OP"],
        positions or {},
        {symbol: a_score(symbol, probability) for symbol, probability in scores.items()},
        prices or {},
        blockers or {},
        DAILY_RULES,
        hit_bands=hit_bands,
    )


def test_the_owners_example_fet_is_bought_and_agix_is_not() -> None:
    plan = plan_of({"FET": "0.72", "AGIX": "0.65"})
    assert (plan.day, plan.sells) == (TODAY, ())
    assert plan.buys == (PlannedBuy(symbol="FET", probability="0.72"),)


def test_the_most_probable_is_bought_first_and_equals_in_the_owners_order() -> None:
    plan = plan_of({"FET": "0.7", "AGIX": "0.9", "ARB": "0.70", "OP": "0.9"})
    assert [buy.symbol for buy in plan.buys] == ["AGIX", "OP", "FET", "ARB"]


def test_a_held_token_is_never_bought_again() -> None:
    plan = plan_of({"FET": "0.9", "OP": "0.9"}, positions={"FET": a_position()})
    assert [buy.symbol for buy in plan.buys] == ["OP"]
    assert [one.action for one in plan.decisions if one.symbol == "FET"] == ["keep"]


def test_a_token_sold_today_is_not_bought_today() -> None:
    plan = plan_of({"FET": "0.1"}, positions={"FET": a_position()}, prices={"FET": D(1)})
    assert (plan.sells, plan.buys) == ((PlannedSell(symbol="FET"),), ())


def test_a_held_token_outside_the_list_is_sold_all_the_same() -> None:
    plan = plan_of({"LUNA": "0.1"}, positions={"LUNA": a_position()}, prices={"LUNA": D(1)})
    assert [sell.symbol for sell in plan.sells] == ["LUNA"]


def test_a_token_outside_the_list_is_never_bought() -> None:
    assert plan_of({"BTC": "1"}).buys == ()


def test_every_token_gets_one_decision() -> None:
    plan = plan_of(
        {"FET": "0.9", "AGIX": None, "LUNA": "0.2", "OP": "0.8"},
        positions={"LUNA": a_position()},
        prices={"LUNA": D(4)},
        blockers={"OP": (DecisionReason.PAUSED, "")},
    )
    assert {one.symbol: one.action for one in plan.decisions} == {
        "LUNA": "skip_sale",
        "FET": "buy",
        "AGIX": "leave",
        "ARB": "leave",
        "OP": "leave",
    }
    assert len(plan.decisions) == 5
    assert (plan.sells, [buy.symbol for buy in plan.buys]) == ((), ["FET"])


def test_a_new_plan_has_no_amounts_yet() -> None:
    plan = plan_of({"FET": "0.9"})
    assert (plan.buys[0].amount, plan.buys[0].left, plan.buys[0].outcome, plan.shared_out) == (None, None, None, False)


# --------------------------------------------------------------------------- what a decision tells besides


@pytest.mark.parametrize(
    ("probability", "rows"), [("0.6499", None), ("0.65", 40), ("0.6999", 40), ("0.70", 7), ("0.9999", 7), ("1", 7)]
)
def test_a_decision_tells_how_often_the_model_was_right_at_such_scores(probability: str, rows: int | None) -> None:
    bands = (HitBand(D("0.65"), D("0.70"), 40, D("0.5")), HitBand(D("0.70"), D(1), 7, D("0.6")))
    decision = plan_of({"FET": probability}, hit_bands=bands).decisions[0]
    assert decision.hit_rows == rows
    assert decision.hit_rate == {None: None, 40: D("0.5"), 7: D("0.6")}[rows]


def test_a_token_without_a_score_has_no_hit_rate() -> None:
    bands = (HitBand(D(0), D(1), 40, D("0.5")),)
    assert plan_of({"FET": None}, hit_bands=bands).decisions[0].hit_rate is None


def test_a_sale_tells_what_it_is_worth() -> None:
    plan = plan_of({"FET": "0.1"}, positions={"FET": a_position()}, prices={"FET": D("1.5")})
    assert [one.quote for one in plan.decisions if one.symbol == "FET"] == [D(150)]


def settled(outcome: StepOutcome | None, amount: str | None, left: str | None = None) -> Decision:
    plan = plan_of({"FET": "0.9", "OP": "0.1"})
    shared = None if amount is None else D(amount)
    buy = replace(plan.buys[0], amount=shared, left=shared if left is None else D(left), outcome=outcome)
    decision, *others = settled_decisions(replace(plan, buys=(buy,)))
    assert others == list(plan.decisions[1:])
    return decision


@pytest.mark.parametrize(
    "outcome", [None, BOUGHT, BOUGHT_IN_PART, left_undone(SkipReason.REFUSED, "Binance refuses the order")]
)
def test_a_purchase_that_got_its_share_tells_the_amount_whatever_became_of_it(outcome: StepOutcome | None) -> None:
    decision = settled(outcome, "500", "0")
    assert (decision.action, decision.reason, decision.quote) == (Action.BUY, DecisionReason.AT_BUY_THRESHOLD, D(500))


@pytest.mark.parametrize(
    ("outcome", "amount", "reason", "told"),
    [
        (left_undone(SkipReason.TOO_LITTLE_MONEY), None, DecisionReason.NOT_IN_SHARE, ""),
        (left_undone(SkipReason.PAUSED, "the file PAUSE is there"), "500", DecisionReason.PAUSED, ""),
        (
            left_undone(SkipReason.REFUSED, "Binance does not permit this pair"),
            None,
            DecisionReason.NOT_TRADED,
            "Binance does not permit this pair",
        ),
    ],
)
def test_a_purchase_that_was_never_sent_is_left(
    outcome: StepOutcome, amount: str | None, reason: DecisionReason, told: str
) -> None:
    decision = settled(outcome, amount)
    assert (decision.action, decision.reason, decision.told, decision.quote) == (Action.LEAVE, reason, told, None)


@pytest.mark.parametrize(
    ("skip_reason", "amount", "reason"),
    [
        (SkipReason.TOO_LITTLE_MONEY, None, DecisionReason.NOT_IN_SHARE),
        (SkipReason.PAUSED, "500", DecisionReason.PAUSED),
        (SkipReason.REFUSED, None, DecisionReason.NOT_TRADED),
    ],
)
def test_what_was_left_is_known_without_the_catalogue_too(
    monkeypatch: pytest.MonkeyPatch, skip_reason: SkipReason, amount: str | None, reason: DecisionReason
) -> None:
    def refuse() -> None:
        raise OSError("no such file")

    monkeypatch.setattr("marsshot.core.catalog._english", refuse)
    assert settled(left_undone(skip_reason), amount).reason is reason


def test_a_purchase_that_a_pause_ended_half_way_stays_a_purchase() -> None:
    outcome = left_undone(SkipReason.PAUSED, "the file PAUSE is there")
    assert settled(outcome, "500", "250").action is Action.BUY


# --------------------------------------------------------------------------- another coin of the same name


@pytest.mark.parametrize(
    ("last_close", "same_coin"),
    [("1", True), ("1.5", True), ("1.50000001", False), ("0.5", True), ("0.49999999", False), ("2400", False)],
)
def test_a_history_more_than_half_off_binances_price_is_another_coins(last_close: str, same_coin: bool) -> None:
    score = a_score("FET", "0.9", last_close=D(last_close))
    (checked,) = without_other_coins([score], {"FET": D(1)}, D("0.50"))
    assert (
        checked == score if same_coin else (checked.probability is None and checked.reason is DecisionReason.OTHER_COIN)
    )


def test_the_distance_is_relative_to_binances_price() -> None:
    near, far = a_score("FET", "0.9", last_close=D("0.10")), a_score("OP", "0.9", last_close=D("0.151"))
    checked = without_other_coins([near, far], {"FET": D("0.2"), "OP": D("0.1")}, D("0.50"))
    assert [score.probability is None for score in checked] == [False, True]


def test_a_history_that_cannot_be_checked_gives_no_probability() -> None:
    (checked,) = without_other_coins([a_score("FET", "0.9", last_close=D(1))], {}, D("0.50"))
    assert checked.probability is None
    assert checked.reason is DecisionReason.NOT_COMPARED


def test_a_score_without_probability_keeps_its_reason() -> None:
    score = a_score("FET", None, unavailable_reason="no bar of yesterday", last_close=D(9))
    assert without_other_coins([score], {"FET": D(1)}, D("0.50")) == [score]


@pytest.mark.parametrize(
    ("price", "keeps"), [("0.32", True), ("0.10", True), ("0.0999", False), ("2.1", False), ("0.9", True)]
)
def test_a_held_token_that_both_venues_say_has_crashed_keeps_its_score(price: str, keeps: bool) -> None:
    score = a_score("FET", "0.1", last_close=D(1))
    (checked,) = without_other_coins([score], {"FET": D(price)}, D("0.50"), {"FET"})
    assert (checked == score) is keeps


def test_a_crash_that_only_one_venue_tells_of_gives_no_score() -> None:
    score = a_score("FET", "0.1", last_close=D(1))
    (checked,) = without_other_coins([score], {"FET": D("0.32")}, D("0.50"), {"OP"})
    assert checked.reason is DecisionReason.OTHER_COIN


def test_the_distance_is_not_rounded() -> None:
    score = a_score("FET", "0.9", last_close=D("1.50000000000000000000000000000001"))
    assert without_other_coins([score], {"FET": D(1)}, D("0.50"))[0].probability is None


# --------------------------------------------------------------------------- the split


def shares(plan: DailyPlan) -> dict[str, Decimal | None]:
    return {buy.symbol: buy.amount for buy in plan.buys}


def all_at(smallest: str, *symbols: str) -> dict[str, Decimal]:
    return dict.fromkeys(symbols, D(smallest))


def split(capital: str, smallest: str, *symbols: str) -> DailyPlan:
    return allocate_capital(a_plan(*planned_buys(*symbols)), D(capital), all_at(smallest, *symbols))


def test_the_owners_example_five_signals_share_1000_equally() -> None:
    plan = split("1000", "5", "A", "B", "C", "D", "E")
    assert shares(plan) == dict.fromkeys("ABCDE", D(200))
    assert plan.shared_out


def test_one_signal_gets_it_all() -> None:
    assert shares(split("1000", "5", "FET")) == {"FET": 1000}


def test_what_is_left_to_order_begins_as_the_amount() -> None:
    assert [(buy.amount, buy.left) for buy in split("1000", "5", "A", "B").buys] == [(D(500), D(500))] * 2


@pytest.mark.parametrize(
    ("capital", "bought"),
    [("15", 3), ("14.99999999", 2), ("10", 2), ("9.99999999", 1), ("5", 1), ("4.99999999", 0), ("0", 0), ("-1", 0)],
)
def test_a_capital_too_small_for_all_goes_to_the_most_probable(capital: str, bought: int) -> None:
    plan = split(capital, "5", "A", "B", "C")
    chosen = [buy.symbol for buy in plan.buys if buy.amount is not None]
    assert chosen == ["A", "B", "C"][:bought]
    assert all(buy.outcome == left_undone(SkipReason.TOO_LITTLE_MONEY) for buy in plan.buys[bought:])
    assert all(not buy.outcome for buy in plan.buys[:bought])


def test_k_is_as_large_as_possible_where_the_smallest_orders_differ() -> None:
    plan = allocate_capital(a_plan(*planned_buys("A", "B", "C")), D(30), {"A": D(10), "B": D(15), "C": D(11)})
    assert shares(plan) == {"A": 15, "B": 15, "C": None}


def test_the_most_probable_that_is_too_dear_alone_keeps_the_others_out() -> None:
    plan = allocate_capital(a_plan(*planned_buys("A", "B")), D(30), {"A": D(31), "B": D(5)})
    assert shares(plan) == {"A": None, "B": None}


@pytest.mark.parametrize(("precision", "share"), [(8, "33.33333333"), (2, "33.33"), (0, "33")])
def test_shares_are_rounded_down_to_the_precision(precision: int, share: str) -> None:
    plan = allocate_capital(a_plan(*planned_buys("A", "B", "C")), D(100), all_at("5", "A", "B", "C"), precision)
    assert shares(plan) == dict.fromkeys("ABC", D(share))


def test_a_share_of_nothing_is_no_order() -> None:
    assert shares(split("0.00000001", "0", "A", "B")) == {"A": D("0.00000001"), "B": None}


def test_a_purchase_that_has_ended_takes_no_share() -> None:
    ended = PlannedBuy(symbol="A", probability="0.99", outcome=left_undone(SkipReason.REFUSED, "not permitted"))
    plan = allocate_capital(a_plan(ended, *planned_buys("B", "C")), D(100), all_at("5", "B", "C"))
    assert plan.buys[0] == ended
    assert shares(plan) == {"A": None, "B": 50, "C": 50}


def test_a_plan_without_purchases_is_shared_out_too() -> None:
    assert allocate_capital(a_plan(), D(100), {}) == a_plan(shared_out=True)


_MONEY = st.decimals(min_value=0, max_value=100_000, places=8)


@given(
    capital=st.decimals(min_value=-10, max_value=1_000_000, places=8),
    smallest=st.lists(_MONEY | st.decimals(min_value=5, max_value=20, places=1), max_size=8),
    precision=st.integers(0, 8),
)
def test_no_split_exceeds_the_capital_and_k_is_the_largest(
    capital: Decimal, smallest: list[Decimal], precision: int
) -> None:
    symbols = [f"T{n}" for n in range(len(smallest))]
    plan = allocate_capital(
        a_plan(*planned_buys(*symbols)), capital, dict(zip(symbols, smallest, strict=True)), precision
    )
    amounts = [buy.amount for buy in plan.buys]
    chosen = [amount for amount in amounts if amount is not None]

    def share(k: int) -> Fraction:
        return Fraction(floor(Fraction(capital) / k * 10**precision), 10**precision)

    possible = [k for k in range(1, len(smallest) + 1) if share(k) > 0 and share(k) >= max(map(Fraction, smallest[:k]))]
    assert sum(chosen) <= max(capital, Decimal(0))
    assert all(amount >= least for amount, least in zip(chosen, smallest, strict=False))
    assert len(chosen) == max(possible, default=0)
    assert all(Fraction(amount) == share(len(chosen)) for amount in chosen)
    assert amounts[: len(chosen)] == chosen  # the most probable ones


# --------------------------------------------------------------------------- what became of the steps, in words


@pytest.mark.parametrize(
    ("outcome", "english", "french"),
    [
        (
            left_undone(SkipReason.TOO_LITTLE_MONEY),
            "left: too little money for one more order",
            "non fait, trop peu d'argent pour un ordre de plus",
        ),
        (
            left_undone(SkipReason.PAUSED, "look first"),
            "left: buying is paused: look first",
            "non fait, les achats sont suspendus : look first",
        ),
        (
            left_undone(SkipReason.TOO_SMALL),
            "left: under the smallest order",
            "non fait, moins que le plus petit ordre",
        ),
        (
            left_undone(SkipReason.REFUSED, LocalizedText("pair.not_permitted")),
            "left: Binance does not permit this pair for the account",
            "non fait, Binance ne permet pas cette paire à votre compte",
        ),
        (
            left_undone(SkipReason.REFUSED, "as the book has it"),
            "left: as the book has it",
            "non fait, as the book has it",
        ),
    ],
)
def test_a_step_that_was_left_is_told_in_the_owners_language(outcome: StepOutcome, english: str, french: str) -> None:
    assert skip_text(outcome) == english
    assert plain(Catalog("fr").render(skip_text(outcome))) == french


def test_a_step_has_a_skip_reason_if_and_only_if_it_is_left() -> None:
    for result in StepResult:
        for reason in (None, SkipReason.PAUSED):
            if (result is StepResult.LEFT) is (reason is not None):
                assert StepOutcome(result=result, skip_reason=reason).result is result
            else:
                with pytest.raises(ValueError, match="skip_reason"):
                    StepOutcome(result=result, skip_reason=reason)
