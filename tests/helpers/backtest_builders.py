"""A model, a question and a recorded market of the tests' making for backtests: small, quick, full of trades."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from marsshot.backtesting.history.market_history import Recording
from marsshot.backtesting.request import Question, read_question
from marsshot.backtesting.scoring.daily_scores import ScoreBook, score_with, whole_table
from marsshot.backtesting.scoring.walk_forward import known_rows
from marsshot.config.settings import TrainingSection
from marsshot.core.domain import Score
from marsshot.model.features import FEATURES
from marsshot.model.model_files import LoadedModel, save_model

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
FIRST, LAST = date(2021, 2, 21), date(2021, 3, 4)
# Rules so tight that two weeks see every one of them at work.
BUSY = {
    "strategy.buy_threshold": "0.55",
    "strategy.sell_threshold": "0.42",
    "strategy.stop_loss_pct": "0.12",
    "strategy.partial_take_profit_pct": "0.05",
    "strategy.trailing_trigger_pct": "1.08",
    "strategy.trailing_pct": "0.06",
    "strategy.big_gain_exception_pct": "1.06",
}


def forest_of(recording: Recording, day: date) -> RandomForestClassifier:
    """Return a small forest, trained on what was known on this day."""
    rows = known_rows(whole_table(recording), day, TrainingSection())
    forest = RandomForestClassifier(20, min_samples_leaf=20, class_weight="balanced", random_state=0)
    return forest.fit(rows[list(FEATURES)], rows["label"])


def save_forest(recording: Recording, day: date, path: Path) -> None:
    """Write such a forest as model.pkl with the facts that a backtest asks for."""
    known = str(date.fromordinal(day.toordinal() - 3))
    save_model(forest_of(recording, day), {"last_date": known, "label": {"shift_days": 2}}, path)


def ask(**changes: Any) -> Question:
    """Return a question about two busy weeks of the bundled history."""
    asked: dict[str, Any] = {"changes": BUSY, "tokens": None, "data": None, "rules": None, "first": FIRST, "last": LAST}
    return read_question(CONFIG, **asked | changes)


def scored(question: Question, model: RandomForestClassifier | None = None) -> ScoreBook:
    """Return what a small forest says on each day of the question's span."""
    forest = model or forest_of(question.recording, question.first)
    loaded = LoadedModel(forest, {}, FEATURES, "")
    table = whole_table(question.recording)
    days: dict[date, dict[str, Score]] = score_with(table, question.settings.tokens_daily, *question.span, loaded)
    return ScoreBook(days)


# --------------------------------------------------------------------------- made-up recordings

MADE_UP_FIRST, MADE_UP_DAYS, BEFORE = date(2023, 1, 11), 6, 10
DAILY = "symbol,date,open,high,low,close,volume,market_cap"


def write_made_up(folder: Path, seed: int, *, hourly: bool, days: int = MADE_UP_DAYS, swing: float = 0.02) -> Path:
    """Write bars of BTC, ETH, AAA and BBB: `BEFORE` days before MADE_UP_FIRST and so many from it on.

    Hourly bars, if any, are of AAA and BTC alone. The same seed gives the same bars, however many days are asked for.
    """
    daily, intraday = [DAILY], ["symbol,time,open,high,low,close"]
    for number, symbol in enumerate(("AAA", "BBB", "BTC", "ETH")):
        random = np.random.default_rng([seed, number])
        price = 100.0
        for day in range(BEFORE + days):
            date_of = date.fromordinal(MADE_UP_FIRST.toordinal() - BEFORE + day)
            rows = []
            for hour in range(24):
                close = price * float(np.exp(random.standard_t(3) * swing))
                above, below = 1 + abs(random.standard_t(3, 2)) * swing / 2
                bar = [price, max(price, close) * above, min(price, close) / below, close]
                rows.append([round(min(max(value, 0.01), 1e6), 4) for value in bar])
                price = rows[-1][3]
                moment = (date_of - date(1970, 1, 1)).days * 86_400 + hour * 3600
                if hourly and symbol in {"AAA", "BTC"} and day >= BEFORE:
                    intraday.append(f"{symbol},{moment}," + ",".join(map(str, rows[-1])))
            opening, high = rows[0][0], max(row[1] for row in rows)
            daily.append(f"{symbol},{date_of},{opening},{high},{min(row[2] for row in rows)},{price},3000000,1000000")
    (folder / "daily.csv").write_text("\n".join(daily) + "\n")
    if hourly:
        (folder / "intraday_1h.csv").write_text("\n".join(intraday) + "\n")
    return folder


def ask_made_up(folder: Path, **changes: str) -> Question:
    """Return a question about the made-up days of this folder, with changes of `strategy`."""
    return read_question(
        CONFIG,
        changes={f"strategy.{key}": value for key, value in changes.items()},
        tokens="AAA,BBB",
        data=folder,
        rules=None,
        first=MADE_UP_FIRST,
        last=None,
    )


def random_scores(question: Question, seed: int) -> ScoreBook:
    """Return scores that mean nothing, for every token on every day."""
    days = {}
    for number in range((question.last - question.first).days + 1):
        day = date.fromordinal(question.first.toordinal() + number)
        random = np.random.default_rng([seed, day.toordinal()])
        days[day] = {
            token: Score(token, Decimal(str(round(random.random(), 3)))) for token in question.settings.tokens_daily
        }
    return ScoreBook(days)
