"""The scores of every day of a span, made beforehand: by a fixed model, or by models trained on what was known then.

The rows are features.py's and the scoring is ml_decision.py's, as live; only that all days are scored at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from marsshot.backtesting.history.market_history import MARKET, Dataset
from marsshot.config.settings import Settings
from marsshot.config.training_settings import ScoreScale
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.reasons import DecisionReason
from marsshot.core.scores import Score, Scoring
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import DailyBars
from marsshot.model.features import feature_table
from marsshot.model.model_files import LoadedModel
from ml_decision import closes_before, score_rows

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyScores:
    """The scores by the UTC date on which they may be acted, then by token."""

    days: Mapping[date, Mapping[str, Score]]

    def scorer_at(self, clock: Clock, btc: DailyBars | None) -> Callable[[Collection[str], Settings], Scoring]:
        """Return what the daily pass asks for scores. btc: the bars that btc_trend_days goes by."""

        def scores(symbols: Collection[str], settings: Settings) -> Scoring:
            today, trend_days = clock.now().date(), settings.strategy.btc_trend_days
            known = self.days.get(today, {})
            return Scoring(
                today,
                tuple(known.get(symbol) or _unknown(symbol, today) for symbol in symbols),
                btc_closes=closes_before(btc, today, trend_days) if btc and trend_days else (),
            )

        return scores


def _unknown(symbol: str, today: date) -> Score:
    return Score(
        symbol, None, f"there is no complete bar of {today - DAY}", temporary=True, reason=DecisionReason.NO_BAR
    )


def full_feature_table(dataset: Dataset) -> pd.DataFrame:
    """Return the feature rows of all tokens and days. Raises InputError without BTC or ETH.

    Indicators remember all that is recorded, where the live bot's remember `training.days`; with a year of those
    that makes a difference in the tenth digit.
    """
    btc, eth = (_market_bars(dataset, coin) for coin in MARKET)
    return feature_table(dataset.bars, btc, eth)


def _market_bars(dataset: Dataset, coin: str) -> DailyBars:
    if coin not in dataset.bars:
        raise InputError(LocalizedText("backtest.fault.no_bar", dataset=dataset.name, token=coin))
    return dataset.bars[coin]


def score_days(
    table: pd.DataFrame,
    tokens: Collection[str],
    first: date,
    last: date,
    model: LoadedModel,
    scale: ScoreScale = "raw",
) -> dict[date, dict[str, Score]]:
    """Return the scores for the passes from the first to the last day, each from the rows of the day before.

    Raises InputError if the model cannot score.
    """
    inside = (table["date"] >= pd.Timestamp(first - DAY)) & (table["date"] <= pd.Timestamp(last - DAY))
    rows = table[inside & table["symbol"].isin(tokens)]
    days: dict[date, dict[str, Score]] = {}
    for day, score in zip(rows["date"].dt.date.tolist(), score_rows(rows, model, scale), strict=True):
        days.setdefault(day + DAY, {})[score.symbol] = score
    return days


def refuse_overlap(model: LoadedModel, name: str, first: date) -> None:
    """Raise InputError unless all that the model was trained on was known before the span's first pass."""
    try:
        last_row = date.fromisoformat(str(model.facts["last_date"]))
        label_days = int(model.facts["label"]["shift_days"])
    except (KeyError, TypeError, ValueError):
        raise InputError(LocalizedText("backtest.fault.model_without_dates", path=name)) from None
    seen = last_row + label_days * DAY
    if seen >= first:
        raise InputError(LocalizedText("backtest.fault.model_saw", path=name, seen=seen, first=first))
