"""The bot's signs of life: a notification to systemd's watchdog, heartbeat.json, a request to the owner's ping URL.

None of them can fail the loop or make it wait. Decides nothing.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic

import urllib3

from marsshot.bot.bot import Bot
from marsshot.config.bot_files import HEARTBEAT
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.moments import utc_text
from marsshot.core.version import VERSION
from marsshot.infra.atomic_files import Disk
from marsshot.infra.bounded_http import bounded_manager
from marsshot.infra.clock import SystemClock
from marsshot.infra.event_log import log_warning
from marsshot.monitoring.bot_state import state_content
from marsshot.monitoring.sd_notify import ALIVE, READY, STOPPING, SystemdNotifier, status, systemd_address

WATCHDOG_SECONDS, HEARTBEAT_SECONDS = 10.0, 60.0
# A round that sells many positions over a bad line takes minutes; one that takes an hour goes round in circles.
MAX_CYCLE_SECONDS = 3600.0
WARN_INTERVAL_SECONDS = 3600.0
_PING_TIMEOUT = urllib3.Timeout(connect=5.0, read=5.0)
_MULTIPLE_CHOICES = 300


class Heartbeat:
    """Signs of life of the thread that makes it: the loop's."""

    def __init__(
        self,
        notifier: SystemdNotifier,
        path: Path,
        mode: str,
        *,
        now: Callable[[], datetime],
        summary: Callable[[], str],
        ping: Callable[[], None],
        state: Callable[[], Mapping[str, object]] = dict,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._notifier = notifier
        self._path = path
        self._mode = mode
        self._now = now
        self._started_at = now()
        self._summary = summary
        self._ping = ping
        self._state = state
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._cycle_ended = self._last_sign = seconds()
        self._last_beat: float | None = None
        self._last_warned: float | None = None

    def ready(self) -> None:
        """Tell that the bot is at work from now on."""
        self._cycle_ended = self._seconds()
        self._notifier.notify(READY)

    def notify_watchdog(self) -> None:
        """Tell the watchdog that the loop goes on. The clock calls this: a loop that hangs does not ask for the time.

        No sign is given while a round does not end: it may wait and ask for the time for ever.
        """
        if threading.get_ident() != self._thread:
            return
        now = self._seconds()
        if now - self._last_sign >= WATCHDOG_SECONDS and now - self._cycle_ended < MAX_CYCLE_SECONDS:
            self._last_sign = now
            self._notifier.notify(ALIVE)

    def cycle_ended(self) -> None:
        """Note that a round of the loop has ended as it should; once a minute, tell everybody."""
        self._cycle_ended = self._seconds()
        self.notify_watchdog()  # a demo's clock calls for no sign
        if self._last_beat is not None and self._cycle_ended - self._last_beat < HEARTBEAT_SECONDS:
            return
        self._last_beat = self._cycle_ended
        self._notifier.notify(status(self._summary()))
        self._write(self._now())
        self._ping()

    def end(self) -> None:
        """Tell that the bot is about to end; what it did last would else be shown of a service that has ended."""
        self._notifier.notify(STOPPING, status(""))

    def _write(self, now: datetime) -> None:
        content: dict[str, object] = {
            "time": utc_text(now),
            "since": utc_text(self._started_at),
            "mode": self._mode,
            "pid": os.getpid(),
            "version": VERSION,
        }
        content |= self._state()
        try:
            # Not seen down to the disk: after a power cut nobody needs it.
            Disk().write_unsynced(self._path, json.dumps(content).encode())
        except OSError as error:
            if self._last_warned is None or self._seconds() - self._last_warned >= WARN_INTERVAL_SECONDS:
                self._last_warned = self._seconds()
                fault = LocalizedText("log.not_written", path=self._path, why=error.strerror)
                log_warning("heartbeat.not_written", fault)


class Ping:
    """A GET to the owner's ping URL, in a thread of its own; one at a time."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings  # those in use: they may change while the bot runs
        self._under_way: threading.Thread | None = None
        self._last_warned: float | None = None

    def send(self) -> None:
        """Begin the request, unless there is no URL or the last one is still under way."""
        url = self._settings().heartbeat.ping_url.get_secret_value()
        if not url or (self._under_way is not None and self._under_way.is_alive()):
            return
        self._under_way = threading.Thread(target=self._get, args=(url,), name="ping", daemon=True)
        self._under_way.start()

    def _get(self, url: str) -> None:
        try:
            with bounded_manager(timeout=_PING_TIMEOUT) as manager:
                answer = manager.request("GET", url, retries=False, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._warn_once_an_hour(type(error).__name__)
            return
        if answer.status >= _MULTIPLE_CHOICES:
            self._warn_once_an_hour(f"status {answer.status}")

    def _warn_once_an_hour(self, what: str) -> None:
        """Tell of it once an hour; never the URL, which is a secret, nor an error's text, which may hold it."""
        if self._last_warned is None or monotonic() - self._last_warned >= WARN_INTERVAL_SECONDS:
            self._last_warned = monotonic()
            log_warning("heartbeat.ping_failed", LocalizedText("log.ping_failed", what=what))


@contextmanager
def heartbeat_for(bot: Bot, summary: Callable[[], str]) -> Iterator[Heartbeat]:
    """Give signs of life of this bot for the block. summary: what `systemctl status` is to show.

    In the time that everybody else goes by, a demo's too; but a demo does not tell the owner's ping URL that it lives.
    """
    clock = bot.clock if isinstance(bot.clock, SystemClock) else SystemClock()
    ping = Ping(lambda: bot.settings).send if clock is bot.clock else lambda: None
    notifier = SystemdNotifier(systemd_address())
    path, mode = bot.settings.file(HEARTBEAT), bot.settings.mode
    heart = Heartbeat(notifier, path, mode, now=clock.now, summary=summary, ping=ping, state=lambda: state_content(bot))
    if isinstance(bot.clock, SystemClock):
        bot.clock.on_read = heart.notify_watchdog
    try:
        yield heart
    finally:
        heart.end()
