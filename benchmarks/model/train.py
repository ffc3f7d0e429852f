"""train_model.py beside the search that it replaces, both on the same rows and the same last fifth of the dates.

    pip install -r requirements/benchmarks.txt
    python benchmarks/model/train.py --data bars/daily.csv.gz [--last 2024-12-29] [--tokens 150] [--candidates 10]
    python benchmarks/model/train.py --input training_data.csv

The search that it replaces: 70 candidates on 9 shuffled folds, SMOTE and scaling inside each, scored by F1, forests of
100 to 500 trees. Of it a fraction is measured (some of the candidates, one of the folds, a few trees each) and
extrapolated to all of them; its best candidate by that fraction is then fitted whole. Ours is run whole, as a command.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import joblib
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import ParameterSampler, StratifiedKFold
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.model.training_rows import LABEL_DAYS, all_rows, rows_until  # noqa: E402 - after the path
from marsshot.infra.csv_text import csv_text  # noqa: E402
from marsshot.model.features import FEATURES, features_in, has_features  # noqa: E402
from marsshot.model.model_files import load_model  # noqa: E402
from marsshot.training.cross_validation import hold_out  # noqa: E402
from marsshot.training.day_statistics import average_precision, day_weights  # noqa: E402
from marsshot.training.forest_search import EMBARGO_DAYS, HOLD_OUT_SHARE  # noqa: E402
from marsshot.training.training_data import read_training_data  # noqa: E402

SPACE: Mapping[str, list[Any]] = {
    "n_estimators": [100, 200, 300, 500],
    "max_depth": [None, 10, 15, 20],
    "min_samples_split": [2, 5, 10],
    "min_samples_leaf": [1, 2, 5],
    "max_features": ["sqrt", "log2", None],
    "bootstrap": [True, False],
}
CANDIDATES, FOLDS, SEED = 70, 9, 42
TREES_TIMED = 5
BATCH, CORES = 150, 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One side: seconds of the training, what its model is worth on the hold-out, and what it costs to use."""

    wall: float
    cpu: float
    average_precision: float
    megabytes: float
    load_seconds: float
    batch_milliseconds: float


