"""Asks Telegram for what was written, one command at a time: what is handed out is confirmed there before it is done.

So a death in between loses a command, which is told, and never repeats one. Knows no command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from marsshot.infra.clock import SystemClock
from marsshot.monitoring.telegram_api import (
    CONFLICT,
    WRONG_TOKEN,
    TelegramApi,
    TelegramRefusedError,
    TelegramSilentError,
)
from marsshot.monitoring.telegram_order import CompanionEvent
from marsshot.telegram.updates import Ignored, Stranger, Update, read_update

POLL_SECONDS = 25
REQUEST_SECONDS = POLL_SECONDS + 10.0
_KINDS = ["message", "callback_query"]
_LIMIT = 50
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _OTHER_READER_SECONDS = 1.0, 60.0, 30.0
_TROUBLES_TO_TELL = 5  # in a row


class WrongTokenError(Exception):
    """Telegram knows no such bot: asking again mends nothing."""


class Polling:
    """The updates of one bot. report: is told of troubles; each wait is made by `sleep`."""

    def __init__(
        self,
        api: TelegramApi,
        owner: int,
        report: Callable[[CompanionEvent], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._owner = owner
        self._report = report
        self._sleep = sleep
        self._troubles = 0
        self._pause = _FIRST_PAUSE_SECONDS

    @property
    def now(self) -> datetime:
        """Now, by Telegram's clock as of its last answer: this machine's may be wrong."""
        return self._api.server_time or SystemClock().now()

    def poll(self, seconds: float = POLL_SECONDS) -> list[Update] | None:
        """Return what waits to be read, oldest first; None after a trouble, which was waited for.

        Without an offset: what was confirmed is gone, and numbers may begin anew after a quiet week. Raises
        WrongTokenError.
        """
        try:
            return self._ask({"timeout": int(seconds)})
        except TelegramSilentError:
            self._wait_after_silence()
        except TelegramRefusedError as error:
            self._wait_after_refusal(error)
        return None

    def confirm(self, number: int) -> list[Update] | None:
        """Let Telegram forget this update and those before it; return those after it, None where that failed.

        An answer that does not come is asked for again: to confirm twice is to confirm. Raises WrongTokenError.
        """
        for _ in range(3):
            try:
                return self._ask({"timeout": 0, "offset": number + 1})
            except TelegramSilentError:
                self._wait_after_silence()
            except TelegramRefusedError as error:
                self._wait_after_refusal(error)
                return None
        return None

    def _ask(self, fields: dict[str, object]) -> list[Update]:
        found = self._api.call("getUpdates", {"limit": _LIMIT, "allowed_updates": _KINDS, **fields})
        if self._troubles >= _TROUBLES_TO_TELL:
            self._report(CompanionEvent.HEARD_AGAIN)
        self._troubles, self._pause = 0, _FIRST_PAUSE_SECONDS
        return self._read(found)

    def _read(self, found: Any) -> list[Update]:
        updates = list[Update]()
        for content in found if isinstance(found, list) else []:
            try:
                updates.append(read_update(content, self._owner))
            except ValueError:
                continue  # cannot be confirmed either; the next one's number takes it along
        return updates

    def _wait_after_silence(self) -> None:
        self._troubles += 1
        if self._troubles == _TROUBLES_TO_TELL:
            self._report(CompanionEvent.SILENT)
        self._sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _wait_after_refusal(self, error: TelegramRefusedError) -> None:
        if error.code in WRONG_TOKEN:
            raise WrongTokenError from None
        if error.code != CONFLICT:
            self._sleep(error.retry_after_seconds or self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        elif self._remove_webhook():
            self._report(CompanionEvent.WEBHOOK_REMOVED)
        else:
            self._report(CompanionEvent.OTHER_READER)
            self._sleep(_OTHER_READER_SECONDS)

    def _remove_webhook(self) -> bool:
        """Return whether messages went to a webhook until now; what waits stays to be read."""
        try:
            if not self._api.call("getWebhookInfo").get("url"):
                return False
            self._api.call("deleteWebhook", {"drop_pending_updates": False})
        except (TelegramSilentError, TelegramRefusedError, AttributeError):
            return False
        return True


def first_of_owner(updates: Sequence[Update]) -> int:
    """Return the place of the first update that the owner has made; the number of updates where there is none."""
    places = (place for place, one in enumerate(updates) if not isinstance(one, Ignored | Stranger))
    return next(places, len(updates))
