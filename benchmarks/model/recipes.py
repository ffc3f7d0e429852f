"""The recipes of `training.recipe` beside ATR/close alone, and both scales of the score, over rolling windows.

    python benchmarks/model/recipes.py --data daily_cmc_2016_2020.csv.gz daily.csv.gz [--days-apart 73] [--candidates 3]

Each window ends with 73 days that nothing was fitted on; before them lie one year of history, or three. Each side is
searched and fitted as train_model.py does it, with fewer candidates and trees, and scores those days. +- is the
standard error over the windows, whose histories overlap, so it is rather too small.
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

from benchmarks.model.training_rows import LABEL_DAYS, YEAR, all_rows, rows_until  # noqa: E402 - after the path
from marsshot.model.score_scale import quantiles_of, rank_of  # noqa: E402
from marsshot.training import forest_search, out_of_sample  # noqa: E402
from marsshot.training.day_statistics import Floats, average_precision, day_weights  # noqa: E402
from marsshot.training.evaluation import picks  # noqa: E402
from marsshot.training.forward_returns import with_forward_returns  # noqa: E402
from marsshot.training.out_of_sample import out_of_sample_scores  # noqa: E402
from marsshot.training.recipes import SCALE_FREE, SEED, Recipe  # noqa: E402

TOKENS, TEST_DAYS, SEARCHED, TREES = 120, 73, 20, 50
BUY = 0.70
SIDES: Mapping[str, tuple[Recipe, int]] = {
    "seed": (SEED, YEAR),
    "scale_free": (SCALE_FREE, YEAR),
    "scale_free, three years": (SCALE_FREE, 3 * YEAR),
}
REACHED = ("days_with_none", "days_with_one_or_two", "days_with_over_half")


def main() -> None:
    """Measure every side on every window and show the means."""
    parser = argparse.ArgumentParser(description="Compare the recipes with ATR/close alone over rolling windows.")
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="files of daily bars, as backtest.py takes")
    parser.add_argument("--days-apart", type=int, default=TEST_DAYS, help="from one window's end to the next one's")
    parser.add_argument("--candidates", type=int, default=3, help="forests that each search tries")
    parser.add_argument("--sides", nargs="+", choices=[*SIDES], default=[*SIDES])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    forest_search.SEARCH_TREES, forest_search.FINAL_TREES, out_of_sample.TREES = SEARCHED, TREES, SEARCHED
    found: list[dict[str, float]] = []
    for path in arguments.data:
        for last, past, test in windows(all_rows(path), arguments.days_apart):
            found.append(measure(past, test, arguments))
            one = found[-1]
            shown = ", ".join(f"{name} {one[name] - one['ATR/close alone']:+.4f}" for name in arguments.sides)
            sys.stderr.write(f"{path.name} {last:%Y-%m-%d} {len(past)} rows: {shown}\n")
    show(pd.DataFrame(found), arguments.sides)


def windows(rows: pd.DataFrame, days_apart: int) -> Iterator[tuple[pd.Timestamp, pd.DataFrame, pd.DataFrame]]:
    """Yield each window's last day, up to three years before its test, and the test: complete rows of the same tokens.

    The tokens are those traded most in the window's last year.
    """
    first_end = rows["date"].min() + pd.Timedelta(days=3 * YEAR)
    complete = rows.dropna()
    for last in pd.date_range(rows["date"].max(), first_end, freq=f"-{days_apart}D")[::-1]:
        chosen = rows_until(rows, last, TOKENS)["symbol"].unique()
        mine = complete[complete["symbol"].isin(chosen) & (complete["date"] <= last)]
        begin = last - pd.Timedelta(days=TEST_DAYS)
        gap = pd.Timedelta(days=LABEL_DAYS + forest_search.EMBARGO_DAYS)
        past = mine[(mine["date"] <= begin - gap) & (mine["date"] > last - pd.Timedelta(days=3 * YEAR))]
        yield last, past.reset_index(drop=True), mine[mine["date"] > begin].reset_index(drop=True)


def measure(past: pd.DataFrame, test: pd.DataFrame, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the average precision of every side on the test, and what 0.70 reaches on both scales."""
    whole = pd.concat([past, test], ignore_index=True)
    frame = with_forward_returns(whole, test, test["atr_to_close"].to_numpy(), LABEL_DAYS)
    known = frame["volatility"].notna()
    found = {
        "base rate": float(np.average(test["label"], weights=day_weights(test["date"]))),
        "ATR/close alone": ap(test, test["atr_to_close"].to_numpy()),
        "14-day volatility alone": ap(frame[known], frame.loc[known, "volatility"].to_numpy()),
    }
    for name in arguments.sides:
        recipe, days = SIDES[name]
        rows = past[past["date"] > test["date"].max() - pd.Timedelta(days=days)].reset_index(drop=True)
        parameters = searched(rows, recipe, arguments)
        model = forest_search.fit(rows, recipe.columns, parameters, 1, arguments.jobs, recipe)
        scores = forest_search.predict_scores(model, test[list(recipe.columns)])
        found[name] = ap(test, scores)
        if recipe.line_on:
            forest = model.estimators_[0]
            found[f"{name}, without the line"] = ap(
                test, forest_search.predict_scores(forest, test[list(recipe.columns)])
            )
        found |= {f"{name} raw {key}": value for key, value in reached(frame, scores).items()}
        if name != "scale_free":
            continue  # one side is enough to show what ranks do, and their table takes long
        own = out_of_sample_scores(rows, recipe.columns, parameters, 1, arguments.jobs, recipe, LABEL_DAYS)
        table = tuple(quantiles_of(own.to_list()))
        ranks = np.array([float(rank_of(score, table)) for score in scores.tolist()])
        found |= {f"{name} rank {key}": value for key, value in reached(frame, ranks).items()}
    return found


