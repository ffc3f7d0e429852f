"""Questions that wait for a second tap. What a button means is kept here: the button itself has a number drawn by lot.

Each is answered once, within its time; after a restart none is known any more. Reads no clock.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from marsshot.telegram.chat_commands import Typed

CONFIRM_SECONDS = 60.0
YES, NO = "y", "n"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, in which message of the chat, and until when it can be answered."""

    typed: Typed
    message: int
    text: str
    until: float


class Confirmations:
    """The questions that are open. now: seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._open: dict[str, Question] = {}

    @staticmethod
    def draw() -> str:
        """Return the number of a question to come: nobody can guess it."""
        return secrets.token_urlsafe(16)

    def ask(self, number: str, typed: Typed, message: int, text: str, now: float) -> None:
        """Keep a question that stands in the chat."""
        self._open[number] = Question(typed, message, text, now + CONFIRM_SECONDS)

    def look_up(self, number: str) -> Question | None:
        """Return the question of a number, and leave it open."""
        return self._open.get(number)

    def take(self, number: str, now: float) -> Question | None:
        """Return the question of a number, once and in its time; None for any other."""
        question = self._open.pop(number, None)
        return question if question is not None and now < question.until else None

    def take_expired(self, now: float) -> list[Question]:
        """Return the questions that nobody has answered in time, and forget them."""
        late = [number for number, one in self._open.items() if now >= one.until]
        return [self._open.pop(number) for number in late]

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)


def button_data(answer: str, number: str) -> str:
    """Return what a button sends."""
    return f"{answer}.{number}"


def read_button(data: str) -> tuple[bool, str]:
    """Return whether what came says yes, and the question's number; any other text is the number of none."""
    answer, _, number = data.partition(".")
    return answer == YES, number if answer in {YES, NO} else ""
