"""Telegram's Bot API as far as a bot with one owner needs it: a method and its fields in, a result or a refusal out.

Owns no socket. Tests, and the chat on a terminal, turn the same object from the other side: they write, tap, block.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embedded_market.telegram.checks import (
    MAX_ANSWER,
    RefusedError,
    bad_request,
    checked_caption,
    checked_commands,
    checked_keyboard,
    checked_picture,
    checked_text,
    json_field,
    length,
    whole_number,
)
from embedded_market.telegram.updates import MAX_LIMIT, UpdateQueue

MAX_WAIT_SECONDS = 50.0
ANSWER_SECONDS = 30.0  # a tap that is answered later is too old
_ALL_KINDS = frozenset({"message", "edited_message", "channel_post", "callback_query"})
_WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_FORBIDDEN = RefusedError(403, "Forbidden: bot was blocked by the user")


@dataclass(kw_only=True)
class SentMessage:
    """A message of the bot's as its chat shows it now. edits: what it said before."""

    number: int
    chat: int
    text: str
    date: float
    buttons: list[list[dict[str, str]]] = field(default_factory=list)
    picture: bytes | None = None
    edits: list[str] = field(default_factory=list)

    def data_of(self, label: str) -> str:
        """Return what a button of this name sends."""
        return next(one["callback_data"] for row in self.buttons for one in row if label in one["text"])


