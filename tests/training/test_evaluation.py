"""What the hold-out shows: outcomes after fees, equally volatile partners, thresholds, bands, baselines, verdict."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from marsshot.training.evaluation import THRESHOLDS, by_band, by_threshold, day_by_day, picks, ranking, top_tenth
from marsshot.training.forward_returns import (
    FEE,
    equally_volatile,
    net_returns,
    trailing_volatility,
    with_forward_returns,
)
from marsshot.training.verdict import verdict, verdict_text, warning_text, warnings

DAYS = pd.date_range("2024-01-01", periods=40)
RISE = {"shift_days": 2, "threshold": "0.05"}


def walk(days: int, tokens: int, seed: int, *, signal: float = 0.0) -> tuple[pd.DataFrame, Any]:
    """Random walks of unequal volatility, and scores: noise, or the next two days' rise as far as signal goes."""
    random = np.random.default_rng(seed)
    spread = random.uniform(0.02, 0.08, tokens)
    closes = 10 * np.exp(np.cumsum(random.normal(0, 1, (days, tokens)) * spread, axis=0))
    later = np.full_like(closes, np.nan)
    later[:-2] = closes[2:] / closes[:-2] - 1
    scores = random.random((days, tokens)) + signal * np.nan_to_num(later) / spread
    dates = pd.date_range("2024-01-01", periods=days)
    rows = pd.DataFrame({"date": dates.repeat(tokens), "symbol": [f"T{n}" for n in range(tokens)] * days})
    rows["atr"] = (closes * spread * random.uniform(0.8, 1.2, closes.shape)).ravel()
    rows["close"], rows["label"] = closes.ravel(), (later >= 0.05).ravel().astype(int)
    return rows, scores.ravel()


def hold_out_of(rows: pd.DataFrame, scores: Any, days: int = 60) -> tuple[pd.DataFrame, dict[str, Any]]:
    last = rows["date"] > rows["date"].max() - pd.Timedelta(days=days)
    frame = with_forward_returns(rows, rows[last], scores[last.to_numpy()], 2)
    facts = {"dates": frame["date"].nunique(), "rows": len(frame), **ranking(frame, 2)}
    return frame, facts | {"top_tenth": picks(frame, top_tenth(frame))}


def a_frame(scores: list[float], labels: list[int], returns: list[float] | None = None) -> pd.DataFrame:
    """One token a day."""
    dates = pd.date_range("2024-01-01", periods=len(scores))
    net = returns or [0.0] * len(scores)
    columns = {"label": labels, "score": scores, "volatility": 0.05, "atr_to_close": 0.05, "net_return": net}
    return pd.DataFrame({"date": dates, "symbol": "A", **columns})


# ------------------------------------------------------------------------------------------ outcomes


def test_a_return_pays_two_fees_and_ends_two_calendar_days_later() -> None:
    closes = pd.DataFrame({"A": [100.0, 90, 110, np.nan, 121]}, index=DAYS[:5])
    found = net_returns(closes, 2)["A"].tolist()
    assert found[0] == pytest.approx(1.1 * (1 - FEE) ** 2 - 1) and found[2] == pytest.approx(1.1 * (1 - FEE) ** 2 - 1)
    assert np.isnan([found[1], found[3], found[4]]).all()


def test_volatility_looks_back_only_and_needs_ten_returns() -> None:
    random = np.random.default_rng(0)
    closes = pd.DataFrame({"A": np.exp(np.cumsum(random.normal(0, 0.05, 40)))}, index=DAYS)
    before = trailing_volatility(closes)["A"]
    assert before.isna().tolist() == [True] * 10 + [False] * 30
    assert before.iloc[20] == pytest.approx(np.diff(np.log(closes["A"].to_numpy()))[6:20].std(ddof=1))
    changed = closes.copy()
    changed.iloc[25:] = 1e6
    assert trailing_volatility(changed)["A"].iloc[:25].equals(before.iloc[:25])


