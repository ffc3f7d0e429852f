"""Login, logout, and what the owner may ask for: the same requests as those of the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from flask import Flask, Response, g, make_response, redirect, render_template, request, session, url_for

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import (
    excludable_tokens,
    is_confirmation,
    request_deposit,
    request_exclusion,
    request_inclusion,
    request_pause,
    request_resume,
    request_sale,
    request_sell_all,
    request_withdrawal,
)
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError
from marsshot.core.requests import OwnerRequest, read_amount
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.presentation.overview import build_holdings
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
            ("/control/sell", "sell", self.sell, "POST"),
            ("/control/exclude", "exclude", self.exclude, "POST"),
            ("/control/include", "include", self.include, "POST"),
            ("/control/deposit", "deposit", self.deposit, "POST"),
            ("/control/withdraw", "withdraw", self.withdraw, "POST"),
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
        state = self._bot_files.snapshot()
        excluded = state.book.excluded if state.book else frozenset()
        return render_template(
            "control.html",
            page="control",
            state=state,
            told=pop_message(),
            holdings=build_holdings(state, state.book) if state.book else [],
            excludable=sorted(excludable_tokens(state.settings, state.book) - excluded),
            excluded=sorted(excluded),
        )

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

    def sell(self) -> Response:
        """Ask for the sale of one position, whole."""
        if not is_confirmation(request.form.get("word", ""), g.words.text("page.control.word")):
            return _redirect_with_message("page.control.other_word")

        def act(control: ControlFiles) -> None:
            symbol, book = request.form.get("symbol", ""), self._bot_files.snapshot().book
            held = tuple(book.positions) if book else ()
            if symbol not in held:
                shown = held or (LocalizedText("log.nothing"),)
                raise InputError(LocalizedText("sell.not_held", symbol=symbol, held=shown))
            self._bot_files.asked.remember(request_sale(control, symbol))

        return self._perform(act, "page.control.requested")

    def exclude(self) -> Response:
        """Ask for no more purchases of a token."""
        return self._ask_of_token(request_exclusion)

    def include(self) -> Response:
        """Allow purchases of a token again."""
        return self._ask_of_token(request_inclusion)

    def _ask_of_token(self, ask: Callable[[ControlFiles, str], OwnerRequest]) -> Response:
        def act(control: ControlFiles) -> None:
            symbol, state = request.form.get("symbol", ""), self._bot_files.snapshot()
            if symbol not in excludable_tokens(state.settings, state.book):
                raise InputError(LocalizedText("exclude.unknown", symbol=symbol))
            self._bot_files.asked.remember(ask(control, symbol))

        return self._if_confirmed(act, "page.control.requested")

    def deposit(self) -> Response:
        """Ask for the capital that the bot may use to grow."""
        return self._ask_of_money(request_deposit)

    def withdraw(self) -> Response:
        """Ask for the capital that the bot may use to shrink."""
        return self._ask_of_money(request_withdrawal)

    def _ask_of_money(self, ask: Callable[[ControlFiles, Decimal], OwnerRequest]) -> Response:
        def act(control: ControlFiles) -> None:
            given = request.form.get("amount", "").strip()
            try:
                amount = read_amount(given)
            except ValueError:
                raise InputError(LocalizedText("money.no_amount", given=given)) from None
            self._bot_files.asked.remember(ask(control, amount))

        return self._if_confirmed(act, "page.control.requested")

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
            fault = LocalizedText("fault.file.unwritable", path=error.filename, why=error.strerror)
            return _redirect_with_message("page.control.failed", g.words.render(fault))
        return _redirect_with_message(message)


def _redirect_with_message(message: str, detail: str = "") -> Response:
    """Go back to where the button was, to say it there: loading that page anew does nothing again."""
    session["told"] = (message, detail)
    if request.form.get("back") == "token":
        return make_response(redirect(url_for("token", symbol=request.form.get("symbol", "")), 303))
    return redirect_to("control")


def pop_message() -> tuple[str, str]:
    """Return what came of the last button, once: a sentence's key, and the rest in words."""
    message, detail = session.pop("told") if "told" in session else ("", "")
    return message, detail


def redirect_to(name: str) -> Response:
    """Send the browser to a page, by GET."""
    return make_response(redirect(url_for(name), 303))
