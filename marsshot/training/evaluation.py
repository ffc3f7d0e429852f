"""What the hold-out shows of a model: its ranking beside baselines that need no model, and what each threshold picks.

A rise of 5 % in two days is mostly a matter of volatility, so the yardsticks are not only chance but volatility alone
and ATR/close alone, and what picks earned is set against equally volatile tokens that were not picked. Every date
weighs the same. Fits nothing, reads and writes no file. All take the frame that with_forward_returns makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from marsshot.training.day_statistics import (
    LEVEL,
    Floats,
    Interval,
    average_precision,
    day_numbers,
    day_weights,
    interval_of,
    over_resamples,
    per_day,
    ratio,
    share,
)
from marsshot.training.forward_returns import equally_volatile

THRESHOLDS = tuple(Decimal(hundredths) / 100 for hundredths in range(30, 91, 5))
YARDSTICKS = {"volatility_alone": "volatility", "atr_alone": "atr_to_close"}
"""What needs no model, by the name that model.json gives it: the column that ranks alone."""
TOP_SHARE = 0.10
BANDS = 20


def ranking(frame: pd.DataFrame, label_days: int) -> dict[str, Any]:
    """Return how well the scores rank, beside one column alone and beside chance; None where it cannot be measured.

    The difference to a column is taken on the rows that have it.
    """
    dates, labels, scores = (frame[name].to_numpy() for name in ("date", "label", "score"))
    both = len(np.unique(labels)) > 1
    own = _Precision.of(dates, labels, scores) if both else None
    return {
        **_base_rate(dates, labels),
        **_with_interval("average_precision", *own.figures() if own else (None, None)),
        **_more_than_base_rate(dates, labels, own),
        "roc_auc": float(roc_auc_score(labels, scores, sample_weight=day_weights(dates))) if both else None,
        **{key: _versus(frame, column, own) for key, column in YARDSTICKS.items()},
        "chance": _chance(frame, label_days) if both else None,
    }


@dataclass(frozen=True)
class _Precision:
    """An average precision: its value, and what it is in each resample of the days."""

    value: float
    drawn: Floats

    @classmethod
    def of(cls, dates: Any, labels: NDArray[np.int64], scores: Floats) -> _Precision:
        drawn = over_resamples(dates, lambda weights: average_precision(labels, scores, weights))
        return cls(float(average_precision(labels, scores, day_weights(dates))), drawn)

    def figures(self) -> tuple[float, Interval | None]:
        return self.value, interval_of(self.drawn)

    def more_than(self, value: float, drawn: Floats) -> tuple[float, Interval | None]:
        """Return the difference to what another comes to, both in the same draws of days."""
        return self.value - value, interval_of(self.drawn - drawn)


def _base_rate(dates: Any, labels: NDArray[np.int64]) -> dict[str, float | None]:
    _, numbers = day_numbers(dates)
    weights = day_weights(dates)
    return _with_interval("base_rate", *ratio(per_day(numbers, weights * labels), per_day(numbers, weights)))


def _more_than_base_rate(dates: Any, labels: NDArray[np.int64], own: _Precision | None) -> dict[str, float | None]:
    """Return what the average precision has more than the share of rows that rose."""

    def base(weights: Floats) -> Floats:
        share_risen: Floats = (weights * labels).sum(axis=-1) / weights.sum(axis=-1)
        return share_risen

    if own is None:
        return _with_interval("more_than_base_rate", None, None)
    value = float(base(day_weights(dates)))
    return _with_interval("more_than_base_rate", *own.more_than(value, over_resamples(dates, base)))


def _versus(frame: pd.DataFrame, column: str, own: _Precision | None) -> dict[str, Any] | None:
    """Return the average precision of a column alone and what the scores have more, both with intervals.

    own: that of the scores, if the frame has two kinds of labels.
    """
    rows = frame[frame[column].notna()]
    dates, labels, scores, other = (rows[name].to_numpy() for name in ("date", "label", "score", column))
    if own is None or len(np.unique(labels)) < 2:  # noqa: PLR2004 - 0 and 1
        return None
    alone = _Precision.of(dates, labels, other)
    here = own if len(rows) == len(frame) else _Precision.of(dates, labels, scores)
    return {
        "rows": len(rows),
        **_with_interval("average_precision", *alone.figures()),
        **_with_interval("model_has_more", *here.more_than(alone.value, alone.drawn)),
    }


def _chance(frame: pd.DataFrame, label_days: int) -> dict[str, Any] | None:
    """Return the average precision of the scores against the labels of other days: permutations by date.

    All days' labels move on together by the same number of days, in a circle, so that neighbouring days stay alike and
    each token keeps its own; every such move beyond the reach of a label is tried. The interval is that of the moves.
    """
    scores, labels = (
        frame.pivot(index="date", columns="symbol", values=name).to_numpy() for name in ("score", "label")
    )
    found = []
    for days in range(label_days + 1, len(labels) - label_days):
        moved = np.roll(labels, days, axis=0)
        both = np.isfinite(scores) & np.isfinite(moved)
        if both.any() and moved[both].any():
            weights = (both / np.maximum(both.sum(axis=1, keepdims=True), 1))[both]
            found.append(float(average_precision(moved[both].astype(np.int64), scores[both], weights)))
    if not found:
        return None
    moves = np.array(found)
    return {
        **_with_interval("average_precision", float(moves.mean()), interval_of(moves)),
        "best_of_twenty": float(np.quantile(moves, LEVEL)),
    }


def picks(frame: pd.DataFrame, picked: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what picking these rows comes to: how many, how often they rose, what they earned.

    Returns are means of the days' means: the bot splits its capital among the picks of a day. What they earned, what
    equally volatile tokens did and the difference are of the same picks, those that have such partners: it adds up.
    """
    days, numbers = day_numbers(frame["date"])
    labels, weights = frame["label"].to_numpy(), day_weights(frame["date"])
    returns, volatility = frame["net_return"].to_numpy(), frame["volatility"].to_numpy()
    others = equally_volatile(frame["date"].to_numpy(), picked, volatility, returns)
    compared = np.isfinite(others)
    chosen = np.where(picked, weights, 0.0)
    hit_rate, interval = share(numbers, chosen, labels)
    base_rate = float(np.average(labels, weights=weights))
    return {
        "rows": int(picked.sum()),
        "signals_per_day": float(picked.sum() / len(days)),
        "days": len(np.unique(numbers[picked])),
        **_reach(numbers, picked),
        **_with_interval("hit_rate", hit_rate, interval),
        "lift": hit_rate / base_rate if hit_rate is not None and base_rate else None,
        **_with_interval("mean_return_after_fees", *_mean_of_days(numbers, np.where(picked, returns, np.nan))),
        "compared_days": len(np.unique(numbers[compared])),
        "compared_return_after_fees": _mean_of_days(numbers, np.where(compared, returns, np.nan))[0],
        "equally_volatile_return_after_fees": _mean_of_days(numbers, others)[0],
        **_with_interval("more_than_equally_volatile", *_mean_of_days(numbers, returns - others)),
    }


