"""The daily update as values: what it goes by, what it decides about a token, its plan, and how each step ended.

Frozen values. Imports no other module but reasons.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from marsshot.core.reasons import DecisionReason, SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRules:
    """The daily update."""

    buy_threshold: Decimal  # probability at or above which a token is bought
    sell_threshold: Decimal  # probability under which a held token is sold
    big_gain_multiple: Decimal  # 4: at four times the entry one daily sell may be skipped
    max_history_divergence: Decimal  # the last close against the exchange's price, relative to that
    bar_source: str = "LunarCrush"  # where daily bars come from, as people call it


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSell:
    """One sale of a daily plan. It has no outcome while it is still to do."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    symbol: str
    outcome: StepOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBuy:
    """One purchase of a daily plan. `amount` is fixed once all sells are done; `left` is what is still to order."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    symbol: str
    probability: str
    amount: Decimal | None = None
    left: Decimal | None = None
    outcome: StepOutcome | None = None
    equal_share: Decimal | None = None  # what a lever has cut the amount down from


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPlan:
    """The orders of one UTC date. On disk before its first order, then worked off; a restart does what is left."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    day: date
    sells: tuple[PlannedSell, ...] = ()
    buys: tuple[PlannedBuy, ...] = ()
    shared_out: bool = False  # the capital has been split among the buys
    decisions: tuple[Decision, ...] = ()  # for decisions.csv, while the plan is worked off
    decided_at: str = ""  # UTC, ISO 8601
