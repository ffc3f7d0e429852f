"""Assembles the Flask app: pages, request security, the bot's files. Holds no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from gzip import compress
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from marsshot.commands.status_view import running_bot_lines
from marsshot.core.catalog import LANGUAGES, Catalog
from marsshot.core.foreign_text import printable
from marsshot.core.reasons import OrderReason
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.presentation.chart_frame import BOKEH_SCRIPT, bokeh_script
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.dashboard.security.request_security import RequestSecurity
from marsshot.dashboard.views.control_actions import ControlActions
from marsshot.dashboard.views.pages import Pages
from marsshot.infra.fingerprints import content_digest

PAGES = ("overview", "decisions", "trades", "performance", "model", "log")
THEMES = ("auto", "light", "dark")
REFRESH_SECONDS = 5
ONE_YEAR_SECONDS = 31_536_000
CACHE_FOREVER = f"public, max-age={ONE_YEAR_SECONDS}, immutable"


def create_app(bot_files: BotFiles, server_address: ServerAddress, now: Callable[[], datetime]) -> Flask:
    """Return the app that shows these files at this address. now: for logins and spans of time."""
    app = Flask(__name__)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = ONE_YEAR_SECONDS  # the address changes with the content
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.finalize = lambda value: printable(value) if type(value) is str else value
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(lambda: setattr(g, "words", _chosen_catalog(bot_files)))
    request_security = RequestSecurity(app, server_address, now, lambda: bot_files.settings.secrets)
    assets = {name: asset_url(name) for name in ("dashboard.css", "dashboard.js", "icon.svg")}

    app.context_processor(lambda: _template_globals(bot_files, request_security, assets))
    app.register_error_handler(HTTPException, _render_error)
    app.add_url_rule("/prefer", "prefer", lambda: _save_preference(visible_pages(server_address), server_address))
    app.add_url_rule(f"/{BOKEH_SCRIPT}", "bokeh_script", _bokeh)
    Pages(bot_files).register_routes(app)
    if server_address.token:
        ControlActions(bot_files, request_security).register_routes(app)
    return app


def warm_up(app: Flask, bot_files: BotFiles) -> None:
    """Read and make beforehand what the first visitor would have to wait for."""
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)
    bot_files.snapshot("facts", "trades", "decisions", "equity", "card")
    bot_files.closes()
    _bokeh_content()


def visible_pages(server_address: ServerAddress) -> tuple[str, ...]:
    """Return the pages that there are; the buttons only where there is a token."""
    return (*PAGES, "control") if server_address.token else PAGES


def _template_globals(
    bot_files: BotFiles, request_security: RequestSecurity, assets: Mapping[str, str]
) -> dict[str, Any]:
    """Return what every template may use."""
    return {
        "say": g.words.text,
        "tell": g.words.render,
        "knows": g.words.has_key,
        "form": g.words.format_field,
        "day_of": day_of,
        "moment_of": datetime.fromisoformat,
        "running_bot_lines": running_bot_lines,
        "words": g.words,
        "language": g.words.language,
        "languages": LANGUAGES,
        "theme": _theme(),
        "themes": THEMES,
        "nonce": g.nonce,
        "mode": bot_files.settings.mode,
        "money_notice": bot_files.settings.money_notice,
        "pages": visible_pages(request_security.server_address),
        "has_token": bool(request_security.server_address.token),
        "is_open": not request_security.server_address.token or request_security.is_logged_in,
        "csrf_token": request_security.csrf_token,
        "reasons": [reason.value for reason in OrderReason],
        "refresh_seconds": REFRESH_SECONDS,
        "version": bot_files.version,
        "assets": assets,
        "bokeh": f"/{BOKEH_SCRIPT}",
    }


def _chosen_catalog(bot_files: BotFiles) -> Catalog:
    """Return the catalogue in the language that the browser chose; else in the bot's."""
    chosen = request.cookies.get("language")
    return Catalog(next((one for one in LANGUAGES if one == chosen), bot_files.settings.language))


def _theme() -> str:
    chosen = request.cookies.get("theme")
    return next((one for one in THEMES if one == chosen), "auto")


def _save_preference(pages: tuple[str, ...], server_address: ServerAddress) -> Response:
    """Keep a language or a theme in the browser, and go back to the page."""
    back, symbol = request.args.get("back", ""), request.args.get("symbol", "")
    known = url_for(back) if back in pages else url_for("overview")
    answer = make_response(redirect(url_for("token", symbol=symbol) if back == "token" else known))
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        if (value := request.args.get(name, "")) in allowed:
            answer.set_cookie(
                name, value, max_age=ONE_YEAR_SECONDS, secure=server_address.is_https, httponly=True, samesite="Strict"
            )
    return answer


def _render_error(error: HTTPException) -> tuple[str, int]:
    """Say in one line what is wrong with a request."""
    return render_template("message.html", page="", error=error), error.code or 500


def day_of(moment: str) -> date | str:
    """Return the day of a moment of the book; the text itself where it is none."""
    try:
        return datetime.fromisoformat(moment).date()
    except ValueError:
        return moment


def asset_url(name: str) -> str:
    """Return the address of a file of static/, another one for other content."""
    content = (Path(__file__).parent / "static" / name).read_bytes()
    return f"/static/{name}?v={content_digest(content)[:12]}"


def _bokeh() -> Response:
    """Return the script that draws, packed where the browser can unpack it."""
    plain, packed = _bokeh_content()
    answer = Response(mimetype="text/javascript", headers={"Cache-Control": CACHE_FOREVER, "Vary": "Accept-Encoding"})
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer.headers["Content-Encoding"] = "gzip"
        answer.set_data(packed)
    else:
        answer.set_data(plain)
    return answer


@cache
def _bokeh_content() -> tuple[bytes, bytes]:
    plain = bokeh_script().read_bytes()
    return plain, compress(plain, 9, mtime=0)
