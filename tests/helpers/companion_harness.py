"""The companion in this process, against the stand-in over HTTP; workers and time are the test's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from embedded_market.telegram.bot_api import SentMessage, TelegramStandIn
from embedded_market.telegram.server import TelegramServer
from marsshot.core.catalog import Catalog, Language
from marsshot.core.moments import utc_text
from marsshot.infra.atomic_files import Disk
from marsshot.monitoring.telegram_api import TelegramApi
from marsshot.monitoring.telegram_order import CompanionEvent
from marsshot.telegram.chat import OwnerChat
from marsshot.telegram.chat_commands import ChatCommand, Typed
from marsshot.telegram.companion import Companion
from marsshot.telegram.in_hand import InHand
from marsshot.telegram.page import Page
from marsshot.telegram.polling import Polling
from positions_store import save_state
from tests.helpers.builders import a_book, bought_at, seed_content

NOW = 1_800_000_000.0
QUESTION = Page(("SOL: 2, worth about 300 USDT", "Sell?"), is_question=True)


class CompanionHarness:
    def __init__(self, folder: Path, server: TelegramServer) -> None:
        self.folder = folder
        self.server = server
        self.telegram = server.stand_in
        self.time = NOW
        self.telegram.now = lambda: self.time
        self.done: list[tuple[Typed, bool]] = []  # what workers were asked for, and whether only for the question
        self.events: list[CompanionEvent] = []
        self.slept: list[float] = []
        self.answers: dict[tuple[ChatCommand, bool], Page | None] = {
            (ChatCommand.SELL_ALL, True): QUESTION,
            (ChatCommand.SELL_ALL, False): Page(("Sold everything",)),
            (ChatCommand.RESUME, True): Page(("Allow buying?",), is_question=True),
        }
        self.restart()

    def restart(self, language: Language = "en") -> None:
        """Begin as a new process does: nothing is known but what the file says."""
        token, owner = self.telegram.token, self.telegram.owner
        api = TelegramApi(self.server.url, token, total_seconds=5.0)
        polling = Polling(api, owner, self.events.append, self.sleep)
        chat = OwnerChat(TelegramApi(self.server.url, token), owner, self.events.append, self.sleep)
        in_hand = InHand(self.folder / "telegram.json")
        self.companion = Companion(polling, chat, self.work, in_hand, Catalog(language), lambda: self.time)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def work(self, typed: Typed, *, is_question: bool) -> Page | None:
        self.done.append((typed, is_question))
        return self.answers.get((typed.command, is_question), Page((f"{typed} answered",)))

    def cycle(self) -> None:
        """One round, with what its workers do."""
        self.companion.cycle(poll_seconds=0)
        wait_for(lambda: not self.companion.is_busy)

    def say(self, text: str) -> None:
        """The owner writes, and the companion has its round."""
        self.telegram.write(text)
        self.cycle()

    def tap(self, label: str, data: str | None = None) -> None:
        """The owner taps a button of the last question."""
        question = self.question
        self.telegram.tap(question, question.data_of(label) if data is None else data)
        self.cycle()

    @property
    def question(self) -> SentMessage:
        return next(one for one in reversed(self.telegram.sent) if one.buttons or one.edits)

    @property
    def told(self) -> list[str]:
        return [one.text for one in self.telegram.sent]

    @property
    def acted(self) -> list[str]:
        """What was really done, not only asked about."""
        return [str(typed) for typed, is_question in self.done if not is_question]


def bot_folder(folder: Path, **sections: object) -> Path:
    """Make what a bot on paper with two positions has in its folder; return its config.yaml."""
    content = json.loads(json.dumps(seed_content() | {"mode": "paper"} | sections, default=float))
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    book = a_book(mode="paper", positions={"FET": bought_at("1.00"), "OP": bought_at("2.00", "10")})
    save_state(book, folder / "bot_state.paper.json", Disk())
    now = datetime.now(UTC)
    rows = [f"{utc_text(now - timedelta(hours=hour))},900,{100 + hour},{1000 + hour}" for hour in (3, 2, 1)]
    (folder / "equity.paper.csv").write_text("\n".join(["time,capital,positions,equity", *rows, ""]))
    return path


def wait_for(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.005)


@contextmanager
def open_companion_harness(folder: Path) -> Iterator[CompanionHarness]:
    with TelegramServer(TelegramStandIn()) as server:
        yield CompanionHarness(folder, server)
