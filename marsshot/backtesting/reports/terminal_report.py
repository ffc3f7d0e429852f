"""A run told on the terminal: the result beside doing nothing, what each rule earned or cost, and what to beware of."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from marsshot.backtesting.analysis.run_statistics import BOT
from marsshot.backtesting.result import Answer
from marsshot.core.catalog import Sentence


def show(answer: Answer, console: Console) -> None:
    """Print the summary."""
    console.print(_result(answer))
    console.print(_rules(answer))
    for line in key_figures(answer):
        console.print(line, highlight=False, soft_wrap=True)
    for line in answer.caveats:
        console.print(line, style="yellow", highlight=False, soft_wrap=True)


def _result(answer: Answer) -> Table:
    findings, quote = answer.findings, answer.quote_asset
    title = f"{answer.first} to {answer.last}: what {findings.equity[0]:.2f} {quote} became"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("")
    for column in (quote, "Change", "Worst fall", "Sharpe", "Sortino", "Calmar"):
        table.add_column(column, justify="right")
    for name, figures in findings.figures.items():
        change = f"[{'green' if figures.total_return >= 0 else 'red'}]{figures.total_return:+.1%}[/]"
        ratios = (number(value) for value in (figures.sharpe, figures.sortino, figures.calmar))
        worth = f"{findings.curves[name][-1]:.2f}"
        table.add_row(name, worth, change, f"{figures.max_drawdown:.1%}", *ratios)
    return table


def _rules(answer: Answer) -> Table:
    table = Table(title="What each rule earned or cost", title_justify="left", header_style="bold")
    table.add_column("Rule")
    for column in ("Sales", "With profit", answer.quote_asset):
        table.add_column(column, justify="right")
    for name, sales, won, amount in rule_rows(answer):
        table.add_row(name, sales, won, amount)
    return table


def rule_rows(answer: Answer) -> list[tuple[str, str, str, str]]:
    """Return name, sales, sales with profit and amount of each rule that did something, then of what is still held."""
    ledger = answer.findings.ledger
    rows: list[tuple[str, str, str, str]] = [
        (Sentence(f"log.reason.{reason}"), str(result.sales), str(result.won), f"{result.profit:+.2f}")
        for reason, result in ledger.by_rule.items()
        if result.sales
    ]
    if ledger.big_gain is not None:
        rows.append(("of these, waiting by the big-gain exception", "", "", f"{ledger.big_gain:+.2f}"))
    held = sum(trip.is_open for trip in ledger.trips)
    positions = "1 position" if held == 1 else f"{held} positions"
    return [*rows, (f"still held ({positions})", "", "", f"{ledger.unrealised:+.2f}")]


def key_figures(answer: Answer) -> list[str]:
    """Return what else there is to tell, in lines."""
    findings, ledger = answer.findings, answer.findings.ledger
    confidence = findings.confidence
    sharpe, total = confidence["sharpe"], confidence["total_return"]
    closed = ledger.closed
    hit = (
        "-" if math.isnan(ledger.hit_rate) else f"{ledger.hit_rate:.0%} of {len(closed)} closed positions with a profit"
    )
    return [
        f"{len(ledger.rows)} trades, fees {ledger.fees:.2f} {answer.quote_asset}, {hit}, "
        f"turnover {findings.turnover:.1f} times a year, on average {findings.exposure.mean():.0%} in tokens",
        f"With 95 % confidence (days resampled in blocks) the change lies between {total.low:+.0%} and "
        f"{total.high:+.0%}, the Sharpe ratio of {BOT} between {number(sharpe.low)} and {number(sharpe.high)}",
    ]


def number(value: float) -> str:
    """Return a ratio with two decimals, or a dash where there is none."""
    return "-" if not math.isfinite(value) else f"{value:.2f}"
