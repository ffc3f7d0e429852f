"""Whether model.pkl is the model that model.json beside it speaks of: read and compared, never unpickled.

Light enough for the daemon, which hands the model itself to its scoring process.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError


def model_error(fault: str, path: Path, **facts: object) -> InputError:
    """Return the error of a model file; what is wrong with it stands in the catalogue under fault.model."""
    return InputError(
        LocalizedText("fault.model.with_remedy", fault=LocalizedText(f"fault.model.{fault}", path=path, **facts))
    )


def read_verified(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a model file and its facts. Raises InputError with one line: the file and the remedy."""
    content = _read(path)
    facts_path = path.with_suffix(".json")
    facts = _facts(facts_path)
    if str(facts.get("sha256", "")).lower() != sha256(content).hexdigest():
        raise model_error("other", path, facts=facts_path.name)
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