class TelegramStandIn:
    """One bot's side of Telegram. now: unix seconds; a test may set it ahead.

    owner: the id of the person, and of the private chat with him, that the bot has been started by.
    """

    def __init__(self, owner: int = 71_000_001, now: Callable[[], float] = time.time) -> None:
        self.token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)[:35]}"
        self.owner = owner
        self.now = now
        self.updates = UpdateQueue(secrets.randbelow(10**8) + 1)
        self.chats = {owner}  # that may be written to
        self.blocked = set[int]()
        self.sent = list[SentMessage]()
        self.commands: dict[int, list[dict[str, str]]] = {}
        self.answers = list[tuple[str, str]]()  # taps that were answered, and with what
        self.webhook = ""
        self.calls = Counter[str]()
        self.refusals = list[tuple[str, RefusedError]]()  # the next call of that method ends like this
        self.changed = threading.Condition()
        self._allowed = _ALL_KINDS
        self._poller = 0
        self._taps: dict[str, float] = {}
        self._numbers = 0

    # ------------------------------------------------------------------ what people do

    def write(self, text: str, sender: int | None = None, **changes: Any) -> int:
        """Write to the bot, in a private chat; return the update's number. changes: fields that are otherwise."""
        who = sender or self.owner
        message = {
            "message_id": self._number(),
            "date": int(self.now()),
            "from": {"id": who, "is_bot": False, "first_name": "Jean", "language_code": "fr"},
            "chat": {"id": who, "type": "private", "first_name": "Jean"},
            "text": text,
        }
        return self.put("message", message | changes)

    def tap(self, message: SentMessage, data: str, sender: int | None = None, **changes: Any) -> str:
        """Tap a button, or send what a changed client makes of it; return the tap's id."""
        who, tap = sender or self.owner, secrets.token_hex(8)
        shown = {"message_id": message.number, "date": int(message.date), "text": message.text}
        query = {
            "id": tap,
            "from": {"id": who, "is_bot": False, "first_name": "Jean"},
            "message": shown | {"chat": {"id": message.chat, "type": "private"}},
            "chat_instance": "1",
            "data": data,
        }
        self._taps[tap] = self.now()
        self.put("callback_query", query | changes)
        return tap

    def put(self, kind: str, content: dict[str, Any]) -> int:
        """Put any update into the queue; return its number."""
        with self.changed:
            number = self.updates.add(kind, content, self.now())
            self.changed.notify_all()
            return number

    def refuse(self, method: str, code: int, description: str, times: int = 1, **parameters: int) -> None:
        """Let the next calls of a method end with a refusal."""
        self.refusals += [(method, RefusedError(code, description, **parameters))] * times

    # ------------------------------------------------------------------ what the bot does

    def call(self, token: str, method: str, fields: dict[str, Any]) -> Any:
        """Return the result of a method. Raises RefusedError."""
        with self.changed:
            self.calls[method] += 1
            if token != self.token:
                raise RefusedError(401, "Unauthorized")
            for one in self.refusals:
                if one[0] == method:
                    self.refusals.remove(one)
                    raise one[1]
            do = self._METHODS.get(method.lower())
            if do is None:
                raise RefusedError(404, "Not Found: method not found")
            return do(self, fields)

    def _get_me(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": "MarsShot",
            "username": "marsshot_bot",
        }

    def _get_chat(self, fields: dict[str, Any]) -> dict[str, Any]:
        chat = whole_number(fields, "chat_id", 0)
        if chat not in self.chats:
            raise bad_request("chat not found")
        return {"id": chat, "type": "private" if chat > 0 else "group", "first_name": "Jean", "username": "jean"}

    def _get_updates(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise RefusedError(409, _WEBHOOK_SET)
        kinds = json_field(fields, "allowed_updates", None)
        if kinds is not None:
            self._allowed = frozenset(kinds) or _ALL_KINDS
        limit = min(max(whole_number(fields, "limit", MAX_LIMIT), 1), MAX_LIMIT)
        until = time.monotonic() + min(max(whole_number(fields, "timeout", 0), 0), MAX_WAIT_SECONDS)
        self.updates.confirm(whole_number(fields, "offset", 0))
        self._poller += 1
        mine = self._poller
        self.changed.notify_all()
        while not (found := self.updates.waiting(limit, self._allowed, self.now())):
            if (left := until - time.monotonic()) <= 0:
                break
            self.changed.wait(left)
            if self._poller != mine:
                raise RefusedError(409, _OTHER_POLLER)
        return found

    def _webhook_info(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.webhook, "pending_update_count": len(self.updates)}

    def _set_webhook(self, fields: dict[str, Any]) -> bool:
        self.webhook = str(fields.get("url", ""))
        return True

    def _delete_webhook(self, fields: dict[str, Any]) -> bool:
        self.webhook = ""
        if fields.get("drop_pending_updates") in (True, "true"):
            self.updates = UpdateQueue(secrets.randbelow(10**8) + 1)
        return True

    def _send_message(self, fields: dict[str, Any]) -> dict[str, Any]:
        return self._shown(self._chat(fields), checked_text(fields), checked_keyboard(fields), None)

    def _send_photo(self, fields: dict[str, Any]) -> dict[str, Any]:
        picture, caption = checked_picture(fields.get("photo")), checked_caption(fields)
        return self._shown(self._chat(fields), caption, checked_keyboard(fields), picture)

    def _edit_text(self, fields: dict[str, Any]) -> dict[str, Any]:
        chat, number = self._chat(fields), whole_number(fields, "message_id", 0)
        text, buttons = checked_text(fields), checked_keyboard(fields)
        message = next((one for one in self.sent if (one.chat, one.number) == (chat, number)), None)
        if message is None:
            raise bad_request("message to edit not found")
        if (message.text, message.buttons) == (text, buttons):
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        message.edits.append(message.text)
        message.text, message.buttons = text, buttons
        self.changed.notify_all()
        return {"message_id": number}

    def _answer_tap(self, fields: dict[str, Any]) -> bool:
        tap, text = str(fields.get("callback_query_id", "")), str(fields.get("text", ""))
        if self.now() - self._taps.get(tap, 0.0) > ANSWER_SECONDS:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        if length(text) > MAX_ANSWER:
            raise bad_request("MESSAGE_TOO_LONG")
        self.answers.append((tap, text))
        return True

    def _set_commands(self, fields: dict[str, Any]) -> bool:
        scope = json_field(fields, "scope", {"type": "default"})
        chat = self._known(int(scope["chat_id"])) if scope.get("type") == "chat" else 0
        self.commands[chat] = checked_commands(fields)
        return True

    _METHODS: dict[str, Callable[[TelegramStandIn, dict[str, Any]], Any]] = {  # noqa: RUF012 - read only
        "getme": _get_me,
        "getchat": _get_chat,
        "getupdates": _get_updates,
        "getwebhookinfo": _webhook_info,
        "setwebhook": _set_webhook,
        "deletewebhook": _delete_webhook,
        "sendmessage": _send_message,
        "sendphoto": _send_photo,
        "editmessagetext": _edit_text,
        "answercallbackquery": _answer_tap,
        "setmycommands": _set_commands,
    }

    def _shown(
        self, chat: int, text: str, buttons: list[list[dict[str, str]]], picture: bytes | None
    ) -> dict[str, Any]:
        message = SentMessage(
            number=self._number(), chat=chat, text=text, date=self.now(), buttons=buttons, picture=picture
        )
        self.sent.append(message)
        self.changed.notify_all()
        return {"message_id": message.number, "date": int(message.date), "chat": {"id": chat, "type": "private"}}

    def _chat(self, fields: dict[str, Any]) -> int:
        return self._known(whole_number(fields, "chat_id", 0))

    def _known(self, chat: int) -> int:
        if chat in self.blocked:
            raise _FORBIDDEN
        if chat not in self.chats:
            raise bad_request("chat not found")
        return chat

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
