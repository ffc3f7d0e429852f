"""train_model.py: what it learns from, what it writes, and how it refuses a file that is not right."""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.metrics import average_precision_score

import train_model
from marsshot.core.errors import InputError
from marsshot.model.features import FEATURES, RATIOS
from marsshot.model.model_files import load_model
from marsshot.training import forest_search
from marsshot.training.cross_validation import PurgedWalkForward, hold_out
from marsshot.training.day_statistics import day_weights
from marsshot.training.forest_search import draw_candidates, search_forest
from marsshot.training.recipes import SEED, SMALL_DATA_ROWS

PLAIN = replace(SEED, columns=FEATURES)
OURS = ("model.pkl", "model.json", "model_report.html")
CONFIG = """
mode: live
tokens_daily: [FET]
training: {n_iter: 2}
strategy: {capital_initial: 1000, buy_threshold: 0.55, sell_threshold: 0.45, stop_loss_pct: 0.5,
  partial_take_profit_pct: 1.0, partial_take_profit_ratio: 0.2, trailing_trigger_pct: 3.0, trailing_pct: 0.3,
  big_gain_exception_pct: 4.0, check_interval_seconds: 300, daily_update_hour_utc: 0}
"""


def some_data(dates: int = 60, tokens: int = 6, seed: int = 0) -> pd.DataFrame:
    """Rows whose label leans on the RSI."""
    random = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=dates).repeat(tokens)
    rows = pd.DataFrame({"date": days, "symbol": [f"T{number}" for number in range(tokens)] * dates})
    rows["open"] = rows["high"] = rows["low"] = 1.0
    for name in FEATURES:
        rows[name] = random.random(len(rows))
    rows["label"] = (random.random(len(rows)) < 0.1 + 0.4 * rows["rsi"]).astype(int)
    return rows


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 5)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 8)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def write(rows: pd.DataFrame, name: str = "training_data.csv") -> None:
    rows.to_csv(name, index=False, date_format="%Y-%m-%d")


def run(*arguments: str) -> int:
    return train_model.main(["--jobs", "1", *arguments])


def facts(name: str = "model.json") -> dict[str, Any]:
    return dict(json.loads(Path(name).read_text()))


def search(rows: pd.DataFrame, seed: int = 1) -> forest_search.SearchResult:
    candidates = draw_candidates(len(rows), 4, seed, PLAIN)
    return search_forest(
        rows,
        PLAIN,
        label_days=2,
        candidates=candidates,
        seed=seed,
        jobs=1,
        workers=None,
        on_progress=lambda finished: None,
    )


# ------------------------------------------------------------------------------------------ what is made


def test_the_model_can_be_loaded_and_its_facts_say_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    rows = some_data()
    rows.loc[rows["date"] < "2024-01-04", "macd"] = np.nan
    write(rows)
    assert run() == 0
    loaded = load_model(Path("model.pkl"))
    assert loaded.features == FEATURES and loaded.estimator.n_jobs is None
    assert loaded.estimator.class_weight == "balanced_subsample" and loaded.estimator.n_estimators == 8
    told = facts()
    assert (told["rows"], told["dates"], told["first_date"], told["last_date"]) == (342, 57, "2024-01-04", "2024-02-29")
    assert told["symbols"] == [f"T{number}" for number in range(6)] and told["features"] == list(FEATURES)
    assert told["label"] == {"shift_days": 2, "threshold": "0.05"} and told["mode"] == "live" and told["seed"] == 42
    assert told["base_rate"] == rows[rows["macd"].notna()]["label"].mean()
    assert told["versions"]["scikit-learn"] == sklearn.__version__ and told["trained_at"].endswith("Z")
    assert told["search"]["tried"] == 2 and len(told["search"]["average_precision"]) == 3
    assert told["hold_out"]["dates"] == 11 and 0 < told["hold_out"]["average_precision"] < 1
    buy = told["hold_out"]["buy"]
    assert buy["threshold"] == "0.55" and 0 < buy["rows"] < 66 and 0 <= buy["hit_rate"] <= 1
    assert told["coverage"]["rows_left_out"] == 18 and told["coverage"]["rows_without"] == {"macd": 18}
    out = capsys.readouterr().out
    assert "average precision" in out and "base rate" in out and "buy from 0.55" in out
    assert "the model in the file is fitted on all rows" in out and "Verdict: No edge." in out
    assert out.splitlines()[-1] == "model.pkl is written; open model_report.html in a browser"


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_model_whether_sorted_by_date_or_by_token() -> None:
    write(some_data())
    run()
    first = Path("model.pkl").read_bytes()
    write(some_data().sort_values("symbol", kind="stable"))
    run("--output", "again.pkl")
    assert Path("again.pkl").read_bytes() == first
    run("--output", "other.pkl", "--seed", "7")
    assert Path("other.pkl").read_bytes() != first


