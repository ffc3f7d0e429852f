"""Checks before every page: Host header, login, CSRF token; and the security headers of every response.

The policies: scripts and styles are the page's own files alone, nothing is loaded from elsewhere, nobody may frame it.
BokehJS makes style elements while it draws; they pass by the nonce that dashboard.js gives them, so no inline style is
allowed in general.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from markupsafe import escape

from marsshot.dashboard.security.access_control import SESSION_LIFETIME, ServerAddress, Sessions
from marsshot.dashboard.security.login_throttle import (
    LoginThrottle,
    address_group,
    marked_browser,
    new_browser_mark,
)

PUBLIC_ENDPOINTS = {"login", "log_in", "prefer", "static", "bokeh_script"}
MAX_FORM_BYTES = 16_384
MARK_LIFETIME = timedelta(days=365)
MIN_SECRET_LENGTH = 8  # characters; a shorter text is no key, and would tear holes into words that have it
REPORT_CSP = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""For a report, a page of its own with its style in it: it gets no script, no origin, no cookies and no network."""


def content_security_policy(nonce: str) -> str:
    """Return the Content-Security-Policy of the pages."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class RequestSecurity:
    """Request checks and response headers of one app."""

    def __init__(
        self,
        app: Flask,
        server_address: ServerAddress,
        now: Callable[[], datetime],
        secret_values: Callable[[], tuple[str, ...]],
    ) -> None:
        self.server_address = server_address
        self.sessions = Sessions()
        self._login_throttle = LoginThrottle()
        self.now = now
        self._secret_values = secret_values
        cookie = "__Host-marsshot" if server_address.is_https else f"marsshot-{server_address.port}"
        self._mark_cookie = f"{cookie}-known"
        app.config.update(
            SECRET_KEY=secrets.token_bytes(32),
            SESSION_COOKIE_NAME=cookie,
            SESSION_COOKIE_SECURE=server_address.is_https,
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Strict",
            SESSION_REFRESH_EACH_REQUEST=False,
            PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
            MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        )
        app.before_request(self.check_request)
        app.after_request(self.add_security_headers)

    @property
    def is_logged_in(self) -> bool:
        """Return whether this request comes from somebody who had the token."""
        return bool(self.server_address.token) and self.sessions.is_open(session.get("name", ""), self.now())

    def check_request(self) -> Any:
        """Refuse, or send to the login, what may not see the page; None: go on."""
        g.nonce = secrets.token_urlsafe(16)
        if not self.server_address.allows_host(request.headers.get("Host", "")):
            return Response("This page is not served under that name.\n", 421, mimetype="text/plain")
        if self.server_address.token and not self.is_logged_in and request.endpoint not in PUBLIC_ENDPOINTS:
            if request.endpoint == "pulse" or request.method != "GET":
                abort(401)
            return redirect(url_for("login"))
        if request.method == "POST":
            self._check_csrf_token()
        return None

    def _check_csrf_token(self) -> None:
        """Refuse a form without the CSRF token of this browser's session."""
        known, given = session.get("csrf_token", ""), request.form.get("csrf_token", "")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if not known or not hmac.compare_digest(known.encode(), given.encode()) or site != "same-origin":
            abort(400)

    def csrf_token(self) -> str:
        """Return what every form of this browser has to bring back; made at the first form."""
        if "csrf_token" not in session:
            session["csrf_token"] = secrets.token_urlsafe(32)
            session.permanent = True
        return str(session["csrf_token"])

    def record_login_attempt(self) -> timedelta:
        """Count this attempt at a token and return no wait; or count none and return how long to wait."""
        visitor, is_known = self._visitor()
        return self._login_throttle.record_attempt(visitor, self.now(), is_known=is_known)

    def _visitor(self) -> tuple[str, bool]:
        """Return by what this request's attempts are counted, and whether that had the token before."""
        mark = request.cookies.get(self._mark_cookie, "")
        if browser := marked_browser(mark, self.server_address.token):
            return f"browser {browser}", True
        return address_group(request.remote_addr or ""), False

    def log_in(self, response: Response) -> None:
        """Begin a session, with a new key for its forms, and know this browser from now on."""
        visitor, is_known = self._visitor()
        self._login_throttle.reset(visitor)
        if not is_known:
            response.set_cookie(
                self._mark_cookie,
                new_browser_mark(self.server_address.token),
                max_age=MARK_LIFETIME,
                secure=self.server_address.is_https,
                httponly=True,
                samesite="Strict",
            )
        session.clear()
        session["name"] = self.sessions.open(self.now())
        self.csrf_token()

    def log_out(self) -> None:
        """End the session, here and in the browser."""
        self.sessions.close(session.get("name", ""))
        session.clear()

    def add_security_headers(self, response: Response) -> Response:
        """Give an answer its headers, and blank out every secret that came into it."""
        headers = response.headers
        headers.setdefault("Content-Security-Policy", content_security_policy(g.get("nonce", "")))
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if "frame-ancestors 'none'" in headers["Content-Security-Policy"]:
            headers["X-Frame-Options"] = "DENY"
        if request.endpoint not in {"static", "bokeh_script"}:
            headers.setdefault("Cache-Control", "no-store")
            self._redact_secrets(response)
        return response

    def _redact_secrets(self, response: Response) -> None:
        """Take secrets out of a page, should one have come into a file that it shows."""
        if response.direct_passthrough or not response.is_sequence:
            return
        text = response.get_data(as_text=True)
        found = [secret for secret in self._all_secrets() if secret in text]
        for secret in found:
            text = text.replace(secret, "***")
        if found:
            response.set_data(text)

    def _all_secrets(self) -> list[str]:
        """Return every secret, as it is and as a page spells it; the longest first: one may begin with another."""
        values = {
            value for value in (self.server_address.token, *self._secret_values()) if len(value) >= MIN_SECRET_LENGTH
        }
        return sorted(values | {str(escape(value)) for value in values}, key=len, reverse=True)
