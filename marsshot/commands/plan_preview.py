"""`main.py daily --plan`: the orders that the daily update would send now, and why. Sends none and writes nothing.

Works beside a running bot: it needs no lock, and what the daily update would write stays in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from marsshot.bot.bootstrap import new_bot, new_model_selector, open_store, required_keys
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.environment import Environment, open_environment
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.decisions import DailyPlan
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.event_log import log, log_to_console
from marsshot.market_data.coinbase import Coinbase
from marsshot.strategy.daily_plan import settled_decisions
from marsshot.strategy.decision_reasons import by_score, decision_text


def show_plan(settings: Settings) -> int:
    """Print what the daily update would do now; return 0. Raises MarsShotError where it could not."""
    if missing := settings.missing_keys(*required_keys(settings)):
        raise InputError(*missing)
    catalog = Catalog(settings.language)
    with open_environment(settings, read_only=True) as environment:
        handler = log_to_console(Console(stderr=True), environment.clock.now, environment.settings.secrets, catalog)
        handler.addFilter(_is_of_interest)
        try:
            plan, is_done = _draft_plan(environment)
        finally:
            log.removeHandler(handler)
    console = Console()
    for line in plan_lines(plan, settings, catalog, is_done=is_done):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _is_of_interest(record: logging.LogRecord) -> bool:
    """Return whether a line of the bot's is for a look: troubles and waits, not what it believes to be doing."""
    return record.levelno >= logging.WARNING or getattr(record, "event", "") in {"daily.scoring", "source.wait"}


def _draft_plan(environment: Environment) -> tuple[DailyPlan, bool]:
    """Return the plan, and whether today's pass is done already."""
    settings, clock, disk = environment.settings, environment.clock, OverlayDisk()
    store = open_store(settings, clock, settings.file(BOOK), disk)
    model_selector = new_model_selector(settings, clock, disk, one_shot=True)
    coinbase = Coinbase(settings.coinbase.base_url, currency=settings.exchange_facts.currency)
    try:
        bot = new_bot(settings, clock, store, coinbase, model_selector, ControlFiles(settings, disk))
        bot.start()
        plan = None
        for _ in range(2):  # a model that turns out to be broken gives way to the one before
            plan = plan or bot.daily_updater.draft(settings, bot.executor)
    finally:
        model_selector.stop()
        coinbase.close()
    if plan is None:
        raise TemporaryError(LocalizedText("fault.scores.not_now"))
    return plan, bot.daily_is_done()


def plan_lines(plan: DailyPlan, settings: Settings, catalog: Catalog, *, is_done: bool) -> Iterator[str]:
    """Yield the orders that are to be sent, then the reason for every token."""
    yield catalog.text("plan.done_already" if is_done else "plan.heading", day=plan.day, source=settings.source_name)
    decisions = {one.symbol: one for one in settled_decisions(plan)}
    orders = []
    for sell in (step for step in plan.sells if not step.outcome):
        worth = decisions[sell.symbol].quote if sell.symbol in decisions else None
        about = "" if worth is None else catalog.text("plan.about", quote=worth, asset=settings.quote_asset)
        orders.append(catalog.text("plan.sell", symbol=sell.symbol, about=about))
    orders += [
        catalog.text("plan.buy", symbol=buy.symbol, quote=buy.left, asset=settings.quote_asset)
        for buy in plan.buys
        if not buy.outcome and buy.left is not None
    ]
    yield from (f"  {line}" for line in orders or [catalog.text("plan.no_order")])
    yield catalog.text("plan.why")
    yield from (f"  {catalog.render(decision_text(one, settings.daily_rules))}" for one in by_score(decisions.values()))
    yield catalog.text("plan.nothing_sent")


class OverlayDisk(Disk):
    """The real files to read; what is written stays in memory, and is read from there."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[Path, bytes | None] = {}  # None: taken away

    def read(self, path: Path) -> bytes:
        """Return the whole file. Raises OSError."""
        if path not in self._written:
            return super().read(path)
        content = self._written[path]
        if content is None:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return content

    def exists(self, path: Path) -> bool:
        """Return whether there is such a file."""
        return self._written[path] is not None if path in self._written else super().exists(path)

    def write(self, path: Path, content: bytes) -> None:
        """Keep the content."""
        self._written[path] = content

    def read_tail(self, path: Path, length: int) -> tuple[bytes, int]:
        """Return the end of the file as it would be, and how many bytes there are before it."""
        if path not in self._written:
            return super().read_tail(path, length)
        content = self.read(path)
        before = max(0, len(content) - length)
        return content[before:], before

    def write_new(self, path: Path, content: bytes) -> None:
        """Keep the content."""
        self._written[path] = content

    def write_secret(self, path: Path, content: bytes) -> None:
        """Keep the content."""
        self._written[path] = content

    def append(self, path: Path, content: bytes) -> None:
        """Keep the file with the content at its end."""
        self._written[path] = (self.read(path) if self.exists(path) else b"") + content

    def ensure_synced(self, path: Path) -> None:
        """Do nothing: nothing is to last."""

    def truncate(self, path: Path, length: int) -> None:
        """Keep the first bytes."""
        self._written[path] = self.read(path)[:length]

    def replace(self, source: Path, target: Path) -> None:
        """Keep one under the other's name."""
        self._written[target], self._written[source] = self.read(source), None

    def remove(self, path: Path) -> None:
        """Keep in mind that it is taken away."""
        self._written[path] = None

    def write_unsynced(self, path: Path, content: bytes) -> None:
        """Keep the content."""
        self._written[path] = content

    def append_unsynced(self, path: Path, content: bytes) -> None:
        """Keep the file with the content at its end."""
        self.append(path, content)
