"""Whether a new model may take the old one's place: both are compared on dates that neither was fitted on.

The file in use is fitted on all dates it had, so its own scores on those dates prove nothing. What counts for them is
the record in its model.json: what the model fitted on the past alone scored on each date of its hold-out. Dates
after its last one it scores itself. Decides only; writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.model.features import has_features
from marsshot.model.integrity import source_of
from marsshot.model.model_files import LoadedModel, load_model
from marsshot.training.day_statistics import (
    Floats,
    Interval,
    average_precision,
    day_weights,
    interval_of,
    over_resamples,
)
from marsshot.training.forest_search import predict_scores

MIN_DATES = 14


class GateReason(StrEnum):
    """Why the old model stays or goes; the sentences stand in the catalogue under `gate`."""

    UNREADABLE = "unreadable"
    OTHER_SOURCE = "other_source"
    OTHER_LABEL = "other_label"
    LACKS_COLUMNS = "lacks_columns"
    FEW_DATES = "few_dates"
    CLEARLY_WORSE = "clearly_worse"
    NOT_CLEARLY_WORSE = "not_clearly_worse"
    CLEARLY_WORSE_AND_LEARNT_NOTHING = "clearly_worse_and_learnt_nothing"
    LEARNT_NOTHING = "learnt_nothing"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the old model stays, and why: a reason and its values, none where there is no old one.

    figures: what model.json keeps of it.
    """

    keeps_old: bool
    reason: GateReason | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] | None = None


def gate_text(reason: str, values: Mapping[str, Any]) -> LocalizedText:
    """Return the sentence of a comparison, or of what model.json keeps of one."""
    return LocalizedText(f"gate.{reason}", **{name: _for_sentence(name, value) for name, value in values.items()})


def _for_sentence(name: str, value: Any) -> Any:
    """Return a value as its sentence wants it: JSON has neither days nor tuples."""
    if name == "first":
        return date.fromisoformat(value)
    return tuple(value) if isinstance(value, list) else value


def encode_scores(frame: pd.DataFrame) -> dict[str, str]:
    """Return the scores of each date of a hold-out, for model.json: "ADA 0.4123 BNB 0.3312 ..."."""
    return {
        f"{day:%Y-%m-%d}": " ".join(
            f"{symbol} {score:.4f}" for symbol, score in zip(rows["symbol"], rows["score"], strict=True)
        )
        for day, rows in frame.groupby("date")
    }


def compare_with_old(
    path: Path,
    data: pd.DataFrame,
    frame: pd.DataFrame,
    label: Mapping[str, Any],
    gap_days: int,
    source: str = "lunarcrush",
) -> Comparison:
    """Compare the model of this file with the new one.

    data: the rows of the training file; frame: date, symbol, label, atr_to_close and the new model's score of the
    hold-out. gap_days: how long after its last training date what the old model has learnt still reaches.
    The old one stays if the 95 % interval of what the new one's average precision has more lies below zero, a block
    bootstrap by date, both models in the same draws; or if the new one ranks worse than ATR/close alone by that measure
    and the old one does not.
    """
    if not path.exists():
        return Comparison(False)
    try:
        old = load_model(path)
    except InputError as error:
        return Comparison(False, GateReason.UNREADABLE, {"why": error.message})
    here = {"path": str(path)}
    if why := _not_comparable(old, data, label, source):
        return Comparison(False, why[0], {**here, **why[1]})
    both = _scored_by_both(old, data, frame, gap_days)
    dates = both["date"].nunique()
    if dates < MIN_DATES or both["label"].nunique() < 2:  # noqa: PLR2004 - 0 and 1
        return Comparison(False, GateReason.FEW_DATES, {**here, "dates": dates, "needed": MIN_DATES})
    return _judge(path, both)


def _not_comparable(
    old: LoadedModel, data: pd.DataFrame, label: Mapping[str, Any], source: str
) -> tuple[GateReason, dict[str, Any]] | None:
    """Return why the old model cannot score these rows, with its values; None where it can."""
    if source_of(old.facts) != source:
        return GateReason.OTHER_SOURCE, {}
    if old.facts.get("label", label) != label:
        return GateReason.OTHER_LABEL, {}
    absent = [name for name in old.features if name not in data.columns]
    return (GateReason.LACKS_COLUMNS, {"columns": absent}) if absent else None


