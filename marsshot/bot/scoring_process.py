"""Runs ml_decision for the loop: in a child process, so that the daemon stays small and its checks go on meanwhile.

Where time is virtual it scores in this process.

Knows no rule; hands over symbols, hands back scores.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Protocol

from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.core.scores import Scoring
from marsshot.infra.child_processes import module_command, module_environment
from marsshot.infra.clock import Clock, SystemClock
from marsshot.infra.event_log import log_info

# How an answer ends that the files of the next version have written, beside a loop that is still of this one.
_OF_ANOTHER_VERSION = (AttributeError, ImportError, TypeError, ValueError, LookupError, pickle.UnpicklingError)
MAX_SCORING_SECONDS = 4 * 3600.0  # a thousand tokens at ten a minute take less than half of it


class ScoringProcess(Protocol):
    """Begins a scoring, and tells when it is there."""

    def start(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Begin to score; a scoring under way is given up."""

    def result(self) -> Scoring | None:
        """Return the scores, or None while they are not there. Raises what the scoring raised; then it is over."""

    @property
    def busy(self) -> bool:
        """True from `start` until `result` has given something else than None."""

    def stop(self) -> None:
        """Give up what is under way."""


class InlineScoringProcess:
    """Scores while you wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._work: tuple[Sequence[str], Settings, Path] | None = None

    def start(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Note what to score."""
        self._work = (symbols, settings, model_path)

    def result(self) -> Scoring | None:
        """Score now."""
        from ml_decision import score_tokens  # noqa: PLC0415 - heavy, and of no use to a process that never scores

        if self._work is None:
            return None
        (symbols, settings, model_path), self._work = self._work, None
        return score_tokens(symbols, settings, self._clock, model_path, lambda line: log_info("source.wait", line))

    @property
    def busy(self) -> bool:
        """True between `start` and `result`."""
        return self._work is not None

    def stop(self) -> None:
        """Forget what was to be scored."""
        self._work = None


class ChildScoringProcess:
    """Scores in a process that ends with its answer; nothing of it stays in this one.

    A plain child process: multiprocessing would load the daemon's main module into it as well, and leave a helper
    process of its own behind for good.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._started_at = 0.0

    def start(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        """Start the process; the settings, secrets included, go through a pipe, not through its arguments.

        Raises TemporaryError where the machine has no room for it.
        """
        self.stop()
        command = module_command(__name__)
        try:
            self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open until the answer is there
            self._process = subprocess.Popen(  # noqa: S603 - this module
                command, stdin=subprocess.PIPE, stdout=self._output, env=module_environment()
            )
        except OSError as error:
            self.stop()
            raise TemporaryError(LocalizedText("fault.scores.not_started", why=error.strerror)) from None
        self._started_at = monotonic()
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with suppress(BrokenPipeError), self._process.stdin as question:  # it may have died: result() tells
            question.write(pickle.dumps((tuple(symbols), settings, model_path)))

    def result(self) -> Scoring | None:
        """Return the answer, or None while the process works. Raises TemporaryError if it died without one."""
        if self._process is None or self._output is None:
            return None
        if self._process.poll() is None:
            self._end_if_too_long()
            return None
        self._output.seek(0)
        content = self._output.read()
        self.stop()
        if not content.endswith(pickle.STOP):
            raise TemporaryError(LocalizedText("fault.scores.died"))
        try:
            answer = pickle.loads(content)  # noqa: S301 - our own process's answer
        except _OF_ANOTHER_VERSION:
            raise TemporaryError(LocalizedText("fault.scores.other_version")) from None
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Scoring):
            raise TemporaryError(LocalizedText("fault.scores.other_version"))
        return answer

    def _end_if_too_long(self) -> None:
        if monotonic() - self._started_at > MAX_SCORING_SECONDS:
            self.stop()
            raise TemporaryError(LocalizedText("fault.scores.too_long"))

    @property
    def busy(self) -> bool:
        """True while the process works or its answer waits."""
        return self._process is not None

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._output is not None:
            self._output.close()
        self._process = self._output = None


def _child_main() -> None:
    """Score what stdin asks for, and leave the answer, or the error, on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no part of the answer
    symbols, settings, model_path = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    from ml_decision import score_tokens  # noqa: PLC0415 - this process is made for it

    answer: Scoring | MarsShotError
    try:
        answer = score_tokens(symbols, settings, SystemClock(), model_path)
    except MarsShotError as error:
        answer = _plain(error)
    with answers:
        pickle.dump(answer, answers)


def _plain(error: MarsShotError) -> MarsShotError:
    """Return the error as one of errors.py: unpickling another would load its module, numpy too, into the daemon."""
    kinds = [kind for kind in type(error).__mro__ if kind.__module__ == MarsShotError.__module__]
    plain: MarsShotError = kinds[0](*error.faults)
    return plain


if __name__ == "__main__":
    _child_main()
