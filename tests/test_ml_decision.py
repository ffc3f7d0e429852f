"""How often the model was right at which score, as model.json has it; what cannot be read is left out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from marsshot.core.decisions import HitBand
from marsshot.model.model_files import LoadedModel
from ml_decision import hit_bands

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
