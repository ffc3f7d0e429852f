"""Demo and backtest are the same bot: over the same days and model both trade alike, to the last digit.

The demo goes over HTTP, through python-binance, to the embedded market in a process of its own, with files on disk.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import main
from marsshot.backtesting.scoring.daily_scores import DailyScores, full_feature_table, score_days
from marsshot.backtesting.simulation.engine import run
from marsshot.bot import environment
from marsshot.demo import demo
from marsshot.model.model_files import load_model
from marsshot.portfolio.trades_file import read_trades
from tests.helpers.backtest_builders import CONFIG, FIRST, LAST, TIGHT_RULES, bundled_request, save_forest

DAYS = (LAST - FIRST).days + 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with busy settings and a model, in front of a demo of two weeks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "DEMO_DAYS", DAYS)
    monkeypatch.setattr(demo, "DEMO_DAYS", DAYS)
    content = yaml.safe_load(CONFIG.read_text())
    content["strategy"] |= {key.removeprefix("strategy."): yaml.safe_load(value) for key, value in TIGHT_RULES.items()}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    save_forest(tmp_path / "model.demo.pkl")
    return tmp_path


LEVERS = {"max_share_per_token": "0.3", "btc_trend_days": "20", "cooldown_days": "2", "max_drawdown_pause": "0.2"}


@pytest.mark.parametrize(
    "levers", [pytest.param({}, marks=pytest.mark.slow), LEVERS], ids=["without levers", "with levers"]
)
def test_demo_and_backtest_trade_alike_to_the_last_digit(folder: Path, levers: dict[str, str]) -> None:
    content = yaml.safe_load((folder / "config.yaml").read_text())
    content["strategy"] |= {key: yaml.safe_load(value) for key, value in levers.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    assert main.main([]) == 0
    over_http = tuple(trade for trade in read_trades(Path("trades.demo.csv")) if trade.time.date() <= LAST)
    changes = TIGHT_RULES | {f"strategy.{key}": value for key, value in levers.items()}
    backtest_request, model = bundled_request(changes=changes), load_model(folder / "model.demo.pkl")
    scores = DailyScores(
        score_days(
            full_feature_table(backtest_request.dataset), backtest_request.settings.tokens_daily, FIRST, LAST, model
        )
    )
    in_memory = run(backtest_request.settings, backtest_request.dataset, scores, FIRST, LAST).trades
    assert in_memory == over_http
    exits = {"stop_loss", "partial_take_profit", "trailing_stop"}
    seen = {trade.reason for trade in in_memory}
    assert seen >= exits | {"daily_buy"} | (set() if levers else {"daily_sell"})  # with levers less is held to be sold
