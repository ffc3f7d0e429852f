"""The report on the terminal: the result beside doing nothing, what each rule earned or cost, and what to beware of."""

from __future__ import annotations

import calendar
import math

from rich.console import Console

from marsshot.backtesting.analysis.run_statistics import BOT
from marsshot.backtesting.plurals import counted
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import LocalizedText
from marsshot.reporting.fitting_table import Column, FittingTable

EXPOSURE_BANDS = (0.0, 0.25, 0.5, 0.75, 1.0)  # upper ends, of the share in tokens
_ALMOST = 1e-9


def print_summary(result: BacktestResult, console: Console) -> None:
    """Print the summary: of several draws their spread first, then what came of the one in the middle."""
    if result.spread is not None:
        console.print(spread_line(result), style="bold", highlight=False, soft_wrap=True)
        console.print(_spread(result).render(console.width))
        console.print(middle_line(result), highlight=False, soft_wrap=True)
    console.print(_result(result).render(console.width))
    console.print(_rules(result).render(console.width))
    if result.lever_effects:
        console.print(_levers(result).render(console.width))
    console.print(_exposure(result).render(console.width))
    console.print(_months(result).render(console.width))
    for line in key_figures(result):
        console.print(line, highlight=False, soft_wrap=True)
    for line in caveat_lines(result):
        console.print(line, style="yellow", highlight=False, soft_wrap=True)


def caveat_lines(result: BacktestResult) -> list[str]:
    """Return what to beware of, in lines."""
    if result.spread is not None or not result.trainings:
        return list(result.caveats)
    one_draw = "One draw of the models: another one may well double or halve the result. --seeds 5 shows how far."
    return [one_draw, *result.caveats]


def spread_line(result: BacktestResult) -> str:
    """Return in one line how far the draws of the models lie apart."""
    spread = result.spread
    if spread is None:
        return ""
    worth, change = spread.of(lambda one: one.worth), spread.of(lambda one: one.metrics.total_return)
    fall = spread.of(lambda one: one.metrics.max_drawdown)
    return (
        f"{len(spread.draws)} draws of the models: {result.statistics.equity[0]:,.2f} {result.quote_asset} became "
        f"{worth.low:,.2f} to {worth.high:,.2f}, median {worth.median:,.2f} ({change.median:+.1%}); "
        f"worst falls {fall.low:.1%} to {fall.high:.1%}, median {fall.median:.1%}"
    )


def middle_line(result: BacktestResult) -> str:
    """Return which of the draws the rest of the report is of."""
    if result.spread is None:
        return ""
    return f"From here on: the draw in the middle (seed {result.spread.middle.seed}), not the luckiest nor the worst."


def spread_rows(result: BacktestResult) -> list[tuple[str, str, str, str]]:
    """Return name, worth, change and worst fall: of the draws, each column by itself, and of doing nothing."""
    spread, statistics = result.spread, result.statistics
    if spread is None:
        return []
    change, fall = spread.of(lambda one: one.metrics.total_return), spread.of(lambda one: one.metrics.max_drawdown)
    start = float(statistics.equity[0])
    of_draws = f"of {len(spread.draws)} draws"
    rows = [
        (f"{BOT}, worst {of_draws}", change.low, fall.high),
        (f"{BOT}, median {of_draws}", change.median, fall.median),
        (f"{BOT}, best {of_draws}", change.high, fall.low),
        ("cash", 0.0, 0.0),
    ]
    rows += [(name, one.total_return, one.max_drawdown) for name, one in statistics.metrics.items() if name != BOT]
    return [(name, f"{start * (1 + gain):,.2f}", f"{gain:+.1%}", f"{worst:.1%}") for name, gain, worst in rows]


def _spread(result: BacktestResult) -> FittingTable:
    numbers = (Column(name, is_number=True) for name in (result.quote_asset, "Change", "Worst fall"))
    table = FittingTable(f"{result.first} to {result.last}, each column by itself", [Column(""), *numbers])
    for row in spread_rows(result):
        table.add(*row)
    return table


def _levers(result: BacktestResult) -> FittingTable:
    numbers = (Column(name, is_number=True) for name in ("Left out", "Cut", "Days", f"{result.quote_asset} by it"))
    table = FittingTable("What each lever did; last column: this run less one without it", [Column("Lever"), *numbers])
    for row in lever_rows(result):
        table.add(*row)
    return table


def lever_rows(result: BacktestResult) -> list[tuple[str, str, str, str, str]]:
    """Return name, purchases left out and cut, days, and what the lever brought or cost, of each that is on."""
    return [
        (f"{one.key} {one.value}", str(one.left_out), str(one.cut), str(one.days), f"{one.gain:+,.2f}")
        for one in result.lever_effects
    ]


def exposure_rows(result: BacktestResult) -> list[tuple[str, str, str]]:
    """Return, of each band of the share in tokens, its name, the days in it and their share."""
    shares = result.statistics.exposure
    rows, before = [], -1.0
    for upper in EXPOSURE_BANDS:
        inside = int(((shares > before + _ALMOST) & (shares <= upper + _ALMOST)).sum())
        name = "nothing" if upper == 0 else f"up to {upper:.0%}" if before <= 0 else f"{before:.0%} to {upper:.0%}"
        rows.append((name, str(inside), f"{inside / len(shares):.0%}"))
        before = upper
    return rows


def _exposure(result: BacktestResult) -> FittingTable:
    numbers = (Column(name, is_number=True) for name in ("Days", "Share"))
    table = FittingTable("Days by share in tokens", [Column("Share in tokens"), *numbers])
    for row in exposure_rows(result):
        table.add(*row)
    return table


def _months(result: BacktestResult) -> FittingTable:
    months = result.statistics.months
    names = (Column(calendar.month_abbr[month], is_number=True) for month in range(1, 13))
    table = FittingTable("Month by month, in %", [Column(""), *names])
    for year in dict.fromkeys(year for year, _ in months):
        values = (months.get((year, month)) for month in range(1, 13))
        table.add(str(year), *("" if value is None else f"{value * 100:.0f}" for value in values))
    return table


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
    return [*rows, (f"still held ({counted(held, 'position')})", "", "", f"{trade_analysis.unrealised:+.2f}")]


def key_figures(result: BacktestResult) -> list[str]:
    """Return what else there is to tell, in lines."""
    statistics, trade_analysis = result.statistics, result.statistics.trade_analysis
    confidence = statistics.confidence
    sharpe, total = confidence["sharpe"], confidence["total_return"]
    closed = trade_analysis.closed
    hit = (
        "-"
        if math.isnan(trade_analysis.hit_rate)
        else f"{trade_analysis.hit_rate:.0%} of {counted(len(closed), 'closed position')} with a profit"
    )
    return [
        f"{counted(len(trade_analysis.trades), 'trade')}, fees {trade_analysis.fees:.2f} {result.quote_asset}, {hit}, "
        f"turnover {statistics.turnover:.1f} times a year, on average {statistics.exposure.mean():.0%} in tokens",
        f"With 95 % confidence (days resampled in blocks) the change lies between {total.low:+.0%} and "
        f"{total.high:+.0%}, the Sharpe ratio of {BOT} between {ratio_text(sharpe.low)} and {ratio_text(sharpe.high)}",
    ]


def ratio_text(value: float) -> str:
    """Return a ratio with two decimals, or a dash where there is none."""
    return "-" if not math.isfinite(value) else f"{value:.2f}"