@pytest.mark.slow
def test_several_threads_give_the_same_scores() -> None:
    write(some_data())
    run()
    train_model.main(["--jobs", "2", "--output", "two.pkl"])
    one, two = facts(), facts("two.json")
    assert [one[name] for name in ("parameters", "search", "hold_out")] == [
        two[name] for name in ("parameters", "search", "hold_out")
    ]
    assert one["sha256"] == two["sha256"]


def test_the_search_never_sees_the_hold_out_nor_labels_that_reach_into_it() -> None:
    rows = some_data()
    honest = search(rows)
    turned = rows.copy()
    first = rows["date"].iloc[honest.future].min()
    unseen = rows["date"] >= first - pd.Timedelta(days=3)  # two label days and one of embargo
    turned.loc[unseen, "label"] = 1 - turned.loc[unseen, "label"]
    turned.loc[rows["date"] >= first, "close"] = 1e9
    other = search(turned)
    assert (honest.parameters, honest.fold_scores) == (other.parameters, other.fold_scores)
    assert rows["date"].iloc[honest.past].max() < first - pd.Timedelta(days=3)


def test_the_hold_out_is_scored_by_a_model_of_the_past_with_the_parameters_found() -> None:
    rows = some_data()
    found = search(rows)
    past, future = hold_out(rows["date"].to_numpy(), 0.2, 2, 1)
    model = forest_search.fit(rows.iloc[past], FEATURES, found.parameters, 1, 1)
    scores = model.predict_proba(rows[list(FEATURES)].iloc[future])[:, 1]
    assert (scores == found.hold_out_scores).all()


def test_what_can_be_learnt_is_learnt() -> None:
    rows = some_data(dates=90, tokens=10)
    rows["label"] = (rows["rsi"] > 0.8).astype(int)
    found = search(rows)
    assert average_precision_score(rows["label"].to_numpy()[found.future], found.hold_out_scores) > 0.9


def test_each_candidate_is_told_of_and_no_candidate_is_drawn_twice() -> None:
    rows, told = some_data(), list[Any]()
    candidates = draw_candidates(len(rows), 5, 0, PLAIN)
    search_forest(
        rows, PLAIN, label_days=2, candidates=candidates, seed=0, jobs=1, workers=None, on_progress=told.append
    )
    assert [list(batch) for batch in told] == [[candidate] for candidate in candidates]
    everything = draw_candidates(100, 10_000, 0, SEED)
    assert len(everything) == np.prod([len(values) for values in SEED.search_space(100).values()])
    assert len({str(sorted(candidate.items(), key=str)) for candidate in everything}) == len(everything)


def test_the_ratios_are_learnt_from_where_the_file_has_them() -> None:
    rows = some_data(dates=90, tokens=10)
    random = np.random.default_rng(1)
    for name in RATIOS:
        rows[name] = random.random(len(rows))
    rows["label"] = (rows["turnover"] > 0.8).astype(int)
    write(rows.drop(columns="atr_to_close"))
    assert run() == 0
    told = facts()
    assert load_model(Path("model.pkl")).features == tuple(told["features"]) == (*FEATURES, *RATIOS[1:])
    assert told["importance"][0]["feature"] == "turnover" and told["importance"][0]["loses"] > 0.3
    low, high = told["feature_borders"]["turnover"]
    assert low < high and "close" not in told["feature_borders"]


def test_every_date_weighs_the_same_in_the_fit() -> None:
    """A day with 500 rows says that low RSIs rise, 60 days with 5 rows each say the opposite: they are heard."""
    random = np.random.default_rng(0)
    crowd = some_data(dates=1, tokens=500).assign(label=lambda rows: (rows["rsi"] < 0.5).astype(int))
    others = some_data(dates=61, tokens=5)[5:].assign(label=lambda rows: (rows["rsi"] > 0.5).astype(int))
    rows = pd.concat([crowd, others.assign(close=random.random(300))], ignore_index=True)
    forest = forest_search.fit(rows, FEATURES, {"n_estimators": 30, "max_depth": 3, "max_features": 1.0}, 1, 1)
    asked = others.assign(rsi=0.9)[list(FEATURES)]
    assert forest.predict_proba(asked)[:, 1].min() > 0.6


