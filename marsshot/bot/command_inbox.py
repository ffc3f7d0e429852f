"""The owner's word as the bot has heard it, and the bot's answers, for the commands that wait for them.

Reads and writes control files only, through control.py. Carries nothing out, and holds no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from marsshot.bot.control_files import Control, Heard
from marsshot.core.errors import TemporaryError
from marsshot.infra.event_log import say, warn


class Hearing:
    """What one bot has heard."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._heard = control.word()
        self._answer = Heard(self._heard.paused)

    def listen(self) -> bool:
        """Hear the owner's word; return whether the pass has been asked for since the last time."""
        before, self._heard = self._heard, self._control.word()
        return self._heard.asks_for_daily and not before.asks_for_daily

    def is_called(self) -> bool:
        """Return whether the owner has said something that has not been heard yet. Never raises."""
        try:
            return self._control.word() != self._heard
        except OSError:  # a disk in trouble; the next cycle meets it where that is told
            return False

    def answer_about_the_pass(self, *, is_settled: bool) -> None:
        """Take the request for today's pass away, which a command waits for, if it was heard and is settled.

        Settled: the pass is done, or was tried and has to wait (why stands in the diary by then), or its day is over.
        """
        if not (self._heard.asks_for_daily and is_settled):
            return
        try:
            self._control.daily_answered()
        except TemporaryError as error:
            warn("control.not_answered", error.said)
        else:
            self._heard = self._heard._replace(asks_for_daily=False)  # so that the next request is heard as one

    def answer(self, left: Mapping[str, tuple[str, str]], *, sold_all: bool) -> None:
        """Tell what was heard of pausing and selling, and what could not be sold and why, if that is new.

        sold_all: it is the answer to SELL_ALL.
        """
        heard = Heard(bool(self._control.paused()), sold_all, left)
        if not sold_all and heard == replace(self._answer, sold_all=False):
            return
        if heard.paused is not self._answer.paused:
            sentence = "Buying is paused; exits go on" if heard.paused else "Buying is allowed again"
            say("control.heard", sentence, paused=heard.paused)
        self._answer = replace(heard, sold_all=sold_all or bool(heard.left) or bool(self._answer.left))
        try:
            self._control.answer(self._answer)
        except OSError as error:
            warn("control.not_answered", f"The answer to your command cannot be written ({error.strerror})")
