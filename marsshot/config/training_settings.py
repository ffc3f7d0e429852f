"""What config.yaml may say of training and scores: history, label, recipe, search, scale. Light: the daemon's."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from marsshot.core.setting_types import Number, Section, Whole

RecipeName = Literal["seed", "scale_free"]
LabelName = Literal["rise", "relative"]
ScoreScale = Literal["raw", "rank"]  # what thresholds are compared with

RELATIVE_DAYS = 7  # the relative label's horizon; the only one that was measured


class TrainingSection(Section):
    """The label and the search."""

    days: Annotated[Whole, Field(ge=36, le=5000)] = 365
    shift_days: Annotated[Whole, Field(ge=1, le=30)] = 2
    threshold: Annotated[Number, Field(gt=0, le=10)] = Decimal("0.05")
    n_iter: Annotated[Whole, Field(ge=1, le=10_000)] = 30
    recipe: RecipeName = "seed"
    label: LabelName = "rise"

    @property
    def label_days(self) -> int:
        """How many days the label looks ahead."""
        return RELATIVE_DAYS if self.label == "relative" else self.shift_days
