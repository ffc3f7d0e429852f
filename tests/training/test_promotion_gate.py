"""The gate: a clearly worse model does not take the old one's place, on dates that neither was fitted on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from marsshot.model.features import FEATURES
from marsshot.model.model_files import save_model
from marsshot.training import forest_search
from marsshot.training.promotion_gate import MIN_DATES, Comparison, compare_with_old, encode_scores, gate_text
from tests.test_train_model import CONFIG, facts, run, some_data, write

LABEL = {"shift_days": 2, "threshold": "0.05"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 5)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 8)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def hold_out(data: pd.DataFrame, scores: Any, dates: int = 20) -> pd.DataFrame:
    """The last dates of the data with a new model's scores."""
    frame = data[["date", "symbol", "label"]].assign(score=scores, atr_to_close=data["atr"] / data["close"])
    last: pd.DataFrame = frame[frame["date"] > data["date"].max() - pd.Timedelta(days=dates)]
    return last


def old_model(data: pd.DataFrame, told: dict[str, Any]) -> None:
    """A forest that knows the RSI, as model.pkl, fitted on the first 40 dates, with these facts."""
    early = data[data["date"] < "2024-02-10"]
    save_model(forest_search.fit(early, FEATURES, {"n_estimators": 20}, 1, 1), told, Path("model.pkl"))


def noise(data: pd.DataFrame) -> Any:
    return np.random.default_rng(5).random(len(data))


def explained(found: Comparison) -> str:
    assert found.reason is not None
    return gate_text(found.reason, found.values)


DATA = some_data(dates=60, tokens=20).assign(label=lambda rows: (rows["rsi"] > 0.7).astype(int))
GOOD = DATA["rsi"].to_numpy()


def test_without_an_old_model_there_is_nothing_to_compare() -> None:
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, GOOD), LABEL, 3)
    assert (found.keeps_old, found.reason) == (False, None)


def test_an_old_model_is_judged_by_its_record_where_the_dates_are_the_same() -> None:
    record = {"hold_out": {"scores": encode_scores(hold_out(DATA, GOOD))}, "last_date": "2024-02-29", "label": LABEL}
    old_model(DATA, record)
    worse = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, noise(DATA)), LABEL, 3)
    assert worse.keeps_old and "the new model is clearly worse than the old one" in explained(worse)
    assert worse.figures is not None and worse.figures["dates"] == 20
    assert worse.figures["old_average_precision"] == pytest.approx(1.0, abs=1e-3)
    assert worse.figures["new_has_more_high"] < 0
    same = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, GOOD), LABEL, 3)
    assert not same.keeps_old and same.figures is not None and same.figures["new_has_more"] == 0


def test_after_its_training_an_old_model_is_asked_itself() -> None:
    old_model(DATA, {"last_date": "2024-02-09", "label": LABEL})
    worse = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, noise(DATA)), LABEL, 3)
    # From 10 February on, less the three days that the last training row and its label reach.
    assert worse.keeps_old and worse.figures is not None
    assert worse.figures["dates"] == 17 and "on 17 dates from 2024-02-13 on" in explained(worse)
    better = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, GOOD), LABEL, 3)
    assert not better.keeps_old and "not clearly worse" in explained(better)


@pytest.mark.parametrize(("last_date", "dates"), [("2024-02-12", MIN_DATES), ("2024-02-13", MIN_DATES - 1)])
def test_too_few_fair_dates_are_no_reason_to_stay(last_date: str, dates: int) -> None:
    old_model(DATA, {"last_date": last_date, "label": LABEL})
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, noise(DATA)), LABEL, 3)
    assert found.keeps_old is (dates >= MIN_DATES)
    if dates < MIN_DATES:
        assert f"there are {dates} dates that neither model was fitted on" in explained(found)


def test_dates_that_the_old_model_was_fitted_on_prove_nothing() -> None:
    old_model(DATA, {"last_date": "2024-02-29", "label": LABEL})
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, noise(DATA)), LABEL, 3)
    assert not found.keeps_old and "there are 0 dates" in explained(found)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"label": {"shift_days": 3, "threshold": "0.05"}}, "was trained on another label and is replaced"),
        ({"hold_out": {"scores": {"2024-02-29": "T0 x T1", "2024-02-28": 7}}}, "there are 0 dates"),
        ({"hold_out": "nothing"}, "there are 0 dates"),
        ({"last_date": "some day"}, "there are 0 dates"),
    ],
)
def test_an_old_model_that_cannot_be_compared_is_replaced_and_that_is_said(told: dict[str, Any], said: str) -> None:
    old_model(DATA, told)
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, noise(DATA)), LABEL, 3)
    assert not found.keeps_old and said in explained(found)


def test_an_old_model_that_is_broken_is_replaced_and_that_is_said() -> None:
    Path("model.pkl").write_text("what")
    Path("model.json").write_text("{}")
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, GOOD), LABEL, 3)
    assert not found.keeps_old and explained(found).startswith("The old model could not be compared and is replaced.")


def test_an_old_model_of_columns_that_the_file_lacks_is_replaced() -> None:
    wide = DATA.assign(turnover=1.0)
    forest = forest_search.fit(wide, (*FEATURES, "turnover"), {"n_estimators": 2}, 1, 1)
    save_model(forest, {"label": LABEL}, Path("model.pkl"))
    found = compare_with_old(Path("model.pkl"), DATA, hold_out(DATA, GOOD), LABEL, 3)
    assert not found.keeps_old and "wants turnover, which is not in the file" in explained(found)


# ------------------------------------------------------------------------------------------ the command


def old_one_that_is_far_better() -> dict[str, bytes]:
    """Train on data in which the RSI says all, then offer data of the same days in which it says nothing."""
    write(some_data(dates=100, tokens=10).assign(label=lambda rows: (rows["rsi"] > 0.7).astype(int)))
    assert run() == 0
    told = facts()
    worse = some_data(dates=100, tokens=10).assign(label=lambda rows: (rows["rsi"] > 0.7).astype(int))
    worse["rsi"] = np.random.default_rng(3).random(len(worse))
    write(worse)
    assert told["hold_out"]["average_precision"] > 0.9
    return {name: Path(name).read_bytes() for name in ("model.pkl", "model.json", "model_report.html")}


def test_a_clearly_worse_model_is_a_candidate_and_the_reason_is_the_last_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = old_one_that_is_far_better()
    capfd.readouterr()
    assert run() == 1
    assert {name: Path(name).read_bytes() for name in before} == before
    candidate = facts("model.candidate.json")
    assert candidate["gate"]["figures"]["new_has_more_high"] < 0
    assert Path("model.candidate.pkl").exists()
    assert "clearly worse" in Path("model_report.candidate.html").read_text()
    out, err = capfd.readouterr()
    assert "Verdict:" in out
    last = err.splitlines()[-1]
    assert last.startswith("model.pkl: the new model is clearly worse than the old one: average precision 0.")
    assert last.endswith("The old one stays, the new one is model.candidate.pkl (--force replaces the old one)")


@pytest.mark.slow
def test_force_replaces_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = old_one_that_is_far_better()
    assert run("--force") == 0
    assert Path("model.pkl").read_bytes() != before["model.pkl"] and not Path("model.candidate.pkl").exists()
    told = json.loads(Path("model.json").read_text())["gate"]
    assert told["is_forced"] is True and told["reason"].startswith("clearly_worse")
    assert "clearly worse" in capsys.readouterr().out
