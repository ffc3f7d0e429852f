"""The commands that the owner can type, as values. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class ChatCommand(StrEnum):
    """A command, by the name that it has in the chat. Each has its words in the catalogue, under telegram.command."""

    STATUS = "status"
    POSITIONS = "positions"
    PROFIT = "profit"
    CHART = "chart"
    DECISIONS = "decisions"
    PAUSE = "pause"
    RESUME = "resume"
    SELL = "sell"
    SELL_ALL = "sellall"
    EXCLUDE = "exclude"
    INCLUDE = "include"
    HELP = "help"


CONFIRMED = {ChatCommand.RESUME, ChatCommand.SELL, ChatCommand.SELL_ALL, ChatCommand.INCLUDE}
"""What is asked about before it is done: it costs money, or lets money be spent."""

ACTIONS = {ChatCommand.PAUSE, ChatCommand.EXCLUDE, *CONFIRMED}
"""What changes something."""

NEEDS_TOKEN = {ChatCommand.SELL, ChatCommand.EXCLUDE, ChatCommand.INCLUDE}
TAKES_TOKEN = {ChatCommand.CHART, ChatCommand.DECISIONS, *NEEDS_TOKEN}

_TYPED = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w{1,64})?(?:\s+(\S{1,20}))?\s*")
_ALIASES = {"start": ChatCommand.HELP, "sell_all": ChatCommand.SELL_ALL}
_TOKEN = re.compile(r"[^\W_a-z]{1,20}")


class Typed(NamedTuple):
    """A command and the token that it is about, if any."""

    command: ChatCommand
    token: str = ""

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"/{self.command.value} {self.token}".strip()


def read_command(text: str) -> Typed | None:
    """Return what the owner has typed; None where it is no command that there is."""
    found = _TYPED.fullmatch(text.strip())
    if found is None:
        return None
    name, token = found[1].lower(), (found[2] or "").upper()
    command = _ALIASES.get(name) or next((one for one in ChatCommand if one == name), None)
    if command is None or (token and not (command in TAKES_TOKEN and _TOKEN.fullmatch(token))):
        return None
    return Typed(command, token)
