"""The report on the terminal: the result beside doing nothing, what each rule earned or cost, and what to beware of."""

from __future__ import annotations

import math

from rich.console import Console

from marsshot.backtesting.analysis.run_statistics import BOT
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import LocalizedText
from marsshot.reporting.fitting_table import Column, FittingTable


def print_summary(result: BacktestResult, console: Console) -> None:
    """Print the summary."""
    console.print(_result(result).render(console.width))
    console.print(_rules(result).render(console.width))
    for line in key_figures(result):
        console.print(line, highlight=False, soft_wrap=True)
    for line in result.caveats:
        console.print(line, style="yellow", highlight=False, soft_wrap=True)


def _result(result: BacktestResult) -> FittingTable:
    statistics, quote = result.statistics, result.quote_asset
    title = f"{result.first} to {result.last}: what {statistics.equity[0]:.2f} {quote} became"
    always = [Column(""), *(Column(name, is_number=True) for name in (quote, "Change", "Worst fall", "Sharpe"))]
    others = [Column("Sortino", is_number=True, need=1), Column("Calmar", is_number=True, need=2)]
    table = FittingTable(title, [*always, *others])
    for name, metrics in statistics.metrics.items():
        change = f"[{'green' if metrics.total_return >= 0 else 'red'}]{metrics.total_return:+.1%}[/]"
        ratios = (ratio_text(value) for value in (metrics.sharpe, metrics.sortino, metrics.calmar))
        worth = f"{statistics.curves[name][-1]:.2f}"
        table.add(name, worth, change, f"{metrics.max_drawdown:.1%}", *ratios)
    return table


def _rules(result: BacktestResult) -> FittingTable:
    numbers = (Column(name, is_number=True) for name in ("Sales", "With profit", result.quote_asset))
    table = FittingTable("What each rule earned or cost", [Column("Rule"), *numbers])
    for row in rule_results_table(result):
        table.add(*row)
    return table


def rule_results_table(result: BacktestResult) -> list[tuple[str, str, str, str]]:
    """Return name, sales, sales with profit and amount of each rule that did something, then of what is still held."""
    trade_analysis = result.statistics.trade_analysis
    rows: list[tuple[str, str, str, str]] = [
        (
            LocalizedText(f"log.reason.{reason}"),
            str(rule_result.sales),
            str(rule_result.wins),
            f"{rule_result.profit:+.2f}",
        )
        for reason, rule_result in trade_analysis.by_rule.items()
        if rule_result.sales
    ]
    if trade_analysis.big_gain_effect is not None:
        rows.append(("of these, waiting by the big-gain exception", "", "", f"{trade_analysis.big_gain_effect:+.2f}"))
    held = sum(round_trip.is_open for round_trip in trade_analysis.round_trips)
    positions = "1 position" if held == 1 else f"{held} positions"
    return [*rows, (f"still held ({positions})", "", "", f"{trade_analysis.unrealised:+.2f}")]


def key_figures(result: BacktestResult) -> list[str]:
    """Return what else there is to tell, in lines."""
    statistics, trade_analysis = result.statistics, result.statistics.trade_analysis
    confidence = statistics.confidence
    sharpe, total = confidence["sharpe"], confidence["total_return"]
    closed = trade_analysis.closed
    hit = (
        "-"
        if math.isnan(trade_analysis.hit_rate)
        else f"{trade_analysis.hit_rate:.0%} of {len(closed)} closed positions with a profit"
    )
    return [
        f"{len(trade_analysis.trades)} trades, fees {trade_analysis.fees:.2f} {result.quote_asset}, {hit}, "
        f"turnover {statistics.turnover:.1f} times a year, on average {statistics.exposure.mean():.0%} in tokens",
        f"With 95 % confidence (days resampled in blocks) the change lies between {total.low:+.0%} and "
        f"{total.high:+.0%}, the Sharpe ratio of {BOT} between {ratio_text(sharpe.low)} and {ratio_text(sharpe.high)}",
    ]


def ratio_text(value: float) -> str:
    """Return a ratio with two decimals, or a dash where there is none."""
    return "-" if not math.isfinite(value) else f"{value:.2f}"
