"""What a daily update may decide about a token, what became of it, and what the model had been right about.

Frozen values. Imports no other module but reasons.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from marsshot.core.reasons import DecisionReason, SkipReason


class Action(StrEnum):
    """What a daily update does about a token."""

    BUY = "buy"
    SELL = "sell"
    KEEP = "keep"  # held, and not sold
    SKIP_SALE = "skip_sale"  # held, and this once not sold
    LEAVE = "leave"  # not held, and not bought


class StepResult(StrEnum):
    """How a step of the daily plan ended."""

    SOLD = "sold"
    SOLD_IN_PART = "sold_in_part"
    BOUGHT = "bought"
    BOUGHT_IN_PART = "bought_in_part"
    LEFT = "left"  # undone


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How a step of the daily plan ended, and why it was left where it was.

    told: what a venue or the owner said besides, in words, for people.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    result: StepResult
    skip_reason: SkipReason | None = None
    told: str = ""

    def __post_init__(self) -> None:
        """Refuse a step that is left for no reason, or done and left."""
        if (self.result is StepResult.LEFT) is (self.skip_reason is None):
            raise ValueError("a step has a skip_reason if, and only if, it is left")


SOLD, SOLD_IN_PART = StepOutcome(result=StepResult.SOLD), StepOutcome(result=StepResult.SOLD_IN_PART)
BOUGHT, BOUGHT_IN_PART = StepOutcome(result=StepResult.BOUGHT), StepOutcome(result=StepResult.BOUGHT_IN_PART)


def left_undone(reason: SkipReason, told: str = "") -> StepOutcome:
    """Return the outcome of a step that is left undone."""
    return StepOutcome(result=StepResult.LEFT, skip_reason=reason, told=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a daily update decided about one token, and why.

    told: what a venue or the owner said besides, in words. hit_rate: the share of days on which the model was right
    among the hit_rows days that it had never seen and scored like this one; none where the model does not say.
    quote: the amount of a purchase, what a sale was worth at the price that the decision went by.
    raw_score: what the model said, where the probability is that on another scale.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    symbol: str
    held: bool
    probability: Decimal | None
    action: Action
    reason: DecisionReason
    told: str = ""
    hit_rate: Decimal | None = None
    hit_rows: int | None = None
    quote: Decimal | None = None
    raw_score: Decimal | None = None


@dataclass(frozen=True, slots=True)
class HitBand:
    """How often the model was right on days that it had never seen, where it scored from `lowest` to under `below`."""

    lowest: Decimal
    below: Decimal
    rows: int
    hit_rate: Decimal

    def contains(self, probability: Decimal) -> bool:
        """Return whether a score belongs here; 1 belongs to the band that ends with it."""
        return self.lowest <= probability < self.below or probability == self.below == 1
