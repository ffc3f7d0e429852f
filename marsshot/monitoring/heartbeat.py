"""The bot's signs of life: a word to systemd's watchdog, heartbeat.json, a request to the owner's ping URL.

None of them can fail the loop or make it wait. Decides nothing.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic

import urllib3

from marsshot.bot.bot import Bot
from marsshot.config.settings import Settings
from marsshot.core.domain import utc_text
from marsshot.core.version import VERSION
from marsshot.infra.clock import SystemClock
from marsshot.infra.event_log import warn
from marsshot.monitoring.sd_notify import ALIVE, READY, STOPPING, ServiceManager, status

HEARTBEAT = "heartbeat.json"
SIGN_SECONDS, BEAT_SECONDS = 10.0, 60.0
# A round that sells many positions over a bad line takes minutes; one that takes an hour goes round in circles.
LONGEST_ROUND_SECONDS = 3600.0
TOLD_EVERY_SECONDS = 3600.0
_PING_TIMEOUT = urllib3.Timeout(connect=5.0, read=5.0)
_MULTIPLE_CHOICES = 300


class Heartbeat:
    """Signs of life of the thread that makes it: the loop's."""

    def __init__(
        self,
        manager: ServiceManager,
        path: Path,
        mode: str,
        *,
        now: Callable[[], datetime],
        summary: Callable[[], str],
        ping: Callable[[], None],
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._manager = manager
        self._path = path
        self._mode = mode
        self._now = now
        self._summary = summary
        self._ping = ping
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._round_ended = self._signed = seconds()
        self._beaten: float | None = None
        self._told: float | None = None

    def begin(self) -> None:
        """Tell that the bot is at work from now on."""
        self._round_ended = self._seconds()
        self._manager.tell(READY)

    def sign(self) -> None:
        """Tell the watchdog that the loop goes on. The clock calls this: a loop that hangs does not ask for the time.

        No sign is given while a round does not end: it may wait and ask for the time for ever.
        """
        if threading.get_ident() != self._thread:
            return
        now = self._seconds()
        if now - self._signed >= SIGN_SECONDS and now - self._round_ended < LONGEST_ROUND_SECONDS:
            self._signed = now
            self._manager.tell(ALIVE)

    def round_ended(self) -> None:
        """Note that a round of the loop has ended as it should; once a minute, tell everybody."""
        self._round_ended = self._seconds()
        if self._beaten is not None and self._round_ended - self._beaten < BEAT_SECONDS:
            return
        self._beaten = self._round_ended
        self._manager.tell(status(self._summary()))
        self._write(self._now())
        self._ping()

    def end(self) -> None:
        """Tell that the bot is about to end."""
        self._manager.tell(STOPPING, status("finishing the order in hand"))

    def _write(self, now: datetime) -> None:
        content = {"time": utc_text(now), "mode": self._mode, "pid": os.getpid(), "version": VERSION}
        scratch = self._path.with_name(self._path.name + ".tmp")
        try:
            # Not seen down to the disk: after a power cut nobody needs it.
            with open(scratch, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                json.dump(content, file)
            scratch.replace(self._path)
        except OSError as error:
            if self._told is None or self._seconds() - self._told >= TOLD_EVERY_SECONDS:
                self._told = self._seconds()
                warn("heartbeat.not_written", f"{self._path}: cannot be written ({error.strerror}); the bot goes on")


class Ping:
    """A GET to the owner's ping URL, in a thread of its own; one at a time."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings  # those in use: they may change while the bot runs
        self._under_way: threading.Thread | None = None
        self._told: float | None = None

    def send(self) -> None:
        """Begin the request, unless there is no URL or the last one is still under way."""
        url = self._settings().heartbeat.ping_url.get_secret_value()
        if not url or (self._under_way is not None and self._under_way.is_alive()):
            return
        self._under_way = threading.Thread(target=self._get, args=(url,), name="ping", daemon=True)
        self._under_way.start()

    def _get(self, url: str) -> None:
        try:
            answer = urllib3.request("GET", url, timeout=_PING_TIMEOUT, retries=False, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._tell(type(error).__name__)
            return
        if answer.status >= _MULTIPLE_CHOICES:
            self._tell(f"status {answer.status}")

    def _tell(self, what: str) -> None:
        """Tell of it once an hour; never the URL, which is a secret, nor an error's text, which may hold it."""
        if self._told is None or monotonic() - self._told >= TOLD_EVERY_SECONDS:
            self._told = monotonic()
            warn("heartbeat.ping_failed", f"heartbeat.ping_url does not take the ping ({what}); the bot goes on")


@contextmanager
def beating(bot: Bot, summary: Callable[[], str]) -> Iterator[Heartbeat]:
    """Give signs of life of this bot for the block. summary: what `systemctl status` is to show."""
    ping = Ping(lambda: bot.settings)
    manager = ServiceManager(os.environ.get("NOTIFY_SOCKET", ""))
    path, mode = bot.settings.file(HEARTBEAT), bot.settings.mode
    heart = Heartbeat(manager, path, mode, now=bot.clock.now, summary=summary, ping=ping.send)
    if isinstance(bot.clock, SystemClock):
        bot.clock.on_use = heart.sign
    try:
        yield heart
    finally:
        heart.end()
