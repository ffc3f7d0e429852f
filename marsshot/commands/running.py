"""Whether a bot runs, since when, its version and checks, and what waits for it. Reads files only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import LastSeen
from marsshot.config.bot_files import HEARTBEAT
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog
from marsshot.core.foreign_text import one_line
from marsshot.core.moments import parse_moment, utc_text
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.serialization import decimal_text

HEARTBEAT_TIMEOUT = timedelta(minutes=10)  # a bot that runs beats once a minute


def running_facts(settings: Settings, seen: LastSeen, now: datetime, *, runs: bool) -> dict[str, Any]:
    """Return what is known of the bot's process as plain values.

    runs: a process holds the book and has told of itself; else a sign of life of the last minutes has to do.
    """
    beat = _last_heartbeat(settings)
    runs = beat is not None and (runs or timedelta(0) <= now - beat["time"] <= HEARTBEAT_TIMEOUT)
    interval = timedelta(seconds=settings.strategy.check_interval_seconds)
    following = seen.time + interval if runs and seen.time is not None and settings.mode != "demo" else None
    return {
        "running": runs,
        "running_since": utc_text(beat["since"]) if runs and beat else None,
        "version": beat["version"] if runs and beat else None,
        "last_sign_of_life": utc_text(beat["time"]) if beat else None,
        "last_check": utc_text(seen.time) if seen.time else None,
        "next_check": utc_text(following) if following else None,
    }


def _last_heartbeat(settings: Settings) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        content = json.loads(Disk().read(settings.file(HEARTBEAT)))
        time = parse_moment(content["time"])
        since = parse_moment(content.get("since", content["time"]))
        return {"time": time, "since": since, "version": one_line(str(content["version"]))}
    return None


def waiting_requests(control: ControlFiles, book: Book) -> list[dict[str, str]]:
    """Return what the owner has asked for that the bot has not taken note of yet."""
    found: list[dict[str, str]] = []
    with suppress(OSError):
        if control.sell_all_made_ns() not in {0, book.sell_all_done_ns}:
            found.append({"kind": "sell_all"})
        if control.is_daily_update_requested():
            found.append({"kind": "daily"})
        if control.is_resume_requested():
            found.append({"kind": "resume"})
        for request in control.owner_requests()[0]:
            if request.request_id not in book.answered_requests:
                subject = request.symbol if request.amount is None else decimal_text(request.amount)
                found.append({"kind": request.kind.value, "subject": subject})
    return found


def running_lines(facts: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    """Yield the lines about it. facts: as the two functions above return them."""
    if facts["running"]:
        since = datetime.fromisoformat(facts["running_since"])
        yield catalog.text("status.running", since=since, version=facts["version"])
    elif facts["mode"] != "demo":
        beat = facts["last_sign_of_life"]
        last = catalog.text("status.last_sign", time=datetime.fromisoformat(beat)) if beat else ""
        yield catalog.text("status.not_running", last=last)
    if facts["last_check"]:
        following = facts["next_check"]
        told = catalog.text("status.next_check", time=datetime.fromisoformat(following)) if following else ""
        yield catalog.text("status.checks", time=datetime.fromisoformat(facts["last_check"]), following=told)
    if facts["requests_waiting"]:
        texts = tuple(
            catalog.text(f"status.request.{one['kind']}", subject=one.get("subject", ""), quote=facts["quote_asset"])
            for one in facts["requests_waiting"]
        )
        yield catalog.text("status.requests", requests=texts)
