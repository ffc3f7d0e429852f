"""The result of a backtest: the request, the run, its statistics, and caveats for the reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from embedded_market.market_data.history import date_of
from marsshot.backtesting.analysis.lever_effects import LeverEffect, lever_effects
from marsshot.backtesting.analysis.run_statistics import RunStatistics, run_statistics
from marsshot.backtesting.analysis.spread import Spread
from marsshot.backtesting.history.market_history import Dataset
from marsshot.backtesting.plurals import counted
from marsshot.backtesting.request import BacktestRequest
from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.scoring.walk_forward import Training
from marsshot.backtesting.simulation.engine import RunResult, run
from marsshot.config.settings import Settings

MAX_ALARMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """The result of a backtest, ready to be reported."""

    request: BacktestRequest
    run_result: RunResult
    statistics: RunStatistics
    caveats: tuple[str, ...]
    model: str  # what gave the scores, in words
    scores: DailyScores
    trainings: int = 0
    lever_effects: tuple[LeverEffect, ...] = ()
    spread: Spread | None = None  # of several draws of the models; the rest is of the one in the middle

    @property
    def first(self) -> date:
        """The first day."""
        return self.request.first

    @property
    def last(self) -> date:
        """The last day."""
        return self.request.last

    @property
    def quote_asset(self) -> str:
        """What everything is counted in."""
        return self.request.settings.quote_asset


def run_backtest(
    request: BacktestRequest,
    scores: DailyScores,
    model: str,
    trainings: Sequence[Training] = (),
    on_day: Callable[[date], None] = lambda _day: None,
) -> BacktestResult:
    """Run the bot and sum it up. on_day: hears of each day of the run."""
    run_result = run(request.settings, request.dataset, scores, *request.span, request.rules, on_day=on_day)
    return BacktestResult(
        request=request,
        run_result=run_result,
        statistics=run_statistics(run_result, request.settings.tokens_daily, _ended(request)),
        caveats=tuple(_caveats(request, run_result, scores, trainings)),
        model=model,
        scores=scores,
        trainings=len(trainings),
    )


def with_lever_effects(result: BacktestResult) -> BacktestResult:
    """Return the result with what each lever did: one more run for each that is on."""
    request = result.request

    def worth_with(settings: Settings) -> float:
        other = run(settings, request.dataset, result.scores, *request.span, request.rules)
        return other.points[-1].equity

    worth = float(result.statistics.equity[-1])
    effects = lever_effects(request.settings, result.run_result.held_back, worth, worth_with)
    return replace(result, lever_effects=effects)


def _ended(request: BacktestRequest) -> dict[str, date]:
    """Return the tokens whose record ends before the span does, and their last days."""
    coins = request.dataset.history.coins
    last_days = {token: date_of(coins[token].last_day) for token in request.settings.tokens_daily}
    return {token: day for token, day in last_days.items() if day < request.last}


def _nothing_bought(request: BacktestRequest, scores: DailyScores, run_result: RunResult) -> str:
    known = [
        score.probability for day in scores.days.values() for score in day.values() if score.probability is not None
    ]
    threshold = request.settings.strategy.buy_threshold
    span = f"Nothing was bought from {request.first} to {request.last}"
    if not known:
        return f"{span}: no token had a score on any day"
    highest = max(known).quantize(Decimal("0.001"))
    if highest < threshold:
        return f"{span}: the highest score was {highest}, strategy.buy_threshold is {threshold}"
    if run_result.held_back:
        return f"{span}: levers held back {counted(len(run_result.held_back), 'purchase')}"
    return f"{span}: the capital of {request.settings.strategy.capital_initial} is under the smallest order"


def _caveats(
    request: BacktestRequest, run_result: RunResult, scores: DailyScores, trainings: Sequence[Training]
) -> list[str]:
    dataset, lines = request.dataset, _columns_told(request.dataset)
    if not run_result.trades:
        lines.insert(0, _nothing_bought(request, scores, run_result))
    lines.append(_intraday_coverage(request))
    if dataset.is_bundled:
        lines.append(
            "The bundled history holds 14 coins that did well enough to be remembered, and mostly a bull market."
        )
    else:
        lines.append("Only tokens that the data holds can be bought: coins that died and left no bars are not in it.")
    lines += _unscored_and_ended(request, scores)
    if run_result.held_past_record_end:
        held = _some(sorted(run_result.held_past_record_end))
        lines.append(f"Held beyond the end of their record, not sellable any more, counted at the last price: {held}")
    if run_result.paused:
        lines.append(f"Buying was paused at the end: {run_result.paused}")
    alarms = list(dict.fromkeys(run_result.alarms))
    lines += [f"Alarm: {line}" for line in alarms[:MAX_ALARMS]]
    if len(alarms) > MAX_ALARMS:
        lines.append(f"... and {counted(len(alarms) - MAX_ALARMS, 'alarm')} more")
    if trainings:
        first, last = trainings[0], trainings[-1]
        lines.append(
            f"{counted(len(trainings), 'model')}, each trained on closes before its day only: "
            f"{counted(first.rows, 'row')} at first, {last.rows:,} at last."
        )
    return lines


def _unscored_and_ended(request: BacktestRequest, scores: DailyScores) -> list[str]:
    ended, lines = _ended(request), list[str]()
    silent = [
        token
        for token in request.settings.tokens_daily
        if token not in ended
        and not any(day.get(token) and day[token].probability is not None for day in scores.days.values())
    ]
    if silent:
        never = "never had a score (too young, or a market cap is missing)"
        lines.append(f"{counted(len(silent), 'token')} {never}: {_some(silent)}")
    if ended:
        named = _some([f"{token} {day}" for token, day in sorted(ended.items())], 8)
        whose = "The record of 1 token ends" if len(ended) == 1 else f"The records of {len(ended)} tokens end"
        lines.append(f"{whose} before the span does; holding the tokens keeps the last price from then on: {named}")
    return lines


def _columns_told(dataset: Dataset) -> list[str]:
    if dataset.missing_columns:
        return [f"Prices and volumes alone: {', '.join(dataset.missing_columns)} are not in this data."]
    if dataset.has_recorded_scores:
        return []
    return [
        "Stand-ins: Galaxy Score, AltRank and sentiment are computed from past prices and volumes; what LunarCrush "
        "really said then is not on record, and the model was trained on the stand-ins too."
    ]


def _intraday_coverage(request: BacktestRequest) -> str:
    dataset = request.dataset
    days = (request.last - request.first).days + 1
    first = (request.first - date(1970, 1, 1)).days
    inside = [
        len([day for day in bars.days if first <= day < first + days]) / days
        for token in request.settings.tokens_daily
        if (bars := dataset.intraday.get(token))
    ]
    share = sum(inside) / len(request.settings.tokens_daily)
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
