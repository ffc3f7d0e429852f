"""model.pkl and the facts beside it in model.json: written whole, and checked before anything is unpickled.

A pickle can run code and a model of other columns gives wrong numbers, so what does not match is refused.
Knows neither data nor rules.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from marsshot.config.bot_files import facts_path
from marsshot.infra.atomic_files import replace_file
from marsshot.infra.fingerprints import content_digest
from marsshot.model.features import AVAILABLE_COLUMNS
from marsshot.model.integrity import model_error, read_verified

# What a pickle of other libraries, or of none, is known to end with.
_NOT_LOADABLE = (
    pickle.UnpicklingError,
    zlib.error,
    InconsistentVersionWarning,
    ImportError,
    OSError,
    EOFError,
    MemoryError,
    RecursionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that may be asked, its facts, and the columns it was fitted on, in their order."""

    estimator: Any
    facts: dict[str, Any]
    features: tuple[str, ...]
    sha256: str


def save_model(estimator: Any, facts: dict[str, Any], path: Path) -> None:
    """Write the model and, beside it, its facts and digest. Raises OSError; then the old files are untouched."""
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer, compress=3)
    content = buffer.getvalue()
    facts = {**facts, "sha256": content_digest(content)}
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for target in (path, facts_path(path)):
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a directory")
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    # Both are complete on disk before the first is renamed, so that the pair fits but for an instant.
    try:
        replace_file(scratch, content)
        replace_file(facts_path(path), text.encode())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def load_model(path: Path) -> LoadedModel:
    """Return the model of this file. Raises InputError with one line that names the file and the remedy."""
    content, facts = read_verified(path)
    _check_version(path, facts)
    estimator = _unpickle(path, content)
    return LoadedModel(estimator, facts, _columns_of(path, estimator), content_digest(content))


def _check_version(path: Path, facts: dict[str, Any]) -> None:
    """Refuse a model of another scikit-learn. Its Python does not matter: the scores are the same to the last bit."""
    versions = facts.get("versions")
    trained_with = versions.get("scikit-learn") if isinstance(versions, dict) else None
    if trained_with is not None and trained_with != sklearn.__version__:
        raise model_error("other_version", path, trained=trained_with, installed=sklearn.__version__)


def _unpickle(path: Path, content: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return joblib.load(io.BytesIO(content))
    except _NOT_LOADABLE as error:
        raise model_error("not_loadable", path, why=type(error).__name__) from None


def _columns_of(path: Path, estimator: Any) -> tuple[str, ...]:
    """Return the columns that a fitted classifier takes. Raises InputError if it is none, or takes others than ours."""
    if not callable(getattr(estimator, "predict_proba", None)):
        raise model_error("no_probabilities", path)
    columns = tuple(str(name) for name in getattr(estimator, "feature_names_in_", ()))
    if not columns:
        raise model_error("no_columns", path)
    if unknown := [name for name in columns if name not in AVAILABLE_COLUMNS]:
        raise model_error("other_columns", path, columns=", ".join(unknown))
    if 1 not in list(getattr(estimator, "classes_", ())):
        raise model_error("no_label", path)
    return columns
