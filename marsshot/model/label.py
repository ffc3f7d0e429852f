"""What a model was to foresee, in words, by the facts of its model.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def what_is_foreseen(label: Mapping[str, Any]) -> str:
    """Return it as the end of a sentence: "rose 5.0% or more in 2 days"."""
    days = label["shift_days"]
    if label.get("kind") == "relative":
        return f"were among the best third of their day, for their volatility, over {days} days"
    return f"rose {float(label['threshold']):.1%} or more in {days} days"
