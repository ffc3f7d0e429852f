"""What holds purchases back: the owner's keys of the levers, and their meaning in plain units. All are off by default.

A new lever has its key and its value here, its reason in reasons.py, the rule itself in strategy/levers.py. Decides
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from marsshot.core.setting_types import Number, Section, Whole

MIN_TREND_DAYS, MAX_TREND_DAYS, MAX_COOLDOWN_DAYS = 20, 400, 365


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverRules:
    """What holds purchases back. A *fall* and a *share* are fractions; 0, and a share of 1, are off."""

    max_share_per_token: Decimal = Decimal(1)  # of cash plus positions, the most that a purchase may bring a token to
    btc_trend_days: int = 0  # no purchase while BTC's last close is under its mean of so many
    cooldown_days: int = 0  # after a token's stop-loss
    max_drawdown_fall: Decimal = Decimal(0)  # of what everything is worth, from its top


def _trend_days(value: int) -> int:
    if value and not MIN_TREND_DAYS <= value <= MAX_TREND_DAYS:
        raise ValueError  # what it may be stands in the catalogue, as for every lever
    return value


class LeverSettings(Section):
    """The keys of the levers in config.yaml; texts for them stand in the catalogue under `fault.config.meaning`."""

    max_share_per_token: Annotated[Number, Field(gt=0, le=1)] = Decimal(1)
    btc_trend_days: Annotated[Whole, AfterValidator(_trend_days)] = 0
    cooldown_days: Annotated[Whole, Field(ge=0, le=MAX_COOLDOWN_DAYS)] = 0
    max_drawdown_pause: Annotated[Number, Field(ge=0, lt=1)] = Decimal(0)

    @property
    def lever_rules(self) -> LeverRules:
        """The same, in units that name themselves."""
        return LeverRules(
            max_share_per_token=self.max_share_per_token,
            btc_trend_days=self.btc_trend_days,
            cooldown_days=self.cooldown_days,
            max_drawdown_fall=self.max_drawdown_pause,
        )
