"""The companion's loop: reads what the owner writes and taps, asks him where it costs money, has workers do it.

Holds no rule of trading. Of every command it is known whether it was begun; none is begun twice, none is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from marsshot.core.catalog import Catalog
from marsshot.infra.background import WorkerPool
from marsshot.monitoring.telegram_api import TelegramApi, TelegramRefusedError, TelegramSilentError
from marsshot.telegram.chat import OwnerChat
from marsshot.telegram.chat_commands import ACTIONS, CONFIRMED, NEEDS_TOKEN, ChatCommand, Typed, read_command
from marsshot.telegram.confirmations import NO, YES, Confirmations, Question, button_data, read_button
from marsshot.telegram.in_hand import InHand
from marsshot.telegram.page import Page
from marsshot.telegram.polling import POLL_SECONDS, Polling, first_of_owner
from marsshot.telegram.updates import OwnerTap, OwnerText, Stranger, Update

STALE_SECONDS = 120.0
STRANGER_SECONDS = 3600.0  # between two messages about strangers
_MOST_STRANGERS = 100
_QUESTION_POLL_SECONDS = 5  # while a question is open, so that its end is seen

Work = Callable[..., Page | None]


class Companion:
    """One owner's hands. Everything is done in the thread of `run`, but for what workers take time for."""

    def __init__(
        self,
        polling: Polling,
        chat: OwnerChat,
        work: Work,
        in_hand: InHand,
        catalog: Catalog,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._polling = polling
        self._chat = chat
        self._work = work
        self._in_hand = in_hand
        self._catalog = catalog
        self._seconds = seconds
        self._questions = Confirmations()
        self._begun = set[int]()  # of what is in hand, what this process has begun
        self._strangers = set[int]()
        self._stranger_told_at: float | None = None
        # What is only looked at waits for its turn; an order to sell does not wait for it.
        self._looks, self._acts = WorkerPool(1, "look"), WorkerPool(4, "act")

    def cycle(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Ask once, and do all that is there to be done. Raises WrongTokenError."""
        longest = _QUESTION_POLL_SECONDS if len(self._questions) else POLL_SECONDS
        updates = self._polling.poll(min(poll_seconds, longest))
        if updates is not None:
            self._tell_interrupted({one.number for one in updates})
        while updates:
            updates = self._take_first(updates)
        for question in self._questions.take_expired(self._seconds()):
            self._chat.replace_question(question.message, self._with_question(question, "telegram.expired"))

    @property
    def is_busy(self) -> bool:
        """Whether a worker is at something."""
        return self._looks.busy or self._acts.busy

    def _take_first(self, updates: list[Update]) -> list[Update] | None:
        """Do what the owner's first update says, once Telegram has forgotten it; return what is left to do."""
        place = first_of_owner(updates)
        for one in updates[:place]:
            if isinstance(one, Stranger):
                self._tell_stranger(one)
        mine = updates[place] if place < len(updates) else None
        if mine is not None:
            self._note(mine)
        left = self._polling.confirm((mine or updates[-1]).number)
        if left is None or mine is None:
            return left
        self._begun.add(mine.number)
        if isinstance(mine, OwnerText):
            self._hear(mine)
        elif isinstance(mine, OwnerTap):
            self._hear_tap(mine)
        return left

    def _note(self, mine: Update) -> None:
        """Note what may be done next, before Telegram forgets it: whatever dies then, the owner is told."""
        if isinstance(mine, OwnerText):
            self._in_hand.take(mine.number, mine.text)
        elif isinstance(mine, OwnerTap):
            is_yes, number = read_button(mine.data)
            question = self._questions.look_up(number)
            if is_yes and question is not None:
                self._in_hand.take(mine.number, str(question.typed))

    # ------------------------------------------------------------------ what the owner writes

    def _hear(self, written: OwnerText) -> None:
        typed = read_command(written.text)
        late = self._polling.now - datetime.fromtimestamp(written.sent_at, UTC)
        if typed is None:
            self._say("telegram.unknown")
        elif late > timedelta(seconds=STALE_SECONDS):
            self._say("telegram.late", command=str(typed), age=late)
        elif typed.command in NEEDS_TOKEN and not typed.token:
            self._say("telegram.needs_token", command=str(typed))
        elif typed.command is ChatCommand.HELP:
            self._chat.write(self._help())
        else:
            self._begin(written.number, typed, is_question=typed.command in CONFIRMED)
            return
        self._over(written.number)

    def _hear_tap(self, tap: OwnerTap) -> None:
        is_yes, number = read_button(tap.data)
        question = self._questions.take(number, self._seconds())
        if question is None:
            self._chat.answer_tap(tap.tap, self._catalog.text("telegram.too_late"))
            self._over(tap.number)
            return
        if is_yes:
            self._begin(tap.number, question.typed, is_question=False)
        self._chat.answer_tap(tap.tap)
        key = "telegram.confirmed" if is_yes else "telegram.cancelled"
        self._chat.replace_question(question.message, self._with_question(question, key))

    # ------------------------------------------------------------------ what is done

    def _begin(self, number: int, typed: Typed, *, is_question: bool) -> None:
        pool = self._acts if typed.command in ACTIONS and not is_question else self._looks
        pool.submit([lambda: self._do(number, typed, is_question=is_question)])

    def _do(self, number: int, typed: Typed, *, is_question: bool) -> None:
        """Have it done and told, in a worker's thread."""
        answer = self._work(typed, is_question=is_question)
        if answer is None:
            unknown = typed.command in ACTIONS and not is_question
            self._say("telegram.not_known" if unknown else "telegram.not_made", command=str(typed))
        elif answer.is_question:
            self._ask(typed, "\n".join(answer.texts))
        else:
            self._tell(answer)
        self._over(number)

    def _ask(self, typed: Typed, text: str) -> None:
        number, now = Confirmations.draw(), self._seconds()
        labels = {"yes": button_data(YES, number), "no": button_data(NO, number)}
        buttons = {self._catalog.text(f"telegram.button.{label}"): data for label, data in labels.items()}
        if (message := self._chat.ask(text, buttons)) is not None:
            self._questions.ask(number, typed, message, text, now)

    def _tell(self, answer: Page) -> None:
        text = "\n".join(answer.texts)
        if answer.picture:
            self._chat.send_picture(answer.picture, text)
        else:
            self._chat.write(text)

    def _over(self, number: int) -> None:
        self._in_hand.done(number)
        self._begun.discard(number)

    # ------------------------------------------------------------------ what the owner is told unasked

    def _tell_interrupted(self, delivered: set[int]) -> None:
        """Tell what a death has cut off: confirmed at Telegram, so not delivered again, and perhaps not done."""
        for number, text in self._in_hand.held.items():
            if number not in self._begun and number not in delivered:
                if typed := read_command(text):
                    self._say("telegram.interrupted", command=str(typed))
                self._in_hand.done(number)

    def _tell_stranger(self, stranger: Stranger) -> None:
        now = self._seconds()
        is_known = stranger.person in self._strangers or len(self._strangers) >= _MOST_STRANGERS
        is_quiet = self._stranger_told_at is not None and now - self._stranger_told_at < STRANGER_SECONDS
        if is_known or is_quiet:
            return
        self._strangers.add(stranger.person)
        self._stranger_told_at = now
        self._say("telegram.stranger", name=stranger.name, number=str(stranger.person))

    def _say(self, key: str, **values: object) -> None:
        self._chat.write(self._catalog.text(key, **values))

    def _with_question(self, question: Question, key: str) -> str:
        return f"{question.text}\n\n{self._catalog.text(key)}"

    def _help(self) -> str:
        say = self._catalog.text
        lines = [
            say("telegram.help_line", name=name, does=does) for name, does in described_commands(self._catalog).items()
        ]
        return "\n".join([self._catalog.text("telegram.help"), *lines])


def described_commands(catalog: Catalog) -> dict[str, str]:
    """Return the commands with what each does, in the owner's language."""
    return {one.value: catalog.text(f"telegram.command.{one.value}") for one in ChatCommand}


def show_commands(api: TelegramApi, owner: int, catalog: Catalog) -> bool:
    """List the commands in the owner's chat alone; return whether Telegram has taken them."""
    commands = [{"command": name, "description": text} for name, text in described_commands(catalog).items()]
    scope = {"type": "chat", "chat_id": owner}
    try:
        api.call("setMyCommands", {"commands": commands, "scope": scope})
    except (TelegramSilentError, TelegramRefusedError):
        return False
    return True
