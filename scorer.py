"""Runs ml_decision for the loop: in a child process, so that the daemon stays small and its checks go on meanwhile.

Where time is virtual it scores in this process.

Knows no rule; hands over symbols, hands back scores.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Protocol

from clock import Clock, SystemClock
from domain import Scoring
from errors import MarsShotError, TemporaryError
from events import say
from settings import Settings

LONGEST_SCORING_SECONDS = 4 * 3600.0  # a thousand tokens at ten a minute take less than half of it


class Scorer(Protocol):
    """Begins a scoring, and tells when it is there."""

    def begin(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Begin to score; a scoring under way is given up."""

    def result(self) -> Scoring | None:
        """Return the scores, or None while they are not there. Raises what the scoring raised; then it is over."""

    @property
    def busy(self) -> bool:
        """True from `begin` until `result` has given something else than None."""

    def stop(self) -> None:
        """Give up what is under way."""


class InlineScorer:
    """Scores while you wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._work: tuple[Sequence[str], Settings, Path] | None = None

    def begin(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Note what to score."""
        self._work = (symbols, settings, model_path)

    def result(self) -> Scoring | None:
        """Score now."""
        from ml_decision import score_tokens  # noqa: PLC0415 - heavy, and of no use to a process that never scores

        if self._work is None:
            return None
        (symbols, settings, model_path), self._work = self._work, None
        return score_tokens(symbols, settings, self._clock, model_path, lambda line: say("lunarcrush.wait", line))

    @property
    def busy(self) -> bool:
        """True between `begin` and `result`."""
        return self._work is not None

    def stop(self) -> None:
        """Forget what was to be scored."""
        self._work = None


class ChildScorer:
    """Scores in a process that ends with its answer."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._answers: Connection | None = None
        self._begun = 0.0

    def begin(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Start the process; the settings, secrets included, go through a pipe, not through its arguments."""
        self.stop()
        spawn = multiprocessing.get_context("spawn")
        self._answers, theirs = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=_score_and_answer, args=(theirs, tuple(symbols), settings, model_path), daemon=True
        )
        self._process.start()
        self._begun = monotonic()
        theirs.close()

    def result(self) -> Scoring | None:
        """Return the answer, or None while the process works. Raises TemporaryError if it died without one."""
        if self._process is None or self._answers is None:
            return None
        try:
            if not self._answers.poll():
                self._end_if_too_long()
                return None
            answer = self._answers.recv()
        except (EOFError, OSError):
            answer = TemporaryError("the scoring process ended without an answer (out of memory?)")
        self.stop()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Scoring)  # noqa: S101 - our own process's answer
        return answer

    def _end_if_too_long(self) -> None:
        if monotonic() - self._begun > LONGEST_SCORING_SECONDS:
            self.stop()
            raise TemporaryError("the scoring took too long and was ended")

    @property
    def busy(self) -> bool:
        """True while the process works or its answer waits."""
        return self._process is not None

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._answers is not None:
            self._answers.close()
        self._process = self._answers = None


def _score_and_answer(answers: Connection, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    from ml_decision import score_tokens  # noqa: PLC0415 - this process is made for it

    answer: Scoring | MarsShotError
    try:
        answer = score_tokens(symbols, settings, SystemClock(), model_path)
    except MarsShotError as error:
        answer = error
    with suppress(OSError):  # the bot has died meanwhile: nobody waits any more
        answers.send(answer)