def searched(rows: pd.DataFrame, recipe: Recipe, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that train_model.py's search finds."""
    return forest_search.search_forest(
        rows,
        recipe,
        label_days=LABEL_DAYS,
        candidates=forest_search.draw_candidates(len(rows), arguments.candidates, 1, recipe),
        seed=1,
        jobs=arguments.jobs,
        workers=None,
        on_progress=lambda _: None,
    ).parameters


def reached(frame: pd.DataFrame, scores: Floats) -> dict[str, float]:
    """Return the shares of days on which 0.70 is reached by no token, by one or two, by more than half."""
    row = picks(frame, scores >= BUY)
    return {key: row[key] for key in REACHED}


def ap(rows: pd.DataFrame, scores: Floats) -> float:
    """Return the average precision, every date alike."""
    return float(average_precision(rows["label"].to_numpy(), scores, day_weights(rows["date"])))


def show(found: pd.DataFrame, sides: Sequence[str]) -> None:
    """Show the means over the windows: ranking beside ATR/close alone and the seed, and the days that 0.70 reaches."""
    console = Console(width=120)
    names = [name for name in found.columns if " raw " not in name and " rank " not in name]
    table = Table(title=f"{len(found)} windows of {TEST_DAYS} days, average precision in points", title_justify="left")
    for name in ("", "mean", "more than ATR/close", "better in", "more than the seed"):
        table.add_column(name, justify="right" if name else "left")
    for name in names:
        more = 100 * (found[name] - found["ATR/close alone"])
        cells = [f"{100 * found[name].mean():.2f}", with_error(more), f"{int((more > 0).sum())} of {len(more)}"]
        table.add_row(name, *cells, with_error(100 * (found[name] - found["seed"])) if "seed" in found else "")
    console.print(table)
    reach = Table(title=f"Share of the days on which {BUY:.2f} is reached by", title_justify="left")
    for name in ("", "no token", "one or two", "over half"):
        reach.add_column(name, justify="right" if name else "left")
    for name in sides:
        for scale in ("raw", "rank"):
            if f"{name} {scale} {REACHED[0]}" in found:
                reach.add_row(f"{name}, {scale}", *(f"{found[f'{name} {scale} {key}'].mean():.0%}" for key in REACHED))
    console.print(reach)


def with_error(values: pd.Series) -> str:
    """Return the mean and its standard error."""
    return f"{values.mean():+.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


if __name__ == "__main__":
    main()
