"""Keys and other secrets of config.yaml: which there are, the variables that win over them, and what each may be.

A fault names the place of what is wrong, never the secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from marsshot.config.addresses import is_secure
from marsshot.core.catalog import LocalizedText

SECRET_VARIABLES = {
    "LUNARCRUSH_API_KEY": ("lunarcrush", "api_key"),
    "BINANCE_API_KEY": ("binance_api", "api_key"),
    "BINANCE_API_SECRET": ("binance_api", "api_secret"),
    "BITVAVO_API_KEY": ("bitvavo", "api_key"),
    "BITVAVO_API_SECRET": ("bitvavo", "api_secret"),
    "MARSSHOT_PING_URL": ("heartbeat", "ping_url"),
    "TELEGRAM_TOKEN": ("telegram", "token"),
    "TELEGRAM_CHAT_ID": ("telegram", "chat_id"),
}
NOTIFY_VARIABLE = "MARSSHOT_NOTIFY"  # URLs with blanks or commas between them; they win over the file's

_BLANKS = " \t\r\n"  # around a key: left by a copy, or by the end of a file's line
_FIRST_SIGN, _LAST_SIGN = "!", "~"  # of printable ASCII without the blank


def _secret(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(LocalizedText("fault.config.needed.secret"))
    return plain_secret(value)


def plain_secret(text: str) -> str:
    """Return a key without the blanks around it. Raises ValueError that names the place of what no key holds."""
    _refuse_sign(text, lambda sign: _FIRST_SIGN <= sign <= _LAST_SIGN)
    return text.strip(_BLANKS)


def _refuse_sign(text: str, is_allowed: Callable[[str], bool]) -> None:
    start = len(text) - len(text.lstrip(_BLANKS))
    for place, sign in enumerate(text.strip(_BLANKS), start + 1):
        if not is_allowed(sign):
            raise ValueError(
                LocalizedText("fault.config.needed.sign", place=str(place), code_point=f"U+{ord(sign):04X}")
            )


def _ping_url(value: object) -> object:
    """Check a URL that is a secret: whoever knows it can keep the alarm silent."""
    url = _secret(value)
    if url and not is_secure(url):
        raise ValueError(LocalizedText("fault.config.needed.ping_url"))
    return url


def _notify_url(value: object) -> object:
    """Check that this may be one of Apprise's URLs; Apprise itself is asked when a message is sent."""
    if not isinstance(value, str):
        raise ValueError(LocalizedText("fault.config.needed.secret"))
    _refuse_sign(value, lambda sign: sign.isprintable() and not sign.isspace())  # a name in it may have any letters
    url = value.strip(_BLANKS)
    if not re.match(r"[a-z][a-z0-9]*://.", url):
        raise ValueError(LocalizedText("fault.config.needed.notify_url"))
    return url


def _telegram_token(value: object) -> object:
    """Check a bot's token: it becomes a part of an address."""
    token = _secret(value)
    if token and not re.fullmatch(r"[0-9]{5,20}:[A-Za-z0-9_-]{20,100}", token):
        raise ValueError(LocalizedText("fault.config.needed.telegram_token"))
    return token


def _telegram_chat(value: object) -> object:
    """Check the number of a private chat, which is its owner's own; a group's is negative. YAML reads a number."""
    chat = _secret(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if chat and not re.fullmatch(r"[1-9][0-9]{4,15}", chat):
        raise ValueError(LocalizedText("fault.config.needed.telegram_chat"))
    return chat


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
NotifyUrl = Annotated[SecretStr, BeforeValidator(_notify_url)]
PingUrl = Annotated[SecretStr, BeforeValidator(_ping_url)]
TelegramToken = Annotated[SecretStr, BeforeValidator(_telegram_token)]
TelegramChat = Annotated[SecretStr, BeforeValidator(_telegram_chat)]
