"""What is written into the owner's chat: texts in parts that Telegram takes, questions with buttons, pictures.

Waits where Telegram asks for it, tries again what may pass, and never raises: a message that is lost ends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from marsshot.monitoring.telegram_api import FORBIDDEN, TelegramApi, TelegramRefusedError, TelegramSilentError
from marsshot.monitoring.telegram_order import CompanionEvent

MAX_PART = 3500  # Telegram takes 4096, and counts some signs twice
MAX_CAPTION = 900
MAX_PARTS = 8
_TRIES, _PAUSE_SECONDS, _MOST_SECONDS = 3, 2.0, 60.0

Report = Callable[[CompanionEvent], None]


class OwnerChat:
    """The one chat that is written to. Safe for several threads."""

    def __init__(
        self, api: TelegramApi, owner: int, report: Report, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = api
        self._owner = owner
        self._report = report
        self._sleep = sleep

    def write(self, text: str) -> None:
        """Write a text, in several messages where it is long."""
        for part in parts_of(text):
            self._try("sendMessage", {"text": part})

    def ask(self, text: str, buttons: Mapping[str, str]) -> int | None:
        """Write a question with buttons, by what each says and sends; return the message's number, or None."""
        row = [{"text": label, "callback_data": data} for label, data in buttons.items()]
        fields = {"text": text[:MAX_PART], "reply_markup": {"inline_keyboard": [row]}}
        sent = self._try("sendMessage", fields)
        return int(sent["message_id"]) if sent else None

    def replace_question(self, message: int, text: str) -> None:
        """Put another text into a question's place, without buttons. One that says so already is left."""
        self._try("editMessageText", {"message_id": message, "text": text[:MAX_PART]})

    def answer_tap(self, tap: str, text: str = "") -> None:
        """Let the button that was tapped spin no more; too late for that is no trouble."""
        self._try("answerCallbackQuery", {"callback_query_id": tap, "text": text[:200]})

    def send_picture(self, picture: bytes, caption: str) -> None:
        """Send a picture with a few words under it."""
        self._repeat(lambda: self._api.send_picture(self._owner, picture, caption[:MAX_CAPTION]))

    def _try(self, method: str, fields: Mapping[str, object]) -> Any:
        return self._repeat(lambda: self._api.call(method, {"chat_id": self._owner, **fields}))

    def _repeat(self, send: Callable[[], Any]) -> Any:
        """Return what it gives, or None once there is no hope."""
        for _ in range(_TRIES):
            try:
                return send()
            except TelegramSilentError:
                self._sleep(_PAUSE_SECONDS)
            except TelegramRefusedError as error:
                if error.code == FORBIDDEN:
                    self._report(CompanionEvent.BLOCKED)
                if not error.retry_after_seconds:
                    return None
                self._sleep(min(error.retry_after_seconds, _MOST_SECONDS))
        return None


def parts_of(text: str) -> list[str]:
    """Return a text in parts that one message holds each, cut between lines where that can be."""
    parts, part = list[str](), ""
    for line in text.splitlines():
        for start in range(0, max(len(line), 1), MAX_PART):
            piece = line[start : start + MAX_PART]
            if part and len(part) + 1 + len(piece) > MAX_PART:
                parts.append(part)
                part = piece
            else:
                part = f"{part}\n{piece}" if part else piece
    return [one for one in (*parts, part) if one.strip()][:MAX_PARTS]
