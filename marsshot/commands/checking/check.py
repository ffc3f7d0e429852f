"""`main.py check`: looks at everything the bot needs and says, in a line each, what is well and what to mend, and how.

Changes nothing, and works beside a running bot.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from marsshot.bot.bootstrap import model_path, required_keys
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.environment import open_environment
from marsshot.commands.checking.findings import Finding, Level
from marsshot.commands.checking.telegram import telegram_findings
from marsshot.commands.checking.venues import venue_findings
from marsshot.commands.status import next_daily_update
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog, fault_and_remedy
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.model.integrity import read_verified, refuse_other_source, refuse_unscaled
from marsshot.model.threshold_reach import buy_reach, sell_reach
from positions_store import check_folder, is_locked, load_state

FREE_BYTES_NEEDED = 200_000_000
STALE_MODEL_AGE = timedelta(days=30)
SELDOM_REACHED = 0.90  # of the days, from which on a threshold that no token reaches is worth a note
STYLES = {Level.GOOD: "green", Level.NOTE: "yellow", Level.BAD: "bold red"}


def run_check(settings: Settings, *, ask_all: bool = False) -> int:
    """Print the findings; return 1 if anything has to be mended, else 0.

    ask_all: ask the source of daily bars about every token, however long its limit makes that take.
    """
    catalog, console = Catalog(settings.language), Console()
    marks = {level: catalog.text(f"check.{level}") for level in Level}
    width = max(map(len, marks.values()))
    bad = 0
    for finding in _findings(settings, catalog, ask_all=ask_all):
        mark = marks[finding.level].ljust(width)
        console.print(mark, style=STYLES[finding.level], end=" ", highlight=False)
        console.print(_line(finding, catalog), markup=False, highlight=False, soft_wrap=True)
        bad += finding.level is Level.BAD
    console.print(catalog.text("check.to_mend", count=bad) if bad else catalog.text("check.all_well"), highlight=False)
    return 1 if bad else 0


def _line(finding: Finding, catalog: Catalog) -> str:
    if not finding.remedy:
        return catalog.text("check.line", subject=finding.subject, text=finding.text)
    return catalog.text("check.line_with_remedy", subject=finding.subject, text=finding.text, remedy=finding.remedy)


def _findings(settings: Settings, catalog: Catalog, *, ask_all: bool) -> Iterator[Finding]:
    tokens = len(settings.tokens_daily)
    yield _good(
        catalog,
        "config",
        catalog.text(
            "check.config_well",
            mode=catalog.text(f"mode_name.{settings.mode}"),
            count=tokens,
            quote=settings.quote_asset,
            source=settings.source_name,
        ),
    )
    yield from _money(settings, catalog)
    missing = settings.empty_keys(*required_keys(settings))
    yield _keys(settings, missing, catalog)
    yield _guarded("folder", lambda: _folder(settings, catalog), catalog)
    book, finding = _book(settings, catalog)
    yield finding
    capital = book.capital if book else settings.strategy.capital_initial if finding.level is Level.GOOD else None
    yield from _passes(settings, book, catalog)
    with ThreadPoolExecutor(1) as side_by_side:  # loading the model takes as long as asking the venues
        model = side_by_side.submit(_guarded, "model", lambda: _model(settings, catalog), catalog)
        if not missing:
            with open_environment(settings, read_only=True) as environment:
                yield from venue_findings(environment, book, capital, catalog, ask_all=ask_all)
        yield from telegram_findings(settings, catalog)
        yield model.result()
    yield from _thresholds(settings, catalog)


def _money(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Yield that it is test money, and what is another thing with it; nothing where money is real."""
    if not settings.money_notice:
        return
    subject, notice = catalog.text("subject.money"), catalog.render(settings.money_notice)
    yield Finding(Level.NOTE, subject, notice, catalog.text("test_money.left_out"))
    has_own_prices = settings.test_host in settings.exchange_facts.hosts_with_own_prices
    for key in ("own_prices", "resets") if has_own_prices else ("resets",):
        yield Finding(Level.NOTE, subject, catalog.text(f"test_money.{key}"))


def _good(catalog: Catalog, subject: str, text: str) -> Finding:
    return Finding(Level.GOOD, catalog.text(f"subject.{subject}"), text)


def _guarded(subject: str, look: Callable[[], Finding], catalog: Catalog) -> Finding:
    try:
        return look()
    except InputError as error:
        fault, remedy = fault_and_remedy(error.message)
        shown = catalog.text(f"subject.{subject}")
        return Finding(Level.BAD, shown, catalog.render(fault), catalog.render(remedy))


def _keys(settings: Settings, missing: list[str], catalog: Catalog) -> Finding:
    if not missing:
        return _good(catalog, "keys", catalog.text("check.keys_well" if settings.mode != "demo" else "check.keys_demo"))
    return Finding(
        Level.BAD,
        catalog.text("subject.keys"),
        catalog.text("check.keys_missing", keys=", ".join(missing)),
        catalog.text("check.keys_remedy"),
    )


