"""A question and what the past says to it: run, figures, and what the reader has to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marsshot.backtesting.analysis.run_statistics import Findings, findings_of
from marsshot.backtesting.request import Question
from marsshot.backtesting.scoring.daily_scores import ScoreBook
from marsshot.backtesting.scoring.walk_forward import Training
from marsshot.backtesting.simulation.engine import Outcome, run
from marsshot.core.errors import InputError

MOST_ALARMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a run, ready to be told."""

    question: Question
    outcome: Outcome
    findings: Findings
    caveats: tuple[str, ...]
    model: str  # what gave the scores, in words

    @property
    def first(self) -> date:
        """The first day."""
        return self.question.first

    @property
    def last(self) -> date:
        """The last day."""
        return self.question.last

    @property
    def quote_asset(self) -> str:
        """What everything is counted in."""
        return self.question.settings.quote_asset


def answer(question: Question, scores: ScoreBook, model: str, trainings: Sequence[Training] = ()) -> Answer:
    """Run the bot and sum it up. Raises InputError where nothing was bought."""
    outcome = run(question.settings, question.recording, scores, question.first, question.last, question.rules)
    if not outcome.trades_csv:
        raise InputError(_nothing_bought(question, scores))
    return Answer(
        question=question,
        outcome=outcome,
        findings=findings_of(outcome, question.settings.tokens_daily),
        caveats=tuple(_caveats(question, outcome, scores, trainings)),
        model=model,
    )


def _nothing_bought(question: Question, scores: ScoreBook) -> str:
    known = [
        score.probability for day in scores.days.values() for score in day.values() if score.probability is not None
    ]
    threshold = question.settings.strategy.buy_threshold
    span = f"nothing was bought from {question.first} to {question.last}"
    if not known:
        return f"{span}: no token had a score on any day"
    highest = max(known).quantize(Decimal("0.001"))
    if highest < threshold:
        return f"{span}: the highest score was {highest}, strategy.buy_threshold is {threshold}"
    return f"{span}: the capital of {question.settings.strategy.capital_initial} is under the smallest order"


def _caveats(question: Question, outcome: Outcome, scores: ScoreBook, trainings: Sequence[Training]) -> list[str]:
    recording, lines = question.recording, []
    if not recording.has_recorded_scores:
        lines.append(
            "Stand-ins: Galaxy Score, AltRank and sentiment are computed from past prices and volumes; what LunarCrush "
            "really said then is not on record, and the model was trained on the stand-ins too."
        )
    lines.append(_inside_the_day(question))
    if recording.is_bundled:
        lines.append(
            "The bundled history holds 14 coins that did well enough to be remembered, and mostly a bull market."
        )
    else:
        lines.append("Only tokens that the data holds can be bought: coins that died and left no bars are not in it.")
    silent = [
        token
        for token in question.settings.tokens_daily
        if not any(day.get(token) and day[token].probability is not None for day in scores.days.values())
    ]
    if silent:
        lines.append(f"{len(silent)} tokens never had a score (too young, or a market cap is missing): {_some(silent)}")
    if outcome.ended:
        held = _some(sorted(outcome.ended))
        lines.append(f"Held beyond the end of their record, not sellable any more, counted at the last price: {held}")
    if outcome.paused:
        lines.append(f"Buying was paused at the end: {outcome.paused}")
    alarms = list(dict.fromkeys(outcome.alarms))
    lines += [f"Alarm: {line}" for line in alarms[:MOST_ALARMS]]
    if len(alarms) > MOST_ALARMS:
        lines.append(f"... and {len(alarms) - MOST_ALARMS} alarms more")
    if trainings:
        first, last = trainings[0], trainings[-1]
        lines.append(
            f"{len(trainings)} models, each trained on closes before its day only: {first.rows} rows at first, "
            f"{last.rows} at last."
        )
    return lines


def _inside_the_day(question: Question) -> str:
    recording = question.recording
    days = (question.last - question.first).days + 1
    first = (question.first - date(1970, 1, 1)).days
    inside = [
        len([day for day in bars.days if first <= day < first + days]) / days
        for token in question.settings.tokens_daily
        if (bars := recording.intraday.get(token))
    ]
    share = sum(inside) / len(question.settings.tokens_daily)
    if not share:
        return (
            "Inside the day only open, high, low and close are recorded; the way between them is a seeded random walk."
        )
    return (
        f"{share:.0%} of the token days have recorded bars inside the day (each goes open, the extreme further from "
        "the close, the other, close); in the others the way between the daily prices is a seeded random walk."
    )


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
