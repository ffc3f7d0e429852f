"""Which model a pass is scored with: a new model.pkl is taken up when it has scored, a broken one is refused and told.

A copy of the last good one is kept beside it, so that "the old one stays in use" outlives a restart. Decides no trade.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from marsshot.bot.scoring_process import Scorer
from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence
from marsshot.core.domain import Scoring
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk, replace_whole
from marsshot.infra.event_log import alarm, say
from marsshot.model.integrity import read_checked


class ScoringDesk:
    """Gets scores from a scorer, with the model that is to be used."""

    def __init__(self, scorer: Scorer, model_path: Path, disk: Disk, kept_path: Path | None = None) -> None:
        self._scorer = scorer
        self._model_path = model_path
        self._kept_path = kept_path or model_path.with_name(f"{model_path.stem}.in_use{model_path.suffix}")
        self._disk = disk
        self._refused = ""  # what was last told of the new model
        self._asked: Path | None = None

    @property
    def busy(self) -> bool:
        """True while a scoring is under way."""
        return self._scorer.busy

    def check(self) -> None:
        """Raise InputError unless there is a model to score with."""
        self._choose()

    def scores(self, symbols: Collection[str], settings: Settings) -> Scoring | None:
        """Return the scores, or None while they are being made. Raises as the scorer does."""
        if not self._scorer.busy:
            self._asked = self._choose()
            _tell_beginning(len(symbols) + 2, settings.lunarcrush.requests_per_minute)
            self._scorer.begin(list(symbols), settings, self._asked)
        try:
            scoring = self._scorer.result()
        except InputError as error:
            if self._asked == self._kept_path or not self._is_good(self._kept_path):
                raise
            self._refuse(error)
            self._asked = self._kept_path
            self._scorer.begin(list(symbols), settings, self._kept_path)
            return None
        if scoring is not None and self._asked == self._model_path:
            self._keep()
        return scoring

    def stop(self) -> None:
        """Give up what is under way."""
        self._scorer.stop()

    def _choose(self) -> Path:
        try:
            read_checked(self._model_path)
        except InputError as error:
            if not self._is_good(self._kept_path):
                raise
            self._refuse(error)
            return self._kept_path
        return self._kept_path if self._refused == self._fingerprint() else self._model_path

    def _is_good(self, path: Path) -> bool:
        try:
            read_checked(path)
        except InputError:
            return False
        return True

    def _refuse(self, error: InputError) -> None:
        fingerprint = self._fingerprint()
        if fingerprint != self._refused:
            alarm("model.refused", Sentence("log.model_refused", why=error.said))
        self._refused = fingerprint

    def _fingerprint(self) -> str:
        try:
            status = self._model_path.stat()
        except OSError:
            return "absent"
        return f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"

    def _keep(self) -> None:
        """Keep a copy of the model that has just scored."""
        try:
            content, _ = read_checked(self._model_path)
            facts_path, kept_facts = self._model_path.with_suffix(".json"), self._kept_path.with_suffix(".json")
            if kept_facts.exists() and kept_facts.read_bytes() == facts_path.read_bytes():
                return
            replace_whole(self._disk, self._kept_path, content)
            replace_whole(self._disk, kept_facts, facts_path.read_bytes())
        except (InputError, OSError):
            return  # replaced this very moment, or no room: the next pass tries again
        self._refused = ""
        say("model.taken_up", Sentence("log.model_taken_up", path=self._model_path))


def _tell_beginning(coins: int, requests_per_minute: int) -> None:
    """Say that scores are being made, where that can take a while."""
    if coins > requests_per_minute:
        facts = {"coins": coins, "limit": requests_per_minute, "minutes": coins // requests_per_minute + 1}
        say("daily.scoring", Sentence("log.scoring", **facts))
