"""A source's requests, tried again at growing intervals; once only where several tokens in a row were asked in vain.

Knows no source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.clock import Clock
from marsshot.market_data.base import NotTrackedError

Answer = TypeVar("Answer")
MAX_WAIT_SECONDS = 120.0
MAX_FAILED_TOKENS = 3  # so many failures in a row: the source is down, further tokens get one attempt each


class TryAgainError(TemporaryError):
    """This attempt failed; the next one may not."""


class SourceRetries:
    """Tries what raises TryAgainError up to so many times. notify is told, in a line, of each wait."""

    def __init__(self, attempts: int, clock: Clock, notify: Callable[[str], None]) -> None:
        self._max_attempts = attempts
        self._notify = notify
        self._failures_in_a_row = 0
        self._retrying = Retrying(
            sleep=clock.sleep,
            stop=lambda state: state.attempt_number >= self._attempts,
            wait=_wait_seconds,
            retry=retry_if_exception_type(TryAgainError),
            before_sleep=self._report_wait,
            reraise=True,
        )

    def __call__(self, attempt: Callable[..., Answer], *arguments: object) -> Answer:
        """Return the answer. Raises what the last attempt does; that a token is not tracked is an answer, too."""
        try:
            answer: Answer = self._retrying(attempt, *arguments)
        except TryAgainError:
            self._failures_in_a_row += 1
            raise
        except NotTrackedError:
            self._failures_in_a_row = 0
            raise
        self._failures_in_a_row = 0
        return answer

    @property
    def _attempts(self) -> int:
        return self._max_attempts if self._failures_in_a_row < MAX_FAILED_TOKENS else 1

    def _report_wait(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, MarsShotError) and state.next_action is not None:
            self._notify(LocalizedText("source.try_again", why=error.message, seconds=state.next_action.sleep))


def _wait_seconds(state: RetryCallState) -> float:
    """Return 2, 4, 8, 16 s, or what the source asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked: float | None = getattr(error, "retry_after_seconds", None)
    if asked is None:
        return 2.0**state.attempt_number
    return min(max(asked, 1.0), MAX_WAIT_SECONDS)
