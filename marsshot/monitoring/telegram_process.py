"""Starts the companion at Telegram beside the bot, and anew when it ends; takes what it tells to bot.log.

It lives as long as the pipe from the bot does. The bot never waits for it, and nothing of it can end the bot.
"""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from pydantic import SecretStr

from marsshot.config.bot_files import TELEGRAM_STATE
from marsshot.config.secret_values import SECRET_VARIABLES
from marsshot.config.settings import Settings
from marsshot.infra.child_processes import module_command
from marsshot.infra.event_log import log_error, log_file_only, log_warning
from marsshot.monitoring.messenger import environment_without_keys
from marsshot.monitoring.telegram_order import WRONG_ORDER, CompanionEvent, CompanionOrder

COMPANION = module_command("marsshot.telegram", "-W", "ignore")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0
HEALTHY_SECONDS = 600.0  # one that has lived so long is started anew at once
STOP_SECONDS = 3.0
REPEAT_SECONDS = 3600.0  # until the same trouble is told again

_TROUBLES = {
    CompanionEvent.OTHER_READER: "Another program reads your Telegram bot's messages; commands may not arrive here",
    CompanionEvent.WRONG_TOKEN: "Telegram does not know the bot of telegram.token; no command can be given there",
    CompanionEvent.BLOCKED: "You have blocked your bot at Telegram; nothing can be told there",
}
_NOTES = {
    CompanionEvent.WEBHOOK_REMOVED: "Your bot's messages went to a webhook; it was taken away, commands come here now",
    CompanionEvent.SILENT: "Telegram does not answer; commands wait there, those of more than two minutes are not done",
}
_ALL_WELL = {
    CompanionEvent.LISTENING: "Commands are taken at Telegram",
    CompanionEvent.HEARD_AGAIN: "Telegram answers again",
}


class CompanionProcess:
    """The companion of one bot, as long as that runs."""

    def __init__(self, settings: Settings, config: Path) -> None:
        self._order = companion_order(settings, config).as_line()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._told: dict[CompanionEvent, float] = {}

    @property
    def pid(self) -> int | None:
        """The process's number, while there is one."""
        return self._process.pid if self._process is not None else None

    def supervise(self) -> None:
        """Keep it running until `stop`, unless no new start can help; in a thread of its own."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            begun = monotonic()
            code = self._run()
            if self._stopping.is_set() or code == WRONG_ORDER:
                return
            pause = FIRST_PAUSE_SECONDS if monotonic() - begun > HEALTHY_SECONDS else pause
            sentence = f"The companion at Telegram has ended; it is started anew in {pause:.0f} s"
            log_warning("telegram.ended", sentence, code=code)
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _run(self) -> int | None:
        """Run it until it ends; return its exit code, None where the machine has no room for it."""
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program
                COMPANION,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment_without_keys(),
            )
        except OSError:
            return None
        with self._lock:
            self._process = process
            is_wanted = not self._stopping.is_set()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - asked for above
        with process.stdout:
            if is_wanted:
                with suppress(OSError):  # it has died already
                    process.stdin.write(self._order)
                    process.stdin.flush()
                for line in process.stdout:
                    self._tell(line)
            else:
                process.stdin.close()
        return process.wait()

    def _tell(self, line: bytes) -> None:
        try:
            event = CompanionEvent(json.loads(line)["event"])
        except (ValueError, LookupError, TypeError):
            return
        now = monotonic()
        if event in _ALL_WELL:
            self._told.clear()
            log_file_only(f"telegram.{event}", _ALL_WELL[event])
        elif event not in self._told or now - self._told[event] >= REPEAT_SECONDS:
            self._told[event] = now
            if event in _TROUBLES:
                log_error(f"telegram.{event}", _TROUBLES[event])
            else:
                log_warning(f"telegram.{event}", _NOTES[event])

    def stop(self) -> None:
        """Let it end with its pipe; kill it if it does not."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def companion_order(settings: Settings, config: Path) -> CompanionOrder:
    """Return what the companion is told: of the keys, the bot's token at Telegram alone."""
    telegram = settings.telegram
    return CompanionOrder(
        token=telegram.token.get_secret_value(),
        owner=int(telegram.chat_id.get_secret_value()),
        base_url=telegram.base_url,
        language=settings.language,
        config=str(config.absolute()),
        in_hand=str(settings.file(TELEGRAM_STATE).absolute()),
        settings=base64.b64encode(pickle.dumps(without_keys(settings))).decode(),
    )


def without_keys(settings: Settings) -> Settings:
    """Return the settings with every secret empty."""
    emptied = {
        section: getattr(settings, section).model_copy(
            update={key: SecretStr("") for place, key in SECRET_VARIABLES.values() if place == section}
        )
        for section, _ in SECRET_VARIABLES.values()
    }
    return settings.model_copy(update=emptied | {"notify": ()})


@contextmanager
def telegram_companion(settings: Settings, config: Path) -> Iterator[CompanionProcess | None]:
    """Have the owner's commands taken at Telegram during the block; nothing is started where he has no chat there."""
    if not settings.telegram.is_set:
        yield None
        return
    companion = CompanionProcess(settings, config)
    thread = threading.Thread(target=companion.supervise, name="telegram", daemon=True)
    thread.start()
    try:
        yield companion
    finally:
        companion.stop()
        thread.join(STOP_SECONDS)
