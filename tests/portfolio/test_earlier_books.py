"""A book of an earlier version, whose plan told in English how its steps ended: it is read, and means the same.

earlier_book.json was written by the program as it was at commit 045c349, in the middle of a daily update.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.bot.daily_update.messages import plan_steps
from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.decisions import (
    BOUGHT,
    BOUGHT_IN_PART,
    SOLD,
    SOLD_IN_PART,
    Action,
    DailyPlan,
    StepOutcome,
    StepResult,
    left_undone,
)
from marsshot.core.errors import InputError
from marsshot.core.reasons import DecisionReason, DifferenceKind, SkipReason
from marsshot.portfolio.serialization import book_from_json, book_to_json, outcome_from_sentence, topic_from_text
from tests.helpers.builders import D

TEXT = Path(__file__).with_name("earlier_book.json").read_text(encoding="utf-8")


def plan_of(book: Book) -> DailyPlan:
    assert book.plan is not None
    return book.plan


def test_every_outcome_of_an_earlier_plan_is_known_again() -> None:
    plan = plan_of(book_from_json(TEXT, "bot_state.json"))
    assert {step.symbol: step.outcome for step in plan.sells} == {
        "ADA": SOLD,
        "ARB": SOLD_IN_PART,
        "OP": left_undone(SkipReason.TOO_SMALL),
        "LDO": left_undone(SkipReason.DISPUTED),
        "UNI": None,
    }
    paused = left_undone(SkipReason.PAUSED, "the file PAUSE is there (look first); python main.py resume")
    refused = left_undone(SkipReason.REFUSED, "Binance refused the order: Filter failure: NOTIONAL (-1013)")
    assert {step.symbol: step.outcome for step in plan.buys} == {
        "DOT": BOUGHT,
        "SOL": BOUGHT_IN_PART,
        "AVAX": left_undone(SkipReason.TOO_LITTLE_MONEY),
        "NEAR": paused,
        "XRP": left_undone(SkipReason.REFUSED, "Binance does not permit this pair for the account"),
        "LTC": refused,
        "FET": None,
    }


def test_what_an_earlier_plan_has_still_to_do_stays_to_do_with_its_amount() -> None:
    plan = plan_of(book_from_json(TEXT, "bot_state.json"))
    assert [step.symbol for step in plan_steps(plan) if step.outcome is None] == ["UNI", "FET"]
    assert (plan.buys[-1].amount, plan.buys[-1].left) == (D(100), D(40))


def test_decisions_and_what_was_told_once_stay_as_they_were() -> None:
    book = book_from_json(TEXT, "bot_state.json")
    (decision,) = plan_of(book).decisions
    assert (decision.action, decision.reason) == (Action.LEAVE, DecisionReason.NOT_TRADED)
    assert decision.told == "Binance has XRPUSDT on BREAK"
    assert book.positions["FET"].said == {"too_small.sell_all", "short"}


def test_the_differences_of_an_earlier_book_are_the_same_differences() -> None:
    book = book_from_json(TEXT, "bot_state.json")
    assert dict(book.differences) == {
        DifferenceTopic(DifferenceKind.SHORTFALL, "FET", "60.5"): "FET: the book has 100, Binance has 60.5",
        DifferenceTopic(DifferenceKind.UNKNOWN_SALE, "FET", "ms-1-2"): "an order",
        DifferenceTopic(DifferenceKind.UNKNOWN_PURCHASE, "OP", "ms-1-3"): "another order",
        DifferenceTopic(DifferenceKind.UNKNOWN_PAIR, "UNI"): "UNI",
        DifferenceTopic(DifferenceKind.CLOSED_PAIR, "FET"): "FET closed",
        DifferenceTopic(DifferenceKind.CAPITAL): "less",
    }
    assert book.is_disputed("FET")
    assert not book.is_disputed("OP"), "an unknown purchase holds back no sale"


def test_an_earlier_book_saved_anew_changes_nothing_but_the_form_of_its_outcomes() -> None:
    earlier, now = json.loads(TEXT), json.loads(book_to_json(book_from_json(TEXT, "x")))
    kept = {key: value for key, value in now.items() if key in earlier}
    for buy in kept["plan"]["buys"]:
        assert buy.pop("equal_share") is None, "a field of later versions: nothing was cut"
    for held in kept["positions"].values():
        assert (held.pop("owners_share"), held.pop("resumed_at")) == (None, ""), "fields of later versions"
    for decision in kept["plan"]["decisions"]:
        assert decision.pop("raw_score") is None, "a field of later versions: scores were told as they are"
    assert without_outcomes(kept) == without_outcomes(earlier)
    assert book_from_json(json.dumps(now), "x") == book_from_json(TEXT, "x")


def without_outcomes(book: dict[str, Any]) -> dict[str, Any]:
    steps = {key: [step | {"outcome": None} for step in book["plan"][key]] for key in ("sells", "buys")}
    return book | {"plan": book["plan"] | steps}


@pytest.mark.parametrize(
    ("sentence", "outcome"),
    [
        ("left: buying is paused", left_undone(SkipReason.PAUSED)),
        ("left: buying is paused: you said so", left_undone(SkipReason.PAUSED, "you said so")),
        ("left: buying is pausedly", left_undone(SkipReason.REFUSED, "buying is pausedly")),
        ("left: under the smallest orders", left_undone(SkipReason.REFUSED, "under the smallest orders")),
        ("left: ", left_undone(SkipReason.REFUSED)),
        ("a sentence that no version wrote", left_undone(SkipReason.REFUSED, "a sentence that no version wrote")),
    ],
)
def test_a_sentence_is_known_whole_or_by_its_beginning(sentence: str, outcome: StepOutcome) -> None:
    assert outcome_from_sentence(sentence) == outcome


@given(st.text(max_size=60))
def test_a_step_that_had_ended_is_never_done_again(sentence: str) -> None:
    assert (outcome_from_sentence(sentence) is None) is (sentence == "")


@given(
    st.sampled_from([kind for kind in DifferenceKind if kind]),
    st.text("ABC0", min_size=1),
    st.sampled_from(["60.5", "0"]),
)
def test_a_topic_comes_back_as_it_was(kind: DifferenceKind, symbol: str, detail: str) -> None:
    topic = {
        DifferenceKind.UNKNOWN_PAIR: DifferenceTopic(kind, symbol),
        DifferenceKind.CLOSED_PAIR: DifferenceTopic(kind, symbol),
        DifferenceKind.LENT: DifferenceTopic(kind, symbol),
        DifferenceKind.CAPITAL: DifferenceTopic(kind, detail=detail),
    }.get(kind, DifferenceTopic(kind, symbol, detail))
    assert topic_from_text(str(topic)) == topic


def test_the_topic_of_the_capital_once_had_no_amount() -> None:
    assert topic_from_text("capital") == DifferenceTopic(DifferenceKind.CAPITAL)


@pytest.mark.parametrize(
    "text",
    ["short", "short.FET", "short.FET.", "short.FET.much", "sale.FET", "pair", "capital.FET", "of a kind to come", ""],
)
def test_a_topic_of_another_version_is_kept_as_it_is(text: str) -> None:
    topic = topic_from_text(text)
    assert topic.kind is DifferenceKind.UNNAMED
    assert str(topic) == text


@given(st.text(max_size=30))
def test_any_topic_is_written_as_it_was_read(text: str) -> None:
    assert topic_from_text(str(topic_from_text(text))) == topic_from_text(text)


@pytest.mark.parametrize(
    "outcome",
    [
        7,
        {"result": "sold", "skip_reason": "paused"},
        {"result": "left"},
        {"result": "gone"},
        {"result": "sold", "words": "x"},
    ],
)
def test_an_outcome_that_cannot_be_is_refused(outcome: object) -> None:
    book = json.loads(TEXT)
    book["plan"]["sells"][0]["outcome"] = outcome
    with pytest.raises(InputError, match=r"^bot_state.json: plan.sells.0.outcome"):
        book_from_json(json.dumps(book), "bot_state.json")


@pytest.mark.parametrize("result", StepResult)
def test_an_outcome_stands_in_the_file_as_values(result: StepResult) -> None:
    skip_reason = SkipReason.PAUSED if result is StepResult.LEFT else None
    book = json.loads(TEXT)
    book["plan"]["sells"][0]["outcome"] = {"result": result, "skip_reason": skip_reason, "told": "x"}
    step = plan_of(book_from_json(json.dumps(book), "bot_state.json")).sells[0]
    assert step.outcome == StepOutcome(result=result, skip_reason=skip_reason, told="x")
