"""On how many days a threshold is reached, as model.json tells it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from marsshot.model.threshold_reach import ThresholdReach, buy_reach, sell_reach

D = Decimal
FACTS: dict[str, Any] = {
    "hold_out": {
        "scale": "rank",
        "buy": {"threshold": "0.7", "days_with_none": 0.5, "days_with_one_or_two": 0.3, "days_with_over_half": 0.1},
        "sell": {"threshold": "0.30", "days_with_none": 0.2, "days_with_one_or_two": 0.4, "days_with_over_half": 0.2},
        "thresholds": [
            {"threshold": "0.80", "days_with_none": 0.9, "days_with_one_or_two": 0.1, "days_with_over_half": 0.0}
        ],
    }
}


def test_the_threshold_of_the_settings_and_those_of_the_table_are_known() -> None:
    assert buy_reach(FACTS, D("0.70"), "rank") == ThresholdReach(0.5, 0.3, 0.1)
    assert buy_reach(FACTS, D("0.8"), "rank") == ThresholdReach(0.9, 0.1, 0.0)
    assert sell_reach(FACTS, D("0.3"), "rank") == ThresholdReach(0.2, 0.4, 0.2)


@pytest.mark.parametrize(
    "facts", [{}, {"hold_out": None}, {"hold_out": {"scale": "rank", "buy": {"threshold": "0.7"}}}]
)
def test_an_older_model_does_not_say(facts: dict[str, Any]) -> None:
    assert buy_reach(facts, D("0.7"), "rank") is None and sell_reach(facts, D("0.3"), "rank") is None


def test_another_scale_or_threshold_is_not_known() -> None:
    assert buy_reach(FACTS, D("0.7"), "raw") is None and buy_reach(FACTS, D("0.71"), "rank") is None
    assert sell_reach(FACTS, D("0.8"), "rank") is None
