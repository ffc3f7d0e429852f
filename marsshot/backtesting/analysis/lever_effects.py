"""What each lever did in a run: how many purchases it left out or cut, and what came of the run without it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from marsshot.backtesting.simulation.in_memory_storage import HeldBack
from marsshot.config.settings import Settings
from marsshot.core.lever_settings import LeverSettings
from marsshot.strategy.levers import LEVERS


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverEffect:
    """One lever that was on. worth_without: at the end of a run without it, everything else alike."""

    key: str
    value: Decimal | int
    left_out: int  # purchases
    cut: int
    days: int  # on which it did either
    worth: float
    worth_without: float

    @property
    def gain(self) -> float:
        """What it brought, in quote asset, or cost."""
        return self.worth - self.worth_without


def lever_effects(
    settings: Settings, held_back: Sequence[HeldBack], worth: float, worth_with: Callable[[Settings], float]
) -> tuple[LeverEffect, ...]:
    """Return what each lever that is on did. worth_with: what a run with other settings ends with."""
    effects = []
    for lever in LEVERS:
        value, off = getattr(settings.strategy, lever.key), LeverSettings.model_fields[lever.key].default
        if value == off:
            continue
        strategy = settings.strategy.model_copy(update={lever.key: off})
        mine = [one for one in held_back if one.reason in lever.reasons]
        cut = sum(one.amount is not None for one in mine)
        effects.append(
            LeverEffect(
                key=lever.key,
                value=value,
                left_out=len(mine) - cut,
                cut=cut,
                days=len({one.day for one in mine}),
                worth=worth,
                worth_without=worth_with(settings.model_copy(update={"strategy": strategy})),
            )
        )
    return tuple(effects)
