"""What docs/EXPERIMENTS.md tells: feature sets, and settings of the forest, over rolling years of recorded bars.

    python benchmarks/model/features.py --data bars/daily.csv.gz [--part features|forests] [--days-apart 73]

Each year is split as train_model.py splits it: purged folds on the past, and the last fifth of the dates, which a
forest fitted on the past scores. Every line is set against the first one, year by year; +- is the standard error over
the years, which overlap, so it is rather too small.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.model.training_rows import LABEL_DAYS, YEAR, all_rows, rows_until  # noqa: E402
from marsshot.model.features import FEATURES, RATIOS  # noqa: E402
from marsshot.training import forest_search  # noqa: E402 - after the path
from marsshot.training.cross_validation import PurgedWalkForward, hold_out  # noqa: E402
from marsshot.training.day_statistics import Floats, average_precision, day_weights  # noqa: E402

TOKENS = 120
TREES = 60
BUY, SELL = 0.70, 0.30  # the thresholds of config.yaml
FIRST_END = "2021-10-18"
FOREST = {"min_samples_leaf": 35, "max_features": 0.75, "max_samples": 0.25, "max_depth": 7}

HISTORY = (
    *("volatility_5", "volatility_14", "volatility_30", "change_1", "change_3", "change_7", "change_14", "change_30"),
    *("volume_to_mean", "volume_change", "cap_change_7", "under_high_30", "over_low_30", "galaxy_change_7"),
)
RANKS = ("rank_volatility_14", "rank_change_7", "rank_volume_to_mean", "rank_atr_to_close")
BTC = ("btc_volatility_14", "btc_change_7", "btc_change_30", "beside_btc_7")
SETS: Mapping[str, tuple[str, ...]] = {
    "the seed's 11": FEATURES,
    "+ row ratios (adopted)": (*FEATURES, *RATIOS),
    "+ ATR/close alone": (*FEATURES, "atr_to_close"),
    "+ 14-day volatility": (*FEATURES, "volatility_14"),
    "+ ratios and history": (*FEATURES, *RATIOS, *HISTORY),
    "+ ranks of the day": (*FEATURES, *RANKS),
    "+ state of BTC": (*FEATURES, *BTC),
    "scale-free only": ("rsi", "btc_daily_change", "eth_daily_change", *RATIOS, *HISTORY[:8], "volume_to_mean"),
}
BY_THEMSELVES = ("volatility_14", "atr_to_close")
FORESTS: Mapping[str, Mapping[str, Any]] = {
    "depth 7, leaf 35, 0.75": FOREST,
    "depth 3, leaf 20, 0.5": {**FOREST, "max_depth": 3, "min_samples_leaf": 20, "max_features": 0.5},
    "depth 5, leaf 100, 0.35": {**FOREST, "max_depth": 5, "min_samples_leaf": 100, "max_features": 0.35},
    "depth 5, leaf 20, 1.0": {**FOREST, "max_depth": 5, "min_samples_leaf": 20, "max_features": 1.0},
    "depth 8, leaf 20, 0.5": {**FOREST, "max_depth": 8, "min_samples_leaf": 20, "max_features": 0.5},
    "depth 8, leaf 20, 1.0": {**FOREST, "max_depth": 8, "min_samples_leaf": 20, "max_features": 1.0},
    "depth 8, leaf 50, 1.0": {**FOREST, "max_depth": 8, "min_samples_leaf": 50, "max_features": 1.0},
    "depth 10, leaf 10, 1.0": {**FOREST, "max_depth": 10, "min_samples_leaf": 10, "max_features": 1.0},
    "no depth, leaf 20, 0.5": {**FOREST, "max_depth": None, "min_samples_leaf": 20, "max_features": 0.5},
    "all rows per tree": {**FOREST, "max_samples": None},
    "a tenth per tree": {**FOREST, "max_samples": 0.1},
}


def main() -> None:
    """Measure one part and show it."""
    parser = argparse.ArgumentParser(description="Compare feature sets and forests over rolling years.")
    parser.add_argument("--data", type=Path, required=True, help="a file of daily bars, as backtest.py takes it")
    parser.add_argument("--part", choices=("features", "forests"), default="features")
    parser.add_argument("--days-apart", type=int, default=73, help="days from one year's end to the next one's")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    rows = with_extra_features(all_rows(arguments.data))
    found: dict[str, list[Measured]] = {}
    bases = []
    for year in years(rows, arguments.days_apart):
        past, future = hold_out(year["date"], forest_search.HOLD_OUT_SHARE, LABEL_DAYS, forest_search.EMBARGO_DAYS)
        test = year.iloc[future]
        bases.append(float(np.average(test["label"], weights=day_weights(test["date"]))))
        if arguments.part == "features":
            for name, features in SETS.items():
                found.setdefault(name, []).append(measure(year, past, future, features, FOREST, arguments.jobs))
            for name in BY_THEMSELVES:
                found.setdefault(f"{name}, no model", []).append((np.nan, ap(test, test[name].to_numpy()), 0.0, 0.0))
        else:
            for name, forest in FORESTS.items():
                features = (*FEATURES, *RATIOS)
                found.setdefault(name, []).append(measure(year, past, future, features, forest, arguments.jobs))
    show(found, bases)


Measured = tuple[float, float, float, float]
"""Average precision on the folds, on the hold-out; shares of its rows at 0.70 or more, under 0.30."""


def years(rows: pd.DataFrame, days_apart: int) -> Iterator[pd.DataFrame]:
    """Yield the complete rows of each year, oldest first."""
    for last in pd.date_range(rows["date"].max(), FIRST_END, freq=f"-{days_apart}D")[::-1]:
        if last - pd.Timedelta(days=YEAR) >= rows["date"].min():
            yield rows_until(rows, last, TOKENS).dropna().reset_index(drop=True)


def measure(
    year: pd.DataFrame, past: Any, future: Any, features: Sequence[str], forest: Mapping[str, Any], jobs: int
) -> Measured:
    """Fit and score one forest on the folds and on the hold-out."""
    before = year.iloc[past]
    splitter = PurgedWalkForward(forest_search.SPLITS, LABEL_DAYS, forest_search.EMBARGO_DAYS)
    folds = [
        ap(before.iloc[test], scores_of(before.iloc[train], before.iloc[test], features, forest, jobs))
        for train, test in splitter.split(before, groups=before["date"].to_numpy())
    ]
    test = year.iloc[future]
    scores = scores_of(before, test, features, forest, jobs)
    return float(np.mean(folds)), ap(test, scores), float((scores >= BUY).mean()), float((scores < SELL).mean())


def scores_of(
    train: pd.DataFrame, test: pd.DataFrame, features: Sequence[str], forest: Mapping[str, Any], jobs: int
) -> Floats:
    """Return what a forest fitted on the one says of the other."""
    fitted = forest_search.fit(train, features, {**forest, "n_estimators": TREES}, 1, jobs)
    scores: Floats = fitted.predict_proba(test[list(features)])[:, 1]
    return scores


def ap(rows: pd.DataFrame, scores: Floats) -> float:
    """Return the average precision, every date alike."""
    return float(average_precision(rows["label"].to_numpy(), scores, day_weights(rows["date"])))


def with_extra_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with HISTORY, RANKS and BTC; all of them look back only."""
    by_day = {name: rows.pivot(index="date", columns="symbol", values=name).asfreq("D") for name in USED}
    close, volume, cap = by_day["close"].transform(np.log), by_day["volume"], by_day["market_cap"]
    change = close.diff()
    wide = {f"volatility_{days}": change.rolling(days, min_periods=days * 2 // 3).std() for days in (5, 14, 30)}
    wide |= {f"change_{days}": close.diff(days) for days in (1, 3, 7, 14, 30)}
    wide["volume_to_mean"] = volume / volume.rolling(20, min_periods=10).mean()
    wide["volume_change"] = volume / volume.shift()
    wide["cap_change_7"] = cap / cap.shift(7)
    wide["under_high_30"] = close - close.rolling(30, min_periods=20).max()
    wide["over_low_30"] = close - close.rolling(30, min_periods=20).min()
    wide["galaxy_change_7"] = by_day["galaxy_score"].diff(7)
    wide["atr_to_close"] = by_day["atr_to_close"]
    ranked = {name: wide[name.removeprefix("rank_")].rank(axis=1, pct=True) for name in RANKS}
    of_btc = {name: wide[name.removeprefix("btc_")]["BTC"] for name in BTC[:3]}
    days = by_day["close"].index.get_indexer(pd.DatetimeIndex(rows["date"]))
    tokens = by_day["close"].columns.get_indexer(pd.Index(rows["symbol"]))
    more = {name: values.to_numpy()[days, tokens] for name, values in (wide | ranked).items()}
    more |= {name: values.to_numpy()[days] for name, values in of_btc.items()}
    more["beside_btc_7"] = more["change_7"] - more["btc_change_7"]
    return rows.assign(**more).replace([np.inf, -np.inf], np.nan)


USED = ("close", "volume", "market_cap", "galaxy_score", "atr_to_close")


def show(found: Mapping[str, Sequence[Measured]], bases: Sequence[float]) -> None:
    """Show means over the years, and what each line has more than the first."""
    title = f"{len(bases)} years, base rate of the hold-outs {np.mean(bases):.3f}; average precision"
    table = Table(title=title, title_justify="left")
    for name in ("", "folds", "more", "+-", "hold-out", "more", "+-", "at 0.70 or more", "under 0.30"):
        table.add_column(name, justify="right" if name else "left")
    first = np.array(next(iter(found.values())))
    for name, measured in found.items():
        own = np.array(measured)
        cells = []
        for column in (0, 1):
            more = own[:, column] - first[:, column]
            cells += [own[:, column].mean(), more.mean(), more.std(ddof=1) / np.sqrt(len(more))]
        shown = ("" if np.isnan(cell) else f"{cell:.4f}" for cell in cells)
        shares = ("", "") if np.isnan(own[0, 0]) else (f"{own[:, 2].mean():.2%}", f"{own[:, 3].mean():.1%}")
        table.add_row(name, *shown, *shares)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
