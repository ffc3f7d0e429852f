"""What the figures of a hold-out mean: whether there is an edge, and what the owner's thresholds do.

Takes the facts of model.json, returns findings: a kind, and the values that its sentence in the catalogue wants.
Calculates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marsshot.core.catalog import LocalizedText

Finding = dict[str, Any]  # kind: the end of a key of the catalogue; the rest: its values

MIN_DATES = 20  # below, the intervals mean nothing
NEARLY_ALL = 0.90
YARDSTICKS = ("volatility_alone", "atr_alone")  # what ranks without a model


def verdict(hold_out: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, Any]:
    """Return edge and reasons. label: what was to be foreseen. An edge is claimed only if all hold on the hold-out:

    the scores rank better than 14-day volatility alone, than ATR/close alone and than the base rate, each with the 95 %
    interval of the difference above zero; they rank better than 19 of 20 moves of the labels to other days, and the
    interval of their own average precision lies above the mean of those; and the top tenth of each day earned more
    after fees than equally volatile tokens of that day, with its 95 % interval above zero.
    """
    missed = [*_dates(hold_out), *_ranking(hold_out), *_earned(hold_out, label["shift_days"])]
    if missed:
        return {"edge": False, "reasons": [{"kind": "no_edge"}, *missed]}
    is_relative = label.get("kind") == "relative"
    return {
        "edge": True,
        "reasons": [
            {"kind": "relative_edge" if is_relative else "edge", "dates": hold_out["dates"]},
            *({"kind": f"above.{key}", **_versus(hold_out[key])} for key in YARDSTICKS),
            {"kind": "above_base_rate_and_chance"},
            _top_tenth(hold_out, label["shift_days"]),
            *([{"kind": "no_profit"}] if is_relative else []),
            {"kind": "other_dates"},
        ],
    }


def verdict_text(reasons: Iterable[Mapping[str, Any]]) -> list[LocalizedText]:
    """Return the sentences of a verdict; of one by an older version, which kept prose, none."""
    return [LocalizedText(f"verdict.{one['kind']}", **_values(one)) for one in reasons]


def warning_text(warnings: Iterable[Mapping[str, Any]]) -> list[LocalizedText]:
    """Return the sentences of what warnings() found."""
    return [LocalizedText(f"threshold_warning.{one['kind']}", **_values(one)) for one in warnings]


def _values(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in finding.items() if name != "kind"}


def _dates(hold_out: Mapping[str, Any]) -> Iterator[Finding]:
    if hold_out["dates"] < MIN_DATES:
        yield {"kind": "few_dates", "dates": hold_out["dates"], "needed": MIN_DATES}


def _ranking(hold_out: Mapping[str, Any]) -> Iterator[Finding]:
    columns = {key: hold_out[key] for key in YARDSTICKS}
    chance, own = hold_out["chance"], hold_out["average_precision"]
    measured = all(beside is not None and beside["model_has_more_low"] is not None for beside in columns.values())
    if not measured or chance is None or own is None or hold_out["average_precision_low"] is None:
        yield {"kind": "not_measured"}
        return
    for key, beside in columns.items():
        if beside["model_has_more_low"] <= 0:
            yield {"kind": f"not_above.{key}", **_versus(beside)}
    more, low, high = (hold_out[f"more_than_base_rate{end}"] for end in ("", "_low", "_high"))
    if low <= 0:
        yield {"kind": "not_above.base_rate", "other": hold_out["base_rate"], "more": more, "low": low, "high": high}
    if own <= chance["best_of_twenty"] or hold_out["average_precision_low"] <= chance["average_precision"]:
        yield {
            "kind": "not_above.chance",
            "own": own,
            "low": hold_out["average_precision_low"],
            "other": chance["average_precision"],
            "best": chance["best_of_twenty"],
        }


def _versus(beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model's average precision beside another's, on the dates that the other one has."""
    more, other = beside["model_has_more"], beside["average_precision"]
    ends = {"low": beside["model_has_more_low"], "high": beside["model_has_more_high"]}
    return {"own": other + more, "other": other, "more": more, **ends}


def _earned(hold_out: Mapping[str, Any], shift_days: int) -> Iterator[Finding]:
    low = hold_out["top_tenth"]["more_than_equally_volatile_low"]
    if low is None or low <= 0:
        yield _top_tenth(hold_out, shift_days)


def _top_tenth(hold_out: Mapping[str, Any], shift_days: int) -> Finding:
    more, low, high = (hold_out["top_tenth"][f"more_than_equally_volatile{end}"] for end in ("", "_low", "_high"))
    if more is None or low is None:
        return {"kind": "top_tenth_not_measured"}
    return {"kind": "top_tenth", "days": shift_days, "more": more, "low": low, "high": high}


def warnings(hold_out: Mapping[str, Any]) -> list[Finding]:
    """Return what the configured thresholds would have done on the hold-out, where that cannot be meant."""
    buy, sell = hold_out["buy"], hold_out["sell"]
    return [
        *_warning(hold_out, buy, ("never_bought", "bought_everything"), hold_out["highest_score"]),
        *_warning(hold_out, sell, ("never_sold", "sold_everything"), hold_out["lowest_score"]),
    ]


def _warning(
    hold_out: Mapping[str, Any], picked: Mapping[str, Any], kinds: tuple[str, str], nearest: float
) -> Iterator[Finding]:
    """Yield the warning of a threshold. kinds: of one that picks nothing, and everything; nearest: score to it."""
    never, everything = kinds
    if not picked["rows"]:
        yield {"kind": never, "threshold": picked["threshold"], "dates": hold_out["dates"], "score": nearest}
    elif picked["rows"] >= NEARLY_ALL * hold_out["rows"]:
        yield {"kind": everything, "threshold": picked["threshold"], "share": picked["rows"] / hold_out["rows"]}
