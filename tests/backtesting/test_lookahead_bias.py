"""Nothing of a backtest knows what came later: cut or change the data after a day, and all before it stays the same."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from marsshot.backtesting.request import BacktestRequest
from marsshot.backtesting.scoring.daily_scores import DailyScores, full_feature_table, refuse_overlap
from marsshot.backtesting.scoring.walk_forward import Training, WalkForwardPlan, training_rows_known_on, walk_forward
from marsshot.backtesting.simulation.engine import run
from marsshot.config.training_settings import TrainingSection
from marsshot.core.errors import InputError
from marsshot.core.scores import Score
from marsshot.model.model_files import LoadedModel
from marsshot.portfolio.trades_file import Trade
from marsshot.training import forest_search
from tests.helpers.backtest_builders import (
    FIRST,
    LAST,
    SYNTHETIC_FIRST_DAY,
    bundled_request,
    random_scores,
    synthetic_request,
    write_synthetic_bars,
)

CUT = date(2021, 2, 27)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 4)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 12)


def _walk(backtest_request: BacktestRequest) -> tuple[dict[date, dict[str, Score]], list[Training]]:
    plan = WalkForwardPlan(training=backtest_request.settings.training, retrain_days=4, tries=1)
    tokens = backtest_request.settings.tokens_daily
    table = full_feature_table(backtest_request.dataset)
    return walk_forward(table, tokens, backtest_request.training_tokens, backtest_request.span, plan, lambda _: None)


def _trades_until(backtest_request: BacktestRequest, scores: DailyScores, last: date) -> list[Trade]:
    trades = run(backtest_request.settings, backtest_request.dataset, scores, *backtest_request.span).trades
    return [trade for trade in trades if trade.time.date() <= last]


def test_cutting_the_data_changes_no_score_and_no_trade_before_the_cut() -> None:
    whole, cut = bundled_request(last=LAST), bundled_request(last=CUT)
    assert whole.dataset.history.last_day - cut.dataset.history.last_day == (LAST - CUT).days
    long, short = _walk(whole), _walk(cut)
    assert {day: scores for day, scores in long[0].items() if day <= CUT} == short[0]
    assert long[1][: len(short[1])] == short[1]
    trades = _trades_until(whole, DailyScores(long[0]), CUT)
    assert trades == _trades_until(cut, DailyScores(short[0]), CUT)
    assert trades


@pytest.mark.slow
def test_every_model_has_learnt_from_closes_before_its_day_only() -> None:
    days = [training.day for training in _walk(bundled_request())[1]]
    assert days == [FIRST, FIRST + 4 * DAY, FIRST + 8 * DAY]
    for training in _walk(bundled_request())[1]:
        assert training.last_close == training.day - DAY


@pytest.mark.parametrize("label_days", [1, 2, 5])
def test_a_training_row_is_known_once_the_close_of_its_label_is(label_days: int) -> None:
    rows = training_rows_known_on(
        full_feature_table(bundled_request().dataset), CUT, TrainingSection(shift_days=label_days, days=100)
    )
    assert rows["date"].max().date() + label_days * DAY == CUT - DAY
    assert rows["date"].min().date() >= CUT - 100 * DAY


@pytest.mark.parametrize("hourly", [True, False])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_changing_the_future_changes_no_trade_before_it(tmp_path: Path, seed: int, hourly: bool) -> None:
    folder = write_synthetic_bars(tmp_path, seed, hourly=hourly)
    last = SYNTHETIC_FIRST_DAY + 2 * DAY
    before = synthetic_request(folder, buy_threshold="0.5", sell_threshold="0.3", stop_loss_pct="0.05")
    expected = _trades_until(before, random_scores(before, seed), last)
    for path in folder.iterdir():
        path.write_text("\n".join(_changed(line, last) for line in path.read_text().splitlines()) + "\n")
    after = synthetic_request(folder, buy_threshold="0.5", sell_threshold="0.3", stop_loss_pct="0.05")
    assert before.dataset.bars["AAA"].values.tolist() != after.dataset.bars["AAA"].values.tolist()
    assert _trades_until(after, random_scores(after, seed), last) == expected
    assert expected


def _changed(line: str, last: date) -> str:
    """Return a line of bars with prices a thousandth of what they were, if it is of a later day."""
    symbol, moment, *amounts = line.split(",")
    day = date(1970, 1, 1) + timedelta(seconds=int(moment)) if moment.isdecimal() else None
    if "-" in moment:
        day = date.fromisoformat(moment)
    if day is None or day <= last:
        return line
    prices = [f"{float(price) / 1000:.8f}" for price in amounts[:4]]
    return ",".join([symbol, moment, *prices, *amounts[4:]])


# --------------------------------------------------------------------------- a fixed model


def _model(last_date: str | None) -> LoadedModel:
    facts = {"label": {"shift_days": 2}} | ({"last_date": last_date} if last_date else {})
    return LoadedModel(None, facts, (), "")


def test_a_model_that_knows_nothing_of_the_span_is_taken() -> None:
    refuse_overlap(_model("2021-02-18"), "model.pkl", FIRST)


@pytest.mark.parametrize("last_date", ["2021-02-19", "2021-03-01", "2022-01-01", None, "soon"])
def test_a_model_that_knows_or_may_know_of_the_span_is_refused(last_date: str | None) -> None:
    with pytest.raises(InputError, match=r"^model\.pkl: ") as refused:
        refuse_overlap(_model(last_date), "model.pkl", FIRST)
    assert len(refused.value.faults) == 1
