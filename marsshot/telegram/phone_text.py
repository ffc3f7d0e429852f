"""Commands as the owner types them here: /resume where the catalogue says `python main.py resume`. Pure."""

from __future__ import annotations

import os
import re

from marsshot.core.catalog import COMMAND_VARIABLE
from marsshot.telegram.chat_commands import ChatCommand

_HERE = {"status": ChatCommand.STATUS, "pause": ChatCommand.PAUSE, "resume": ChatCommand.RESUME}
_HERE |= {"sell-all": ChatCommand.SELL_ALL, "sell": ChatCommand.SELL}
_HERE |= {"exclude": ChatCommand.EXCLUDE, "include": ChatCommand.INCLUDE}


def as_typed_in_chat(text: str) -> str:
    """Return a text with the commands that there are here in the form that they have here."""
    program = os.environ.get(COMMAND_VARIABLE, "") or "python main.py"
    names = "|".join(map(re.escape, _HERE))
    return re.sub(rf"{re.escape(program)} ({names})(?![\w-])", lambda found: f"/{_HERE[found[1]].value}", text)
