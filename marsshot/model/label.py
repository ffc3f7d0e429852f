"""What a model was to foresee, by the facts of its model.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marsshot.core.catalog import LocalizedText


def what_is_foreseen(label: Mapping[str, Any]) -> LocalizedText:
    """Return it as the end of a sentence: "rose 5.0 % or more in 2 days"."""
    days = label["shift_days"]
    if label.get("kind") == "relative":
        return LocalizedText("model.foreseen.relative", days=days)
    return LocalizedText("model.foreseen.rise", rise=float(label["threshold"]), days=days)
