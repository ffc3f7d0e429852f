"""What a daily update may decide about a token, and why: the codes, the decision, what the model had been right about.

Frozen values. Imports no other module.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar


class Action(StrEnum):
    """What a daily update does about a token."""

    BUY = "buy"
    SELL = "sell"
    KEEP = "keep"  # held, and not sold
    SKIP_SALE = "skip_sale"  # held, and this once not sold
    LEAVE = "leave"  # not held, and not bought


class DecisionReason(StrEnum):
    """Why a daily update does that; texts for it stand in the catalogue under `why`."""

    AT_BUY_THRESHOLD = "at_buy_threshold"
    BELOW_BUY_THRESHOLD = "below_buy_threshold"
    AT_SELL_THRESHOLD = "at_sell_threshold"
    BELOW_SELL_THRESHOLD = "below_sell_threshold"
    BIG_GAIN = "big_gain"
    NO_PRICE = "no_price"
    PAUSED = "paused"
    ORDER_IN_DOUBT = "order_in_doubt"
    UNKNOWN_PAIR = "unknown_pair"
    NOT_TRADED = "not_traded"
    NOT_IN_SHARE = "not_in_share"
    NOT_SCORED = "not_scored"
    NOT_TRACKED = "not_tracked"
    SOURCE_DOWN = "source_down"
    NO_BAR = "no_bar"
    NO_FEATURE = "no_feature"
    OTHER_COIN = "other_coin"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a daily update decided about one token, and why.

    told: what a venue or the owner said besides, in words. hit_rate: the share of days on which the model was right
    among the hit_rows days that it had never seen and scored like this one; none where the model does not say.
    quote: the amount of a purchase, what a sale was worth at the price that the decision went by.
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
