"""What Telegram refuses: a message too long or empty, a keyboard with too much in it, an odd command. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_TEXT, MAX_CAPTION, MAX_BUTTON_BYTES, MAX_ANSWER = 4096, 1024, 64, 200
MAX_COMMANDS, MAX_DESCRIPTION = 100, 256
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


class RefusedError(Exception):
    """An answer that is no success: its code, what Telegram says of it, and further parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters


def bad_request(description: str) -> RefusedError:
    """Return a refusal with code 400."""
    return RefusedError(400, f"Bad Request: {description}")


def length(text: str) -> int:
    """Return how long Telegram finds a text: UTF-16 code units, so that an emoji counts twice."""
    return len(text.encode("utf-16-le")) // 2


def checked_text(fields: dict[str, Any]) -> str:
    """Return the text of a message."""
    if "parse_mode" in fields:
        raise bad_request("unsupported parse_mode")
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad_request("message text is empty")
    if length(text) > MAX_TEXT:
        raise bad_request("message is too long")
    return text


def checked_caption(fields: dict[str, Any]) -> str:
    """Return what stands under a picture."""
    caption = str(fields.get("caption", ""))
    if length(caption) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return caption


def checked_picture(content: object) -> bytes:
    """Return the bytes of a picture."""
    if not isinstance(content, bytes) or not content:
        raise bad_request("there is no photo in the request")
    if not content.startswith(_PICTURES):
        raise bad_request("IMAGE_PROCESS_FAILED")
    return content


def checked_keyboard(fields: dict[str, Any]) -> list[list[dict[str, str]]]:
    """Return the rows of buttons of an inline keyboard; none where there is none."""
    markup = json_field(fields, "reply_markup", {})
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else None
    if not isinstance(rows, list):
        raise bad_request("object expected as reply markup")
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise bad_request("inline keyboard button text is empty")
        if not 1 <= len(str(button.get("callback_data", "")).encode()) <= MAX_BUTTON_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    return rows


def checked_commands(fields: dict[str, Any]) -> list[dict[str, str]]:
    """Return the commands of setMyCommands."""
    commands = json_field(fields, "commands", None)
    if not isinstance(commands, list) or len(commands) > MAX_COMMANDS:
        raise bad_request("can't parse BotCommand")
    for one in commands:
        if not _COMMAND.fullmatch(str(one.get("command", ""))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= length(str(one.get("description", ""))) <= MAX_DESCRIPTION:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return commands


def json_field(fields: dict[str, Any], name: str, default: Any) -> Any:
    """Return a field that is JSON, or a text of JSON where the request was a form."""
    value = fields.get(name, default)
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None
    return value


def whole_number(fields: dict[str, Any], name: str, default: int) -> int:
    """Return a field that is a whole number."""
    try:
        return int(fields.get(name, default))
    except (TypeError, ValueError):
        raise bad_request(f"invalid {name} specified") from None
