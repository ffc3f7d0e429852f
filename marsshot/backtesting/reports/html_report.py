"""report.html of a run: curve, falls, exposure, months, rules, figures, every trade; one page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from marsshot.backtesting.analysis.performance import drawdowns
from marsshot.backtesting.analysis.run_statistics import BOT, BTC
from marsshot.backtesting.reports.report_rows import ReportRows, RuleRow
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.portfolio.trades_file import Trade
from marsshot.reporting.charts import area, bar, curves
from marsshot.reporting.html_page import heat, page

TEXT_COLUMNS = 4  # the first columns of a trade, the others are amounts


def report_page(result: BacktestResult, catalog: Catalog) -> str:
    """Return the page."""
    return _ReportPage(ReportRows(result, catalog)).html()


class _ReportPage:
    """The page of a run in a language."""

    def __init__(self, rows: ReportRows) -> None:
        self._rows = rows
        self._result = rows.result
        self._statistics = rows.result.statistics
        self._catalog = rows.catalog

    def html(self) -> str:
        """Return the page."""
        title, request = self._rows.span("title"), self._result.request
        about = self._rows.say(
            "about",
            dataset=request.dataset.name,
            tokens=len(request.settings.tokens_daily),
            scores=self._result.model,
        )
        parts = [
            f'<h1>{escape(title)}</h1>{self._spread()}<p class="soft">{escape(about)}</p>',
            self._key_figures(),
            self._caveats(),
            self._equity(),
            f'<div class="pair">{self._drawdown()}{self._exposure()}</div>',
            self._months(),
            self._rules(),
            self._levers(),
            self._exposure_days(),
            self._figures(),
            self._trades(),
        ]
        return page(title, "\n".join(parts), self._catalog.language)

    def _page(self, name: str, **values: object) -> str:
        """Return a text of the page alone, by the end of its key."""
        return self._rows.say(f"page.{name}", **values)

    def _columns(self, *names: str) -> list[str]:
        return [self._rows.say(f"column.{name}") for name in names]

    def _spread(self) -> str:
        if self._result.spread is None:
            return ""
        head = ["", self._result.quote_asset, *self._columns("change", "worst_fall")]
        note = self._page("draws_note", middle=self._rows.middle_line())
        table = f'{_table(head, self._rows.spread_rows())}<p class="soft">{escape(note)}</p>'
        return f"<p><b>{escape(self._rows.spread_line())}</b></p>{_card(self._page('draws'), table)}"

    def _levers(self) -> str:
        if not self._result.lever_effects:
            return ""
        head = [*self._columns("lever", "left_out", "cut", "days"), self._result.quote_asset]
        note = f'<p class="soft">{escape(self._page("levers_note"))}</p>'
        return _card(self._page("levers"), _table(head, self._rows.lever_rows()) + note)

    def _exposure_days(self) -> str:
        head = self._columns("share_in_tokens", "days", "share")
        return _card(self._rows.say("exposure"), _table(head, self._rows.exposure_rows()))

    def _key_figures(self) -> str:
        statistics, quote, show = self._statistics, self._result.quote_asset, self._rows.show
        own, btc, analysis = statistics.metrics[BOT], statistics.metrics[BTC], statistics.trade_analysis
        entries = {
            self._page("became", start=float(statistics.equity[0]), quote=quote): show(
                float(statistics.equity[-1]), ",.0f"
            ),
            self._page("change"): self._signed(own.total_return),
            self._rows.curve_name(BTC): self._signed(btc.total_return),
            self._page("worst_fall"): show(own.max_drawdown, "percent"),
            self._page("sharpe"): self._rows.ratio(own.sharpe),
            self._page("hit_rate"): self._percent(analysis.hit_rate),
            self._page("trades"): show(len(analysis.trades)),
            self._page("fees", quote=quote): show(analysis.fees, "money"),
        }
        cards = (
            f'<div><b>{value}</b><span class="soft">{escape(name)}</span></div>' for name, value in entries.items()
        )
        return f'<div class="figures">{"".join(cards)}</div>'

    def _caveats(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._rows.caveat_lines())
        return f'<div class="warn"><ul>{lines}</ul></div>'

    def _equity(self) -> str:
        statistics = self._statistics
        kinds = dict(zip(statistics.curves, ("own", "other", "quiet"), strict=False))
        lines = {name: (kinds[name], curve) for name, curve in statistics.curves.items()}
        drawn = curves(self._page("worth_over_time"), statistics.moments, lines, ",.0f", self._catalog)
        key = "".join(
            f'<span><i class="{kind}"></i>{escape(self._rows.curve_name(name))}</span>' for name, kind in kinds.items()
        )
        note = escape(self._page("worth_note"))
        title = self._page("worth", quote=self._result.quote_asset)
        return _card(title, f'<p class="key">{key}</p>{drawn}<p class="soft">{note}</p>')

    def _drawdown(self) -> str:
        title, falls = self._page("falls"), -drawdowns(self._statistics.equity)
        return _card(title, area(title, self._statistics.moments, falls, [("bad", 0)], ".0%", self._catalog))

    def _exposure(self) -> str:
        title, shares = self._page("share"), self._statistics.exposure
        return _card(title, area(title, self._statistics.moments, shares, [("own", 0)], ".0%", self._catalog))

    def _months(self) -> str:
        months = self._statistics.months
        head = "".join(f"<th>{self._catalog.text(f'month.{month}')}</th>" for month in range(1, 13))
        rows = []
        for year in dict.fromkeys(year for year, _ in months):
            cells = (self._month(months.get((year, month))) for month in range(1, 13))
            rows.append(f"<tr><td>{year}</td>{''.join(cells)}</tr>")
        table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
        return _card(self._page("months"), table)

    def _month(self, value: float | None) -> str:
        if value is None:
            return "<td></td>"
        return f'<td class="heat" style="{heat(value / 0.3)}">{self._rows.show(value, "+.0%")}</td>'

    def _rules(self) -> str:
        rows = self._rows.rule_rows()
        largest = max((abs(one.profit) for one in rows), default=0.0) or 1.0
        lines = "".join(self._rule(one, largest) for one in rows)
        names = [*self._columns("rule", "sales", "with_profit"), self._result.quote_asset, ""]
        table = f'<div class="scroll"><table>{_head(names)}{lines}</table></div>'
        return _card(self._rows.say("rules"), table)

    def _rule(self, row: RuleRow, largest: float) -> str:
        kind, count = _css_class(row.profit), self._rows.count
        told = f"<td>{escape(row.name)}</td><td>{count(row.sales)}</td><td>{count(row.wins)}</td>"
        profit = self._rows.show(row.profit, "gain")
        return f'<tr>{told}<td class="{kind}">{profit}</td><td>{bar(row.profit / largest, kind)}</td></tr>'

    def _figures(self) -> str:
        names = [
            *("", *self._columns("change", "yearly", "volatility", "worst_fall")),
            *("Sharpe", "Sortino", "Calmar"),
        ]
        rows = []
        for name, one in self._statistics.metrics.items():
            shares = (one.total_return, one.yearly_return, one.volatility, one.max_drawdown)
            cells = [
                *(self._rows.show(share, "percent") for share in shares),
                *(self._rows.ratio(ratio) for ratio in (one.sharpe, one.sortino, one.calmar)),
            ]
            mine = ' class="mine"' if name == BOT else ""
            told = "".join(f"<td>{cell}</td>" for cell in cells)
            rows.append(f"<tr{mine}><td>{escape(self._rows.curve_name(name))}</td>{told}</tr>")
        told = "".join(f'<p class="soft">{escape(line)}.</p>' for line in self._rows.key_figures())
        table = f'<div class="scroll"><table>{_head(names)}{"".join(rows)}</table></div>'
        sources = f'<p class="soft">{escape(self._page("sources"))}</p>'
        return _card(self._page("figures"), table + told + sources)

    def _trades(self) -> str:
        names = [
            *(*self._columns("time", "token"), "", *self._columns("why", "quantity", "price")),
            *(self._result.quote_asset, *self._columns("profit", "held")),
        ]
        head = "".join(f'<th class="{"left" if n < TEXT_COLUMNS else ""}">{name}</th>' for n, name in enumerate(names))
        analysis = self._statistics.trade_analysis
        rows = "".join(
            self._trade(trade, opened) for trade, opened in zip(analysis.trades, analysis.opened, strict=True)
        )
        title = self._page("every_trade", count=len(analysis.trades))
        return _card(title, f'<div class="tall"><table><tr>{head}</tr>{rows}</table></div>')

    def _trade(self, trade: Trade, opened: datetime | None) -> str:
        show = self._rows.show
        words = [
            f"{show(trade.time.date())} {trade.time:%H:%M}",
            trade.symbol,
            self._rows.say(f"side.{trade.side}"),
            self._catalog.text(f"log.reason.{trade.reason}"),
        ]
        amounts = [show(trade.qty, ".8g"), show(trade.price, "price"), show(trade.quote, "money")]
        gain = "<td></td>"
        if trade.profit is not None:
            gain = f'<td class="{_css_class(float(trade.profit))}">{show(trade.profit, "gain")}</td>'
        told = "".join(f'<td class="left">{escape(cell)}</td>' for cell in words)
        counted = "".join(f"<td>{cell}</td>" for cell in amounts)
        return f"<tr>{told}{counted}{gain}<td>{self._held(trade, opened)}</td></tr>"

    def _held(self, trade: Trade, opened: datetime | None) -> str:
        if opened is None or trade.side != Side.SELL:
            return ""
        hours = (trade.time - opened).total_seconds() / 3600
        if hours >= 48:  # noqa: PLR2004 - two days
            return self._rows.say("days", count=self._rows.show(hours / 24, ".0f"))
        return self._rows.say("hours", count=self._rows.show(hours, ".0f"))

    def _signed(self, value: float) -> str:
        return f'<span class="{_css_class(value)}">{self._rows.show(value, "change")}</span>'

    def _percent(self, value: float) -> str:
        return "-" if value != value else self._rows.show(value, ".0%")  # noqa: PLR0124 - NaN is not itself


def _table(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{_head(head)}{lines}</table></div>'


def _head(names: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _card(title: str, body: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{body}</section>'


def _css_class(value: float) -> str:
    return "good" if value >= 0 else "bad"
