"""Login, logout, and the three buttons: what they do is done by control.py, as `main.py pause` does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Flask, Response, g, make_response, redirect, render_template, request, session, url_for

from marsshot.bot.control_files import SELL_ALL, Control
from marsshot.core.catalog import Sentence
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.dashboard.data.bot_snapshot import Sources
from marsshot.dashboard.security.access_control import is_token
from marsshot.dashboard.security.request_security import Guard


class Buttons:
    """What changes something, for somebody who has the token. Without a token none of it is there."""

    def __init__(self, sources: Sources, guard: Guard) -> None:
        self._sources = sources
        self._guard = guard

    def add_to(self, app: Flask) -> None:
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
        if self._guard.is_logged_in:
            return go_to("overview")
        return make_response(render_template("login.html", page="login", message="", wait=timedelta(0)))

    def log_in(self) -> Response:
        """Let in whoever has the token; the others may try a few times."""
        address, now = request.remote_addr or "", self._guard.now()
        if wait := self._guard.tries.admit(address, now):
            return self._refused(429, "page.login.wait", wait)
        if not is_token(request.form.get("token", "").strip(), self._guard.door.token):
            return self._refused(403, "page.login.wrong")
        self._guard.tries.forgive(address)
        self._guard.log_in()
        return go_to("overview")

    def _refused(self, code: int, message: str, wait: timedelta = timedelta(0)) -> Response:
        page = render_template("login.html", page="login", message=message, wait=wait)
        answer = make_response(page, code)
        if wait:
            answer.headers["Retry-After"] = str(int(wait.total_seconds()) + 1)
        return answer

    def log_out(self) -> Response:
        """End the session."""
        self._guard.log_out()
        return go_to("login")

    # ------------------------------------------------------------------ the buttons

    def control(self) -> str:
        """Show what may be done, and once what came of the last button."""
        told = session.pop("told", ("", ""))
        return render_template("control.html", page="control", state=self._sources.look(), told=told)

    def pause(self) -> Response:
        """Ask for no new buys."""
        return self._if_sure(lambda control: control.pause(), "page.control.paused")

    def resume(self) -> Response:
        """Allow new buys again."""

        settings = self._sources.settings

        def resume(control: Control) -> None:
            if control.is_to_sell_all():
                raise TemporaryError(Sentence("resume.sell_all_waits", file=settings.file(SELL_ALL)))
            control.resume()
            if control.paused():
                raise TemporaryError(Sentence("resume.live_is_paused"))

        return self._if_sure(resume, "page.control.resumed")

    def sell_all(self) -> Response:
        """Ask for the sale of every position, and for no new buys."""
        if request.form.get("word", "").strip().casefold() != g.words.say("page.control.word").casefold():
            return _told("page.control.other_word")

        def ask(control: Control) -> None:
            control.forget_answers()
            control.pause()
            control.ask_to_sell_all()

        return self._done(ask, "page.control.asked")

    def _if_sure(self, act: Callable[[Control], object], message: str) -> Response:
        if request.form.get("sure") != "yes":
            return _told("page.control.not_sure")
        return self._done(act, message)

    def _done(self, act: Callable[[Control], object], message: str) -> Response:
        try:
            act(Control(self._sources.settings))
        except MarsShotError as error:
            return _told("page.control.failed", g.words.tell(*error.faults))
        except OSError as error:
            return _told("page.control.failed", str(error))
        return _told(message)


def _told(message: str, detail: str = "") -> Response:
    """Go back to the buttons, to say it there: loading that page anew does nothing again."""
    session["told"] = (message, detail)
    return go_to("control")


def go_to(name: str) -> Response:
    """Send the browser to a page, by GET."""
    return make_response(redirect(url_for(name), 303))
