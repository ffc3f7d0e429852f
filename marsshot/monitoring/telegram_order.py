"""What the companion is told by the bot that starts it, through a pipe: no argument and no file has a secret in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from marsshot.core.catalog import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionOrder:
    """Whose bot it is at Telegram, and what a worker needs to know of the trading bot.

    settings: pickled, without keys, in Base64; a worker goes by them where config.yaml cannot be read.
    """

    token: str
    owner: int
    base_url: str
    language: Language
    config: str
    in_hand: str
    settings: str

    def as_line(self) -> bytes:
        """Return it as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"


def read_order(line: bytes) -> CompanionOrder:
    """Return what a line says. Raises ValueError, TypeError."""
    return CompanionOrder(**json.loads(line))


WRONG_ORDER = 2  # the exit code that no new start mends


class CompanionEvent(StrEnum):
    """What the companion tells the bot, for bot.log and the owner."""

    LISTENING = "listening"
    OTHER_READER = "other_reader"  # another program asks for the same bot's messages
    WEBHOOK_REMOVED = "webhook_removed"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - a name
    BLOCKED = "blocked"  # the owner has blocked his bot
    SILENT = "silent"
    HEARD_AGAIN = "heard_again"