def test_partners_are_the_nearest_of_the_day_that_were_not_picked() -> None:
    dates = np.repeat(np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"), 4)
    picked = np.array([True, False, False, False, True, False, False, False])
    volatility = np.array([0.10, 0.10, 0.125, 0.127, 0.10, 0.50, 0.01, np.nan])
    returns = np.array([0.3, 0.1, 0.2, 9.0, 0.3, 0.1, 0.1, 0.1])
    theirs = equally_volatile(dates, picked, volatility, returns)
    assert theirs[0] == pytest.approx(0.15)  # 0.125 is a quarter away, 0.127 is further
    assert np.isnan(theirs[1:]).all()


def test_a_pick_whose_end_is_not_known_has_no_partners() -> None:
    dates = np.array(["2024-01-01"] * 2, "datetime64[D]")
    both = equally_volatile(dates, np.array([True, False]), np.array([0.1, 0.1]), np.array([np.nan, 0.1]))
    assert np.isnan(both).all()


# ------------------------------------------------------------------------------------------ thresholds, bands


def test_a_threshold_picks_what_reaches_it() -> None:
    frame = a_frame([0.29, 0.30, 0.64, 0.65, 0.70], [0, 1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4, 0.5])
    found = {row["threshold"]: row for row in by_threshold(frame)}
    assert list(found) == [f"{limit:.2f}" for limit in THRESHOLDS] and list(found)[::12] == ["0.30", "0.90"]
    assert [found[limit]["rows"] for limit in ("0.30", "0.35", "0.65", "0.70", "0.75")] == [4, 3, 2, 1, 0]
    row = found["0.65"]
    assert (row["signals_per_day"], row["hit_rate"], row["lift"]) == (0.4, 0.5, pytest.approx(1.25))
    assert row["hit_rate_low"] < 0.5 < row["hit_rate_high"]
    assert row["mean_return_after_fees"] == pytest.approx(0.45)
    assert row["equally_volatile_return_after_fees"] is None  # nobody else traded that day
    nothing = found["0.75"]
    assert nothing["signals_per_day"] == 0
    assert {nothing[name] for name in ("hit_rate", "hit_rate_low", "lift", "mean_return_after_fees")} == {None}


def test_the_days_that_a_threshold_reaches_are_counted() -> None:
    frame = pd.DataFrame({"date": DAYS[:4].repeat(4), "symbol": list("ABCD") * 4, "label": 0, "volatility": 0.05})
    frame = frame.assign(net_return=0.0)
    picked = np.array([*[False] * 4, *[True] + [False] * 3, *[True] * 2 + [False] * 2, *[True] * 3 + [False]])
    row = picks(frame, picked)
    shares = (row["days_with_none"], row["days_with_one_or_two"], row["days_with_over_half"])
    assert shares == (0.25, 0.5, 0.25)


def test_what_picks_earned_less_what_equally_volatile_tokens_did_is_the_difference() -> None:
    """The first day has nobody to compare with: it counts in the return, not in the comparison."""
    frame = pd.DataFrame({"date": DAYS[[0, 1, 1, 2, 2]], "symbol": list("ABCDE"), "label": 0})
    frame = frame.assign(volatility=0.05, net_return=[0.9, 0.2, 0.1, 0.4, 0.1])
    row = picks(frame, np.array([True, True, False, True, False]))
    assert row["mean_return_after_fees"] == pytest.approx(0.5)
    assert (row["days"], row["compared_days"]) == (3, 2)
    assert row["compared_return_after_fees"] == pytest.approx(0.3)
    assert row["equally_volatile_return_after_fees"] == pytest.approx(0.1)
    assert row["more_than_equally_volatile"] == pytest.approx(0.2)


def test_bands_cover_every_score_once() -> None:
    frame = a_frame([0.0, 0.049, 0.05, 0.65, 0.6999, 0.7, 1.0], [0, 0, 1, 1, 0, 1, 1])
    bands = by_band(frame)
    assert [band["from"] for band in bands] == [round(number * 0.05, 2) for number in range(20)]
    assert [band["below"] for band in bands[:-1]] == [band["from"] for band in bands[1:]] and bands[-1]["below"] == 1.0
    filled = {band["from"]: (band["rows"], band["hit_rate"]) for band in bands if band["rows"]}
    assert filled == {0.0: (2, 0.0), 0.05: (1, 1.0), 0.65: (2, 0.5), 0.7: (1, 1.0), 0.95: (1, 1.0)}
    assert {band["hit_rate_low"] for band in bands if not band["rows"]} == {None}


def test_a_day_of_many_signals_counts_as_one_day() -> None:
    frame = a_frame([0.8] * 4, [1, 1, 1, 0], [0.1, 0.1, 0.1, -0.1])
    frame["date"] = DAYS[[0, 0, 0, 1]]
    frame["symbol"] = ["A", "B", "C", "A"]
    row = picks(frame, np.full(4, True))
    assert (row["hit_rate"], row["mean_return_after_fees"]) == (pytest.approx(0.5), pytest.approx(0.0))
    assert (row["rows"], row["days"], row["signals_per_day"]) == (4, 2, 2.0)


def test_the_top_tenth_is_at_least_one_a_day() -> None:
    frame = pd.DataFrame({"date": DAYS[:2].repeat([3, 20]), "score": [0.1, 0.3, 0.2, *np.linspace(0, 1, 20)]})
    assert np.flatnonzero(top_tenth(frame)).tolist() == [1, 21, 22]


def test_each_date_is_told_of() -> None:
    frame = a_frame([0.8, 0.6], [1, 0], [0.1, np.nan])
    first, second = day_by_day(frame, Decimal("0.7"))
    assert (first["picks"], first["picks_return_after_fees"], first["all_return_after_fees"]) == (1, 0.1, 0.1)
    assert (second["picks"], second["picks_return_after_fees"], second["all_return_after_fees"]) == (0, None, None)


# ------------------------------------------------------------------------------------------ ranking


def test_the_ranking_is_set_beside_base_rate_volatility_and_chance() -> None:
    rows, scores = walk(120, 20, seed=1, signal=0.5)
    frame, facts = hold_out_of(rows, scores)
    assert facts["base_rate"] == pytest.approx(frame["label"].mean())
    assert facts["average_precision"] == pytest.approx(average_precision_score(frame["label"], frame["score"]))
    assert facts["average_precision_low"] < facts["average_precision"] < facts["average_precision_high"]
    beside = facts["volatility_alone"]
    assert beside["average_precision"] == pytest.approx(average_precision_score(frame["label"], frame["volatility"]))
    assert beside["model_has_more"] == pytest.approx(facts["average_precision"] - beside["average_precision"])
    assert beside["model_has_more_low"] > 0
    alone = facts["atr_alone"]
    assert alone["average_precision"] == pytest.approx(average_precision_score(frame["label"], frame["atr_to_close"]))
    assert alone["model_has_more_low"] > 0
    assert facts["base_rate_low"] < facts["base_rate"] < facts["base_rate_high"]
    assert facts["more_than_base_rate"] == pytest.approx(facts["average_precision"] - facts["base_rate"])
    assert facts["more_than_base_rate_low"] > 0
    chance = facts["chance"]
    assert chance["average_precision_low"] < chance["average_precision"] < chance["average_precision_high"]
    assert chance["average_precision"] <= chance["best_of_twenty"] < facts["average_precision"]
    assert chance["average_precision"] == pytest.approx(facts["base_rate"], abs=0.06)


def test_where_nothing_rose_nothing_is_ranked() -> None:
    frame = a_frame([0.2] * 8, [0] * 8)
    facts = ranking(frame, 2)
    base = {"base_rate": 0.0, "base_rate_low": 0.0, "base_rate_high": 0.0}
    assert {name: facts[name] for name in facts if facts[name] is not None} == base


# ------------------------------------------------------------------------------------------ verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_on_a_random_walk_there_is_no_edge_even_for_scores_that_know_the_volatility(seed: int) -> None:
    rows, noise = walk(200, 30, seed)
    volatility = rows.groupby("symbol")["close"].transform(lambda closes: np.log(closes).diff().std()).to_numpy()
    for scores in (noise, volatility):
        told = verdict(hold_out_of(rows, scores)[1], RISE)
        assert told["edge"] is False and told["reasons"][0] == {"kind": "no_edge"}


def test_scores_that_know_the_future_have_an_edge() -> None:
    rows, scores = walk(200, 30, seed=0, signal=0.5)
    told = verdict(hold_out_of(rows, scores)[1], RISE)
    assert told["edge"] is True and verdict_text(told["reasons"])[0] == "An edge on these 60 dates."


BESIDE = {"average_precision": 0.25, "model_has_more": 0.06, "model_has_more_low": 0.01, "model_has_more_high": 0.1}
WITH_AN_EDGE: dict[str, Any] = {
    "dates": 20,
    "base_rate": 0.2,
    "average_precision": 0.31,
    "average_precision_low": 0.25,
    "more_than_base_rate": 0.11,
    "more_than_base_rate_low": 0.05,
    "more_than_base_rate_high": 0.17,
    "chance": {"average_precision": 0.2, "best_of_twenty": 0.30},
    "volatility_alone": BESIDE,
    "atr_alone": BESIDE,
    "top_tenth": {
        "more_than_equally_volatile": 0.02,
        "more_than_equally_volatile_low": 0.01,
        "more_than_equally_volatile_high": 0.03,
    },
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dates": 19}, "19 dates are too few"),
        ({"volatility_alone": {"model_has_more_low": 0.0}}, "not certain to rank better than 14-day volatility alone"),
        ({"atr_alone": {"model_has_more_low": 0.0}}, "not certain to rank better than ATR/close alone"),
        ({"more_than_base_rate_low": 0.0}, "not certain to rank better than the base rate of 0.200"),
        ({"average_precision": 0.30}, "Chance may do as well"),
        ({"average_precision_low": 0.20}, "Chance may do as well"),
        ({"top_tenth": {"more_than_equally_volatile_low": 0.0}}, "Its top tenth of each day earned +2.00 %"),
        ({"chance": None}, "cannot be set beside"),
        ({"atr_alone": None}, "cannot be set beside"),
        ({"average_precision_low": None}, "cannot be set beside"),
        ({"top_tenth": {"more_than_equally_volatile": None}}, "What its top tenth earned cannot be set beside"),
    ],
)
def test_each_of_the_conditions_is_needed(change: dict[str, Any], said: str) -> None:
    facts = dict(WITH_AN_EDGE)
    assert verdict(facts, RISE)["edge"] is True
    for name, value in change.items():
        facts[name] = facts[name] | value if isinstance(value, dict) else value
    if facts["top_tenth"]["more_than_equally_volatile"] is None:
        facts["top_tenth"] = dict.fromkeys(facts["top_tenth"])
    told = verdict(facts, RISE)
    assert told["edge"] is False and said in " ".join(verdict_text(told["reasons"]))


