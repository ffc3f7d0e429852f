"""sweep.html: the heat map, what to make of the best cell, and every cell, on one page that opens offline."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from marsshot.backtesting.reports.report_rows import ratio_text
from marsshot.backtesting.sweep import STRATEGY, SweepResult, heat_map
from marsshot.core.catalog import Catalog
from marsshot.reporting.html_page import heat, page


def sweep_page(found: SweepResult, catalog: Catalog) -> str:
    """Return the page."""
    title = catalog.text("backtest.sweep.title", count=len(found.cells), first=found.first, last=found.last)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<div class="warn">{escape(catalog.render(found.verdict()))}</div>',
        _heat_map_section(found, catalog),
        _cells_section(found, catalog),
    ]
    return page(title, "\n".join(parts), catalog.language)


def _heat_map_section(found: SweepResult, catalog: Catalog) -> str:
    grid = heat_map(found)
    if grid is None:
        return ""
    down, across, sharpes = grid
    widest = float(np.nanmax(np.abs(sharpes))) if np.isfinite(sharpes).any() else 1.0
    rows = []
    for value, row in zip(down, sharpes, strict=True):
        cells = (
            f'<td class="heat" style="{heat(0.0 if math.isnan(one) else one / (widest or 1.0))}">'
            f"{ratio_text(one, catalog)}</td>"
            for one in row.tolist()
        )
        rows.append(f"<tr><th>{escape(value)}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(value)}</th>" for value in across)
    names = [key.removeprefix(STRATEGY) for key in found.keys]
    table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
    title = catalog.text("backtest.sweep.heat", down=names[0], across=names[1])
    return f'<section class="card"><h2>{escape(title)}</h2>{table}</section>'


def _cells_section(found: SweepResult, catalog: Catalog) -> str:
    rows = []
    for cell in found.cells:
        change, fall, sharpe, trades = cell.metrics
        told = [
            *cell.values,
            catalog.show(change, "change"),
            catalog.show(fall, "percent"),
            ratio_text(sharpe, catalog),
            catalog.show(trades, ".0f"),
        ]
        mine = ' class="mine"' if cell is found.best else ""
        rows.append(f"<tr{mine}>{''.join(f'<td>{escape(one)}</td>' for one in told)}</tr>")
    names = [key.removeprefix(STRATEGY) for key in found.keys]
    names += [catalog.text(f"backtest.column.{name}") for name in ("change", "worst_fall")]
    names += ["Sharpe", catalog.text("backtest.column.trades")]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    table = f'<div class="tall"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
    return f'<section class="card"><h2>{escape(catalog.text("backtest.sweep.every_setting"))}</h2>{table}</section>'
