"""The short tables of a trained model on the terminal: how good it is beside its baselines, and what a score meant.

Takes the facts of model.json; calculates nothing and writes no file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from marsshot.core.wording import counted
from marsshot.model.integrity import source_name
from marsshot.model.label import what_is_foreseen
from marsshot.reporting.fitting_table import Column, FittingTable
from marsshot.training.verdict import YARDSTICKS

THRESHOLD_STEP = 2  # of the thresholds of model.json every second is shown


def show(output: Path, facts: Mapping[str, Any]) -> None:
    """Show the tables, the verdict and the warnings on the standard output."""
    future = facts["hold_out"]
    console = Console()
    console.print(_ranking_table(output, facts).render(console.width), highlight=False)
    console.print()
    console.print(_threshold_table(future, facts["label"]["shift_days"]).render(console.width), highlight=False)
    console.print()
    console.print(_reach_table(future).render(console.width), highlight=False)
    console.print()
    parameters = ", ".join(f"{name}={value}" for name, value in sorted(facts["parameters"].items()))
    lines = [
        f"Verdict: {facts['verdict']['words']}",
        *(f"Warning: {words}" for words in facts["warnings"]),
        f"Dates {facts['first_date']} to {facts['last_date']}; of the rows, {facts['base_rate']:.1%} "
        f"{what_is_foreseen(facts['label'])}. The hold-out was {future['note']}.",
        f"Recipe {facts['recipe']}, label {facts['label'].get('kind', 'rise')}. Parameters: {parameters}",
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _ranking_table(output: Path, facts: Mapping[str, Any]) -> FittingTable:
    future, search = facts["hold_out"], facts["search"]
    tokens = counted(len(facts["symbols"]), "token")
    title = f"{output}: {facts['rows']} rows of {tokens}, daily bars of {source_name(facts)}"
    names = ("average precision", "95 % interval", "ROC AUC")
    table = FittingTable(title, [Column(""), *(Column(name, is_number=True) for name in names)])
    base, score = np.mean(search["base_rates"]), np.mean(search["average_precision"])
    table.add(f"search, best of {search['tried']}", f"{score:.3f}")
    table.add("  base rate", f"{base:.3f}")
    table.add(f"hold-out from {future['first_date']}, {future['dates']} dates")
    table.add("  base rate", *_with_interval(future, "base_rate"))
    table.add("  chance: labels of other dates", *_with_interval(future["chance"] or {}, "average_precision"))
    for key, name in YARDSTICKS.items():
        table.add(f"  {name}", *_with_interval(future[key] or {}, "average_precision"))
    table.add("  the model", *_with_interval(future, "average_precision"), _figure(future["roc_auc"]))
    return table


def _threshold_table(future: Mapping[str, Any], shift_days: int) -> FittingTable:
    names = (
        _scale_name(future),
        "per day",
        "rose",
        "95 % interval",
        f"{shift_days}-day\nreturn",
        "equally\nvolatile",
        "more",
    )
    columns = [Column(name, is_number=True) for name in names]
    table = FittingTable("What a score meant on the hold-out (returns after fees)", columns)
    buy = Decimal(future["buy"]["threshold"])
    table.add(f"under {future['sell']['threshold']} (sell)", *_picked(future["sell"]))
    for row in future["thresholds"][::THRESHOLD_STEP]:
        if row["rows"] and Decimal(row["threshold"]) != buy:
            table.add(f"{row['threshold']} or more", *_picked(row))
    table.add(f"{future['buy']['threshold']} or more (buy)", *_picked(future["buy"]))
    return table


def _reach_table(future: Mapping[str, Any]) -> FittingTable:
    names = (_scale_name(future), "raw score", "no token", "one or two", "over half")
    table = FittingTable("On what share of the days it is reached by", [Column(name, is_number=True) for name in names])
    table.add(f"under {future['sell']['threshold']} (sell)", *_reached(future["sell"]))
    for row in future["thresholds"][::THRESHOLD_STEP]:
        if row["rows"] and Decimal(row["threshold"]) != Decimal(future["buy"]["threshold"]):
            table.add(f"{row['threshold']} or more", *_reached(row))
    table.add(f"{future['buy']['threshold']} or more (buy)", *_reached(future["buy"]))
    return table


def _scale_name(future: Mapping[str, Any]) -> str:
    return "rank" if future["scale"] == "rank" else "score"


def _reached(row: Mapping[str, Any]) -> list[str]:
    raw = float(row["threshold"]) if row["raw"] is None else row["raw"]
    return [f"{raw:.3f}", *(f"{row[f'days_with_{count}']:.0%}" for count in ("none", "one_or_two", "over_half"))]


def _picked(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['signals_per_day']:.1f}",
        *_with_interval(row, "hit_rate", "{:.1%}"),
        _figure(row["compared_return_after_fees"], "{:+.2%}"),
        _figure(row["equally_volatile_return_after_fees"], "{:+.2%}"),
        _figure(row["more_than_equally_volatile"], "{:+.2%}"),
    ]


def _with_interval(row: Mapping[str, Any], name: str, form: str = "{:.3f}") -> tuple[str, str]:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return _figure(row.get(name), form), "" if low is None else f"{form.format(low)} to {form.format(high)}"


def _figure(value: float | None, form: str = "{:.3f}") -> str:
    return "-" if value is None else form.format(value)
