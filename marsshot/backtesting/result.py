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
from marsshot.backtesting.request import BacktestRequest
from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.scoring.walk_forward import Training
from marsshot.backtesting.simulation.engine import RunResult, run
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText

MAX_ALARMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """The result of a backtest, ready to be reported."""

    request: BacktestRequest
    run_result: RunResult
    statistics: RunStatistics
    caveats: tuple[LocalizedText, ...]
    model: str  # what gave the scores, in words of the catalogue
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


def _nothing_bought(request: BacktestRequest, scores: DailyScores, run_result: RunResult) -> LocalizedText:
    known = [
        score.probability for day in scores.days.values() for score in day.values() if score.probability is not None
    ]
    threshold, span = request.settings.strategy.buy_threshold, {"first": request.first, "last": request.last}
    if not known:
        return _caveat("nothing.no_score", **span)
    highest = max(known).quantize(Decimal("0.001"))
    if highest < threshold:
        return _caveat("nothing.too_low", highest=highest, threshold=threshold, **span)
    if run_result.held_back:
        return _caveat("nothing.held_back", count=len(run_result.held_back), **span)
    return _caveat("nothing.too_little", capital=request.settings.strategy.capital_initial, **span)


def _caveat(name: str, **values: object) -> LocalizedText:
    return LocalizedText(f"backtest.caveat.{name}", **values)


def _caveats(
    request: BacktestRequest, run_result: RunResult, scores: DailyScores, trainings: Sequence[Training]
) -> list[LocalizedText]:
    dataset, lines = request.dataset, _columns_told(request.dataset)
    if not run_result.trades:
        lines.insert(0, _nothing_bought(request, scores, run_result))
    lines.append(_intraday_coverage(request))
    lines.append(_caveat("bundled") if dataset.is_bundled else _caveat("survivors"))
    lines += _unscored_and_ended(request, scores)
    if run_result.held_past_record_end:
        held = names_and_more(sorted(run_result.held_past_record_end))
        lines.append(_caveat("held_past_end", tokens=held))
    if run_result.paused:
        lines.append(_caveat("paused", why=run_result.paused))
    alarms = list(dict.fromkeys(run_result.alarms))
    lines += [_caveat("alarm", told=alarm) for alarm in alarms[:MAX_ALARMS]]
    if len(alarms) > MAX_ALARMS:
        lines.append(_caveat("more_alarms", count=len(alarms) - MAX_ALARMS))
    if trainings:
        rows = {"first": trainings[0].rows, "last": trainings[-1].rows}
        lines.append(_caveat("trainings", count=len(trainings), **rows))
    return lines


def _unscored_and_ended(request: BacktestRequest, scores: DailyScores) -> list[LocalizedText]:
    ended, lines = _ended(request), list[LocalizedText]()
    silent = [
        token
        for token in request.settings.tokens_daily
        if token not in ended
        and not any(day.get(token) and day[token].probability is not None for day in scores.days.values())
    ]
    if silent:
        lines.append(_caveat("never_scored", count=len(silent), tokens=names_and_more(silent)))
    if ended:
        days = [LocalizedText("backtest.token_day", token=token, day=day) for token, day in sorted(ended.items())]
        lines.append(_caveat("ended", count=len(ended), tokens=names_and_more(days, 8)))
    return lines


def _columns_told(dataset: Dataset) -> list[LocalizedText]:
    if dataset.missing_columns:
        return [_caveat("missing_columns", columns=dataset.missing_columns)]
    return [] if dataset.has_recorded_scores else [_caveat("stand_ins")]


def _intraday_coverage(request: BacktestRequest) -> LocalizedText:
    dataset = request.dataset
    days = (request.last - request.first).days + 1
    first = (request.first - date(1970, 1, 1)).days
    inside = [
        len([day for day in bars.days if first <= day < first + days]) / days
        for token in request.settings.tokens_daily
        if (bars := dataset.intraday.get(token))
    ]
    share = sum(inside) / len(request.settings.tokens_daily)
    return _caveat("some_intraday", share=share) if share else _caveat("random_walk")


def names_and_more(names: Sequence[str], most: int = 12) -> LocalizedText | tuple[str, ...]:
    """Return names for a list of them, the last ones counted where there are too many."""
    if len(names) <= most:
        return tuple(names)
    return LocalizedText("backtest.names_and_more", names=tuple(names[:most]), count=len(names) - most)
