"""The model's facts from model.json, and where its report and the backtest's lie. Reads, decides nothing."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from marsshot.config.bot_files import BACKTEST_FOLDER, BACKTEST_REPORT, MODEL_FACTS, MODEL_REPORT
from marsshot.config.settings import Settings
from marsshot.core.errors import InputError
from marsshot.dashboard.data.file_cache import read_or_empty
from marsshot.model.integrity import own_or_live_file, source_name

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


class Verdict(BaseModel):
    """Whether the model is better than what needs none, in words."""

    edge: bool
    words: str


class ModelCard(BaseModel):
    """What the page shows of model.json; the rest of that file is not looked at."""

    trained_at: datetime
    source: str = "lunarcrush"
    verdict: Verdict | None = None
    warnings: tuple[str, ...] = ()
    rows: int
    symbols: tuple[str, ...]
    first_date: date
    last_date: date
    base_rate: float
    hold_out: HoldOut

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
        raise InputError(
            f"{path}: {place or 'the file'}: {fault['msg']}; make it anew with: python train_model.py"
        ) from None
