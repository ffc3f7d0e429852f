"""report.html of a run: curve, falls, exposure, months, rules, figures, every trade; one page that opens offline."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import datetime
from html import escape

from marsshot.backtesting.analysis.performance import drawdowns
from marsshot.backtesting.analysis.run_statistics import BOT, BTC
from marsshot.backtesting.plurals import counted
from marsshot.backtesting.reports.terminal_report import (
    caveat_lines,
    exposure_rows,
    key_figures,
    lever_rows,
    middle_line,
    ratio_text,
    rule_results_table,
    spread_line,
    spread_rows,
)
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.domain import Side
from marsshot.portfolio.trades_file import Trade
from marsshot.reporting.charts import area, bar, curves
from marsshot.reporting.html_page import heat, page

_ENGLISH = Catalog("en")
TEXT_COLUMNS = 4  # the first columns of a trade, the others are amounts


def report_page(result: BacktestResult) -> str:
    """Return the page."""
    title = f"MarsShot, {result.first} to {result.last}"
    request = result.request
    tokens = counted(len(request.settings.tokens_daily), "token")
    about = f"The bot over {request.dataset.name}: {tokens}, scores by {result.model}."
    parts = [
        f'<h1>{escape(title)}</h1>{_spread(result)}<p class="soft">{escape(about)}</p>',
        _key_figures(result),
        _caveats(result),
        _equity(result),
        f'<div class="pair">{_drawdown(result)}{_exposure(result)}</div>',
        _months(result),
        _rules(result),
        _levers(result),
        _exposure_days(result),
        _figures(result),
        _trades(result),
    ]
    return page(title, "\n".join(parts), "en")


def _spread(result: BacktestResult) -> str:
    if result.spread is None:
        return ""
    rows = _plain_rows(spread_rows(result))
    head = f"<tr><th></th><th>{escape(result.quote_asset)}</th><th>Change</th><th>Worst fall</th></tr>"
    table = f'<div class="scroll"><table>{head}{rows}</table></div>'
    note = f'<p class="soft">Each column by itself. {escape(middle_line(result))}</p>'
    return f"<p><b>{escape(spread_line(result))}</b></p>{_card('The draws', table + note)}"


def _levers(result: BacktestResult) -> str:
    if not result.lever_effects:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("Lever", "Left out", "Cut", "Days", result.quote_asset))
    note = '<p class="soft">The last column: what this run ended with, less what the run without that lever did.</p>'
    table = f'<div class="scroll"><table><tr>{head}</tr>{_plain_rows(lever_rows(result))}</table></div>'
    return _card("What each lever did", table + note)


def _exposure_days(result: BacktestResult) -> str:
    head = "<tr><th>Share in tokens</th><th>Days</th><th>Share</th></tr>"
    rows = _plain_rows(exposure_rows(result))
    return _card("Days by share in tokens", f'<div class="scroll"><table>{head}{rows}</table></div>')


def _plain_rows(rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)


def _key_figures(result: BacktestResult) -> str:
    statistics, quote = result.statistics, result.quote_asset
    own, btc = statistics.metrics[BOT], statistics.metrics[BTC]
    entries = {
        f"{statistics.equity[0]:,.0f} {quote} became": f"{statistics.equity[-1]:,.0f}",
        "change": _signed(own.total_return),
        "holding BTC": _signed(btc.total_return),
        "worst fall": f"{own.max_drawdown:.1%}",
        "Sharpe ratio": ratio_text(own.sharpe),
        "positions with a profit": _percent(statistics.trade_analysis.hit_rate),
        "trades": f"{len(statistics.trade_analysis.trades)}",
        f"fees in {quote}": f"{statistics.trade_analysis.fees:,.2f}",
    }
    cards = (f'<div><b>{value}</b><span class="soft">{escape(name)}</span></div>' for name, value in entries.items())
    return f'<div class="figures">{"".join(cards)}</div>'


def _caveats(result: BacktestResult) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in caveat_lines(result))
    return f'<div class="warn"><ul>{lines}</ul></div>'


def _equity(result: BacktestResult) -> str:
    statistics = result.statistics
    kinds = dict(zip(statistics.curves, ("own", "other", "quiet"), strict=False))
    lines = {name: (kinds[name], curve) for name, curve in statistics.curves.items()}
    drawn = curves("Worth over time", statistics.moments, lines, ",.0f", _ENGLISH)
    key = "".join(f'<span><i class="{kind}"></i>{escape(name)}</span>' for name, kind in kinds.items())
    note = "One value a day, after the daily pass. Doing nothing is shown without any costs."
    return _card(f"Worth in {result.quote_asset}", f'<p class="key">{key}</p>{drawn}<p class="soft">{note}</p>')


def _drawdown(result: BacktestResult) -> str:
    falls = -drawdowns(result.statistics.equity)
    return _card(
        "Under the highest so far", area("Falls", result.statistics.moments, falls, [("bad", 0)], ".0%", _ENGLISH)
    )


def _exposure(result: BacktestResult) -> str:
    shares = result.statistics.exposure
    return _card("Share in tokens", area("Exposure", result.statistics.moments, shares, [("own", 0)], ".0%", _ENGLISH))


def _months(result: BacktestResult) -> str:
    months = result.statistics.months
    head = "".join(f"<th>{calendar.month_abbr[month]}</th>" for month in range(1, 13))
    rows = []
    for year in dict.fromkeys(year for year, _ in months):
        cells = (_month(months.get((year, month))) for month in range(1, 13))
        rows.append(f"<tr><td>{year}</td>{''.join(cells)}</tr>")
    table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
    return _card("Month by month", table)


def _month(value: float | None) -> str:
    if value is None:
        return "<td></td>"
    return f'<td class="heat" style="{heat(value / 0.3)}">{value:+.0%}</td>'


def _rules(result: BacktestResult) -> str:
    rows = rule_results_table(result)
    largest = max((abs(float(amount)) for *_, amount in rows), default=0.0) or 1.0
    lines = "".join(_rule(*row, largest) for row in rows)
    head = f"<tr><th>Rule</th><th>Sales</th><th>With profit</th><th>{result.quote_asset}</th><th></th></tr>"
    return _card("What each rule earned or cost", f'<div class="scroll"><table>{head}{lines}</table></div>')


def _rule(name: str, sales: str, wins: str, amount: str, largest: float) -> str:
    kind, share = _css_class(float(amount)), float(amount) / largest
    told = f"<td>{escape(name)}</td><td>{sales}</td><td>{wins}</td>"
    return f'<tr>{told}<td class="{kind}">{amount}</td><td>{bar(share, kind)}</td></tr>'


def _figures(result: BacktestResult) -> str:
    names = ("Change", "A year", "Volatility", "Worst fall", "Sharpe", "Sortino", "Calmar")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = []
    for name, one in result.statistics.metrics.items():
        shares = (one.total_return, one.yearly_return, one.volatility, one.max_drawdown)
        cells = [f"{share:.1%}" for share in shares] + [
            ratio_text(one.sharpe),
            ratio_text(one.sortino),
            ratio_text(one.calmar),
        ]
        mine = ' class="mine"' if name == BOT else ""
        rows.append(f"<tr{mine}><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    told = "".join(f'<p class="soft">{escape(line)}.</p>' for line in key_figures(result))
    table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
    sources = '<p class="soft">Formulas and their sources: docs/backtest.md.</p>'
    return _card("Figures", table + told + sources)


def _trades(result: BacktestResult) -> str:
    names = ("Time (UTC)", "Token", "", "Why", "Quantity", "Price", result.quote_asset, "Profit", "Held")
    head = "".join(f'<th class="{"left" if n < TEXT_COLUMNS else ""}">{name}</th>' for n, name in enumerate(names))
    analysis = result.statistics.trade_analysis
    rows = "".join(_trade(trade, opened) for trade, opened in zip(analysis.trades, analysis.opened, strict=True))
    return _card(
        f"Every trade ({len(analysis.trades)})", f'<div class="tall"><table><tr>{head}</tr>{rows}</table></div>'
    )


def _trade(trade: Trade, opened: datetime | None) -> str:
    held = ""
    if opened is not None and trade.side == Side.SELL:
        hours = (trade.time - opened).total_seconds() / 3600
        held = f"{hours / 24:.0f} d" if hours >= 48 else f"{hours:.0f} h"  # noqa: PLR2004 - two days
    cells = [
        f"{trade.time:%Y-%m-%d %H:%M}",
        escape(trade.symbol),
        trade.side.lower(),
        LocalizedText(f"log.reason.{trade.reason}"),
        f"{float(trade.qty):.8g}",
        f"{float(trade.price):.6g}",
        f"{float(trade.quote):,.2f}",
    ]
    gain = "<td></td>"
    if trade.profit is not None:
        gain = f'<td class="{_css_class(float(trade.profit))}">{trade.profit:+,.2f}</td>'
    words = "".join(f'<td class="left">{cell}</td>' for cell in cells[:TEXT_COLUMNS])
    amounts = "".join(f"<td>{cell}</td>" for cell in cells[TEXT_COLUMNS:])
    return f"<tr>{words}{amounts}{gain}<td>{held}</td></tr>"


def _card(title: str, body: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{body}</section>'


def _css_class(value: float) -> str:
    return "good" if value >= 0 else "bad"


def _signed(value: float) -> str:
    return f'<span class="{_css_class(value)}">{value:+.1%}</span>'


def _percent(value: float) -> str:
    return "-" if value != value else f"{value:.0%}"  # noqa: PLR0124 - NaN is not itself
