"""What a running bot lets others know beside its signs of life, in heartbeat.json: troubles, settings in force.

Written by the bot, read by `status`. Decides nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marsshot.bot.bot import Bot
from marsshot.bot.trouble_tracker import Trouble, TroubleKind
from marsshot.config.changes import plain_settings
from marsshot.core.foreign_text import one_line, printable
from marsshot.core.moments import utc_text


@dataclass(frozen=True, slots=True)
class BotState:
    """As the bot has last told it. settings: texts by key, without secrets."""

    troubles: dict[Trouble, datetime]
    settings: dict[str, str]
    awaiting_restart: tuple[str, ...]


def state_content(bot: Bot) -> dict[str, object]:
    """Return what others are to know of this bot, for JSON."""
    exchange, is_silenced = bot.executor.exchange, bot.quiet_seconds_left() > 0
    return {
        "troubles": [
            {"kind": trouble.kind.value, "subject": trouble.subject, "since": utc_text(since)}
            for trouble, since in bot.troubles.told().items()
        ],
        "exchange_quiet_until": (
            utc_text(datetime.fromtimestamp(exchange.quiet_until_ms / 1000, UTC)) if is_silenced else None
        ),
        "exchange_quiet_reason": exchange.quiet_reason.value if is_silenced else "",
        "settings": plain_settings(bot.settings),
        "awaiting_restart": list(bot.awaiting_restart),
    }


def read_state(path: Path) -> BotState | None:
    """Return what stands in a heartbeat's file; None where there is none, or one of another version's."""
    try:
        content = json.loads(path.read_bytes())
        return BotState(
            {
                Trouble(TroubleKind(one["kind"]), one_line(str(one["subject"]))): datetime.fromisoformat(one["since"])
                for one in content["troubles"]
            },
            {printable(str(key)): printable(str(value)) for key, value in content["settings"].items()},
            tuple(one_line(str(key)) for key in content["awaiting_restart"]),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
