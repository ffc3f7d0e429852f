"""A model, a question and a recorded market of the tests' making for backtests: small, quick, full of trades."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from sklearn.ensemble import RandomForestClassifier

from domain import Score
from features import FEATURES
from model_files import LoadedModel, save_model
from replay.question import Question, read_question
from replay.recording import Recording
from replay.scores import ScoreBook, score_with, whole_table
from replay.walk_forward import known_rows
from settings import TrainingSection

CONFIG = Path(__file__).parent.parent / "config.yaml"
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
