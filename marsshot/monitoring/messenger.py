"""Takes the bot's events to the owner's phone: a log handler, a bounded queue, a thread, a short-lived child process.

Nothing here can fail a pass or make it wait. The same trouble is told once an hour; what comes together goes together.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from time import monotonic

from marsshot.bot.journal import read_equity, read_performance
from marsshot.config.bot_files import EQUITY, WEEKLY
from marsshot.config.secret_values import NOTIFY_VARIABLE, SECRET_VARIABLES
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.infra.atomic_files import Disk
from marsshot.infra.child_processes import ask_child, module_command, module_environment
from marsshot.infra.event_log import Secrets, log, log_warning
from marsshot.monitoring.messages import (
    Message,
    marked_message,
    merged_message,
    message_of,
    plain_message,
    portfolio_value_text,
    weekly_message,
)
from marsshot.monitoring.weekly import is_week_due, note_sent, read_last_sent, week_text

SENDER = module_command("marsshot.monitoring.send_messages", "-W", "ignore")
SEND_SECONDS = 90.0  # then the child is killed
BATCH_SECONDS = 5.0  # a daily pass buys several tokens within seconds: one message
FLUSH_SECONDS = 15.0  # for "stopped", at the end
REPEAT_INTERVAL_SECONDS = 3600.0
MAX_QUEUE = 100
MAX_TRIES, TRY_AGAIN_SECONDS, POLL_SECONDS = 4, 300.0, 60.0
MAX_TEXT = 3500  # Telegram takes 4096
_SECRET_VARIABLE_NAMES = {*SECRET_VARIABLES, NOTIFY_VARIABLE}


def send(urls: Sequence[str], message: Message, equity: Path | None, seconds: float = SEND_SECONDS) -> list[bool]:
    """Return for each URL whether it took the message; a child that hangs is killed, and none has. Never raises."""
    order = {
        "urls": list(urls),
        "title": message.title,
        "body": message.body[:MAX_TEXT],
        "kind": message.kind.value,
        "equity": str(equity) if equity and message.with_chart else "",
        "language": message.language,
    }
    try:
        taken = ask_child(SENDER, order, environment_without_keys(), seconds)
        return [bool(one) for one in taken] if len(taken) == len(urls) else [False] * len(urls)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return [False] * len(urls)


def environment_without_keys() -> dict[str, str]:
    """Return the environment of a child that needs to know no key."""
    return {name: value for name, value in module_environment().items() if name not in _SECRET_VARIABLE_NAMES}


class Messenger(logging.Handler):
    """Hears what the bot says and has the thread send what the owner is to know."""

    def __init__(
        self, settings: Callable[[], Settings], config: Path, seconds: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(logging.INFO)
        self._settings = settings  # those in use: they may change while the bot runs
        self._config = config
        self._seconds = seconds
        self._last_sent: dict[str, float] = {}  # by topic
        self._queue: queue.Queue[Message | None] = queue.Queue(MAX_QUEUE)
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Queue what the owner is to know of this event; with a full queue, count it only."""
        settings = self._settings()
        if not settings.message_urls or (message := _message(record, settings)) is None:
            return
        if message.topic and self._is_repeat(message.topic):
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._dropped += 1

    def _is_repeat(self, topic: str) -> bool:
        """Return whether this was told within the hour; if not, it is now."""
        now = self._seconds()
        told = topic in self._last_sent and now - self._last_sent[topic] < REPEAT_INTERVAL_SECONDS
        if not told:
            self._last_sent[topic] = now
        return told

    def end(self) -> None:
        """Let the thread send what is queued, and end."""
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    # ------------------------------------------------------------------ in the thread

    def deliver(self) -> None:
        """Send what is queued until `end` is called; what a service does not take is tried again later."""
        going_on, waiting = True, list[_Delivery]()
        while going_on:
            messages, going_on = self._next_batch(POLL_SECONDS if waiting else None)
            if messages:
                waiting.append(self._delivery(messages))
            waiting = [one for one in waiting[-MAX_QUEUE:] if one.try_send(self._seconds())]
            if (weekly := self._weekly_delivery(messages)) and weekly.try_send(self._seconds()):
                waiting.append(weekly)
            if waiting and not self._is_repeat("messages.not_sent"):
                log_warning("messages.not_sent", LocalizedText("log.messages_not_sent"))

    def _delivery(self, messages: list[Message]) -> _Delivery:
        settings = self._settings()
        dropped, self._dropped = self._dropped, 0
        catalog, equity = catalog_of(settings.language), settings.file(EQUITY)
        message = merged_message(messages, dropped, catalog)
        if message.with_chart and (worth := self._worth_text(equity, settings.quote_asset, catalog)):
            message = replace(message, body=f"{message.body}\n\n{worth}")
        return _Delivery(message_to_send(message, settings), settings.message_urls, equity)

    def _weekly_delivery(self, messages: list[Message]) -> _Delivery | None:
        """Return the week's message where it is due after one of these; it counts once a service has taken it."""
        settings = self._settings()
        day = max((message.daily_update for message in messages if message.daily_update), default=None)
        memory = settings.file(WEEKLY)
        if day is None or not is_week_due(day, settings.weekly_report, read_last_sent(memory)):
            return None
        try:
            message = weekly_message(week_text(self._config), catalog_of(settings.language))
        except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
            log_warning("weekly.not_made", LocalizedText("log.week_not_made"), error=type(error).__name__)
            return None
        taken = partial(_remember, memory, day)
        return _Delivery(message_to_send(message, settings), settings.message_urls, settings.file(EQUITY), taken)

    @staticmethod
    def _worth_text(path: Path, asset: str, catalog: Catalog) -> str:
        points = read_equity(path, Disk())
        indices = [(one.moment, one.index) for one in read_performance(path, Disk(), ZERO)]  # not of older rows
        return portfolio_value_text(points, indices or points, asset, catalog)

    def _next_batch(self, wait: float | None) -> tuple[list[Message], bool]:
        """Return what comes within a few seconds of the first message, and whether there is more to come."""
        messages = list[Message]()
        while len(messages) < MAX_QUEUE:
            try:
                message = self._queue.get(timeout=wait)
            except queue.Empty:
                return messages, True
            if message is None:
                return messages, False
            messages.append(message)
            wait = BATCH_SECONDS
        return messages, True


