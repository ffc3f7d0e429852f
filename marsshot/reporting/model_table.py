"""The short tables of a trained model on the terminal: how good it is beside its baselines, and what a score meant.

Takes the facts of model.json; calculates nothing and writes no file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from marsshot.core.catalog import Catalog
from marsshot.model.integrity import source_name
from marsshot.model.label import what_is_foreseen
from marsshot.reporting.fitting_table import Column, FittingTable
from marsshot.training.verdict import YARDSTICKS, verdict_text, warning_text

Facts = Mapping[str, Any]

THRESHOLD_STEP = 2  # of the thresholds of model.json every second is shown


def show(output: Path, facts: Facts, catalog: Catalog) -> None:
    """Show the tables, the verdict and the warnings on the standard output."""
    tables, console = _Tables(facts, catalog), Console()
    for table in (tables.ranking(output), tables.thresholds(), tables.reach()):
        console.print(table.render(console.width), highlight=False)
        console.print()
    sys.stdout.writelines(f"{line}\n" for line in tables.lines())


class _Tables:
    """The tables of a model's facts in a language."""

    def __init__(self, facts: Facts, catalog: Catalog) -> None:
        self._facts = facts
        self._catalog = catalog
        self._future: Facts = facts["hold_out"]

    def lines(self) -> Iterator[str]:
        """Yield what stands below the tables."""
        facts, catalog = self._facts, self._catalog
        words, *reasons = map(catalog.render, verdict_text(facts["verdict"]["reasons"]))
        yield catalog.text("model.table.verdict", words=words)
        yield from (f"  {reason}" for reason in reasons)
        for warning in warning_text(facts["warnings"]):
            yield catalog.text("model.table.warning", words=warning)
        yield catalog.text(
            "model.table.dates",
            first=date.fromisoformat(facts["first_date"]),
            last=date.fromisoformat(facts["last_date"]),
            share=facts["base_rate"],
            foreseen=what_is_foreseen(facts["label"]),
            note=catalog.text("model.hold_out_note"),
        )
        yield catalog.text(
            "model.table.recipe",
            recipe=facts["recipe"],
            label=catalog.text(f"model.report.label.{facts['label'].get('kind', 'rise')}"),
            parameters=", ".join(f"{name}={value}" for name, value in sorted(facts["parameters"].items())),
        )

    def ranking(self, output: Path) -> FittingTable:
        """Return how well the model ranks beside what needs none."""
        facts, future, search, text = self._facts, self._future, self._facts["search"], self._catalog.text
        title = text(
            "model.table.title",
            path=output,
            rows=facts["rows"],
            tokens=len(facts["symbols"]),
            source=source_name(facts),
        )
        names = (text("model.table.average_precision"), text("model.table.interval"), "ROC AUC")
        table = FittingTable(title, [Column(""), *(Column(name, is_number=True) for name in names)])
        base, score = float(np.mean(search["base_rates"])), float(np.mean(search["average_precision"]))
        base_rate = f"  {text('model.beside.base_rate')}"
        table.add(text("model.table.search", tried=search["tried"]), self._figure(score))
        table.add(base_rate, self._figure(base))
        first = date.fromisoformat(future["first_date"])
        table.add(text("model.table.hold_out", first=first, dates=future["dates"]))
        table.add(base_rate, *self._with_interval(future, "base_rate"))
        chance = self._with_interval(future["chance"] or {}, "average_precision")
        table.add(f"  {text('model.table.chance')}", *chance)
        for key in YARDSTICKS:
            beside = self._with_interval(future[key] or {}, "average_precision")
            table.add(f"  {text(f'model.table.{key}')}", *beside)
        own = self._with_interval(future, "average_precision")
        table.add(f"  {text('model.beside.model')}", *own, self._figure(future["roc_auc"]))
        return table

    def thresholds(self) -> FittingTable:
        """Return what came of the picks of each threshold."""
        text = self._catalog.text
        least = text("model.table.per_day")  # goes first where there is no room; the table below has it, too
        names = (
            self._scale_name(),
            least,
            text("model.table.rose"),
            text("model.table.interval"),
            f"{text('model.table.return')}\n{text('model.table.return_days', days=self._facts['label']['shift_days'])}",
            f"{text('model.table.equally')}\n{text('model.table.volatile')}",
            text("model.table.more"),
        )
        columns = [Column(name, is_number=True, need=int(name == least)) for name in names]
        table = FittingTable(text("model.table.thresholds"), columns)
        for name, row in self._rows():
            table.add(name, *self._picked(row))
        return table

    def reach(self) -> FittingTable:
        """Return on what share of the days a threshold is reached by how many tokens."""
        text = self._catalog.text
        names = (
            self._scale_name(),
            *(text(f"model.table.{name}") for name in ("raw", "none", "one_or_two", "over_half")),
        )
        table = FittingTable(text("model.table.reach"), [Column(name, is_number=True) for name in names])
        for name, row in self._rows():
            raw = float(row["threshold"]) if row["raw"] is None else row["raw"]
            shares = (row[f"days_with_{count}"] for count in ("none", "one_or_two", "over_half"))
            table.add(name, self._figure(raw), *(self._figure(share, ".0%") for share in shares))
        return table

    def _rows(self) -> Iterator[tuple[str, Facts]]:
        """Yield the thresholds that are shown, each with its name: of selling, of every second step, of buying."""
        future, text = self._future, self._catalog.text
        buy, sell = future["buy"], future["sell"]
        yield text("model.table.under", threshold=Decimal(sell["threshold"])), sell
        for row in future["thresholds"][::THRESHOLD_STEP]:
            if row["rows"] and Decimal(row["threshold"]) != Decimal(buy["threshold"]):
                yield text("model.table.from", threshold=Decimal(row["threshold"])), row
        yield text("model.table.from_buy", threshold=Decimal(buy["threshold"])), buy

    def _scale_name(self) -> str:
        return self._catalog.text("model.table.rank" if self._future["scale"] == "rank" else "model.table.score")

    def _picked(self, row: Facts) -> list[str]:
        returns = ("compared_return_after_fees", "equally_volatile_return_after_fees", "more_than_equally_volatile")
        return [
            self._figure(row["signals_per_day"], ".1f"),
            *self._with_interval(row, "hit_rate", ".1%"),
            *(self._figure(row[name], "+.2%") for name in returns),
        ]

    def _with_interval(self, row: Facts, name: str, form: str = ".3f") -> tuple[str, str]:
        low, high = (self._figure(row.get(f"{name}_{end}"), form) for end in ("low", "high"))
        is_there = row.get(f"{name}_low") is not None
        between = self._catalog.text("model.range", low=low, high=high) if is_there else ""
        return self._figure(row.get(name), form), between

    def _figure(self, value: float | None, form: str = ".3f") -> str:
        return "-" if value is None else self._catalog.show(value, form)