def main() -> None:
    """Measure both sides and show them."""
    parser = argparse.ArgumentParser(description="Compare train_model.py with the search that it replaces.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="a file of daily bars, as backtest.py takes it")
    source.add_argument("--input", type=Path, help="a training_data.csv")
    parser.add_argument("--last", default="2024-12-29", help="last day of the year that is taken from --data")
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--candidates", type=int, default=10, help="how many of the other side's 70 are measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.input:
            content = arguments.input.read_bytes()
        else:
            content = csv_text(rows_until(all_rows(arguments.data), pd.Timestamp(arguments.last), arguments.tokens))
        os.chdir(folder)
        Path("rows.csv").write_bytes(content)
        data = read_training_data(Path("rows.csv"))
        rows = data[has_features(data, features_in(data.columns)).all(axis=1)].reset_index(drop=True)
        ours, theirs = run_ours(rows), run_reference_search(rows, arguments.candidates)
    show(len(rows), rows["symbol"].nunique(), ours, theirs, arguments.candidates)


def run_ours(rows: pd.DataFrame) -> Measured:
    """Run train_model.py in this folder, with its default search."""
    Path("config.yaml").write_text((ROOT / "config.yaml").read_text())
    command = [sys.executable, str(ROOT / "train_model.py"), "--input", "rows.csv", "--output", "ours.pkl"]
    start = perf_counter()
    process = subprocess.Popen([*command, "--jobs", str(CORES)], stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - start
    if status:
        raise SystemExit("train_model.py failed")
    facts = json.loads(Path("ours.json").read_text())
    model = load_model(Path("ours.pkl"))
    batch = rows[list(model.features)].tail(BATCH)
    return Measured(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        average_precision=facts["hold_out"]["average_precision"],
        megabytes=Path("ours.pkl").stat().st_size / 1e6,
        load_seconds=seconds_of(lambda: load_model(Path("ours.pkl")), 5),
        batch_milliseconds=1000 * seconds_of(lambda: model.estimator.predict_proba(batch), 20),
    )


def run_reference_search(rows: pd.DataFrame, candidates: int) -> Measured:
    """Measure a fraction of the other search, and fit the best candidate of it on the dates before the hold-out."""
    past, future = hold_out(rows["date"], HOLD_OUT_SHARE, LABEL_DAYS, EMBARGO_DAYS)
    values, labels = rows[list(FEATURES)].to_numpy(), rows["label"].to_numpy()
    drawn = list(ParameterSampler(SPACE, CANDIDATES, random_state=SEED))
    chosen = drawn[:: -(-len(drawn) // candidates)]
    tried = [try_candidate(values[past], labels[past], candidate) for candidate in chosen]
    search = float(np.mean([cpu for cpu, _ in tried])) * CANDIDATES * FOLDS
    best = chosen[int(np.argmax([score for _, score in tried]))]
    start = process_time()
    model = pipeline({**best, "n_jobs": CORES}).fit(values[past], labels[past])
    refit = process_time() - start
    model.set_params(randomforestclassifier__n_jobs=None)
    scores = model.predict_proba(values[future])[:, 1]
    stored = io.BytesIO()
    joblib.dump(model, stored)

    def load() -> None:
        stored.seek(0)
        joblib.load(stored)

    test = rows.iloc[future]
    return Measured(
        wall=search / CORES + refit,  # its search has two processes, its last fit one thread
        cpu=search + refit,
        average_precision=float(average_precision(test["label"].to_numpy(), scores, day_weights(test["date"]))),
        megabytes=stored.getbuffer().nbytes / 1e6,
        load_seconds=seconds_of(load, 3),
        batch_milliseconds=1000 * seconds_of(lambda: model.predict_proba(values[-BATCH:]), 10),
    )


def try_candidate(values: Any, labels: Any, candidate: Mapping[str, Any]) -> tuple[float, float]:
    """Return the CPU seconds that one of its folds takes, extrapolated from a few trees, and F1 on that fold."""
    train, test = next(StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(values, labels))
    start = process_time()
    StandardScaler().fit_transform(values[train])
    SMOTE(random_state=SEED).fit_resample(values[train], labels[train])
    fixed = process_time() - start
    start = process_time()
    few = pipeline({**candidate, "n_estimators": TREES_TIMED}).fit(values[train], labels[train])
    score = float(f1_score(labels[test], few.predict(values[test])))
    trees = process_time() - start - fixed
    return fixed + trees * candidate["n_estimators"] / TREES_TIMED, score


def pipeline(parameters: Mapping[str, Any]) -> Any:
    """Return the steps of the other side."""
    return make_pipeline(
        StandardScaler(), SMOTE(random_state=SEED), RandomForestClassifier(random_state=SEED, **parameters)
    )


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """Return the median of the seconds that this takes."""
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return median(taken)


def show(rows: int, tokens: int, ours: Measured, theirs: Measured, candidates: int) -> None:
    """Show both sides and the ratios."""
    table = Table(title=f"{rows} rows of {tokens} tokens, {CORES} cores", title_justify="left")
    for name in ("", "the search replaced", "MarsShot", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    lines = {
        "training, seconds on the clock": ("wall", "{:.0f}"),
        "training, CPU seconds": ("cpu", "{:.0f}"),
        "average precision on the hold-out": ("average_precision", "{:.4f}"),
        "model file, MB": ("megabytes", "{:.1f}"),
        "loading it, seconds": ("load_seconds", "{:.2f}"),
        f"{BATCH} tokens in one call, milliseconds": ("batch_milliseconds", "{:.1f}"),
    }
    for name, (field, form) in lines.items():
        before, after = getattr(theirs, field), getattr(ours, field)
        table.add_row(name, form.format(before), form.format(after), f"{before / after:.2f}")
    console = Console(width=110)
    console.print(table)
    console.print(
        f"Its training is extrapolated from {candidates} of {CANDIDATES} candidates, 1 of {FOLDS} folds and "
        f"{TREES_TIMED} trees each; the clock supposes that {CORES} cores halve the search. Its last fit, file, "
        "loading and scores are measured, on the dates before the hold-out; ours fits, besides, the model on all rows.",
        highlight=False,
    )


if __name__ == "__main__":
    main()
