"""The model's facts from model.json, and where its report and the backtest's lie. Reads, decides nothing."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from marsshot.config.bot_files import BACKTEST_FOLDER, BACKTEST_REPORT, MODEL_FACTS, MODEL_REPORT
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.dashboard.data.file_cache import read_or_empty
from marsshot.model.integrity import own_or_live_file, source_name
from marsshot.training.verdict import verdict_text, warning_text

REPORTS = ("model", "backtest")


class ThresholdResult(BaseModel):
    """The rows that scored beyond a threshold; the share of them that rose, None of none."""

    rows: int
    rose: float | None = Field(None, validation_alias=AliasChoices("hit_rate", "rose"))


class HoldOut(BaseModel):
    """How the model did on days that it had not seen."""

    rows: int
    first_date: date
    base_rate: float
    average_precision: float | None = None
    roc_auc: float | None = None
    buy: ThresholdResult | None = None
    sell: ThresholdResult | None = None


class Finding(BaseModel, extra="allow"):
    """Something that the figures show: the end of its sentence's key, and its values."""

    kind: str


class Verdict(BaseModel):
    """Whether the model is better than what needs none, and why; of an older version's file no reasons are known."""

    edge: bool
    reasons: tuple[Finding, ...] = ()


class ModelCard(BaseModel):
    """What the page shows of model.json; the rest of that file is not looked at."""

    trained_at: datetime
    source: str = "lunarcrush"
    verdict: Verdict | None = None
    warnings: tuple[Finding | str, ...] = ()  # prose, in an older version's file
    rows: int
    symbols: tuple[str, ...]
    first_date: date
    last_date: date
    base_rate: float
    hold_out: HoldOut

    @property
    def verdict_sentences(self) -> list[LocalizedText]:
        """Whether there is an edge, and why."""
        if self.verdict is None:
            return []
        reasons = verdict_text(one.model_dump() for one in self.verdict.reasons)
        return reasons or [LocalizedText("retrain.edge" if self.verdict.edge else "retrain.no_edge")]

    @property
    def warning_sentences(self) -> list[str]:
        """What its thresholds would have done that cannot be meant."""
        found = [one.model_dump() for one in self.warnings if isinstance(one, Finding)]
        return [*(one for one in self.warnings if isinstance(one, str)), *warning_text(found)]

    @property
    def source_name(self) -> str:
        """The source of its daily bars, as people call it."""
        return source_name({"source": self.source})


def model_facts_path(settings: Settings) -> Path:
    """Return the facts of the model that this mode goes by: paper mode takes the live one where it has none."""
    return own_or_live_file(settings, MODEL_FACTS)


def report_path(settings: Settings, name: str) -> Path | None:
    """Return the file of a report; None where there is none."""
    path = own_or_live_file(settings, MODEL_REPORT) if name == "model" else Path(BACKTEST_FOLDER) / BACKTEST_REPORT
    return path if path.is_file() else None


def read_model_card(path: Path) -> ModelCard | None:
    """Return the facts in the file, None where there is none. Raises InputError, OSError."""
    content = read_or_empty(path)
    if not content:
        return None
    try:
        return ModelCard.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        where = place or LocalizedText("server.fault.whole_file")
        told = LocalizedText("server.fault.odd_model", path=path, place=where, problem=fault["msg"])
        raise InputError(told) from None
