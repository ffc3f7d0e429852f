"""The facts of a trained model for model.json: what it learnt from, how good it is, what its scores meant.

Takes what the search found; writes no file and shows nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import sklearn

from marsshot.core.moments import utc_text
from marsshot.infra.clock import SystemClock
from marsshot.model.feature_drift import training_borders
from marsshot.model.features import has_features
from marsshot.model.score_scale import Quantiles, rank_of, score_at, table_in
from marsshot.training.evaluation import by_band, by_threshold, day_by_day, picks, ranking, top_tenth
from marsshot.training.feature_importance import feature_importance
from marsshot.training.forest_search import SearchResult
from marsshot.training.promotion_gate import encode_scores
from marsshot.training.verdict import verdict, warnings

if TYPE_CHECKING:
    from marsshot.config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """The tables of a model's own scores: of the model in the file, and of the one that scored the hold-out."""

    of_all: dict[str, Any] | None
    of_past: dict[str, Any] | None


def model_facts(
    data: pd.DataFrame,
    rows: pd.DataFrame,
    settings: Settings,
    found: SearchResult,
    frame: pd.DataFrame,
    scales: Scales,
    *,
    seed: int,
    jobs: int,
) -> dict[str, Any]:
    """Return what model.json tells of the model.

    data: the whole training file; rows: what was learnt from; frame: the hold-out, as with_forward_returns makes it.
    """
    hold_out = _hold_out_facts(frame, settings, scales)
    features = [str(name) for name in found.past_model.feature_names_in_]
    return {
        "trained_at": utc_text(SystemClock().now()),
        "mode": settings.mode,
        "source": settings.data_source,
        "verdict": verdict(hold_out, label_facts(settings)),
        "warnings": warnings(hold_out),
        "rows": len(rows),
        "dates": int(rows["date"].nunique()),
        "first_date": f"{rows['date'].min():%Y-%m-%d}",
        "last_date": f"{rows['date'].max():%Y-%m-%d}",
        "symbols": sorted(rows["symbol"].unique()),
        "features": features,
        "feature_borders": training_borders(rows, [name for name in features if name in rows]),
        "label": label_facts(settings),
        "recipe": settings.training.recipe,
        "score_scale": scales.of_all,
        "base_rate": float(rows["label"].mean()),
        "parameters": found.parameters,
        "search": {
            "tried": found.tried,
            "average_precision": found.fold_scores,
            "base_rates": found.fold_base_rates,
        },
        "hold_out": hold_out,
        "importance": feature_importance(rows.iloc[found.future], features, found.past_model, seed, jobs),
        "coverage": _coverage(data, rows, features),
        "seed": seed,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "scikit-learn": sklearn.__version__,
        "joblib": joblib.__version__,
    }


def label_facts(settings: Settings) -> dict[str, Any]:
    """Return what was to be foreseen."""
    training = settings.training
    if training.label == "relative":
        return {"kind": "relative", "shift_days": training.label_days}
    return {"shift_days": training.shift_days, "threshold": str(training.threshold)}


def _hold_out_facts(raw: pd.DataFrame, settings: Settings, scales: Scales) -> dict[str, Any]:
    strategy, table = settings.strategy, table_in({"score_scale": scales.of_past})
    scale = strategy.score_scale if table is not None else "raw"
    frame = _ranked(raw, table) if scale == "rank" and table is not None else raw
    scores = frame["score"].to_numpy()

    def raw_at(threshold: Decimal) -> float | None:
        return score_at(float(threshold), table) if scale == "rank" and table is not None else None

    return {
        "scale": scale,
        "rows": len(frame),
        "dates": int(frame["date"].nunique()),
        "first_date": f"{frame['date'].min():%Y-%m-%d}",
        "last_date": f"{frame['date'].max():%Y-%m-%d}",
        "lowest_score": float(scores.min()),
        "highest_score": float(scores.max()),
        **ranking(raw, settings.training.label_days),
        "buy": {
            "threshold": str(strategy.buy_threshold),
            "raw": raw_at(strategy.buy_threshold),
            **picks(frame, scores >= float(strategy.buy_threshold)),
        },
        "sell": {
            "threshold": str(strategy.sell_threshold),
            "raw": raw_at(strategy.sell_threshold),
            **picks(frame, scores < float(strategy.sell_threshold)),
        },
        "top_tenth": picks(raw, top_tenth(raw)),
        "thresholds": [{**row, "raw": raw_at(Decimal(row["threshold"]))} for row in by_threshold(frame)],
        "bands": by_band(frame),
        "days": day_by_day(frame, strategy.buy_threshold),
        "scores": encode_scores(raw),
    }


def _ranked(frame: pd.DataFrame, table: Quantiles) -> pd.DataFrame:
    """Return the hold-out with ranks for scores."""
    return frame.assign(score=[float(rank_of(float(score), table)) for score in frame["score"]])


def _coverage(data: pd.DataFrame, rows: pd.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    """Return the tokens of each date, and of each feature the rows that lack it."""
    gaps = (~has_features(data, features)).sum()
    return {
        "rows_left_out": len(data) - len(rows),
        "rows_without": {name: int(gaps[name]) for name in features if gaps[name]},
        "tokens_by_date": {f"{date:%Y-%m-%d}": int(count) for date, count in rows.groupby("date").size().items()},
    }
