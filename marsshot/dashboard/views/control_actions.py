"""Login, logout, and the three control actions: they ask as `main.py pause` does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Flask, Response, g, make_response, redirect, render_template, request, session, url_for

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import is_confirmation, request_pause, request_resume, request_sell_all
from marsshot.core.errors import MarsShotError
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.security.access_control import token_matches
from marsshot.dashboard.security.request_security import RequestSecurity


class ControlActions:
    """What changes something, for somebody who has the token. Without a token none of it is there."""

    def __init__(self, bot_files: BotFiles, request_security: RequestSecurity) -> None:
        self._bot_files = bot_files
        self._request_security = request_security

    def register_routes(self, app: Flask) -> None:
        """Give each its address."""
        for address, name, view, method in (
            ("/login", "login", self.login, "GET"),
            ("/login", "log_in", self.log_in, "POST"),
            ("/logout", "log_out", self.log_out, "POST"),
            ("/control", "control", self.control, "GET"),
            ("/control/pause", "pause", self.pause, "POST"),
            ("/control/resume", "resume", self.resume, "POST"),
            ("/control/sell-all", "sell_all", self.sell_all, "POST"),
        ):
            app.add_url_rule(address, name, view, methods=[method])

    # ------------------------------------------------------------------ login

    def login(self) -> Response:
        """Ask for the token."""
        if self._request_security.is_logged_in:
            return redirect_to("overview")
        return make_response(render_template("login.html", page="login", message="", wait=timedelta(0)))

    def log_in(self) -> Response:
        """Let in whoever has the token; the others may try a few times."""
        if wait := self._request_security.record_login_attempt():
            return self._login_failed(429, "page.login.wait", wait)
        if not token_matches(request.form.get("token", "").strip(), self._request_security.server_address.token):
            return self._login_failed(403, "page.login.wrong")
        answer = redirect_to("overview")
        self._request_security.log_in(answer)
        return answer

    def _login_failed(self, code: int, message: str, wait: timedelta = timedelta(0)) -> Response:
        page = render_template("login.html", page="login", message=message, wait=wait)
        answer = make_response(page, code)
        if wait:
            answer.headers["Retry-After"] = str(int(wait.total_seconds()) + 1)
        return answer

    def log_out(self) -> Response:
        """End the session."""
        self._request_security.log_out()
        return redirect_to("login")

    # ------------------------------------------------------------------ control actions

    def control(self) -> str:
        """Show what may be done, and once what came of the last button."""
        told = session.pop("told", ("", ""))
        return render_template("control.html", page="control", state=self._bot_files.snapshot(), told=told)

    def pause(self) -> Response:
        """Ask for no new buys."""
        return self._if_confirmed(request_pause, "page.control.paused")

    def resume(self) -> Response:
        """Allow new buys again."""
        return self._if_confirmed(request_resume, "page.control.resumed")

    def sell_all(self) -> Response:
        """Ask for the sale of every position, and for no new buys."""
        if not is_confirmation(request.form.get("word", ""), g.words.text("page.control.word")):
            return _redirect_with_message("page.control.other_word")
        return self._perform(request_sell_all, "page.control.asked")

    def _if_confirmed(self, act: Callable[[ControlFiles], object], message: str) -> Response:
        if request.form.get("sure") != "yes":
            return _redirect_with_message("page.control.not_sure")
        return self._perform(act, message)

    def _perform(self, act: Callable[[ControlFiles], object], message: str) -> Response:
        try:
            act(ControlFiles(self._bot_files.settings))
        except MarsShotError as error:
            return _redirect_with_message("page.control.failed", g.words.render(*error.faults))
        except OSError as error:
            return _redirect_with_message("page.control.failed", str(error))
        return _redirect_with_message(message)


def _redirect_with_message(message: str, detail: str = "") -> Response:
    """Go back to the buttons, to say it there: loading that page anew does nothing again."""
    session["told"] = (message, detail)
    return redirect_to("control")


def redirect_to(name: str) -> Response:
    """Send the browser to a page, by GET."""
    return make_response(redirect(url_for(name), 303))