def _judge(path: Path, both: pd.DataFrame) -> Comparison:
    own, other, atr = (_precision(both, name) for name in ("score", "old_score", "atr_to_close"))
    low, high = _interval_of_more(both, "score", "old_score")
    atr_low, atr_high = _interval_of_more(both, "score", "atr_to_close")
    has_learnt_nothing = atr_high < 0 and not _interval_of_more(both, "old_score", "atr_to_close")[1] < 0
    is_worse, dates = high < 0, int(both["date"].nunique())
    values = {
        "path": str(path),
        "own": own,
        "other": other,
        "dates": dates,
        "first": f"{both['date'].min():%Y-%m-%d}",
        "low": low,
        "high": high,
        "atr": atr,
    }
    figures = {
        "dates": dates,
        "new_average_precision": own,
        "old_average_precision": other,
        "new_has_more": own - other,
        "new_has_more_low": low,
        "new_has_more_high": high,
        "atr_average_precision": atr,
        "new_has_more_than_atr": own - atr,
        "new_has_more_than_atr_low": atr_low,
        "new_has_more_than_atr_high": atr_high,
    }
    reason = _REASONS[is_worse, has_learnt_nothing]
    return Comparison(is_worse or has_learnt_nothing, reason, values, figures)


_REASONS = {  # by whether the new one is clearly worse, and whether it has learnt nothing
    (False, False): GateReason.NOT_CLEARLY_WORSE,
    (True, False): GateReason.CLEARLY_WORSE,
    (True, True): GateReason.CLEARLY_WORSE_AND_LEARNT_NOTHING,
    (False, True): GateReason.LEARNT_NOTHING,
}


def _precision(both: pd.DataFrame, column: str) -> float:
    labels, scores, dates = (both[name].to_numpy() for name in ("label", column, "date"))
    return float(average_precision(labels, scores, day_weights(dates)))


def _interval_of_more(both: pd.DataFrame, column: str, other: str) -> Interval:
    """Return the interval of what one column's average precision has more than another's."""
    dates, labels, ours, theirs = (both[name].to_numpy() for name in ("date", "label", column, other))

    def more(weights: Floats) -> Floats:
        return average_precision(labels, ours, weights) - average_precision(labels, theirs, weights)

    return interval_of(over_resamples(dates, more)) or (np.nan, np.nan)


def _scored_by_both(old: LoadedModel, data: pd.DataFrame, frame: pd.DataFrame, gap_days: int) -> pd.DataFrame:
    """Return the rows of the frame that the old model has fair scores of, with both scores as ranks.

    Its record and it itself are two forests on two scales, so the scores are ranked within each one's dates.
    """
    rows = frame.assign(score=frame["score"].round(4), old_score=_recorded(old.facts, frame))
    rows["by"] = np.where(rows["old_score"].notna(), "record", "")
    last = pd.to_datetime(str(old.facts.get("last_date")), format="%Y-%m-%d", errors="coerce")
    unseen = rows["old_score"].isna() & (rows["date"] > last + pd.Timedelta(days=gap_days))
    columns = data.set_index(["date", "symbol"])[list(old.features)]
    wanted = columns.loc[pd.MultiIndex.from_frame(rows.loc[unseen, ["date", "symbol"]])].set_axis(rows.index[unseen])
    usable = wanted[has_features(wanted, old.features).all(axis=1)]
    if len(usable):
        rows.loc[usable.index, "old_score"] = predict_scores(old.estimator, usable).round(4)
        rows.loc[usable.index, "by"] = "itself"
    rows = rows[rows["by"] != ""].copy()
    for name in ("score", "old_score"):
        rows[name] = rows.groupby("by")[name].rank(pct=True)
    return rows


def _recorded(facts: Mapping[str, Any], frame: pd.DataFrame) -> list[float]:
    """Return the recorded score of each row, NaN where there is none."""
    found = dict(_record(facts))
    days = frame["date"].dt.strftime("%Y-%m-%d")
    return [found.get(key, np.nan) for key in zip(days, frame["symbol"], strict=True)]


def _record(facts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what encode_scores wrote; what cannot be read counts as not there."""
    hold_out = facts.get("hold_out")
    record = hold_out.get("scores") if isinstance(hold_out, dict) else None
    for day, line in record.items() if isinstance(record, dict) else ():
        words = str(line).split()
        for symbol, score in zip(words[::2], words[1::2], strict=False):
            try:
                yield (day, symbol), float(score)
            except ValueError:
                return
