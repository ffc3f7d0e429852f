"""The model's facts from model.json, and where its report and the backtest's lie. Reads, decides nothing."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from marsshot.config.settings import Settings
from marsshot.core.errors import InputError
from marsshot.dashboard.data.file_cache import read_or_empty

MODEL_FACTS, MODEL_REPORT = "model.json", "model_report.html"
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
    verdict: Verdict | None = None
    warnings: tuple[str, ...] = ()
    rows: int
    symbols: tuple[str, ...]
    first_date: date
    last_date: date
    base_rate: float
    hold_out: HoldOut


def model_facts_path(settings: Settings) -> Path:
    """Return the facts of the model that this mode goes by: paper mode takes the live one where it has none."""
    return _own_or_live(settings, MODEL_FACTS)


def report_path(settings: Settings, name: str) -> Path | None:
    """Return the file of a report; None where there is none."""
    path = _own_or_live(settings, MODEL_REPORT) if name == "model" else Path("backtest") / "report.html"
    return path if path.is_file() else None


def _own_or_live(settings: Settings, name: str) -> Path:
    own = settings.file(name)
    return Path(name) if settings.mode == "paper" and not own.exists() and Path(name).exists() else own


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