def _reach(numbers: NDArray[np.intp], picked: NDArray[np.bool_]) -> dict[str, float]:
    """Return the shares of days on which no token is picked, one or two are, and more than half of them are."""
    tokens, count = np.bincount(numbers), np.bincount(numbers, weights=picked)
    return {
        "days_with_none": float(np.mean(count == 0)),
        "days_with_one_or_two": float(np.mean((count == 1) | (count == 2))),  # noqa: PLR2004 - one or two
        "days_with_over_half": float(np.mean(2 * count > tokens)),
    }


def top_tenth(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are among the tenth of their day's tokens with the highest scores, at least one a day."""
    place = frame.groupby("date")["score"].rank(method="first", ascending=False)
    tokens = frame.groupby("date")["score"].transform("size")
    return (place <= np.maximum(1, (tokens * TOP_SHARE).round())).to_numpy()


def by_threshold(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is picked at or above each of THRESHOLDS."""
    scores = frame["score"].to_numpy()
    return [{"threshold": f"{limit:.2f}", **picks(frame, scores >= float(limit))} for limit in THRESHOLDS]


def by_band(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how often rows rose by score, in bands of 0.05 from 0 to 1; a score of 1 belongs to the last."""
    _, numbers = day_numbers(frame["date"])
    labels, scores, weights = frame["label"].to_numpy(), frame["score"].to_numpy(), day_weights(frame["date"])
    edges = [round(number / BANDS, 2) for number in range(BANDS + 1)]
    bands = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, BANDS - 1)
    found = []
    for band, (low, high) in enumerate(pairwise(edges)):
        chosen = np.where(bands == band, weights, 0.0)
        hit_rate, interval = share(numbers, chosen, labels)
        rows = int((bands == band).sum())
        found.append({"from": low, "below": high, "rows": rows, **_with_interval("hit_rate", hit_rate, interval)})
    return found


def day_by_day(frame: pd.DataFrame, threshold: Decimal) -> list[dict[str, Any]]:
    """Return for each date the tokens scored, the picks at the threshold, and the mean net return of both.

    None where nothing was picked, or where the later close is not in the file.
    """
    picked = frame["score"] >= float(threshold)
    found = []
    for date, today in frame.groupby("date"):
        mine = today[picked.loc[today.index]]
        found.append(
            {
                "date": f"{date:%Y-%m-%d}",
                "tokens": len(today),
                "picks": len(mine),
                "picks_return_after_fees": _number(mine["net_return"].mean()),
                "all_return_after_fees": _number(today["net_return"].mean()),
            }
        )
    return found


def _mean_of_days(numbers: NDArray[np.intp], values: Floats) -> tuple[float | None, Interval | None]:
    """Return the mean of the days' means of the values that are defined, with its interval."""
    there = np.isfinite(values)
    count = per_day(numbers, there.astype(np.float64))
    total = per_day(numbers, np.where(there, values, 0.0))
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return ratio(means, (count > 0).astype(np.float64))


def _with_interval(name: str, value: float | None, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
