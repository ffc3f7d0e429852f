"""One bot's way to Telegram's Bot API: a method and its fields, its result or one of two errors.

The token stands in the address of every request: no error, no line and no process list ever has it. Decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.bounded_http import TOTAL_SECONDS, bounded_pool
from marsshot.infra.tls import shared_ssl_context

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY = 401, 403, 404, 409, 429
WRONG_TOKEN = {UNAUTHORIZED, NOT_FOUND}
_SERVER_ERRORS = 500
_CONNECT_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 3600.0
_LONGEST_NAME = 40
MAX_ANSWER_BYTES = 2_000_000


class TelegramSilentError(TemporaryError):
    """No answer that can be read: it may have been done or not."""


class TelegramRefusedError(MarsShotError):
    """Telegram refused; nothing happened. retry_after_seconds: where it asks for a quiet period."""

    def __init__(self, code: int, retry_after_seconds: float = 0.0) -> None:
        super().__init__(LocalizedText("fault.telegram.refused", code=code))
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class TelegramApi:
    """The methods of one bot. server_time: by Telegram's own clock, when it answered last; None before."""

    def __init__(self, base_url: str, token: str, total_seconds: float = TOTAL_SECONDS) -> None:
        trust: dict[str, Any] = {"ssl_context": shared_ssl_context()} if base_url.startswith("https:") else {}
        self._http = bounded_pool(
            base_url,
            total_seconds=total_seconds,
            maxsize=2,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=total_seconds),
            **trust,
        )
        self._path = f"/bot{token}/"
        self.server_time: datetime | None = None

    def call(self, method: str, fields: Mapping[str, object] | None = None) -> Any:
        """Return what a method gives. Raises TelegramSilentError or TelegramRefusedError."""
        body = json.dumps(dict(fields or {})).encode()
        return self._request(method, body, "application/json")

    def send_picture(self, chat: int, picture: bytes, caption: str) -> None:
        """Send a PNG with a few words under it. Raises TelegramSilentError or TelegramRefusedError."""
        body, kind = urllib3.encode_multipart_formdata(
            {"chat_id": str(chat), "caption": caption, "photo": ("chart.png", picture, "image/png")}
        )
        self._request("sendPhoto", body, kind)

    def _request(self, method: str, body: bytes, kind: str) -> Any:
        headers = {"User-Agent": "MarsShot", "Accept": "application/json", "Content-Type": kind}
        try:
            answer = self._http.urlopen(
                "POST", self._path + method, body=body, headers=headers, redirect=False, preload_content=False
            )
            payload = answer.read(MAX_ANSWER_BYTES)
            answer.drain_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Not the error itself: its words have the address, and the token in it.
            raise TelegramSilentError(LocalizedText("fault.telegram.silent", why=type(error).__name__)) from None
        self._note_time(answer.headers.get("Date", ""))
        return _result(answer.status, payload)

    def _note_time(self, text: str) -> None:
        try:
            self.server_time = parsedate_to_datetime(text).astimezone(UTC)
        except (ValueError, TypeError, IndexError):
            self.server_time = None

    def close(self) -> None:
        """End the connections."""
        self._http.close()


def latest_private_chat(api: TelegramApi) -> tuple[int, str] | None:
    """Return the number and the name of the last person who has written to the bot; None where nobody has.

    Nothing is confirmed by it: what was written stays to be read. For a bot that nobody else asks for its messages.
    Raises TelegramSilentError or TelegramRefusedError.
    """
    found = None
    for update in api.call("getUpdates", {"timeout": 0, "allowed_updates": ["message", "callback_query"]}):
        try:
            chat = update["message"]["chat"]
            if chat["type"] == "private":
                found = int(chat["id"]), displayed_name(chat)
        except (LookupError, TypeError, ValueError):
            continue  # of another kind
    return found


def displayed_name(person: Mapping[str, Any]) -> str:
    """Return what somebody calls himself at Telegram, on one short line."""
    parts = [str(person.get(key) or "") for key in ("first_name", "last_name")]
    name = "".join(sign for sign in " ".join(filter(None, parts)) if sign.isprintable())[:_LONGEST_NAME]
    return name or "?"


def _result(status: int, payload: bytes) -> Any:
    """Return the result of an answer. Raises TelegramSilentError or TelegramRefusedError."""
    try:
        content = json.loads(payload)
        if content["ok"] is True:
            return content["result"]
        code = int(content["error_code"])
        wait = float((content.get("parameters") or {}).get("retry_after", 0.0))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise TelegramSilentError(LocalizedText("fault.telegram.silent", why=str(status))) from None
    if code >= _SERVER_ERRORS:
        raise TelegramSilentError(LocalizedText("fault.telegram.silent", why=str(code)))
    raise TelegramRefusedError(code, min(max(wait, 0.0), _LONGEST_WAIT_SECONDS))
