"""model.pkl and model.json: what does not fit is refused, before anything in it can run."""

from __future__ import annotations

import json
import os
import pickle
import platform
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from marsshot.core.errors import InputError
from marsshot.model.features import FEATURES
from marsshot.model.integrity import read_verified
from marsshot.model.model_files import load_model, save_model

FACTS: dict[str, Any] = {"rows": 40, "versions": {"scikit-learn": sklearn.__version__}}


def rows(columns: tuple[str, ...] = FEATURES) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).random((40, len(columns))), columns=list(columns))


def fitted(model: Any = None, columns: tuple[str, ...] = FEATURES, labels: Any = None) -> Any:
    model = RandomForestClassifier(3, random_state=0) if model is None else model
    return model.fit(rows(columns), np.arange(40) % 2 if labels is None else labels)


def a_pair(folder: Path, model: Any = None, **facts: Any) -> Path:
    """Write a model as somebody else might have: right digest, any content."""
    path = folder / "model.pkl"
    joblib.dump(fitted() if model is None else model, path)
    facts = {**FACTS, "sha256": sha256(path.read_bytes()).hexdigest(), **facts}
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_model(path)
    text = str(caught.value)
    assert "\n" not in text and str(path.with_suffix("")) in text and "python train_model.py" in text
    assert caught.value.exit_code == 2
    return text


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    model, path = fitted(), tmp_path / "model.demo.pkl"
    save_model(model, FACTS, path)
    loaded = load_model(path)
    assert (loaded.estimator.predict_proba(rows()) == model.predict_proba(rows())).all()
    assert loaded.features == FEATURES
    assert loaded.facts == {**FACTS, "sha256": loaded.sha256}
    assert loaded.sha256 == sha256(path.read_bytes()).hexdigest()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.demo.json", "model.demo.pkl"]


@pytest.mark.parametrize("model", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())])
def test_any_classifier_with_probabilities_will_do(tmp_path: Path, model: Any) -> None:
    columns = ("rsi", "open", "eth_daily_change")
    assert load_model(a_pair(tmp_path, fitted(model, columns))).features == columns


def test_facts_need_no_more_than_the_digest(tmp_path: Path) -> None:
    path = a_pair(tmp_path)
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256(path.read_bytes()).hexdigest().upper()}))
    assert load_model(path).features == FEATURES


@pytest.mark.parametrize("python", ["3.11.2", "3.12.3", "3.13.5", "3.14.0"])
def test_a_model_of_another_python_is_taken_by_its_scikit_learn(tmp_path: Path, python: str) -> None:
    path = a_pair(tmp_path, versions={"python": python, "scikit-learn": sklearn.__version__})
    assert load_model(path).facts["versions"]["python"] == python


@pytest.mark.parametrize("python", ["3.11.2", platform.python_version()])
def test_and_refused_in_one_line_by_its_scikit_learn(tmp_path: Path, python: str) -> None:
    path = a_pair(tmp_path, versions={"python": python, "scikit-learn": "1.8.0"})
    with pytest.raises(InputError) as caught:
        load_model(path)
    told = str(caught.value)
    assert f"trained with scikit-learn 1.8.0, installed is {sklearn.__version__}" in told
    assert "\n" not in told and "train_model.py" in told


def test_a_missing_model_and_missing_facts_are_named(tmp_path: Path) -> None:
    assert "model.pkl: there is no such file" in refusal(tmp_path / "model.pkl")
    path = a_pair(tmp_path)
    path.with_suffix(".json").unlink()
    assert "model.json: there is no such file" in refusal(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe{"])
def test_facts_that_are_none_are_refused(tmp_path: Path, text: str | bytes) -> None:
    path = a_pair(tmp_path)
    path.with_suffix(".json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "model.json" in refusal(path)


class Bomb:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"sha256": "0" * 64}, "sha256 differs"),
        ({"sha256": None}, "sha256 differs"),
        ({"versions": {"scikit-learn": "0.1"}}, "was trained with scikit-learn 0.1"),
    ],
)
def test_what_does_not_match_is_refused_without_unpickling(tmp_path: Path, facts: dict[str, Any], text: str) -> None:
    trace = tmp_path / "trace"
    assert text in refusal(a_pair(tmp_path, Bomb(trace), **facts))
    assert not trace.exists()
    with pytest.raises(InputError):
        load_model(a_pair(tmp_path, Bomb(trace)))
    assert trace.exists()  # the bomb is a real one: only the checks before it kept it from running


def test_a_model_changed_by_one_byte_is_refused(tmp_path: Path) -> None:
    path = a_pair(tmp_path)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert "sha256 differs" in refusal(path)


