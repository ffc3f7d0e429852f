"""Which of the bot's events the owner is told on the phone, and in which words of the catalogue.

Values in, a message out; sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marsshot.core.catalog import Catalog, Language
from marsshot.core.foreign_text import one_line
from marsshot.core.orders import Side


class Kind(StrEnum):
    """How urgent a message is; the names are Apprise's."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. topic: the same topic is told once an hour; empty: always told.

    daily_update: the day whose update it tells of: the week's message may be due then. language: of its picture.
    """

    title: str
    body: str
    kind: Kind = Kind.INFO
    topic: str = ""
    with_chart: bool = False
    daily_update: date | None = None
    language: Language = "en"


PLAIN_TITLE = "MarsShot"

# Troubles that the bot copes with, and that the owner should know of all the same. Every ERROR is told besides.
_PROBLEM_EVENTS = frozenset(
    {
        "book.adjusted",
        "book.not_saved",
        "cycle.failed",
        "order.account_trouble",
        "order.not_sold",
        "order.still_unknown",
        "settings.need_restart",
        "trades.not_written",
    }
)


def message_of(event: str, level: int, sentence: str, details: Mapping[str, Any], catalog: Catalog) -> Message | None:
    """Return what to tell the owner of an event, or None. sentence: the line of bot.log."""
    if event in _BUILDERS:
        return _BUILDERS[event](details, catalog)
    if level >= logging.ERROR or event in _PROBLEM_EVENTS:
        return _problem(event, level, sentence, details, catalog)
    return None


def _order(details: Mapping[str, Any], catalog: Catalog) -> Message:
    bought = details["side"] == Side.BUY.value
    gain = details.get("gain")
    body = catalog.text(
        "message.bought" if bought else "message.sold",
        quantity=details["quantity"].normalize(),
        **{name: details[name] for name in ("symbol", "quote", "asset", "price")},
        reason=catalog.text(f"reason.{details['reason']}"),
        gain="" if gain is None else f", {catalog.text('message.gain', gain=gain)}",
    )
    return Message(title=PLAIN_TITLE, body=body, kind=Kind.SUCCESS if gain and gain > 0 else Kind.INFO)


def _daily(details: Mapping[str, Any], catalog: Catalog) -> Message:
    return Message(
        title=catalog.text("message.daily_title", day=details["day"]),
        body=catalog.text("message.daily", **{name: details[name] for name in ("capital", "asset", "positions")}),
        with_chart=True,
        daily_update=details["day"],
    )


def _started(details: Mapping[str, Any], catalog: Catalog) -> Message:
    facts = {name: details[name] for name in ("capital", "asset", "positions")}
    mode = catalog.text(f"mode_name.{details['mode']}")
    return Message(title=PLAIN_TITLE, body=catalog.text("message.started", mode=mode, **facts))


def _control_applied(details: Mapping[str, Any], catalog: Catalog) -> Message:
    key = "message.paused" if details["paused"] else "message.resumed"
    return Message(title=PLAIN_TITLE, body=catalog.text(key))


_CHANGE = ("key", "old", "new")

# What is told whenever it happens.
_BUILDERS: Mapping[str, Callable[[Mapping[str, Any], Catalog], Message]] = {
    "order.filled": _order,
    "daily.done": _daily,
    "bot.started": _started,
    "bot.stopped": lambda _, catalog: Message(title=PLAIN_TITLE, body=catalog.text("message.stopped")),
    "control.heard": _control_applied,
    "trouble.over": lambda details, catalog: Message(
        title=PLAIN_TITLE, body=catalog.text("trouble.over", subject=details["subject"])
    ),
    "settings.taken_up": lambda details, catalog: Message(
        title=PLAIN_TITLE, body=catalog.text("log.setting_changed", **{name: details[name] for name in _CHANGE})
    ),
    "control.sell_all": lambda _, catalog: Message(title=PLAIN_TITLE, body=catalog.text("message.selling_all")),
}


def _problem(event: str, level: int, sentence: str, details: Mapping[str, Any], catalog: Catalog) -> Message:
    serious = level >= logging.ERROR
    headline = f"event.{event}" if catalog.has_key(f"event.{event}") else "message.trouble_without_words"
    return Message(
        title=catalog.text("message.needs_you_title" if serious else "message.trouble_title"),
        body=catalog.text("message.detail", headline=catalog.text(headline), told=sentence),
        kind=Kind.FAILURE if serious else Kind.WARNING,
        topic=f"{event} {details.get('symbol') or details.get('topic') or details.get('key', '')}",
    )


def plain_message(sentence: str) -> Message:
    """Return a message of the log's own line, for an event that does not hold what its message needs."""
    return Message(title=PLAIN_TITLE, body=one_line(sentence))


def portfolio_value_text(
    points: Sequence[tuple[datetime, Decimal]],
    indices: Sequence[tuple[datetime, Decimal]],
    asset: str,
    catalog: Catalog,
) -> str:
    """Return what everything is worth, and what it has gained since a day before; empty where nothing is known.

    points: moment and worth, oldest first. indices: moment and time-weighted index: what the owner brings is no gain.
    """
    if not points:
        return ""
    now, worth = points[-1]
    told = catalog.text("message.worth", worth=worth, asset=asset)
    before = [one for moment, one in indices if moment <= now - timedelta(days=1) and one > 0]
    if not before:
        return told
    return f"{told} {catalog.text('message.since_yesterday', change=indices[-1][1] / before[-1] - 1)}"


def weekly_message(lines: str, catalog: Catalog) -> Message:
    """Return the week's message. lines: as `main.py report --week` prints them."""
    return Message(title=catalog.text("message.weekly_title"), body=lines, with_chart=True)


def marked_message(message: Message, catalog: Catalog, *, is_test_money: bool) -> Message:
    """Return the message as it goes out: its title says so where the money is test money."""
    if not is_test_money:
        return message
    return replace(message, title=catalog.text("test_money.title", title=message.title))


def merged_message(messages: list[Message], dropped: int, catalog: Catalog) -> Message:
    """Return one message that says what several do, for the phone to ring once."""
    bodies = [message.body for message in messages]
    if dropped:
        bodies.append(catalog.text("message.dropped", count=dropped))
    worst = max(messages, key=lambda message: (list(Kind).index(message.kind), message.title != PLAIN_TITLE))
    return Message(
        title=worst.title,
        body="\n\n".join(bodies),
        kind=worst.kind,
        with_chart=any(message.with_chart for message in messages),
    )