def _folder(settings: Settings, catalog: Catalog) -> Finding:
    check_folder(settings.file(BOOK))
    free = shutil.disk_usage(Path.cwd()).free
    if free < FREE_BYTES_NEEDED:
        text = catalog.text("check.disk_full", megabytes=free // 1_000_000)
        return Finding(Level.BAD, catalog.text("subject.folder"), text, catalog.text("check.disk_remedy"))
    return _good(catalog, "folder", catalog.text("check.disk_well", gigabytes=free / 1e9))


def _book(settings: Settings, catalog: Catalog) -> tuple[Book | None, Finding]:
    found: list[Book] = []

    def look() -> Finding:
        book = load_state(settings.file(BOOK), settings.mode, Disk())
        if book is None:
            text = catalog.text(
                "check.book_none", capital=settings.strategy.capital_initial, quote=settings.quote_asset
            )
            return _good(catalog, "book", text)
        found.append(book)
        facts = {"count": len(book.positions), "capital": book.capital, "quote": book.quote_asset}
        if book.intents:
            text = catalog.text("check.book_doubts", doubts=len(book.intents), **facts)
            return Finding(Level.NOTE, catalog.text("subject.book"), text)
        return _good(catalog, "book", catalog.text("check.book_well", **facts))

    finding = _guarded("book", look, catalog)
    return (found[0] if found else None), finding


def _passes(settings: Settings, book: Book | None, catalog: Catalog) -> Iterator[Finding]:
    control = ControlFiles(settings)
    if control.paused():
        reason = control.reason() or catalog.text("status.by_you")
        yield Finding(Level.NOTE, catalog.text("subject.buying"), catalog.text("check.paused", reason=reason))
    else:
        yield _good(catalog, "buying", catalog.text("check.buying_well"))
    running = catalog.text("check.running" if _is_bot_running(settings) else "check.not_running")
    if settings.mode == "demo":
        yield _good(catalog, "pass", catalog.text("check.pass_demo", running=running))
        return
    if fault := _fault_of_midnight(settings, book, catalog):
        yield fault
    moment = next_daily_update(book, settings, SystemClock().now())
    when = catalog.text("check.at", moment=moment) if moment else catalog.text("check.now")
    yield _good(catalog, "pass", catalog.text("check.pass", when=when, running=running))


def _fault_of_midnight(settings: Settings, book: Book | None, catalog: Catalog) -> Finding | None:
    """Return that the last token is asked about after midnight, when its answer makes no pass of that date any more."""
    strategy, limit = settings.strategy, settings.source_requests_per_minute
    coins = len({*settings.tokens_daily, *(book.positions if book else ()), "BTC", "ETH"})
    minutes_needed = (coins - 1) // limit  # the first minute's are asked at once
    minutes_left = 24 * 60 - strategy.daily_update_hour_utc * 60 - strategy.daily_update_minute_utc
    if minutes_needed < minutes_left:
        return None
    begin = f"{strategy.daily_update_hour_utc:02}:{strategy.daily_update_minute_utc:02}"
    facts = {"coins": coins, "limit": limit, "needed": minutes_needed, "left": minutes_left, "begin": begin}
    text, remedy = catalog.text("check.past_midnight", **facts), catalog.text("check.past_midnight_remedy")
    return Finding(Level.BAD, catalog.text("subject.pass"), text, remedy)


def _is_bot_running(settings: Settings) -> bool:
    """Return whether a bot runs; in a folder that cannot be written, which is told already, none can."""
    try:
        return is_locked(settings.file(BOOK))
    except InputError:
        return False


def _model(settings: Settings, catalog: Catalog) -> Finding:
    from marsshot.model.model_files import load_model  # noqa: PLC0415 - scikit-learn is slow to load, and only wanted here

    path, subject = model_path(settings), catalog.text("subject.model")
    loaded = load_model(path)
    refuse_other_source(path, loaded.facts, settings.data_source)
    refuse_unscaled(path, loaded.facts, settings.strategy.score_scale)
    facts = {"file": path, "features": len(loaded.features), "source": settings.source_name}
    try:
        trained = datetime.fromisoformat(str(loaded.facts.get("trained_at")))
        age = SystemClock().now() - trained
    except (ValueError, TypeError):
        return Finding(Level.NOTE, subject, catalog.text("check.model_ageless", **facts))
    text = catalog.text("check.model_well", age=age, **facts)
    if age > STALE_MODEL_AGE:
        return Finding(Level.NOTE, subject, text, catalog.text("check.model_remedy"))
    return Finding(Level.GOOD, subject, text)


def _thresholds(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Yield on how many days of the model's hold-out each threshold was reached, where its facts say so."""
    try:
        facts = read_verified(model_path(settings))[1]
    except InputError:
        return  # told already
    strategy, subject = settings.strategy, catalog.text("subject.thresholds")
    for key, reach_of, threshold in (
        ("buy", buy_reach, strategy.buy_threshold),
        ("sell", sell_reach, strategy.sell_threshold),
    ):
        reach = reach_of(facts, threshold, strategy.score_scale)
        if reach is None:
            text = catalog.text("check.reach_unknown", key=f"{key}_threshold", threshold=threshold)
            yield Finding(Level.NOTE, subject, text, catalog.text("check.reach_remedy"))
            continue
        shares = {"none": reach.none, "few": reach.one_or_two, "many": reach.over_half}
        text = catalog.text(f"check.reach_{key}", threshold=threshold, scale=strategy.score_scale, **shares)
        yield Finding(Level.NOTE if reach.none >= SELDOM_REACHED else Level.GOOD, subject, text)
