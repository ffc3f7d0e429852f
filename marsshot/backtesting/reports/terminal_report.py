"""The report on the terminal: the result beside doing nothing, what each rule earned or cost, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from marsshot.backtesting.reports.report_rows import ReportRows
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import Catalog
from marsshot.reporting.fitting_table import Column, FittingTable


def print_summary(result: BacktestResult, console: Console, catalog: Catalog) -> None:
    """Print the summary: of several draws their spread first, then what came of the one in the middle."""
    rows = ReportRows(result, catalog)
    if result.spread is not None:
        console.print(rows.spread_line(), style="bold", highlight=False, soft_wrap=True)
        console.print(_spread(rows).render(console.width))
        console.print(rows.middle_line(), highlight=False, soft_wrap=True)
    console.print(_result(rows).render(console.width))
    console.print(_rules(rows).render(console.width))
    if result.lever_effects:
        console.print(_levers(rows).render(console.width))
    console.print(_exposure(rows).render(console.width))
    console.print(_months(rows).render(console.width))
    for line in rows.key_figures():
        console.print(line, highlight=False, soft_wrap=True)
    for line in rows.caveat_lines():
        console.print(line, style="yellow", highlight=False, soft_wrap=True)


def _table(title: str, first: str, names: Iterable[str], rows: Iterable[tuple[str, ...]]) -> FittingTable:
    """Return a table of a name and numbers."""
    table = FittingTable(title, [Column(first), *(Column(name, is_number=True) for name in names)])
    for row in rows:
        table.add(*row)
    return table


def _spread(rows: ReportRows) -> FittingTable:
    names = (rows.result.quote_asset, rows.say("column.change"), rows.say("column.worst_fall"))
    return _table(rows.span("each_column"), "", names, rows.spread_rows())


def _levers(rows: ReportRows) -> FittingTable:
    names = (
        *(rows.say(f"column.{name}") for name in ("left_out", "cut", "days")),
        rows.say("column.by_it", quote=rows.result.quote_asset),
    )
    return _table(rows.say("levers"), rows.say("column.lever"), names, rows.lever_rows())


def _exposure(rows: ReportRows) -> FittingTable:
    names = (rows.say("column.days"), rows.say("column.share"))
    return _table(rows.say("exposure"), rows.say("column.share_in_tokens"), names, rows.exposure_rows())


def _months(rows: ReportRows) -> FittingTable:
    months = rows.result.statistics.months
    names = (rows.catalog.text(f"month.{month}") for month in range(1, 13))
    lines = []
    for year in dict.fromkeys(year for year, _ in months):
        values = (months.get((year, month)) for month in range(1, 13))
        lines.append((str(year), *("" if value is None else rows.show(value * 100, ".0f") for value in values)))
    return _table(rows.say("months"), "", names, lines)


def _result(rows: ReportRows) -> FittingTable:
    statistics, quote = rows.result.statistics, rows.result.quote_asset
    title = rows.span("what_became", start=float(statistics.equity[0]), quote=quote)
    names = (quote, rows.say("column.change"), rows.say("column.worst_fall"), "Sharpe")
    always = [Column(""), *(Column(name, is_number=True) for name in names)]
    others = [Column("Sortino", is_number=True, need=1), Column("Calmar", is_number=True, need=2)]
    table = FittingTable(title, [*always, *others])
    for name, metrics in statistics.metrics.items():
        colour = "green" if metrics.total_return >= 0 else "red"
        ratios = (rows.ratio(value) for value in (metrics.sharpe, metrics.sortino, metrics.calmar))
        table.add(
            rows.curve_name(name),
            rows.show(float(statistics.curves[name][-1]), "money"),
            f"[{colour}]{rows.show(metrics.total_return, 'change')}[/]",
            rows.show(metrics.max_drawdown, "percent"),
            *ratios,
        )
    return table


def _rules(rows: ReportRows) -> FittingTable:
    names = (rows.say("column.sales"), rows.say("column.with_profit"), rows.result.quote_asset)
    lines = (
        (one.name, rows.count(one.sales), rows.count(one.wins), rows.show(one.profit, "gain"))
        for one in rows.rule_rows()
    )
    return _table(rows.say("rules"), rows.say("column.rule"), names, lines)
