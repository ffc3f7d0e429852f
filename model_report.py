"""What is told of a trained model: the facts for model.json, and the short table for the terminal.

Takes what the search found; fits nothing and writes no file.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from rich.console import Console
from rich.table import Table

from clock import SystemClock
from domain import utc_text
from features import FEATURES
from forest_search import Found, measure

if TYPE_CHECKING:
    from settings import Settings


def model_facts(rows: pd.DataFrame, settings: Settings, found: Found, seed: int) -> dict[str, Any]:
    """Return what model.json tells of the model."""
    future = rows.iloc[found.future]
    return {
        "trained_at": utc_text(SystemClock().now()),
        "mode": settings.mode,
        "rows": len(rows),
        "dates": int(rows["date"].nunique()),
        "first_date": f"{rows['date'].min():%Y-%m-%d}",
        "last_date": f"{rows['date'].max():%Y-%m-%d}",
        "symbols": sorted(rows["symbol"].unique()),
        "features": list(FEATURES),
        "label": {"shift_days": settings.training.shift_days, "threshold": str(settings.training.threshold)},
        "base_rate": float(rows["label"].mean()),
        "parameters": found.parameters,
        "search": {
            "tried": found.tried,
            "average_precision": found.fold_scores,
            "base_rates": found.fold_base_rates,
        },
        "hold_out": _hold_out_facts(future, found, settings),
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
            "scikit-learn": sklearn.__version__,
            "joblib": joblib.__version__,
        },
    }


def _hold_out_facts(future: pd.DataFrame, found: Found, settings: Settings) -> dict[str, Any]:
    labels, scores = future["label"].to_numpy(), found.hold_out_scores
    strategy = settings.strategy
    buys = scores >= float(strategy.buy_threshold)
    sells = scores < float(strategy.sell_threshold)
    return {
        "note": "of a model fitted on the dates before; the model in the file is fitted on all rows",
        "rows": len(future),
        "dates": int(future["date"].nunique()),
        "first_date": f"{future['date'].min():%Y-%m-%d}",
        **measure(labels, scores),
        "buy": {"at_or_above": str(strategy.buy_threshold), **_picked(labels, buys)},
        "sell": {"under": str(strategy.sell_threshold), **_picked(labels, sells)},
    }


def _picked(labels: Any, picked: Any) -> dict[str, Any]:
    """Return how many rows a threshold picks and what share of them rose."""
    return {"rows": int(picked.sum()), "rose": float(labels[picked].mean()) if picked.any() else None}


def show(output: Path, facts: Mapping[str, Any]) -> None:
    """Show what was learnt and how good it is beside the base rate, on the standard output."""
    search, future = facts["search"], facts["hold_out"]
    table = Table(title=f"{output}: {facts['rows']} rows of {len(facts['symbols'])} tokens", title_justify="left")
    for name in ("", "base rate", "average precision", "ROC AUC"):
        table.add_column(name, justify="right" if name else "left")
    base, score = np.mean(search["base_rates"]), np.mean(search["average_precision"])
    table.add_row(f"best of {search['tried']}, cross-validation", f"{base:.3f}", f"{score:.3f}", "")
    table.add_row(
        f"hold-out from {future['first_date']}, {future['dates']} dates",
        *(_figure(future[name]) for name in ("base_rate", "average_precision", "roc_auc")),
    )
    Console(width=max(100, Console().width)).print(table, highlight=False)
    rise = f"rose {float(facts['label']['threshold']):.1%} in {facts['label']['shift_days']} days"
    lines = [
        f"dates: {facts['first_date']} to {facts['last_date']}, {facts['base_rate']:.1%} of the rows {rise}",
        f"parameters: {', '.join(f'{name}={value}' for name, value in sorted(facts['parameters'].items()))}",
        f"hold-out rows at {future['buy']['at_or_above']} or more (buy): {_hits(future['buy'], future['rows'], rise)}",
        f"hold-out rows under {future['sell']['under']} (sell): {_hits(future['sell'], future['rows'], rise)}",
        "The hold-out was scored by a model fitted on the dates before it; the one in the file is fitted on all.",
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _hits(picked: Mapping[str, Any], rows: int, rise: str) -> str:
    share = f"{picked['rows']} of {rows} ({picked['rows'] / rows:.1%})"
    return share if picked["rose"] is None else f"{share}, {picked['rose']:.1%} of them {rise}"
