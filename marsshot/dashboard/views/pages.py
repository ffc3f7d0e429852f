"""The pages that people look at, and the data that they draw from. Decides nothing, writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Flask, Response, abort, g, jsonify, render_template, request

from marsshot.commands.status_view import daily_update_lines
from marsshot.dashboard.data.bot_snapshot import BotFiles, BotSnapshot, bitcoin_curve, equity_curve
from marsshot.dashboard.data.log_tail import LEVELS, LogLine, tail_log
from marsshot.dashboard.data.model_card import REPORTS, report_path
from marsshot.dashboard.presentation.overview import account_summary, build_holdings, decisions_of_day
from marsshot.dashboard.presentation.time_charts import drawdown_chart, equity_chart, marker_count
from marsshot.dashboard.presentation.trade_list import listing, parse_filter, parse_page_number
from marsshot.dashboard.security.request_security import REPORT_CSP
from marsshot.infra.chart_style import THEMES as COLOURS
from marsshot.infra.fingerprints import content_digest


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
            ("/model", "model", self.model),
            ("/log", "log", self.log),
            ("/report/<name>", "report", self.report),
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
        return render_page("decisions", state, **decisions_of_day(state.decisions, request.args.get("day", "")))

    def trades(self) -> str:
        """Return a page of the trades."""
        state = self._bot_files.snapshot("trades")
        wanted = parse_filter(request.args)
        page = listing(state.trades, wanted, parse_page_number(request.args.get("page", "")))
        symbols = sorted({trade.symbol for trade in state.trades})
        return render_page("trades", state, listing=page, wanted=wanted, symbols=symbols)

    def model(self) -> str:
        """Return the model's facts and the reports that there are."""
        state = self._bot_files.snapshot("card")
        reports = [name for name in REPORTS if report_path(state.settings, name)]
        return render_page("model", state, card=state.card, reports=reports)

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
        theme = "dark" if request.args.get("theme") == "dark" else "light"
        btc = bitcoin_curve(state, curve, self._bot_files.closes()) if name == "worth" else None
        trades = state.trades if name == "worth" else ()
        tag = content_digest(repr((name, theme, g.words.language, curve, btc, trades)).encode())[:32]
        answer = Response(mimetype="application/json", headers={"Cache-Control": "no-cache"})
        answer.set_etag(tag)
        if tag in request.if_none_match:
            answer.status_code = 304
        elif name == "worth":
            answer.set_data(equity_chart(curve, btc, trades, g.words, COLOURS[theme]))
        else:
            answer.set_data(drawdown_chart(curve, g.words, COLOURS[theme]))
        return answer

    def pulse(self) -> Response:
        """Return what changes when there is something new to see."""
        return jsonify(version=self._bot_files.version())


def render_page(name: str, state: BotSnapshot, **values: Any) -> str:
    """Return a page of the bot as it stands."""
    return render_template(f"{name}.html", page=name, state=state, **values)
