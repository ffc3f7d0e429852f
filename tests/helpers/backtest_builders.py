"""A model, a request and a synthetic dataset for backtests: small, fast, full of trades."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from marsshot.backtesting.history.market_history import Dataset, read_dataset
from marsshot.backtesting.request import BacktestRequest, read_request
from marsshot.backtesting.scoring.daily_scores import DailyScores, full_feature_table, score_days
from marsshot.backtesting.scoring.walk_forward import training_rows_known_on
from marsshot.config.training_settings import TrainingSection
from marsshot.core.scores import Score
from marsshot.model.features import FEATURES
from marsshot.model.model_files import LoadedModel, save_model

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
FIRST, LAST = date(2021, 2, 21), date(2021, 3, 4)
# Rules so tight that two weeks see every one of them at work.
TIGHT_RULES = {
    "strategy.buy_threshold": "0.55",
    "strategy.sell_threshold": "0.42",
    "strategy.stop_loss_pct": "0.12",
    "strategy.partial_take_profit_pct": "0.05",
    "strategy.trailing_trigger_pct": "1.08",
    "strategy.trailing_pct": "0.06",
    "strategy.big_gain_exception_pct": "1.06",
}


def forest_of(dataset: Dataset, day: date) -> RandomForestClassifier:
    """Return a small forest, trained on what was known on this day."""
    rows = training_rows_known_on(full_feature_table(dataset), day, TrainingSection())
    forest = RandomForestClassifier(20, min_samples_leaf=20, class_weight="balanced", random_state=0)
    return forest.fit(rows[list(FEATURES)], rows["label"])


def save_forest(path: Path) -> None:
    """Write the forest of the bundled history up to FIRST as model.pkl, with the facts that a backtest asks for."""
    known = str(date.fromordinal(FIRST.toordinal() - 3))
    save_model(_bundled_forest(), {"last_date": known, "label": {"shift_days": 2}}, path)


@cache
def _bundled_forest() -> RandomForestClassifier:
    return forest_of(read_dataset(None, None, None, None), FIRST)


def bundled_request(**changes: Any) -> BacktestRequest:
    """Return a request for two busy weeks of the bundled history."""
    arguments: dict[str, Any] = {
        "changes": TIGHT_RULES,
        "tokens": None,
        "data": None,
        "rules": None,
        "first": FIRST,
        "last": LAST,
    }
    return read_request(CONFIG, **arguments | changes)


def forest_scores(backtest_request: BacktestRequest, model: RandomForestClassifier | None = None) -> DailyScores:
    """Return what a small forest says on each day of the request's span."""
    forest = model or forest_of(backtest_request.dataset, backtest_request.first)
    loaded = LoadedModel(forest, {}, FEATURES, "")
    table = full_feature_table(backtest_request.dataset)
    days: dict[date, dict[str, Score]] = score_days(
        table, backtest_request.settings.tokens_daily, *backtest_request.span, loaded
    )
    return DailyScores(days)


# --------------------------------------------------------------------------- synthetic datasets

SYNTHETIC_FIRST_DAY, SYNTHETIC_DAYS, DAYS_BEFORE = date(2023, 1, 11), 6, 10
DAILY = "symbol,date,open,high,low,close,volume,market_cap"


def write_synthetic_bars(
    folder: Path, seed: int, *, hourly: bool, days: int = SYNTHETIC_DAYS, swing: float = 0.02
) -> Path:
    """Write bars of BTC, ETH, AAA and BBB: `DAYS_BEFORE` days before SYNTHETIC_FIRST_DAY and so many from it on.

    Hourly bars, if any, are of AAA and BTC alone. The same seed gives the same bars, however many days are asked for.
    """
    daily, intraday = [DAILY], ["symbol,time,open,high,low,close"]
    for number, symbol in enumerate(("AAA", "BBB", "BTC", "ETH")):
        random = np.random.default_rng([seed, number])
        price = 100.0
        for day in range(DAYS_BEFORE + days):
            date_of = date.fromordinal(SYNTHETIC_FIRST_DAY.toordinal() - DAYS_BEFORE + day)
            rows = []
            for hour in range(24):
                close = price * float(np.exp(random.standard_t(3) * swing))
                above, below = 1 + abs(random.standard_t(3, 2)) * swing / 2
                bar = [price, max(price, close) * above, min(price, close) / below, close]
                rows.append([round(min(max(value, 0.01), 1e6), 4) for value in bar])
                price = rows[-1][3]
                moment = (date_of - date(1970, 1, 1)).days * 86_400 + hour * 3600
                if hourly and symbol in {"AAA", "BTC"} and day >= DAYS_BEFORE:
                    intraday.append(f"{symbol},{moment}," + ",".join(map(str, rows[-1])))
            opening, high = rows[0][0], max(row[1] for row in rows)
            daily.append(f"{symbol},{date_of},{opening},{high},{min(row[2] for row in rows)},{price},3000000,1000000")
    (folder / "daily.csv").write_text("\n".join(daily) + "\n")
    if hourly:
        (folder / "intraday_1h.csv").write_text("\n".join(intraday) + "\n")
    return folder


def synthetic_request(folder: Path, **changes: str) -> BacktestRequest:
    """Return a request for the synthetic days of this folder, with changes of `strategy`."""
    return read_request(
        CONFIG,
        changes={f"strategy.{key}": value for key, value in changes.items()},
        tokens="AAA,BBB",
        data=folder,
        rules=None,
        first=SYNTHETIC_FIRST_DAY,
        last=None,
    )


def random_scores(backtest_request: BacktestRequest, seed: int) -> DailyScores:
    """Return scores that mean nothing, for every token on every day."""
    days = {}
    for number in range((backtest_request.last - backtest_request.first).days + 1):
        day = date.fromordinal(backtest_request.first.toordinal() + number)
        random = np.random.default_rng([seed, day.toordinal()])
        days[day] = {
            token: Score(token, Decimal(str(round(random.random(), 3))))
            for token in backtest_request.settings.tokens_daily
        }
    return DailyScores(days)
