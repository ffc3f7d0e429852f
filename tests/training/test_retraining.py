"""Retraining: which model is in use afterwards, what the owner is told, and with which exit code it ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marsshot.core.catalog import Catalog
from marsshot.monitoring.messages import Kind
from marsshot.training.retraining import Retraining, RetrainingOutcome, retrain, retraining_message
from tests.helpers.builders import some_settings

MODEL, CANDIDATE = Path("model.paper.pkl"), Path("model.paper.candidate.pkl")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_model(path: Path, precision: float, *, edge: bool = False, gate: dict[str, Any] | None = None) -> None:
    """Write a model as far as retraining looks at one."""
    content = f"a model of {precision}".encode()
    path.write_bytes(content)
    path.chmod(0o600)
    facts = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "hold_out": {"average_precision": precision, "base_rate": 0.25, "dates": 60},
        "verdict": {"edge": edge},
        "gate": {"figures": gate},
    }
    path.with_suffix(".json").write_text(json.dumps(facts))


def scripts(**endings: Callable[[], int]) -> Callable[[str, Path], int]:
    """Return what runs a script; its name without .py gives the ending. One that is not named must not run."""
    return lambda script, _config: endings[script.removesuffix(".py")]()


def trained(path: Path, precision: float, code: int = 0, **facts: Any) -> Callable[[], int]:
    """Return a training that writes a model and ends with this code."""

    def run() -> int:
        write_model(path, precision, **facts)
        return code

    return run


def outcome_of(**endings: Callable[[], int]) -> Retraining:
    return retrain(some_settings(), Path("config.yaml"), scripts(**endings))


def test_a_first_model_is_told_as_that() -> None:
    done = outcome_of(build_csv=lambda: 0, train_model=trained(MODEL, 0.5))
    assert (done.outcome, done.exit_code) == (RetrainingOutcome.FIRST, 0)


def test_a_better_model_replaces_the_old_one() -> None:
    write_model(MODEL, 0.4)
    done = outcome_of(build_csv=lambda: 0, train_model=trained(MODEL, 0.5))
    assert (done.outcome, done.exit_code) == (RetrainingOutcome.REPLACED, 0)
    assert done.facts["hold_out"]["average_precision"] == 0.5


def test_a_worse_one_stays_beside_the_old_one_and_that_is_no_failure() -> None:
    write_model(MODEL, 0.4)
    before = MODEL.read_bytes()
    done = outcome_of(build_csv=lambda: 0, train_model=trained(CANDIDATE, 0.3, code=1))
    assert (done.outcome, done.exit_code) == (RetrainingOutcome.KEPT, 0)
    assert MODEL.read_bytes() == before


def test_a_candidate_of_an_earlier_day_is_not_taken_for_todays() -> None:
    write_model(MODEL, 0.4)
    write_model(CANDIDATE, 0.3)
    done = outcome_of(build_csv=lambda: 0, train_model=lambda: 1)
    assert (done.outcome, done.exit_code, done.facts) == (RetrainingOutcome.NOT_TRAINED, 1, {})


@pytest.mark.parametrize("code", [1, 2])
def test_without_data_nothing_is_trained(code: int) -> None:
    done = outcome_of(build_csv=lambda: code)
    assert (done.outcome, done.exit_code) == (RetrainingOutcome.NO_DATA, code)


def test_a_training_that_ends_with_0_and_leaves_no_model_is_a_failure() -> None:
    done = outcome_of(build_csv=lambda: 0, train_model=lambda: 0)
    assert (done.outcome, done.exit_code) == (RetrainingOutcome.NOT_TRAINED, 1)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("outcome", list(RetrainingOutcome))
def test_every_outcome_is_told(outcome: RetrainingOutcome, language: str) -> None:
    message = retraining_message(Retraining(outcome, {}), Catalog(language))  # type: ignore[arg-type]
    assert message.body
    assert (message.kind is Kind.WARNING) == (outcome in {RetrainingOutcome.NO_DATA, RetrainingOutcome.NOT_TRAINED})


def test_the_message_has_the_numbers() -> None:
    gate = {"new_average_precision": 0.31, "old_average_precision": 0.33, "dates": 41}
    write_model(MODEL, 0.4)
    done = outcome_of(build_csv=lambda: 0, train_model=trained(CANDIDATE, 0.30, code=1, gate=gate))
    assert retraining_message(done, Catalog("en")).body == (
        "The new model is worse than the one in use, which stays; the new one lies beside it. "
        "On 60 unseen days its average precision is 0.300; the base rate is 0.250. "
        "Against the old one, on 41 days that neither had seen: 0.310 and 0.330. By its report it has no edge."
    )
