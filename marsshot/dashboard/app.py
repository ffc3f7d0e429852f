"""Puts the pages, their guard and their files together. Holds no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from gzip import compress
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from marsshot.core.catalog import LANGUAGES, Words
from marsshot.core.domain import Reason
from marsshot.dashboard.data.bot_snapshot import Sources
from marsshot.dashboard.presentation.time_charts import BOKEH_SCRIPT, bokeh_script
from marsshot.dashboard.security.access_control import Door
from marsshot.dashboard.security.request_security import Guard
from marsshot.dashboard.views.control_actions import Buttons
from marsshot.dashboard.views.pages import Pages

PAGES = ("overview", "decisions", "trades", "model", "log")
THEMES = ("auto", "light", "dark")
REFRESH_SECONDS = 5
A_YEAR = 31_536_000
FOREVER = f"public, max-age={A_YEAR}, immutable"


def create_app(sources: Sources, door: Door, now: Callable[[], datetime]) -> Flask:
    """Return the pages of these files, behind this door. now: for logins and spans of time."""
    app = Flask(__name__)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = A_YEAR  # the address changes with the content
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(lambda: setattr(g, "words", _words(sources)))
    guard = Guard(app, door, now, lambda: sources.settings.secrets)
    assets = {name: asset_address(name) for name in ("dashboard.css", "dashboard.js", "icon.svg")}

    app.context_processor(lambda: _shared(sources, guard, assets))
    app.register_error_handler(HTTPException, _explained)
    app.add_url_rule("/prefer", "prefer", lambda: _prefer(pages_behind(door), door))
    app.add_url_rule(f"/{BOKEH_SCRIPT}", "bokeh_script", _bokeh)
    Pages(sources).add_to(app)
    if door.token:
        Buttons(sources, guard).add_to(app)
    return app


def warm_up(app: Flask, sources: Sources) -> None:
    """Read and make beforehand what the first visitor would have to wait for."""
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)
    sources.look("facts", "trades", "decisions", "equity", "card")
    sources.closes()
    _bokeh_content()


def pages_behind(door: Door) -> tuple[str, ...]:
    """Return the pages that there are; the buttons only where there is a token."""
    return (*PAGES, "control") if door.token else PAGES


def _shared(sources: Sources, guard: Guard, assets: Mapping[str, str]) -> dict[str, Any]:
    """Return what every template may use."""
    return {
        "say": g.words.say,
        "tell": g.words.tell,
        "knows": g.words.knows,
        "form": g.words.format_field,
        "day_of": day_of,
        "language": g.words.language,
        "languages": LANGUAGES,
        "theme": _theme(),
        "themes": THEMES,
        "nonce": g.nonce,
        "mode": sources.settings.mode,
        "pages": pages_behind(guard.door),
        "has_token": bool(guard.door.token),
        "is_open": not guard.door.token or guard.is_logged_in,
        "form_key": guard.form_key,
        "reasons": [reason.value for reason in Reason],
        "refresh_seconds": REFRESH_SECONDS,
        "version": sources.version,
        "assets": assets,
        "bokeh": f"/{BOKEH_SCRIPT}",
    }


def _words(sources: Sources) -> Words:
    """Return the catalogue in the language that the browser chose; else in the bot's."""
    chosen = request.cookies.get("language")
    return Words(next((one for one in LANGUAGES if one == chosen), sources.settings.language))


def _theme() -> str:
    chosen = request.cookies.get("theme")
    return next((one for one in THEMES if one == chosen), "auto")


def _prefer(pages: tuple[str, ...], door: Door) -> Response:
    """Keep a language or a theme in the browser, and go back to the page."""
    back = request.args.get("back", "")
    answer = make_response(redirect(url_for(back if back in pages else "overview")))
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        if (value := request.args.get(name, "")) in allowed:
            answer.set_cookie(name, value, max_age=A_YEAR, secure=door.is_https, httponly=True, samesite="Strict")
    return answer


def _explained(error: HTTPException) -> tuple[str, int]:
    """Say in one line what is wrong with a request."""
    return render_template("message.html", page="", error=error), error.code or 500


def day_of(moment: str) -> date | str:
    """Return the day of a moment of the book; the text itself where it is none."""
    try:
        return datetime.fromisoformat(moment).date()
    except ValueError:
        return moment


def asset_address(name: str) -> str:
    """Return the address of a file of panel/static, another one for other content."""
    content = (Path(__file__).parent / "static" / name).read_bytes()
    return f"/static/{name}?v={sha256(content).hexdigest()[:12]}"


def _bokeh() -> Response:
    """Return the script that draws, packed where the browser can unpack it."""
    plain, packed = _bokeh_content()
    answer = Response(mimetype="text/javascript", headers={"Cache-Control": FOREVER, "Vary": "Accept-Encoding"})
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