def test_the_search_scores_with_every_date_alike() -> None:
    rows = some_data()
    rows = rows[(rows["date"].dt.day % 2 == 0) | (rows["symbol"] == "T0")].reset_index(drop=True)
    found = search(rows)
    past = rows.iloc[found.past].reset_index(drop=True)
    dates = past["date"].to_numpy()
    _, test = list(PurgedWalkForward(3, 2, 1).split(dates, groups=dates))[-1]
    train = next(
        train for train, tested in PurgedWalkForward(3, 2, 1).split(dates, groups=dates) if tested[0] == test[0]
    )
    parameters = found.parameters | {"n_estimators": forest_search.SEARCH_TREES}
    forest = forest_search.new_forest(1, 1, **parameters)
    weights = day_weights(dates)
    forest.fit(past.loc[train, list(FEATURES)], past.loc[train, "label"].to_numpy(), sample_weight=weights[train])
    scores = forest.predict_proba(past.loc[test, list(FEATURES)])[:, 1]
    expected = average_precision_score(past.loc[test, "label"], scores, sample_weight=weights[test])
    assert found.fold_scores[-1] == pytest.approx(expected)


def test_on_large_data_a_deep_tree_sees_a_quarter_of_the_rows() -> None:
    space = SEED.search_space(SMALL_DATA_ROWS + 1)
    assert space["max_samples"] == (0.25,)
    assert set(space["max_depth"]) == {8, 12, None}


def test_what_is_sent_to_a_worker_needs_none_of_our_modules() -> None:
    watched = forest_search._ProgressSearch(forest_search.new_forest(1, 1), dict(SEED.search_space(100)))
    watched.on_progress = lambda finished: None
    assert b"forest_search" not in pickle.dumps(watched)


