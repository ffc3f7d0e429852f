"""`main.py check`: looks at everything the bot needs and says, in a line each, what is well and what to mend, and how.

Changes nothing, and works beside a running bot.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from marsshot.bot.bootstrap import BOOK, keys_needed, model_path
from marsshot.bot.control_files import Control
from marsshot.bot.environment import open_surroundings
from marsshot.commands.check_findings import Finding, Level
from marsshot.commands.check_venues import venue_findings
from marsshot.commands.status import next_pass, pause_reason
from marsshot.config.settings import Settings
from marsshot.core.catalog import Words
from marsshot.core.domain import Book
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from positions_store import check_folder, is_held, load_state

FREE_BYTES_NEEDED = 200_000_000
OLD_MODEL = timedelta(days=30)
STYLES = {Level.GOOD: "green", Level.NOTE: "yellow", Level.BAD: "bold red"}


def run_check(settings: Settings, *, ask_all: bool = False) -> int:
    """Print the findings; return 1 if anything has to be mended, else 0.

    ask_all: ask LunarCrush about every token, however long its limit makes that take.
    """
    words, console = Words(settings.language), Console()
    marks = {level: words.say(f"check.{level}") for level in Level}
    width = max(map(len, marks.values()))
    bad = 0
    for finding in _findings(settings, words, ask_all=ask_all):
        mark = marks[finding.level].ljust(width)
        console.print(mark, style=STYLES[finding.level], end=" ", highlight=False)
        console.print(_line(finding, words), markup=False, highlight=False, soft_wrap=True)
        bad += finding.level is Level.BAD
    console.print(words.say("check.to_mend", count=bad) if bad else words.say("check.all_well"), highlight=False)
    return 1 if bad else 0


def _line(finding: Finding, words: Words) -> str:
    if not finding.remedy:
        return words.say("check.line", subject=finding.subject, text=finding.text)
    return words.say("check.line_with_remedy", subject=finding.subject, text=finding.text, remedy=finding.remedy)


def _findings(settings: Settings, words: Words, *, ask_all: bool) -> Iterator[Finding]:
    tokens = len(settings.tokens_daily)
    yield _good(
        words,
        "config",
        words.say("check.config_well", mode=settings.mode, count=tokens, quote=settings.quote_asset),
    )
    missing = settings.missing_keys(*keys_needed(settings))
    yield _keys(settings, missing, words)
    yield _guarded("folder", lambda: _folder(settings, words), words)
    book, finding = _book(settings, words)
    yield finding
    capital = book.capital if book else settings.strategy.capital_initial if finding.level is Level.GOOD else None
    yield from _passes(settings, book, words)
    with ThreadPoolExecutor(1) as side_by_side:  # loading the model takes as long as asking the venues
        model = side_by_side.submit(_guarded, "model", lambda: _model(settings, words), words)
        if not missing:
            with open_surroundings(settings, look_only=True) as around:
                yield from venue_findings(around, book, capital, words, ask_all=ask_all)
        yield model.result()


def _good(words: Words, subject: str, text: str) -> Finding:
    return Finding(Level.GOOD, words.say(f"subject.{subject}"), text)


def _guarded(subject: str, look: Callable[[], Finding], words: Words) -> Finding:
    try:
        return look()
    except InputError as error:
        finding, *remedy = re.split(r"\s?; ", words.tell(*error.faults), maxsplit=1)
        return Finding(Level.BAD, words.say(f"subject.{subject}"), finding, *remedy)


def _keys(settings: Settings, missing: list[str], words: Words) -> Finding:
    if not missing:
        return _good(words, "keys", words.say("check.keys_well" if settings.mode != "demo" else "check.keys_demo"))
    names = ", ".join(line.split(":")[0] for line in missing)
    return Finding(
        Level.BAD,
        words.say("subject.keys"),
        words.say("check.keys_missing", keys=names),
        words.say("check.keys_remedy"),
    )


def _folder(settings: Settings, words: Words) -> Finding:
    check_folder(settings.file(BOOK))
    free = shutil.disk_usage(Path.cwd()).free
    if free < FREE_BYTES_NEEDED:
        text = words.say("check.disk_full", megabytes=free // 1_000_000)
        return Finding(Level.BAD, words.say("subject.folder"), text, words.say("check.disk_remedy"))
    return _good(words, "folder", words.say("check.disk_well", gigabytes=free / 1e9))


def _book(settings: Settings, words: Words) -> tuple[Book | None, Finding]:
    found: list[Book] = []

    def look() -> Finding:
        book = load_state(settings.file(BOOK), settings.mode, Disk())
        if book is None:
            text = words.say("check.book_none", capital=settings.strategy.capital_initial, quote=settings.quote_asset)
            return _good(words, "book", text)
        found.append(book)
        facts = {"count": len(book.positions), "capital": book.capital, "quote": book.quote_asset}
        if book.intents:
            text = words.say("check.book_doubts", doubts=len(book.intents), **facts)
            return Finding(Level.NOTE, words.say("subject.book"), text)
        return _good(words, "book", words.say("check.book_well", **facts))

    finding = _guarded("book", look, words)
    return (found[0] if found else None), finding


def _passes(settings: Settings, book: Book | None, words: Words) -> Iterator[Finding]:
    control = Control(settings)
    if control.paused():
        reason = control.reason() or words.say("status.by_you")
        if words.language != "en":  # the bot's own reasons stand in PAUSE in English
            reason = pause_reason(reason, book, words)
        text = words.say("status.paused", reason=reason)
        yield Finding(Level.NOTE, words.say("subject.buying"), text)
    else:
        yield _good(words, "buying", words.say("check.buying_well"))
    running = words.say("check.running" if _runs(settings) else "check.not_running")
    if settings.mode == "demo":
        yield _good(words, "pass", words.say("check.pass_demo", running=running))
        return
    moment = next_pass(book, settings, SystemClock().now())
    when = (
        words.say("check.now") if moment == "due now" else words.say("check.at", moment=datetime.fromisoformat(moment))
    )
    yield _good(words, "pass", words.say("check.pass", when=when, running=running))


def _runs(settings: Settings) -> bool:
    """Return whether a bot runs; in a folder that cannot be written, which is told already, none can."""
    try:
        return is_held(settings.file(BOOK))
    except InputError:
        return False


def _model(settings: Settings, words: Words) -> Finding:
    from marsshot.model.model_files import load_model  # noqa: PLC0415 - scikit-learn is slow to load, and only wanted here

    path, subject = model_path(settings), words.say("subject.model")
    loaded = load_model(path)
    features = len(loaded.features)
    try:
        trained = datetime.fromisoformat(str(loaded.facts.get("trained_at")))
        age = SystemClock().now() - trained
    except (ValueError, TypeError):
        return Finding(Level.NOTE, subject, words.say("check.model_ageless", file=path, features=features))
    text = words.say("check.model_well", file=path, age=age, features=features)
    if age > OLD_MODEL:
        return Finding(Level.NOTE, subject, text, words.say("check.model_remedy"))
    return Finding(Level.GOOD, subject, text)
