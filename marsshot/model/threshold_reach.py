"""On how many days of its hold-out a model's scores reach a threshold, by its model.json. Light: the daemon's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from marsshot.config.training_settings import ScoreScale


@dataclass(frozen=True, slots=True)
class ThresholdReach:
    """The shares of days on which no token is beyond a threshold, one or two are, more than half are."""

    none: float
    one_or_two: float
    over_half: float


def buy_reach(facts: Mapping[str, Any], threshold: Decimal, scale: ScoreScale) -> ThresholdReach | None:
    """Return the days with tokens at or above a threshold; None where model.json does not know it on this scale."""
    hold_out = facts.get("hold_out")
    rows = [hold_out.get("buy"), *(hold_out.get("thresholds") or [])] if isinstance(hold_out, dict) else []
    return _reach(facts, rows, threshold, scale)


def sell_reach(facts: Mapping[str, Any], threshold: Decimal, scale: ScoreScale) -> ThresholdReach | None:
    """Return the days with tokens under a threshold; None where model.json does not know it on this scale."""
    hold_out = facts.get("hold_out")
    return _reach(facts, [hold_out.get("sell")] if isinstance(hold_out, dict) else [], threshold, scale)


def _reach(facts: Mapping[str, Any], rows: list[Any], threshold: Decimal, scale: ScoreScale) -> ThresholdReach | None:
    if not rows or facts["hold_out"].get("scale", "raw") != scale:
        return None
    for row in rows:
        try:
            if Decimal(str(row["threshold"])) == threshold:
                counts = (float(row[f"days_with_{count}"]) for count in ("none", "one_or_two", "over_half"))
                return ThresholdReach(*counts)
        except (KeyError, TypeError, ValueError, InvalidOperation):
            continue  # of an older version
    return None