def test_an_edge_beside_other_tokens_is_called_no_profit() -> None:
    told = verdict(WITH_AN_EDGE, {"kind": "relative", "shift_days": 7})
    words = " ".join(verdict_text(told["reasons"]))
    assert words.startswith("A relative edge") and "it loses with the market" in words


@pytest.mark.parametrize(
    ("buys", "sells", "said"),
    [
        (0, 10, ["buy_threshold 0.7: the bot would never have bought"]),
        (1, 89, []),
        (89, 1, []),
        (90, 10, ["buy_threshold 0.7: the bot would have bought everything (90 % a day)"]),
        (10, 90, ["sell_threshold 0.3: the bot would have sold everything daily (90 % a day)"]),
        (10, 0, ["sell_threshold 0.3: the bot would never have sold by it"]),
    ],
)
def test_thresholds_that_cannot_be_meant_are_warned_of(buys: int, sells: int, said: list[str]) -> None:
    facts = {"rows": 100, "dates": 20, "highest_score": 0.69, "lowest_score": 0.31}
    facts |= {"buy": {"rows": buys, "threshold": "0.7"}, "sell": {"rows": sells, "threshold": "0.3"}}  # type: ignore[dict-item]
    found = warning_text(warnings(facts))
    assert len(found) == len(said) and all(line.startswith(start) for line, start in zip(found, said, strict=True))
