"""What the recipes are made of, and what training with each comes to: from the file of rows to model.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import train_model
from marsshot.core.errors import InputError
from marsshot.model.features import AVAILABLE_COLUMNS, CHANGES, FEATURES, RATIOS
from marsshot.model.integrity import refuse_unscaled
from marsshot.model.model_files import load_model
from marsshot.model.score_scale import rank_of, table_in
from marsshot.training import forest_search
from marsshot.training.out_of_sample import BLOCKS, out_of_sample_scores
from marsshot.training.recipes import RECIPES, SCALE_FREE, SEED
from ml_decision import hit_bands, score_rows

CONFIG = """
mode: live
tokens_daily: [FET]
training: {{n_iter: 2, recipe: {recipe}, label: {label}}}
strategy: {{capital_initial: 1000, buy_threshold: 0.7, sell_threshold: 0.3, stop_loss_pct: 0.5, score_scale: {scale},
  partial_take_profit_pct: 1.0, partial_take_profit_ratio: 0.2, trailing_trigger_pct: 3.0, trailing_pct: 0.3,
  big_gain_exception_pct: 4.0, check_interval_seconds: 300, daily_update_hour_utc: 0}}
"""
PARAMETERS = {"max_depth": 3, "min_samples_leaf": 0.01, "max_features": 0.5, "max_samples": 0.5, "n_estimators": 10}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 5)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 10)
    return tmp_path


def market(dates: int = 150, tokens: int = 15, seed: int = 0, signal: float = 0.0) -> pd.DataFrame:
    """Random walks of unequal volatility; with a signal the RSI knows the next two days as far as it goes."""
    random = np.random.default_rng(seed)
    spread = random.uniform(0.02, 0.08, tokens)
    closes = 10 * np.exp(np.cumsum(random.normal(0, 1, (dates, tokens)) * spread, axis=0))
    later = np.zeros_like(closes)
    later[:-2] = closes[2:] / closes[:-2] - 1
    days = pd.date_range("2024-01-01", periods=dates)
    rows = pd.DataFrame({"date": days.repeat(tokens), "symbol": [f"T{n:02d}" for n in range(tokens)] * dates})
    rows["open"] = rows["high"] = rows["low"] = rows["close"] = closes.ravel()
    for name in (*FEATURES, *RATIOS):
        if name != "close":
            rows[name] = random.random(len(rows))
    rows["rsi"] = 50 + 10 * random.standard_normal(len(rows)) + (100 * signal * later / spread).ravel() / 10
    rows["atr_to_close"] = (spread * random.uniform(0.8, 1.2, closes.shape)).ravel()
    rows["atr"] = rows["atr_to_close"] * rows["close"]
    rows["label"] = (later >= 0.05).ravel().astype(int)
    return rows[days.repeat(tokens) <= days[-3]]


def trained(rows: pd.DataFrame, recipe: str = "scale_free", label: str = "rise", scale: str = "rank") -> dict[str, Any]:
    Path("config.yaml").write_text(CONFIG.format(recipe=recipe, label=label, scale=scale))
    rows.to_csv("training_data.csv", index=False, date_format="%Y-%m-%d")
    assert train_model.main(["--jobs", "1", "--force"]) == 0
    return dict(json.loads(Path("model.json").read_text()))


# ------------------------------------------------------------------------------------------ what they are made of


def test_the_scale_free_recipe_knows_no_price_no_cap_and_no_change_of_the_market() -> None:
    learnt = SCALE_FREE.for_file(AVAILABLE_COLUMNS).columns
    assert learnt == ("galaxy_score", "alt_rank", "sentiment", "rsi", *RATIOS)
    assert not {*CHANGES, "close", "volume", "market_cap", "macd", "atr"} & {*learnt}
    assert SEED.for_file(AVAILABLE_COLUMNS).columns == (*FEATURES, *RATIOS)


def test_of_a_source_without_scores_the_prices_are_left() -> None:
    absent = ("market_cap", "galaxy_score", "alt_rank", "sentiment")
    assert SCALE_FREE.for_file(AVAILABLE_COLUMNS, absent).columns == ("rsi", *RATIOS[:-1])


@pytest.mark.parametrize(("dates", "fitted"), [(729, 729), (730, 365), (1094, 547), (1095, 365)])
def test_of_two_years_every_second_date_is_fitted_and_of_three_every_third(dates: int, fitted: int) -> None:
    days = pd.date_range("2022-01-01", periods=dates).repeat(3).to_numpy()
    chosen = SCALE_FREE.fitted_dates(days)
    assert chosen.sum() == 3 * fitted and chosen[-3:].all() and SEED.fitted_dates(days).all()


def test_a_forest_is_shallow_and_a_leaf_is_a_share_of_the_rows() -> None:
    for rows in (5_000, 50_000):
        space = SCALE_FREE.search_space(rows)
        assert set(space["max_depth"]) <= {3, 4, 5}
        assert all(isinstance(leaf, float) and 0 < leaf < 0.05 for leaf in space["min_samples_leaf"])


def test_a_larger_atr_never_lowers_a_score() -> None:
    rows = market()
    columns = SCALE_FREE.for_file(rows.columns).columns
    model = forest_search.fit(rows, columns, PARAMETERS, 1, 1, SCALE_FREE)
    asked = pd.concat([rows[list(columns)].head(1)] * 50, ignore_index=True).assign(
        atr_to_close=np.linspace(0, 0.3, 50)
    )
    assert (np.diff(forest_search.predict_scores(model, asked)) >= 0).all()


# ------------------------------------------------------------------------------------------ training with them


@pytest.mark.slow
def test_a_model_can_be_loaded_and_scores_on_both_scales() -> None:
    rows = market()
    told = trained(rows)
    assert (told["recipe"], told["hold_out"]["scale"]) == ("scale_free", "rank")
    model = load_model(Path("model.pkl"))
    assert model.features == SCALE_FREE.columns and model.estimator.estimators_[0].n_jobs is None
    table = table_in(model.facts)
    assert table is not None
    raw, ranked = (score_rows(rows.tail(15), model, scale) for scale in ("raw", "rank"))
    for one, other in zip(raw, ranked, strict=True):
        assert one.probability is not None and one.raw is None and other.raw == one.probability
        assert other.probability == rank_of(float(one.probability), table)
    assert hit_bands(model, "rank") and not hit_bands(model, "raw")


@pytest.mark.slow
def test_the_ranks_of_the_hold_out_go_by_scores_from_before_it() -> None:
    told = trained(market())
    thresholds = {row["threshold"]: row for row in told["hold_out"]["thresholds"]}
    assert thresholds["0.70"]["raw"] > thresholds["0.30"]["raw"]
    share = thresholds["0.70"]["rows"] / told["hold_out"]["rows"]
    assert 0.15 < share < 0.5  # about three of ten lie at or above the rank of 0.70


@pytest.mark.slow
def test_each_row_of_the_last_year_is_scored_by_a_model_that_knew_nothing_near_it() -> None:
    rows = market(dates=60)
    columns = SCALE_FREE.for_file(rows.columns).columns
    honest = out_of_sample_scores(rows, columns, PARAMETERS, 1, 1, SCALE_FREE, 2)
    assert len(honest) == len(rows) and honest.index.is_unique
    days = rows["date"].unique()
    block = np.array_split(days, BLOCKS)[2]
    near = (rows["date"] >= block[0] - pd.Timedelta(days=3)) & (rows["date"] <= block[-1] + pd.Timedelta(days=3))
    turned = rows.assign(label=np.where(near, 1 - rows["label"], rows["label"]))
    again = out_of_sample_scores(turned, columns, PARAMETERS, 1, 1, SCALE_FREE, 2)
    inside = rows["date"].isin(block)
    assert honest[inside].equals(again[inside]) and not honest[~inside].equals(again[~inside])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_on_a_random_walk_there_is_no_edge(seed: int) -> None:
    assert trained(market(seed=seed))["verdict"]["edge"] is False


@pytest.mark.slow
def test_a_planted_signal_is_an_edge() -> None:
    verdict = trained(market(dates=260, signal=1.5))["verdict"]
    assert verdict["edge"] is True and {"above.atr_alone", "top_tenth"} <= {one["kind"] for one in verdict["reasons"]}


@pytest.mark.slow
def test_the_relative_label_has_its_own_verdict() -> None:
    told = trained(market(), label="relative")
    assert told["label"] == {"kind": "relative", "shift_days": 7}
    assert told["base_rate"] == pytest.approx(1 / 3, abs=0.02) and told["verdict"]["edge"] is False
    assert "best third of their day" in Path("model_report.html").read_text()


# ------------------------------------------------------------------------------------------ an older model


def test_an_older_model_scores_as_ever_and_is_refused_for_ranks_in_one_line() -> None:
    assert set(RECIPES) == {"seed", "scale_free"}
    refuse_unscaled(Path("model.pkl"), {}, "raw")
    with pytest.raises(InputError, match="comes from an older version") as caught:
        refuse_unscaled(Path("model.pkl"), {}, "rank")
    assert len(str(caught.value).splitlines()) == 1 and "train" in str(caught.value)
