"""Whether model.pkl is the model that model.json beside it speaks of: read and compared, never unpickled.

Light enough for the daemon, which hands the model itself to its scoring process.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from errors import InputError

REMEDY = "make it with: python build_csv.py, then python train_model.py"


def read_checked(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a model file and its facts. Raises InputError with one line: the file and the remedy."""
    content = _read(path)
    facts_path = path.with_suffix(".json")
    facts = _facts(facts_path)
    if str(facts.get("sha256", "")).lower() != sha256(content).hexdigest():
        raise InputError(f"{path}: is not the model that {facts_path.name} speaks of (sha256 differs); {REMEDY}")
    return content, facts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {REMEDY}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is not JSON; {REMEDY}") from None
    if not isinstance(facts, dict):
        raise InputError(f"{path}: holds no facts of a model; {REMEDY}")
    return facts