def _message(record: logging.LogRecord, settings: Settings) -> Message | None:
    event, details = getattr(record, "event", ""), getattr(record, "details", {})
    sentence = record.msg if isinstance(record.msg, LocalizedText) else record.getMessage()
    try:
        return message_of(event, record.levelno, sentence, details, catalog_of(settings.language))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError):
        # This is called from the middle of an order's life: nothing may come of a message that cannot be made.
        return plain_message(sentence)


def _remember(path: Path, day: date) -> None:
    try:
        note_sent(path, day)
    except OSError as error:
        told = "The week's message was sent, and may be sent again"
        log_warning("weekly.not_noted", told, error=type(error).__name__)


class _Delivery:
    """A message on its way to those services that have not taken it yet.

    on_taken: what to do once a service has taken it.
    """

    def __init__(
        self, message: Message, urls: Sequence[str], equity: Path, on_taken: Callable[[], None] | None = None
    ) -> None:
        self._on_taken = on_taken
        self._message = message
        self._urls = list(urls)
        self._equity = equity
        self._due = 0.0
        self.tries = 0

    def try_send(self, now: float) -> bool:
        """Try if it is time; return whether to come back."""
        if self.tries and now < self._due:
            return True
        self.tries, self._due = self.tries + 1, now + TRY_AGAIN_SECONDS
        taken = send(self._urls, self._message, self._equity)
        if any(taken) and self._on_taken is not None:
            self._on_taken()
        self._urls = [url for url, done in zip(self._urls, taken, strict=True) if not done]
        return bool(self._urls) and self.tries < MAX_TRIES


def message_to_send(message: Message, settings: Settings) -> Message:
    """Return a message without secrets; its title says so where the money is test money."""
    secrets = Secrets(settings.secrets)
    message = marked_message(message, catalog_of(settings.language), is_test_money=bool(settings.money_notice))
    title, body = secrets.redact(message.title), secrets.redact(message.body)
    return replace(message, title=title, body=body, language=settings.language)


@contextmanager
def notifying(settings: Callable[[], Settings], config: Path) -> Iterator[None]:
    """Tell the owner what happens in the block; at its end wait a little for the last message."""
    messenger = Messenger(settings, config)
    thread = threading.Thread(target=messenger.deliver, name="messenger", daemon=True)
    thread.start()
    log.addHandler(messenger)
    try:
        yield
    finally:
        log.removeHandler(messenger)
        messenger.end()
        thread.join(FLUSH_SECONDS)
