"""What the exit rules are set to: the owner's keys, and their meaning in plain units.

A new exit rule has its key and its value here, its reason in reasons.py, the rule itself in risk_manager.py. Decides
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import Annotated

from pydantic import Field

from marsshot.core.setting_types import Fall, Multiple, Number, Section, Share

_EXACT = Context(prec=400, traps=[Inexact])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRules:
    """The five-minute check. A *fall* and a *share* are fractions, a *multiple* is of the entry price."""

    stop_loss_fall: Decimal  # 0.50: sell all at or under half the entry price
    partial_exit_multiple: Decimal  # 2: the price has doubled
    partial_exit_share: Decimal  # 0.20 of the quantity held
    trailing_start_multiple: Decimal  # 3: armed for good once the price was three times the entry
    trailing_fall: Decimal  # 0.30: sell all this far under the top


class ExitSettings(Section):
    """The keys of the exit rules in config.yaml; texts for them stand in the catalogue under `fault.config.meaning`."""

    stop_loss_pct: Fall
    partial_take_profit_pct: Annotated[Number, Field(gt=0, le=1000)]
    partial_take_profit_ratio: Share = Decimal("0.20")
    trailing_trigger_pct: Multiple
    trailing_pct: Fall

    @property
    def exit_rules(self) -> ExitRules:
        """The same, in units that name themselves."""
        return ExitRules(
            stop_loss_fall=self.stop_loss_pct,
            partial_exit_multiple=_EXACT.add(Decimal(1), self.partial_take_profit_pct),
            partial_exit_share=self.partial_take_profit_ratio,
            trailing_start_multiple=self.trailing_trigger_pct,
            trailing_fall=self.trailing_pct,
        )
