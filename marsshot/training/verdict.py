"""What the figures of a hold-out mean, in words: whether there is an edge, and what the owner's thresholds do.

Takes the facts of model.json, returns sentences. Calculates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MIN_DATES = 20  # below, the intervals mean nothing
NEARLY_ALL = 0.90


def verdict(hold_out: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, Any]:
    """Return edge and words. label: what was to be foreseen. An edge is claimed only if all hold on the hold-out:

    the scores rank better than 14-day volatility alone, than ATR/close alone and than the base rate, each with the 95 %
    interval of the difference above zero; they rank better than 19 of 20 moves of the labels to other days, and the
    interval of their own average precision lies above the mean of those; and the top tenth of each day earned more
    after fees than equally volatile tokens of that day, with its 95 % interval above zero.
    """
    days = label["shift_days"]
    reasons = [words for words in (_dates(hold_out), *_ranking(hold_out), _earned(hold_out, days)) if words]
    if reasons:
        return {"edge": False, "words": " ".join(["No edge.", *reasons])}
    beside = " and ".join(f"{name} ({_versus(hold_out[key])})" for key, name in YARDSTICKS.items())
    kind = "A relative edge" if label.get("kind") == "relative" else "An edge"
    return {
        "edge": True,
        "words": f"{kind} on these {hold_out['dates']} dates. It ranks better than {beside}, than the base rate and "
        f"than chance, and {_top_tenth(hold_out, days)}. {_CAVEAT[label.get('kind', 'rise')]}Other dates may differ.",
    }


YARDSTICKS = {"volatility_alone": "14-day volatility alone", "atr_alone": "ATR/close alone"}
_CAVEAT = {"rise": "", "relative": "It is an edge beside the other tokens, no profit: it loses with the market. "}


def _dates(hold_out: Mapping[str, Any]) -> str:
    dates = hold_out["dates"]
    return f"{dates} dates are too few to show one, {MIN_DATES} are needed." if dates < MIN_DATES else ""


def _ranking(hold_out: Mapping[str, Any]) -> list[str]:
    columns = {name: hold_out[key] for key, name in YARDSTICKS.items()}
    chance, own = hold_out["chance"], hold_out["average_precision"]
    measured = all(beside is not None and beside["model_has_more_low"] is not None for beside in columns.values())
    if not measured or chance is None or own is None or hold_out["average_precision_low"] is None:
        return ["Its ranking cannot be set beside volatility, ATR/close and chance on these dates."]
    reasons = [
        f"It is not certain to rank better than {name}: {_versus(beside)}."
        for name, beside in columns.items()
        if beside["model_has_more_low"] <= 0
    ]
    more, low, high = (hold_out[f"more_than_base_rate{end}"] for end in ("", "_low", "_high"))
    if low <= 0:
        reasons.append(
            f"It is not certain to rank better than the base rate of {hold_out['base_rate']:.3f}: average precision "
            f"{more:+.3f} beside it, 95 % interval {low:+.3f} to {high:+.3f}."
        )
    if own <= chance["best_of_twenty"] or hold_out["average_precision_low"] <= chance["average_precision"]:
        reasons.append(
            f"Chance may do as well: average precision {own:.3f}, 95 % interval from "
            f"{hold_out['average_precision_low']:.3f}; with the labels of other days {chance['average_precision']:.3f} "
            f"on average and {chance['best_of_twenty']:.3f} in the best of twenty."
        )
    return reasons


def _versus(beside: Mapping[str, Any]) -> str:
    low, high = beside["model_has_more_low"], beside["model_has_more_high"]
    more, other = beside["model_has_more"], beside["average_precision"]
    return (
        f"average precision {other + more:.3f} against {other:.3f}, that is {more:+.3f}, "
        f"95 % interval {low:+.3f} to {high:+.3f}"
    )


def _earned(hold_out: Mapping[str, Any], shift_days: int) -> str:
    low = hold_out["top_tenth"]["more_than_equally_volatile_low"]
    if low is not None and low > 0:
        return ""
    words = _top_tenth(hold_out, shift_days)
    return f"{words[0].upper()}{words[1:]}."


def _top_tenth(hold_out: Mapping[str, Any], shift_days: int) -> str:
    more, low, high = (hold_out["top_tenth"][f"more_than_equally_volatile{end}"] for end in ("", "_low", "_high"))
    if more is None or low is None:
        return "what its top tenth earned cannot be set beside equally volatile tokens"
    return (
        f"its top tenth of each day earned {more:+.2%} in {shift_days} days beside equally volatile tokens, "
        f"95 % interval {low:+.2%} to {high:+.2%}"
    )


def warnings(hold_out: Mapping[str, Any]) -> list[str]:
    """Return what the configured thresholds would have done on the hold-out, where that cannot be meant."""
    rows, dates, buy, sell = (hold_out[name] for name in ("rows", "dates", "buy", "sell"))
    found = []
    if not buy["rows"]:
        found.append(
            f"buy_threshold {buy['threshold']}: the bot would never have bought. No score of the {dates} dates "
            f"reached it, the highest was {hold_out['highest_score']:.3f}."
        )
    elif buy["rows"] >= NEARLY_ALL * rows:
        share = buy["rows"] / rows
        found.append(f"buy_threshold {buy['threshold']}: the bot would have bought everything ({share:.0%} a day).")
    if not sell["rows"]:
        found.append(
            f"sell_threshold {sell['threshold']}: the bot would never have sold by it. No score of the {dates} dates "
            f"was under it, the lowest was {hold_out['lowest_score']:.3f}."
        )
    elif sell["rows"] >= NEARLY_ALL * rows:
        share = sell["rows"] / rows
        found.append(
            f"sell_threshold {sell['threshold']}: the bot would have sold everything daily ({share:.0%} a day)."
        )
    return found
