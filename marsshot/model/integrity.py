"""Whether model.pkl is the model that model.json beside it speaks of: read and compared, never unpickled.

Light enough for the daemon, which hands the model itself to its scoring process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marsshot.config.bot_files import facts_path
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText, with_remedy
from marsshot.core.errors import InputError
from marsshot.infra.fingerprints import content_digest


def own_or_live_file(settings: Settings, name: str) -> Path:
    """Return a file of the model that this mode goes by: paper mode takes the live one where it has none of its own."""
    own, live = settings.file(name), Path(name)
    return live if settings.mode == "paper" and not own.exists() and live.exists() else own


def model_error(fault: str, path: Path, **facts: object) -> InputError:
    """Return the error of a model file; what is wrong with it stands in the catalogue under fault.model."""
    return InputError(
        with_remedy(LocalizedText(f"fault.model.{fault}", path=path, **facts), LocalizedText("fault.model.remedy"))
    )


def read_verified(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a model file and its facts. Raises InputError with one line: the file and the remedy."""
    content = _read(path)
    beside = facts_path(path)
    facts = _facts(beside)
    if str(facts.get("sha256", "")).lower() != content_digest(content):
        raise model_error("other", path, facts=beside.name)
    return content, facts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise model_error("absent", path) from None
    except OSError as error:
        raise model_error("unreadable", path, why=error.strerror) from None


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise model_error("no_json", path) from None
    if not isinstance(facts, dict):
        raise model_error("no_facts", path)
    return facts