def test_a_pickle_of_another_scikit_learn_is_refused_even_if_the_facts_say_nothing(tmp_path: Path) -> None:
    model = fitted(LogisticRegression())
    old = pickle.dumps(model).replace(sklearn.__version__.encode(), b"0.1.0")
    assert b"0.1.0" in old
    path = a_pair(tmp_path, versions=None)
    path.write_bytes(old)
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256(old).hexdigest()}))
    assert "cannot be loaded (InconsistentVersionWarning)" in refusal(path)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"a": 1}, "gives scores"),
        (fitted(LinearSVC()), "gives scores"),
        (RandomForestClassifier(), "named columns"),
        (RandomForestClassifier(2).fit(rows().to_numpy(), np.arange(40) % 2), "named columns"),
        (fitted(columns=("close", "rsi", "moon_phase")), "columns that there are none of: moon_phase"),
        (fitted(labels=np.zeros(40, int)), "never saw a label 1"),
        (fitted(labels=np.array(["up", "down"] * 20)), "never saw a label 1"),
    ],
)
def test_what_is_no_model_of_ours_is_refused(tmp_path: Path, model: Any, text: str) -> None:
    assert text in refusal(a_pair(tmp_path, model))


def test_a_truncated_pickle_with_a_matching_digest_is_refused(tmp_path: Path) -> None:
    path = a_pair(tmp_path)
    half = path.read_bytes()[:500]
    path.write_bytes(half)
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256(half).hexdigest()}))
    assert "cannot be loaded" in refusal(path)


def test_the_old_pair_stays_when_the_new_one_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    save_model(fitted(), FACTS, path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(fitted(LogisticRegression()), FACTS, path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_facts_that_are_not_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"):
        save_model(fitted(), {"score": float("nan")}, tmp_path / "model.pkl")
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------- whose file it is


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_model_that_its_owner_alone_may_write_is_loaded(tmp_path: Path, mode: int) -> None:
    path = a_pair(tmp_path)
    path.chmod(mode)
    assert load_model(path).features == FEATURES


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664, 0o646, 0o666, 0o777])
@pytest.mark.parametrize("name", ["model.pkl", "model.in_use.pkl"])
def test_a_model_that_others_may_write_is_refused_before_it_can_run(
    tmp_path: Path, mode: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib, "load", pytest.fail)
    pair = a_pair(tmp_path)
    path = pair.rename(tmp_path / name)
    pair.with_suffix(".json").rename(path.with_suffix(".json"))
    path.chmod(mode)
    with pytest.raises(InputError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: others than its owner may write it")
    assert str(caught.value).endswith(f"chmod go-w {path}")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("owner", "user", "loads"), [(1000, 1000, True), (0, 1000, True), (1001, 1000, False), (1001, 0, False)]
)
def test_a_model_of_the_bots_user_or_of_root_is_loaded_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, user: int, loads: bool
) -> None:
    path = a_pair(tmp_path)
    as_it_is = os.fstat

    def owned(descriptor: int) -> os.stat_result:
        status = list(as_it_is(descriptor))
        return os.stat_result([*status[:4], owner, *status[5:]])

    monkeypatch.setattr(os, "fstat", owned)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if loads:
        read_verified(path)
    else:
        with pytest.raises(InputError, match=f"belongs to neither .* sudo chown {user} "):
            read_verified(path)


@pytest.mark.parametrize(
    ("mode", "loads"), [(0o755, True), (0o775, True), (0o1777, True), (0o777, False), (0o757, False)]
)
def test_where_everybody_may_replace_files_no_model_is_believed(tmp_path: Path, mode: int, loads: bool) -> None:
    folder = tmp_path / "bot"
    folder.mkdir()
    path = a_pair(folder)
    folder.chmod(mode)
    if loads:
        assert load_model(path).features == FEATURES
    else:
        with pytest.raises(InputError, match=f"chmod o-w {folder}$"):
            load_model(path)


def test_of_a_link_the_file_counts(tmp_path: Path) -> None:
    path = a_pair(tmp_path)
    target = path.rename(tmp_path / "target.pkl")
    path.symlink_to(target)
    assert load_model(path).features == FEATURES
    target.chmod(0o666)
    with pytest.raises(InputError, match="others than its owner may write it"):
        load_model(path)


def test_a_model_is_saved_so_that_it_can_be_loaded_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        save_model(fitted(), FACTS, tmp_path / "model.pkl")
    finally:
        os.umask(before)
    assert load_model(tmp_path / "model.pkl").features == FEATURES
