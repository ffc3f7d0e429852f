"""The pages that people look at, and the data that they draw from. Decides nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Flask, Response, abort, g, jsonify, render_template, request

from marsshot.bot.daily_candles import conversion_text
from marsshot.bot.owner_requests import excludable_tokens
from marsshot.commands.status_view import daily_update_lines
from marsshot.dashboard.data.bot_snapshot import BotFiles, BotSnapshot, bitcoin_curve, equity_curve, index_curve
from marsshot.dashboard.data.log_tail import LEVELS, LogLine, tail_log
from marsshot.dashboard.data.model_card import REPORTS, report_path
from marsshot.dashboard.presentation.overview import (
    DECISION_ORDER_KEYS,
    account_summary,
    build_holdings,
    decisions_of_day,
)
from marsshot.dashboard.presentation.performance import ORDER_KEYS, performance_of
from marsshot.dashboard.presentation.price_chart import price_chart, shown_candles
from marsshot.dashboard.presentation.price_levels import build_price_scale
from marsshot.dashboard.presentation.table_order import parse_order
from marsshot.dashboard.presentation.time_charts import drawdown_chart, equity_chart, marker_count
from marsshot.dashboard.presentation.trade_list import TRADE_ORDER_KEYS, listing, parse_filter, parse_page_number
from marsshot.dashboard.security.request_security import REPORT_CSP
from marsshot.dashboard.views.control_actions import pop_message
from marsshot.infra.chart_style import THEMES as COLOURS
from marsshot.infra.fingerprints import content_digest
from marsshot.portfolio.trade_statistics import sales_of, statistics_of

MAX_DECISIONS = 30  # of a token's, the newest


class Pages:
    """The pages of one bot's files."""

    def __init__(self, bot_files: BotFiles) -> None:
        self._bot_files = bot_files

    def register_routes(self, app: Flask) -> None:
        """Give each page its address."""
        for address, name, view in (
            ("/", "overview", self.overview),
            ("/decisions", "decisions", self.decisions),
            ("/trades", "trades", self.trades),
            ("/performance", "performance", self.performance),
            ("/token", "token", self.token),
            ("/model", "model", self.model),
            ("/log", "log", self.log),
            ("/report/<name>", "report", self.report),
            ("/chart/price", "price_chart", self.price_chart),
            ("/chart/<name>", "chart", self.chart),
            ("/pulse", "pulse", self.pulse),
        ):
            app.add_url_rule(address, name, view, methods=["GET"])

    def overview(self) -> str:
        """Return capital, curve and positions."""
        state = self._bot_files.snapshot("facts", "trades", "equity")
        curve = equity_curve(state)
        btc = bitcoin_curve(state, curve, self._bot_files.closes()) if curve else None
        return render_page(
            "overview",
            state,
            figures=account_summary(state.facts, curve, btc) if state.facts else None,
            holdings=build_holdings(state, state.book) if state.book else [],
            lines=list(daily_update_lines(state.facts, g.words)) if state.facts else [],
            curve=curve,
            btc=btc,
            marker_count=marker_count(state.trades),
        )

    def decisions(self) -> str:
        """Return what a daily pass decided, and why."""
        state = self._bot_files.snapshot("decisions")
        order = parse_order(request.args.get("sort", ""), DECISION_ORDER_KEYS)
        found = decisions_of_day(state.decisions, request.args.get("day", ""), order)
        return render_page("decisions", state, order=order, **found)

    def trades(self) -> str:
        """Return a page of the trades."""
        state = self._bot_files.snapshot("trades")
        wanted = parse_filter(request.args)
        order = parse_order(request.args.get("sort", ""), TRADE_ORDER_KEYS)
        page = listing(state.trades, wanted, parse_page_number(request.args.get("page", "")), order)
        symbols = sorted({trade.symbol for trade in state.trades})
        return render_page("trades", state, listing=page, wanted=wanted, symbols=symbols, order=order)

    def performance(self) -> str:
        """Return what the sales brought, by token, month and reason."""
        state = self._bot_files.snapshot("trades")
        order = parse_order(request.args.get("sort", ""), ORDER_KEYS)
        return render_page("performance", state, order=order, performance=performance_of(state.trades, order))

    def token(self) -> str:
        """Return one token: its prices with what was bought and sold, its position, what was decided about it."""
        symbol = request.args.get("symbol", "")
        state = self._bot_files.snapshot("trades", "decisions")
        trades = [trade for trade in state.trades if trade.symbol == symbol]
        decisions = sorted((one for one in state.decisions if one.symbol == symbol), key=lambda one: one.day)
        holding = (
            next((one for one in build_holdings(state, state.book) if one.symbol == symbol), None)
            if state.book
            else None
        )
        if not (trades or decisions or holding):
            abort(404)
        return render_page(
            "token",
            state,
            symbol=symbol,
            told=pop_message(),
            excluded=state.book.excluded if state.book else frozenset(),
            is_known=symbol in excludable_tokens(state.settings, state.book),
            holding=holding,
            candles=shown_candles(self._bot_files.candles(symbol), trades),
            converted=conversion_text(state.settings, g.words),
            trades=trades[::-1],
            total=statistics_of(symbol, sales_of(trades)),
            decisions=decisions[: -MAX_DECISIONS - 1 : -1],
        )

    def price_chart(self) -> Response:
        """Return the description of a token's picture."""
        symbol = request.args.get("symbol", "")
        state = self._bot_files.snapshot("trades")
        trades = tuple(trade for trade in state.trades if trade.symbol == symbol)
        candles = shown_candles(self._bot_files.candles(symbol), trades)
        if not candles:
            abort(404)
        held = state.book.positions.get(symbol) if state.book else None
        marks = build_price_scale(held, None, state.settings.exit_rules).marks if held else ()
        colours = COLOURS[_theme()]
        return _cached_chart(
            (symbol, _theme(), g.words.language, candles, trades, marks),
            lambda: price_chart(candles, trades, marks, g.words, colours),
        )

    def model(self) -> str:
        """Return the model's facts and the reports that there are."""
        state = self._bot_files.snapshot("card")
        reports = [name for name in REPORTS if report_path(state.settings, name)]
        return render_page(
            "model", state, card=state.card, reports=reports, scores=self._bot_files.score_lines(g.words)
        )

    def log(self) -> str:
        """Return the end of the log."""
        state = self._bot_files.snapshot()
        level, text = request.args.get("level", ""), request.args.get("text", "")[:100]
        path = state.settings.file(state.settings.logging.file)
        lines: list[LogLine] = []
        try:
            lines = tail_log(path, level, text)
        except OSError as error:
            state = replace(state, faults=(*state.faults, f"{path}: cannot be read ({error.strerror})"))
        return render_page("log", state, lines=lines, levels=LEVELS, level=level, text=text, path=path)

    def report(self, name: str) -> Response:
        """Return a report, a page of its own, locked into a policy of its own."""
        path = report_path(self._bot_files.settings, name) if name in REPORTS else None
        if path is None:
            abort(404)
        try:
            content = path.read_bytes()
        except OSError:
            abort(404)
        return Response(content, mimetype="text/html", headers={"Content-Security-Policy": REPORT_CSP})

    def chart(self, name: str) -> Response:
        """Return the description of a picture; the same bytes as long as it would be the same picture."""
        state = self._bot_files.snapshot("trades", "equity")
        curve = equity_curve(state)
        if curve is None or name not in {"worth", "fall"}:
            abort(404)
        colours = COLOURS[_theme()]
        btc = bitcoin_curve(state, curve, self._bot_files.closes()) if name == "worth" else None
        trades, cash_flows = (state.trades, state.cash_flows) if name == "worth" else ((), ())
        drawn = (
            (lambda: equity_chart(curve, btc, trades, cash_flows, g.words, colours))
            if name == "worth"
            else (lambda: drawdown_chart(index_curve(state, curve), g.words, colours))
        )
        return _cached_chart((name, _theme(), g.words.language, curve, btc, trades, cash_flows), drawn)

    def pulse(self) -> Response:
        """Return what changes when there is something new to see."""
        return jsonify(version=self._bot_files.version())


def _theme() -> str:
    return "dark" if request.args.get("theme") == "dark" else "light"


def _cached_chart(content: object, draw: Callable[[], str]) -> Response:
    """Return a picture's description, or that the browser has it already. content: what makes it another picture."""
    tag = content_digest(repr(content).encode())[:32]
    answer = Response(mimetype="application/json", headers={"Cache-Control": "no-cache"})
    answer.set_etag(tag)
    if tag in request.if_none_match:
        answer.status_code = 304
    else:
        answer.set_data(draw())
    return answer


def render_page(name: str, state: BotSnapshot, **values: Any) -> str:
    """Return a page of the bot as it stands."""
    return render_template(f"{name}.html", page=name, state=state, **values)
