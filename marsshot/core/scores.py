"""What the model says of the tokens on one date.

Frozen values. Imports no other module but reasons.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from marsshot.core.reasons import DecisionReason


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


@dataclass(frozen=True, slots=True)
class Score:
    """What the model says of one token. Without a probability, `unavailable_reason` says why there is none."""

    symbol: str
    probability: Decimal | None
    unavailable_reason: str = ""
    last_close: Decimal | None = None  # yesterday's closed bar, in the currency of its source
    temporary: bool = False  # the source could not answer now; asking again later may help
    reason: DecisionReason = DecisionReason.NOT_SCORED  # without a probability
    raw: Decimal | None = None  # what the model said, where the probability is that on another scale


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scores of one pass, with what there was to tell on the way."""

    day: date  # the UTC date that they are of: they rest on the bars of the day before
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()
    hit_bands: tuple[HitBand, ...] = ()  # of the model that scored
    last_answer_day: date | None = None  # the UTC date of the last answer that they rest on; None: that of `day`
    btc_closes: tuple[Decimal, ...] = ()  # as many as btc_trend_days asks for, the last one yesterday's; fewer: a gap
    drift: Mapping[str, float] = field(default_factory=dict)  # by feature: the share outside the training's borders
