"""New data, a new model, the comparison with the one in use; and what the owner is told of it, with the numbers.

Which model stays is the promotion gate's to say; a running bot takes up a new one at its next daily pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from marsshot.config.bot_files import MODEL, candidate_path
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import InputError
from marsshot.model.integrity import read_verified
from marsshot.monitoring.messages import Kind, Message

SCRIPTS = ("build_csv.py", "train_model.py")


class RetrainingOutcome(StrEnum):
    """How it ended; texts stand in the catalogue under `retrain`."""

    REPLACED = "replaced"
    FIRST = "first"  # there was no model before
    KEPT = "kept"  # the new one is worse; it lies beside the one in use
    NO_DATA = "no_data"
    NOT_TRAINED = "not_trained"


@dataclass(frozen=True, slots=True)
class Retraining:
    """What came of it. facts: of the new model; empty where there is none. exit_code: of the script that failed."""

    outcome: RetrainingOutcome
    facts: Mapping[str, Any]
    exit_code: int = 0


def retrain(settings: Settings, config: Path, run: Callable[[str, Path], int]) -> Retraining:
    """Make data and model anew; the model in use changes only where the gate lets it.

    run: runs one of the scripts with these settings and returns its exit code.
    """
    model = settings.file(MODEL)
    old, old_candidate = _facts(model), _facts(candidate_path(model))
    data_script, training_script = SCRIPTS
    if code := run(data_script, config):
        return Retraining(RetrainingOutcome.NO_DATA, {}, code)
    code = run(training_script, config)
    new, candidate = _facts(model), _facts(candidate_path(model))
    if code == 0 and new:
        return Retraining(RetrainingOutcome.REPLACED if old else RetrainingOutcome.FIRST, new)
    if candidate and candidate != old_candidate:
        return Retraining(RetrainingOutcome.KEPT, candidate)
    return Retraining(RetrainingOutcome.NOT_TRAINED, {}, code or 1)


def retraining_message(done: Retraining, catalog: Catalog) -> Message:
    """Return what the owner is told."""
    is_trouble = done.outcome in {RetrainingOutcome.NO_DATA, RetrainingOutcome.NOT_TRAINED}
    told = [catalog.text(f"retrain.{done.outcome}"), *_figures(done, catalog)]
    return Message(
        title=catalog.text("retrain.title"),
        body=" ".join(told),
        kind=Kind.WARNING if is_trouble else Kind.INFO,
    )


def _figures(done: Retraining, catalog: Catalog) -> list[str]:
    if not done.facts:
        return []
    hold_out, gate = done.facts["hold_out"], done.facts["gate"]["figures"]
    lines = [
        catalog.text(
            "retrain.figures",
            precision=hold_out["average_precision"],
            base_rate=hold_out["base_rate"],
            dates=hold_out["dates"],
        )
    ]
    if gate:
        lines.append(
            catalog.text(
                "retrain.compared",
                new=gate["new_average_precision"],
                old=gate["old_average_precision"],
                dates=gate["dates"],
            )
        )
    lines.append(catalog.text("retrain.edge" if done.facts["verdict"]["edge"] else "retrain.no_edge"))
    return lines


def _facts(model: Path) -> Mapping[str, Any]:
    try:
        return read_verified(model)[1]
    except (InputError, OSError):
        return {}
