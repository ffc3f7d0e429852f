"""A daily update whose source says what cannot be: nothing is sold or bought by it, and it is asked anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.config.settings import Settings
from marsshot.core.errors import TemporaryError
from marsshot.core.reasons import DecisionReason
from marsshot.core.scores import Scoring
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.daily_bar_sources import open_source
from marsshot.model.model_files import LoadedModel, load_model, save_model
from ml_decision import get_probabilities
from tests.helpers.builders import NOW
from tests.helpers.trading_harness import TradingHarness, open_trading_harness

SYMBOLS = ["ADA", "DOGE", "LINK", "LTC", "XRP"]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path, now=NOW) as harness:
        yield harness


@pytest.fixture
def model(harness: TradingHarness) -> LoadedModel:
    rows = pd.DataFrame({"close": np.array([0.0, 1.0, 2.0, 3.0])})
    save_model(DecisionTreeClassifier(random_state=0).fit(rows, [0, 0, 1, 1]), {}, Path("model.pkl"))
    return load_model(Path("model.pkl"))


class OddSource:
    """The embedded market's LunarCrush, with the latest closed day's point changed."""

    def __init__(self, **changes: object) -> None:
        self.changes = changes
        self.coins: set[str] | None = None  # None: all

    def __call__(self, coin: str, answer: dict[str, Any]) -> dict[str, Any]:
        if self.coins is None or coin in self.coins:
            for point in answer["data"]:
                point.update(self.changes)
        return answer


@pytest.fixture
def market() -> EmbeddedMarket:
    return EmbeddedMarket(clock=NOW.timestamp)


def scores(settings: Settings, market: EmbeddedMarket, model: LoadedModel) -> Scoring:
    clock = VirtualClock(NOW)
    with MarketServer(market) as server:
        section = settings.lunarcrush.model_copy(update={"base_url": server.url, "requests_per_minute": 10_000})
        pointed = settings.model_copy(update={"lunarcrush": section})
        return get_probabilities(SYMBOLS, pointed, clock, open_source(pointed, clock, print), model)


def test_zero_for_everybody_gives_no_score_at_all(
    harness: TradingHarness, market: EmbeddedMarket, model: LoadedModel
) -> None:
    market.lunarcrush.edit_response = OddSource(galaxy_score=0, alt_rank=0, sentiment=0)
    with pytest.raises(TemporaryError, match="same galaxy_score"):
        scores(harness.settings, market, model)


def test_the_source_is_asked_anew_once_it_has_come_right(
    harness: TradingHarness, market: EmbeddedMarket, model: LoadedModel
) -> None:
    market.lunarcrush.edit_response = OddSource(sentiment=50)
    with pytest.raises(TemporaryError):
        scores(harness.settings, market, model)
    market.lunarcrush.edit_response = None
    found = scores(harness.settings, market, model)
    assert all(score.probability is not None for score in found.scores)


def test_a_value_that_cannot_be_takes_that_tokens_score_alone(
    harness: TradingHarness, market: EmbeddedMarket, model: LoadedModel
) -> None:
    odd = OddSource(alt_rank=0)
    odd.coins = {"DOGE"}
    market.lunarcrush.edit_response = odd
    found = {score.symbol: score for score in scores(harness.settings, market, model).scores}
    assert found["DOGE"].probability is None
    assert found["DOGE"].reason is DecisionReason.IMPOSSIBLE_VALUE
    assert "alt_rank" in found["DOGE"].unavailable_reason
    assert all(found[symbol].probability is not None for symbol in SYMBOLS if symbol != "DOGE")


def test_a_clock_ahead_takes_no_running_day_for_closed(
    harness: TradingHarness, market: EmbeddedMarket, model: LoadedModel
) -> None:
    """The market's clock says 23:50, ours 00:30 of the next day: that bar is not there yet."""
    market.clock = lambda: NOW.timestamp() - 40 * 60
    found = scores(harness.settings, market, model)
    assert all(score.reason is DecisionReason.NO_BAR for score in found.scores)
    assert found.last_answer_day == date(2021, 2, 15)
