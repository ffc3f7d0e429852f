"""sweep.html: the heat map, what to make of the best cell, and every cell, on one page that opens offline."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from marsshot.backtesting.reports.terminal_report import ratio_text
from marsshot.backtesting.sweep import STRATEGY, SweepResult, heat_map
from marsshot.reporting.html_page import heat, page


def sweep_page(found: SweepResult) -> str:
    """Return the page."""
    title = f"MarsShot, {len(found.cells)} settings, {found.first} to {found.last}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<div class="warn">{escape(found.verdict())}</div>',
        _heat_map_section(found),
        _cells_section(found),
    ]
    return page(title, "\n".join(parts), "en")


def _heat_map_section(found: SweepResult) -> str:
    grid = heat_map(found)
    if grid is None:
        return ""
    down, across, sharpes = grid
    widest = float(np.nanmax(np.abs(sharpes))) if np.isfinite(sharpes).any() else 1.0
    rows = []
    for value, row in zip(down, sharpes, strict=True):
        cells = (
            f'<td class="heat" style="{heat(0.0 if math.isnan(one) else one / (widest or 1.0))}">{ratio_text(one)}</td>'
            for one in row.tolist()
        )
        rows.append(f"<tr><th>{escape(value)}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(value)}</th>" for value in across)
    names = [escape(key.removeprefix(STRATEGY)) for key in found.keys]
    table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
    return f'<section class="card"><h2>Sharpe ratio: {names[0]} down, {names[1]} across</h2>{table}</section>'


def _cells_section(found: SweepResult) -> str:
    keys = "".join(f"<th>{escape(key.removeprefix(STRATEGY))}</th>" for key in found.keys)
    rows = []
    for cell in found.cells:
        change, fall, sharpe, trades = cell.metrics
        values = "".join(f"<td>{escape(value)}</td>" for value in cell.values)
        mine = ' class="mine"' if cell is found.best else ""
        told = f"<td>{change:+.1%}</td><td>{fall:.1%}</td><td>{ratio_text(sharpe)}</td><td>{trades:.0f}</td>"
        rows.append(f"<tr{mine}>{values}{told}</tr>")
    head = f"<tr>{keys}<th>Change</th><th>Worst fall</th><th>Sharpe</th><th>Trades</th></tr>"
    table = f'<div class="tall"><table>{head}{"".join(rows)}</table></div>'
    return f'<section class="card"><h2>Every setting</h2>{table}</section>'
