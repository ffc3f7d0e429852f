"""Whether model.pkl is the model that model.json beside it speaks of: read and compared, never unpickled.

A pickle can run code: one that others could have put there is refused.
Light enough for the daemon, which hands the model itself to its scoring process.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marsshot.config.bot_files import USE_LIVES_MODEL, facts_path
from marsshot.config.data_sources import SOURCE_FACTS, DataSource
from marsshot.config.settings import Settings
from marsshot.config.training_settings import ScoreScale
from marsshot.core.catalog import LocalizedText, with_remedy
from marsshot.core.errors import InputError
from marsshot.infra.fingerprints import content_digest
from marsshot.model.score_scale import table_in


def own_or_live_file(settings: Settings, name: str) -> Path:
    """Return a file of the model that this mode goes by: paper and test take the live one where they have none."""
    own, live = settings.file(name), Path(name)
    return live if settings.mode in USE_LIVES_MODEL and not own.exists() and live.exists() else own


def model_error(fault: str, path: Path, **facts: object) -> InputError:
    """Return the error of a model file; what is wrong with it stands in the catalogue under fault.model."""
    return InputError(
        with_remedy(LocalizedText(f"fault.model.{fault}", path=path, **facts), LocalizedText("fault.model.remedy"))
    )


def read_verified(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a model file and its facts. Raises InputError with one line: the file and the remedy."""
    content = _read(path, is_code=True)
    beside = facts_path(path)
    facts = _facts(beside)
    if str(facts.get("sha256", "")).lower() != content_digest(content):
        raise model_error("other", path, facts=beside.name)
    return content, facts


def source_of(facts: Mapping[str, Any]) -> str:
    """Return the source of daily bars that a model was trained on; before there were two it was LunarCrush."""
    return str(facts.get("source", "lunarcrush"))


def source_name(facts: Mapping[str, Any]) -> str:
    """Return that source as people call it."""
    known = {str(key): value.name for key, value in SOURCE_FACTS.items()}
    return known.get(source_of(facts), source_of(facts))


def refuse_other_source(path: Path, facts: Mapping[str, Any], source: DataSource) -> None:
    """Raise InputError if a model was trained on the bars of another source than the one that it is to score."""
    if (trained := source_of(facts)) != source:
        raise model_error("other_source", path, trained=trained, set=source)


def refuse_unscaled(path: Path, facts: Mapping[str, Any], scale: ScoreScale) -> None:
    """Raise InputError if scores are to be ranks and the model, an older one, has no table of them."""
    if scale == "rank" and table_in(facts) is None:
        raise model_error("no_scale", path)


def _read(path: Path, *, is_code: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            if is_code:  # of the very file that is read: the name may mean another one a moment later
                _refuse_others_file(path, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        raise model_error("absent", path) from None
    except OSError as error:
        raise model_error("unreadable", path, why=error.strerror) from None


def _refuse_others_file(path: Path, status: os.stat_result) -> None:
    """Raise InputError where somebody else than this user and root may have made the file what it is."""
    if not hasattr(os, "geteuid"):
        return  # Windows has no such owners and rights
    if status.st_uid not in {os.geteuid(), 0}:
        raise InputError(LocalizedText("fault.model.foreign", path=path, user=str(os.geteuid())))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(LocalizedText("fault.model.writable", path=path))
    folder = path.absolute().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise InputError(LocalizedText("fault.model.open_folder", path=path, folder=folder))


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise model_error("no_json", path) from None
    if not isinstance(facts, dict):
        raise model_error("no_facts", path)
    return facts
