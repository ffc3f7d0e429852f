"""Values for every exit rule that there is, from the bounds that its settings have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from marsshot.core.exit_settings import ExitRules, ExitSettings

LIMITS = ("gt", "ge", "lt", "le")
LARGEST = 20  # a rule with a larger value would hardly ever act


def bounds_of(field: FieldInfo) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the smallest and the largest value that a number may have (or just inside), and the nearest it may not."""
    number, step = (int, 1) if field.annotation is int else (Decimal, Decimal("0.0001"))
    limits = {name: number(getattr(one, name)) for one in field.metadata for name in LIMITS if hasattr(one, name)}
    low, high = (limits[name] for name in LIMITS if name in limits)
    inside = (low + step if "gt" in limits else low, high - step if "lt" in limits else high)
    return inside, (low if "gt" in limits else low - step, high if "lt" in limits else high + step)


@st.composite
def any_exit_rules(draw: st.DrawFn) -> ExitRules:
    """Any rules that the settings allow."""
    values = {}
    for key, field in ExitSettings.model_fields.items():
        (low, high), _ = bounds_of(field)
        high = min(high, LARGEST)
        values[key] = draw(st.integers(low, high) if field.annotation is int else st.decimals(low, high, places=2))
    return ExitSettings.model_validate(values).exit_rules
