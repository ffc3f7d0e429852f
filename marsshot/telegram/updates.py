"""Who has written, and what: one of Telegram's updates as a value. The owner is a number in a private chat of his own.

Pure. A name proves nothing, and a forwarded word is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marsshot.monitoring.telegram_api import displayed_name

# What makes a message another's: a channel or a group speaks, somebody's words are handed on, a bot has written it.
_NOT_HIS_WORDS = ("sender_chat", "forward_origin", "forward_from", "forward_date", "via_bot", "is_automatic_forward")
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class OwnerText:
    """The owner has written. sent_at: unix seconds, by Telegram's clock."""

    number: int
    text: str
    sent_at: int


@dataclass(frozen=True, slots=True)
class OwnerTap:
    """The owner has tapped a button. tap: what to answer it by; data: what the button sends, or a forger."""

    number: int
    tap: str
    data: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody else has written or tapped."""

    number: int
    person: int
    name: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to answer: of another kind, or not to be read."""

    number: int


Update = OwnerText | OwnerTap | Stranger | Ignored


def read_update(content: Mapping[str, Any], owner: int) -> Update:
    """Return what an update is. owner: his number; 0: there is nobody. Raises ValueError for one without a number."""
    try:
        number = int(content["update_id"])
    except (LookupError, TypeError, ValueError):
        raise ValueError("an update without a number") from None
    try:
        if "message" in content:
            return _message(number, content["message"], owner)
        if "callback_query" in content:
            return _tap(number, content["callback_query"], owner)
    except _UNREADABLE:
        return Ignored(number)
    return Ignored(number)


def _message(number: int, message: Mapping[str, Any], owner: int) -> Update:
    person = message["from"]
    if not _is_owner(person, owner):
        return _stranger(number, person)
    is_his = _is_private(message["chat"], owner) and not any(key in message for key in _NOT_HIS_WORDS)
    text, sent_at = message.get("text"), message["date"]
    if not is_his or not isinstance(text, str) or not isinstance(sent_at, int):
        return Ignored(number)
    return OwnerText(number, text, sent_at)


def _tap(number: int, query: Mapping[str, Any], owner: int) -> Update:
    person = query["from"]
    if not _is_owner(person, owner):
        return _stranger(number, person)
    data = query.get("data")
    if not _is_private(query["message"]["chat"], owner) or not isinstance(data, str):
        return Ignored(number)
    return OwnerTap(number, str(query["id"]), data)


def _is_owner(person: Mapping[str, Any], owner: int) -> bool:
    return owner > 0 and person["id"] == owner and type(person["id"]) is int and not person.get("is_bot")


def _is_private(chat: Mapping[str, Any], owner: int) -> bool:
    return bool(chat["type"] == "private" and chat["id"] == owner)


def _stranger(number: int, person: Mapping[str, Any]) -> Stranger:
    return Stranger(number, int(person["id"]), displayed_name(person))
