"""The short tables of a trained model on the terminal: how good it is beside its baselines, and what a score meant.

Takes the facts of model.json; calculates nothing and writes no file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

THRESHOLD_STEP = 2  # of the thresholds of model.json every second is shown


def show(output: Path, facts: Mapping[str, Any]) -> None:
    """Show the tables, the verdict and the warnings on the standard output."""
    future = facts["hold_out"]
    console = Console(width=max(100, Console().width))
    console.print(_ranking_table(output, facts), highlight=False)
    console.print(_threshold_table(future, facts["label"]["shift_days"]), highlight=False)
    rise = f"rose {float(facts['label']['threshold']):.1%} in {facts['label']['shift_days']} days"
    lines = [
        f"Verdict: {facts['verdict']['words']}",
        *(f"Warning: {words}" for words in facts["warnings"]),
        f"Dates {facts['first_date']} to {facts['last_date']}, {facts['base_rate']:.1%} of the rows {rise}. "
        f"The hold-out was {future['note']}.",
        f"Parameters: {', '.join(f'{name}={value}' for name, value in sorted(facts['parameters'].items()))}",
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _ranking_table(output: Path, facts: Mapping[str, Any]) -> Table:
    future, search = facts["hold_out"], facts["search"]
    table = Table(
        title=f"{output}: {facts['rows']} rows of {len(facts['symbols'])} tokens", title_justify="left", box=SIMPLE_HEAD
    )
    for name in ("", "average precision", "95 % interval", "ROC AUC"):
        table.add_column(name, justify="right" if name else "left")
    base, score = np.mean(search["base_rates"]), np.mean(search["average_precision"])
    table.add_row(f"search, best of {search['tried']} (base rate {base:.3f})", f"{score:.3f}", "", "", end_section=True)
    beside, chance = future["volatility_alone"] or {}, future["chance"] or {}
    start = f"hold-out from {future['first_date']}, {future['dates']} dates: base rate"
    table.add_row(start, _figure(future["base_rate"]))
    table.add_row("  chance: labels of other dates", _figure(chance.get("average_precision")))
    table.add_row("  14-day volatility alone", *_with_interval(beside, "average_precision"))
    table.add_row("  the model", *_with_interval(future, "average_precision"), _figure(future["roc_auc"]))
    return table


def _threshold_table(future: Mapping[str, Any], shift_days: int) -> Table:
    table = Table(
        title="What a score meant on the hold-out (returns after fees)", title_justify="left", box=SIMPLE_HEAD
    )
    returns = (f"{shift_days}-day return", "equally volatile")
    for name in ("score", "per day", "rose", "95 % interval", "lift", *returns):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(f"under {future['sell']['threshold']} (sell)", *_picked(future["sell"]))
    for row in future["thresholds"][::THRESHOLD_STEP]:
        if row["rows"] and row["threshold"] != future["buy"]["threshold"]:
            table.add_row(f"{row['threshold']} or more", *_picked(row))
    table.add_row(f"{future['buy']['threshold']} or more (buy)", *_picked(future["buy"]))
    return table


def _picked(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['signals_per_day']:.1f}",
        *_with_interval(row, "hit_rate", "{:.1%}"),
        _figure(row["lift"], "{:.2f}"),
        _figure(row["mean_return_after_fees"], "{:+.2%}"),
        _figure(row["equally_volatile_return_after_fees"], "{:+.2%}"),
    ]


def _with_interval(row: Mapping[str, Any], name: str, form: str = "{:.3f}") -> tuple[str, str]:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return _figure(row.get(name), form), "" if low is None else f"{form.format(low)} to {form.format(high)}"


def _figure(value: float | None, form: str = "{:.3f}") -> str:
    return "-" if value is None else form.format(value)
