"""`main.py daily --plan`: the orders that the daily pass would send now, and why. Sends none and writes nothing.

Works beside a running bot: it needs no lock, and what the pass would write stays in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from marsshot.bot.bootstrap import BOOK, KEPT_MODEL, keys_needed, model_path, open_store, trading_exchange
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import Control
from marsshot.bot.environment import Surroundings, open_surroundings
from marsshot.bot.model_selector import ScoringDesk
from marsshot.bot.scoring_process import InlineScorer
from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence, Words
from marsshot.core.domain import DailyPlan
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.event_log import log, show_on
from marsshot.market_data.coinbase import Coinbase
from marsshot.strategy.daily_plan import settled_decisions
from marsshot.strategy.decision_reasons import decision_sentence, in_order


def show_plan(settings: Settings) -> int:
    """Print what the daily pass would do now; return 0. Raises MarsShotError where it could not."""
    if missing := settings.missing_keys(*keys_needed(settings)):
        raise InputError(*missing)
    words = Words(settings.language)
    with open_surroundings(settings, look_only=True) as around:
        handler = show_on(Console(stderr=True), around.clock.now, around.settings.secrets, words)
        handler.addFilter(_is_of_interest)
        try:
            plan, is_done = _drafted(around)
        finally:
            log.removeHandler(handler)
    console = Console()
    for line in plan_lines(plan, settings, words, is_done=is_done):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _is_of_interest(record: logging.LogRecord) -> bool:
    """Return whether a line of the bot's is for a look: troubles and waits, not what it believes to be doing."""
    return record.levelno >= logging.WARNING or getattr(record, "event", "") in {"daily.scoring", "lunarcrush.wait"}


def _drafted(around: Surroundings) -> tuple[DailyPlan, bool]:
    """Return the plan, and whether today's pass is done already."""
    settings, clock, disk = around.settings, around.clock, SketchDisk()
    store = open_store(settings, clock, settings.file(BOOK), disk)
    desk = ScoringDesk(InlineScorer(clock), model_path(settings), disk, settings.file(KEPT_MODEL))
    coinbase = Coinbase(settings.coinbase.base_url)
    try:
        bot = Bot(
            settings=settings,
            clock=clock,
            store=store,
            exchange=trading_exchange(settings, clock, lambda: store.book),
            coinbase=coinbase,
            scores=desk.scores,
            control=Control(settings, disk),
        )
        bot.start()
        plan = None
        for _ in range(2):  # a model that turns out to be broken gives way to the one before
            plan = plan or bot.daily_pass.draft(settings, bot.executor)
    finally:
        desk.stop()
        coinbase.close()
    if plan is None:
        raise TemporaryError(Sentence("fault.scores.not_now"))
    return plan, bot.daily_is_done()


def plan_lines(plan: DailyPlan, settings: Settings, words: Words, *, is_done: bool) -> Iterator[str]:
    """Yield the orders that are to be sent, then the reason for every token."""
    yield words.say("plan.done_already" if is_done else "plan.heading", day=plan.day)
    decisions = {one.symbol: one for one in settled_decisions(plan)}
    orders = []
    for sell in (step for step in plan.sells if not step.outcome):
        worth = decisions[sell.symbol].quote if sell.symbol in decisions else None
        about = "" if worth is None else words.say("plan.about", quote=worth, asset=settings.quote_asset)
        orders.append(words.say("plan.sell", symbol=sell.symbol, about=about))
    orders += [
        words.say("plan.buy", symbol=buy.symbol, quote=buy.left, asset=settings.quote_asset)
        for buy in plan.buys
        if not buy.outcome and buy.left is not None
    ]
    yield from (f"  {line}" for line in orders or [words.say("plan.no_order")])
    yield words.say("plan.why")
    yield from (f"  {words.tell(decision_sentence(one, settings.daily_rules))}" for one in in_order(decisions.values()))
    yield words.say("plan.nothing_sent")


class SketchDisk(Disk):
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

    def append(self, path: Path, content: bytes) -> None:
        """Keep the file with the content at its end."""
        self._written[path] = (self.read(path) if self.exists(path) else b"") + content

    def make_last(self, path: Path) -> None:
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

    def jot(self, path: Path, content: bytes) -> None:
        """Keep the content."""
        self._written[path] = content

    def jot_at_end(self, path: Path, content: bytes) -> None:
        """Keep the file with the content at its end."""
        self.append(path, content)
