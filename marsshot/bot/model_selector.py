"""Which model a daily update is scored with: a new model.pkl once it has scored; a broken one is refused and told.

A copy of the last good one is kept beside it, so that "the old one stays in use" outlives a restart. Decides no trade.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from marsshot.bot.scoring_process import ScoringProcess
from marsshot.config.bot_files import facts_path
from marsshot.config.data_sources import DataSource
from marsshot.config.settings import Settings
from marsshot.config.training_settings import ScoreScale
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.scores import Scoring
from marsshot.infra.atomic_files import Disk, replace_atomically
from marsshot.infra.event_log import log_error, log_info
from marsshot.infra.fingerprints import Fingerprint, file_fingerprint
from marsshot.model.integrity import read_verified, refuse_other_source, refuse_unscaled


class ModelSelector:
    """Gets scores from a scoring process, with the model that is to be used."""

    def __init__(
        self,
        process: ScoringProcess,
        model_path: Path,
        fallback_path: Path,
        disk: Disk,
        source: DataSource = "lunarcrush",
        scale: ScoreScale = "raw",
    ) -> None:
        self._process = process
        self._model_path = model_path
        self._fallback_path = fallback_path
        self._disk = disk
        self._source: DataSource = source
        self._scale: ScoreScale = scale
        self._refused: tuple[Fingerprint | None, ...] = ()  # what was last told of: that file, or that there is none
        self._requested_model: Path | None = None

    @property
    def busy(self) -> bool:
        """True while a scoring is under way."""
        return self._process.busy

    def check(self) -> None:
        """Raise InputError unless there is a model to score with."""
        self._select()

    def _refuse_unfit(self, path: Path) -> None:
        """Raise InputError where a model does not fit the settings."""
        facts = read_verified(path)[1]
        refuse_other_source(path, facts, self._source)
        refuse_unscaled(path, facts, self._scale)

    def scores(self, symbols: Collection[str], settings: Settings) -> Scoring | None:
        """Return the scores, or None while they are being made. Raises as the scoring process does."""
        if not self._process.busy:
            self._scale = settings.strategy.score_scale  # may change while the bot runs
            self._requested_model = self._select()
            _log_start(len(symbols) + 2, settings)
            self._process.start(list(symbols), settings, self._requested_model)
        try:
            scoring = self._process.result()
        except InputError as error:
            if self._requested_model == self._fallback_path or not self._is_good(self._fallback_path):
                raise
            self._refuse(error)
            self._requested_model = self._fallback_path
            self._process.start(list(symbols), settings, self._fallback_path)
            return None
        if scoring is not None and self._requested_model == self._model_path:
            self._save_fallback()
        return scoring

    def stop(self) -> None:
        """Give up what is under way."""
        self._process.stop()

    def _select(self) -> Path:
        try:
            self._refuse_unfit(self._model_path)
        except InputError as error:
            if not self._is_good(self._fallback_path):
                raise
            self._refuse(error)
            return self._fallback_path
        return self._fallback_path if self._refused == (file_fingerprint(self._model_path),) else self._model_path

    def _is_good(self, path: Path) -> bool:
        try:
            self._refuse_unfit(path)
        except InputError:
            return False
        return True

    def _refuse(self, error: InputError) -> None:
        fingerprint = (file_fingerprint(self._model_path),)
        if fingerprint != self._refused:
            log_error("model.refused", LocalizedText("log.model_refused", why=error.message))
        self._refused = fingerprint

    def _save_fallback(self) -> None:
        """Keep a copy of the model that has just scored."""
        try:
            content, _ = read_verified(self._model_path)
            facts, kept_facts = facts_path(self._model_path), facts_path(self._fallback_path)
            if kept_facts.exists() and kept_facts.read_bytes() == facts.read_bytes():
                return
            replace_atomically(self._disk, self._fallback_path, content)
            replace_atomically(self._disk, kept_facts, facts.read_bytes())
        except (InputError, OSError):
            return  # replaced this very moment, or no room: the next daily update tries again
        self._refused = ()
        log_info("model.taken_up", LocalizedText("log.model_taken_up", path=self._model_path))


def _log_start(coins: int, settings: Settings) -> None:
    """Say that scores are being made, where that can take a while."""
    limit = settings.source_requests_per_minute
    if coins > limit:
        facts = {"coins": coins, "limit": limit, "minutes": coins // limit + 1}
        log_info("daily.scoring", LocalizedText("log.scoring", source=settings.source_name, **facts))
