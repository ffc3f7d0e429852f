"""What scores bring along: the model's hits by score, BTC's closes; what cannot be read is left out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from marsshot.core.errors import InputError
from marsshot.core.scores import HitBand
from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars
from marsshot.model.model_files import LoadedModel
from ml_decision import closes_before, hit_bands, score_rows

D = Decimal
BAND = {"from": 0.65, "below": 0.7, "rows": 40, "hit_rate": 0.55, "hit_rate_low": 0.4, "hit_rate_high": 0.7}


def bands_of(facts: dict[str, Any]) -> tuple[HitBand, ...]:
    return hit_bands(LoadedModel(None, facts, (), ""))


def test_the_bands_of_the_hold_out_are_read() -> None:
    assert bands_of({"hold_out": {"bands": [BAND]}}) == (HitBand(D("0.65"), D("0.7"), 40, D("0.55")),)


@pytest.mark.parametrize(
    "facts",
    [{}, {"hold_out": None}, {"hold_out": []}, {"hold_out": {}}, {"hold_out": {"bands": None}}],
)
def test_an_older_model_has_none(facts: dict[str, Any]) -> None:
    assert bands_of(facts) == ()


@pytest.mark.parametrize(
    "broken",
    [None, 3, {}, BAND | {"rows": "many"}, BAND | {"hit_rate": None}, BAND | {"hit_rate": float("nan")}],
)
def test_a_band_that_cannot_be_read_is_left_out(broken: object) -> None:
    assert len(bands_of({"hold_out": {"bands": [broken, BAND]}})) == 1


# --------------------------------------------------------------------------- what a model says


class FixedModel:
    """Says the same of every row."""

    classes_ = (0, 1)

    def __init__(self, probability: float) -> None:
        self._probability = probability

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return np.tile([1 - self._probability, self._probability], (len(rows), 1))


def score_of(probability: float) -> Decimal | None:
    rows = pd.DataFrame({"symbol": ["FET"], "close": [2.0]})
    (score,) = score_rows(rows, LoadedModel(FixedModel(probability), {}, ("close",), ""))
    return score.probability


@pytest.mark.parametrize("probability", [0.0, 0.7, 1.0])
def test_a_probability_is_from_0_to_1(probability: float) -> None:
    assert score_of(probability) == D(repr(probability))


@pytest.mark.parametrize("probability", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_model_that_says_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(InputError, match="the model cannot score"):
        score_of(probability)


# --------------------------------------------------------------------------- BTC's closes


def btc(*closes: float, missing: int | None = None) -> DailyBars:
    """Return BTC's bars of the days up to 2021-02-14, but for one of them."""
    end = np.datetime64("2021-02-15")
    days = end - np.arange(len(closes), 0, -1)
    values = np.full((len(closes), len(FIELDS)), np.nan)
    values[:, CLOSE] = closes
    there = np.arange(len(closes)) != (-1 if missing is None else missing)
    return DailyBars("BTC", days[there], values[there])


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        (btc(1, 2, 3, 4), ("2.0", "3.0", "4.0")),
        (btc(3, 4), ("3.0", "4.0")),
        (btc(1, 2, 3, 4, missing=2), ("4.0",)),
        (btc(1, 2, 3, 4, missing=3), ()),
        (btc(1, float("nan"), 3, 4), ("3.0", "4.0")),
        (btc(1, 0, 3, 4), ("3.0", "4.0")),
    ],
)
def test_btcs_closes_are_those_up_to_yesterday_without_a_gap(bars: DailyBars, expected: tuple[str, ...]) -> None:
    assert closes_before(bars, date(2021, 2, 15), 3) == tuple(map(D, expected))
    assert closes_before(bars, date(2021, 2, 15), 0) == ()
