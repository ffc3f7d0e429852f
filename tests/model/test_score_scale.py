"""score_scale: rank: the share of a year of the model's own scores that lie under one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.model.score_scale import STEPS, Quantiles, quantiles_of, rank_of, score_at, table_in

EVEN: Quantiles = tuple(quantiles_of([number / 10_000 for number in range(10_001)]))
SCORES = st.floats(0, 1, allow_nan=False, width=32)


@pytest.mark.parametrize(
    ("score", "rank"),
    [(-0.1, "0.0000"), (0.0, "0.0000"), (0.25, "0.2500"), (0.69994, "0.6999"), (0.7, "0.7000"), (1.1, "1.0000")],
)
def test_a_rank_is_the_share_of_scores_below(score: float, rank: str) -> None:
    assert rank_of(score, EVEN) == Decimal(rank)


def test_what_many_scores_share_lies_above_those_below_it_alone() -> None:
    table = tuple(quantiles_of([0.2] * 500 + [0.5] * 500))
    assert rank_of(0.2, table) == 0 and rank_of(0.5, table) == Decimal("0.5000") and rank_of(0.6, table) == 1


@given(st.lists(SCORES, min_size=1, max_size=60), SCORES, SCORES)
def test_ranks_keep_the_order_and_stay_between_0_and_1(scores: list[float], one: float, other: float) -> None:
    table = tuple(quantiles_of(scores))
    low, high = sorted((one, other))
    assert 0 <= rank_of(low, table) <= rank_of(high, table) <= 1


@pytest.mark.slow
@given(st.lists(SCORES, min_size=200, max_size=300, unique=True), SCORES)
def test_a_rank_is_near_the_share_that_was_counted(scores: list[float], one: float) -> None:
    counted = sum(score < one for score in scores) / len(scores)
    assert abs(float(rank_of(one, tuple(quantiles_of(scores)))) - counted) < 0.01


@pytest.mark.parametrize("rank", [0.0, 0.1234, 0.7, 1.0])
def test_a_rank_leads_back_to_its_score(rank: float) -> None:
    assert score_at(rank, EVEN) == pytest.approx(rank)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"score_scale": None},
        {"score_scale": {"quantiles": [0.1, 0.2]}},
        {"score_scale": {"quantiles": [0.1] * STEPS + ["x"]}},
        {"score_scale": {"quantiles": [0.1] * STEPS + [float("nan")]}},
        {"score_scale": {"quantiles": [0.5] * STEPS + [0.4]}},
    ],
)
def test_a_table_that_is_none_is_none(facts: dict[str, Any]) -> None:
    assert table_in(facts) is None
    assert table_in({"score_scale": {"quantiles": list(EVEN)}}) == EVEN