@pytest.mark.parametrize("label", [0, 1])
def test_a_hold_out_in_which_all_went_the_same_way_is_no_fault(capsys: pytest.CaptureFixture[str], label: int) -> None:
    rows = some_data()
    rows.loc[rows["date"] > "2024-02-15", "label"] = label
    write(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == 0
    told = facts()
    assert told["hold_out"]["base_rate"] == label and told["hold_out"]["average_precision"] is None
    assert told["importance"] == [] and told["verdict"]["edge"] is False
    assert "cannot be set beside volatility, ATR/close and chance" in capsys.readouterr().out


def test_n_iter_wins_over_the_settings() -> None:
    write(some_data())
    run("--n-iter", "3")
    assert facts()["search"]["tried"] == 3


# ------------------------------------------------------------------------------------------ bad input


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run into a fault with an older model present; it must stay as it was."""
    for name in OURS:
        Path(name).write_text("the old one")
    assert run(*arguments) == code
    assert {Path(name).read_text() for name in OURS} == {"the old one"}
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith(".")]
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.splitlines()[-1]


def with_cell(name: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        column: list[Any] = rows[name].tolist()
        return rows.assign(**{name: [*column[:7], value, *column[8:]]})

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (with_cell("close", "n/a"), "line 9: close 'n/a': a number is needed"),
        (with_cell("volume", "1,5"), "line 9: volume '1,5': a number is needed"),
        (with_cell("rsi", "inf"), "line 9: rsi 'inf': a finite number is needed"),
        (with_cell("atr", "-1e999"), "line 9: atr '-1e999': a finite number is needed"),
        (with_cell("label", 2), "line 9: label '2': 0 or 1 is needed"),
        (with_cell("label", ""), "line 9: label '': 0 or 1 is needed"),
        (with_cell("label", "0.5"), "line 9: label '0.5': 0 or 1 is needed"),
        (with_cell("symbol", ""), "line 9: symbol '': a ticker is needed"),
        (lambda rows: rows.drop(columns=["rsi", "label"]), "has no column rsi, label"),
        (lambda rows: rows.iloc[:0], "has no rows"),
        (with_cell("open", "n/a"), "line 9: open 'n/a': a number is needed"),
        (with_cell("symbol", "T 1"), "line 9: symbol 'T 1': a ticker is needed"),
        (lambda rows: rows.assign(more=1), "has an unknown column more; take it out"),
        (lambda rows: rows.rename(columns={"rsi": "RSI"}), "has no column rsi"),
        (lambda rows: rows.iloc[::-1], "line 8: date '2024-02-28': the days of a token must be in order (354 such"),
        (lambda rows: pd.concat([rows, rows.iloc[[3]]]), "line 362: row 'T3 2024-01-01': each token and day"),
        (lambda rows: rows.assign(date="01.02.2024"), "line 2: date '01.02.2024': a date such as 2024-12-31 is needed"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_place(
    capsys: pytest.CaptureFixture[str], change: Callable[[pd.DataFrame], pd.DataFrame], text: str
) -> None:
    write(change(some_data()))
    line = refused(capsys)
    assert line.startswith("training_data.csv") and text in line and "make it anew with: python build_csv.py" in line


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xff\xfe\x00", "is not a table"),
        (b"a,b\n1,2,3\n4,5\n", "is not a table"),
        (b'date,symbol\n"2024', "is not a table"),
        (b"date;symbol\n1;2\n", "has no column date"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    capsys: pytest.CaptureFixture[str], content: bytes | None, text: str
) -> None:
    if content is not None:
        Path("training_data.csv").write_bytes(content)
    line = refused(capsys)
    assert line.startswith("training_data.csv: ") and text in line and "build_csv.py" in line


def test_a_file_cut_in_the_middle_of_a_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    write(some_data())
    content = Path("training_data.csv").read_text()
    Path("training_data.csv").write_text(content[: len(content) - 30])
    assert "line 361" in refused(capsys)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (some_data(dates=29), "29 dates have all features, at least 30 are needed"),
        (some_data().assign(label=0), "every row has the label 0, both 0 and 1 are needed"),
        (some_data().assign(label=1), "every row has the label 1"),
        (some_data().assign(label=lambda rows: (rows["date"] > "2024-02-26").astype(int)), "too few rows are labelled"),
        (some_data().assign(alt_rank=np.nan), "no row has all features (none has alt_rank)"),
    ],
)
def test_data_that_nothing_can_be_learnt_from_is_refused(
    capsys: pytest.CaptureFixture[str], rows: pd.DataFrame, text: str
) -> None:
    write(rows)
    line = refused(capsys)
    assert line.startswith(f"training_data.csv: {text}") and "python build_csv.py --days" in line


def test_thirty_dates_are_enough() -> None:
    write(some_data(dates=30, tokens=12))
    assert run() == 0


def test_fewer_folds_when_a_class_is_rare() -> None:
    rows = some_data().assign(label=lambda rows: (rows["date"].dt.day % 20 == 1).astype(int))
    assert 1 <= len(search(rows).fold_scores) < 3


def test_a_huge_number_is_a_missing_one() -> None:
    rows = some_data()
    rows.loc[5, "market_cap"] = 1e300
    write(rows)
    assert run() == 0 and facts()["rows"] == 359


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--n-iter", "0"], "--n-iter: 0 is not allowed"),
        (["--jobs", "-1"], "--jobs: -1 is not allowed"),
        (["--seed", "-1"], "--seed: -1 is not allowed"),
        (["--output", "."], "--output: . cannot be the model's name"),
        (["--output", "nowhere/model.pkl"], "--output: nothing can be written in nowhere"),
        (["--input", "none.csv"], "none.csv: there is no such file"),
        (["--config", "none.yaml"], "none.yaml: there is no such file"),
    ],
)
def test_wrong_arguments_are_named(capsys: pytest.CaptureFixture[str], arguments: list[str], text: str) -> None:
    write(some_data())
    assert text in refused(capsys, *arguments)


def test_a_scheduler_needs_a_package_that_may_be_absent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    write(some_data())
    line = refused(capsys, "--scheduler", "tcp://127.0.0.1:1")
    assert "pip install -r requirements/distributed.txt" in line


def test_ctrl_c_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(forest_search, "fit", interrupt)
    write(some_data())
    assert refused(capsys, code=1) == "train_model.py: interrupted; no file was changed"


def test_a_disk_that_is_full_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    write(some_data())
    monkeypatch.setattr("os.fsync", full_disk)
    assert refused(capsys, code=1) == "model.pkl: cannot be written (No space left on device)"


def test_nothing_is_left_to_guess_when_only_the_report_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    write(some_data())
    Path("model_report.html").mkdir()
    assert run() == 1
    assert load_model(Path("model.pkl")).features == FEATURES
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "model_report.html: cannot be written (Is a directory); model.pkl is written and good"


def test_input_errors_carry_exit_code_two() -> None:
    assert InputError("x").exit_code == 2 and train_model.NotTrainedError("x").exit_code == 1
