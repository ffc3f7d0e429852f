"""Which of the bot's events the owner is told on the phone, and in which words of the catalogue.

Values in, a message out; sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marsshot.core.catalog import Words
from marsshot.core.domain import Side


class Kind(StrEnum):
    """How urgent a message is; the names are Apprise's."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. topic: the same topic is told once an hour; empty: always told."""

    title: str
    body: str
    kind: Kind = Kind.INFO
    topic: str = ""
    with_picture: bool = False


PLAIN_TITLE = "MarsShot"

# Troubles that the bot copes with, and that the owner should know of all the same. Every ERROR is told besides.
_TROUBLES = frozenset(
    {
        "book.adjusted",
        "book.not_saved",
        "cycle.failed",
        "order.account_trouble",
        "order.not_sold",
        "order.still_unknown",
        "trades.not_written",
    }
)


def message_of(event: str, level: int, sentence: str, details: Mapping[str, Any], words: Words) -> Message | None:
    """Return what to tell the owner of an event, or None. sentence: the line of bot.log, in English."""
    if event in _TURNS:
        return _TURNS[event](details, words)
    if level >= logging.ERROR or event in _TROUBLES:
        return _trouble(event, level, sentence, details, words)
    return None


def _order(details: Mapping[str, Any], words: Words) -> Message:
    bought = details["side"] == Side.BUY.value
    gain = details.get("gain")
    body = words.say(
        "message.bought" if bought else "message.sold",
        quantity=details["quantity"].normalize(),
        **{name: details[name] for name in ("symbol", "quote", "asset", "price")},
        reason=words.say(f"reason.{details['reason']}"),
        gain="" if gain is None else f", {words.say('message.gain', gain=gain)}",
    )
    return Message(title=PLAIN_TITLE, body=body, kind=Kind.SUCCESS if gain and gain > 0 else Kind.INFO)


def _daily(details: Mapping[str, Any], words: Words) -> Message:
    return Message(
        title=words.say("message.daily_title", day=details["day"]),
        body=words.say("message.daily", **{name: details[name] for name in ("capital", "asset", "positions")}),
        with_picture=True,
    )


def _started(details: Mapping[str, Any], words: Words) -> Message:
    facts = {name: details[name] for name in ("mode", "capital", "asset", "positions")}
    return Message(title=PLAIN_TITLE, body=words.say("message.started", **facts))


def _heard(details: Mapping[str, Any], words: Words) -> Message:
    key = "message.paused" if details["paused"] else "message.resumed"
    return Message(title=PLAIN_TITLE, body=words.say(key))


# What is told whenever it happens.
_TURNS: Mapping[str, Callable[[Mapping[str, Any], Words], Message]] = {
    "order.filled": _order,
    "daily.done": _daily,
    "bot.started": _started,
    "bot.stopped": lambda _, words: Message(title=PLAIN_TITLE, body=words.say("message.stopped")),
    "control.heard": _heard,
    "control.sell_all": lambda _, words: Message(title=PLAIN_TITLE, body=words.say("message.selling_all")),
}


def _trouble(event: str, level: int, sentence: str, details: Mapping[str, Any], words: Words) -> Message:
    serious = level >= logging.ERROR
    headline = f"event.{event}" if words.knows(f"event.{event}") else "message.trouble_without_words"
    return Message(
        title=words.say("message.needs_you_title" if serious else "message.trouble_title"),
        body=words.say("message.detail", headline=words.say(headline), told=sentence),
        kind=Kind.FAILURE if serious else Kind.WARNING,
        topic=f"{event} {details.get('symbol', '') or details.get('topic', '')}",
    )


def plainly(sentence: str) -> Message:
    """Return a message of the log's own line, for an event that does not hold what its message needs."""
    return Message(title=PLAIN_TITLE, body=sentence)


def worth_told(points: Sequence[tuple[datetime, Decimal]], asset: str, words: Words) -> str:
    """Return what everything is worth, and what it has gained since a day before; empty where nothing is known.

    points: moment and worth, oldest first.
    """
    if not points:
        return ""
    now, worth = points[-1]
    told = words.say("message.worth", worth=worth, asset=asset)
    before = [one for moment, one in points if moment <= now - timedelta(days=1) and one > 0]
    return f"{told} {words.say('message.since_yesterday', change=worth / before[-1] - 1)}" if before else told


def one_of(messages: list[Message], dropped: int, words: Words) -> Message:
    """Return one message that says what several do, for the phone to ring once."""
    bodies = [message.body for message in messages]
    if dropped:
        bodies.append(words.say("message.dropped", count=dropped))
    worst = max(messages, key=lambda message: (list(Kind).index(message.kind), message.title != PLAIN_TITLE))
    return Message(
        title=worst.title,
        body="\n\n".join(bodies),
        kind=worst.kind,
        with_picture=any(message.with_picture for message in messages),
    )
