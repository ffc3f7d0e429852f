"""The model's probability per token: loads model.pkl, makes yesterday's feature rows, returns probabilities.

What to do with them is daily_plan.py's. Heavy (pandas, scikit-learn): the daemon runs it in a process of its own.
Places no orders.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from marsshot.config.bot_files import facts_path
from marsshot.config.settings import Settings
from marsshot.config.training_settings import ScoreScale
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.core.reasons import DecisionReason
from marsshot.core.scores import HitBand, Score, Scoring
from marsshot.infra.clock import Clock
from marsshot.infra.fingerprints import Fingerprint, file_fingerprint
from marsshot.market_data.bar_cache import CLOSE, DailyBars
from marsshot.market_data.base import DailyBarSource
from marsshot.market_data.daily_bar_sources import open_source, source_kind
from marsshot.model.class_probabilities import class_probabilities
from marsshot.model.feature_drift import shares_outside
from marsshot.model.features import feature_table, has_features, missing_features, rows_of_day
from marsshot.model.integrity import refuse_other_source, refuse_unscaled
from marsshot.model.model_files import LoadedModel, load_model
from marsshot.model.score_scale import rank_of, table_in
from marsshot.model.source_checks import impossible_columns, stuck_columns

MARKET = ("BTC", "ETH")  # their daily changes are features of every token


def get_probability_for_symbol(
    symbol: str, settings: Settings, clock: Clock, source: DailyBarSource, model: LoadedModel
) -> Score:
    """Return the score of one token. For many use `get_probabilities`: it fetches BTC and ETH once for all."""
    return get_probabilities([symbol], settings, clock, source, model).scores[0]


def get_probabilities(
    symbols: Sequence[str], settings: Settings, clock: Clock, source: DailyBarSource, model: LoadedModel
) -> Scoring:
    """Score tokens on their last closed daily bar, yesterday's: one request per coin, one prediction for all.

    Raises TemporaryError when BTC or ETH cannot be had, SourceRefusedError when the source refuses the key or plan.
    """
    today, yesterday = clock.now().date(), clock.now().date() - timedelta(days=1)
    scale = settings.strategy.score_scale
    fetched, failed = _fetch(symbols, settings, source)
    last_answer_day = clock.now().date()
    histories = {symbol: fetched[symbol] for symbol in symbols if symbol in fetched}
    unusable = _refuse_what_cannot_be(histories, yesterday, settings, source)
    table = feature_table(histories, *(fetched[coin] for coin in MARKET))
    scored = {score.symbol: score for score in score_rows(rows_of_day(table, yesterday), model, scale)}
    missing = LocalizedText("scores.no_bar", source=settings.source_name, day=yesterday)
    found = failed | scored | unusable
    no_bar = {symbol: Score(symbol, None, missing, temporary=True, reason=DecisionReason.NO_BAR) for symbol in symbols}
    return Scoring(
        today,
        tuple(found.get(symbol, no_bar[symbol]) for symbol in symbols),
        hit_bands=hit_bands(model, scale),
        last_answer_day=last_answer_day,
        btc_closes=_btc_closes(fetched[MARKET[0]], settings, source, today),
        drift=shares_outside(table, model.facts.get("feature_borders"), today),
    )


def _btc_closes(bars: DailyBars, settings: Settings, source: DailyBarSource, today: date) -> tuple[Decimal, ...]:
    """Return the closes that `btc_trend_days` asks for; asks for more bars where the features' history is shorter.

    Raises TemporaryError.
    """
    days, symbol = settings.strategy.btc_trend_days, MARKET[0]
    if days > settings.training.days:
        bars = source.daily_bars(symbol, source_kind(settings).coin(settings, symbol), days)
    return closes_before(bars, today, days)


def closes_before(bars: DailyBars, day: date, count: int) -> tuple[Decimal, ...]:
    """Return the closes of so many days before a day, oldest first: fewer where the record is young or has a gap."""
    end = np.datetime64(day, "D")
    last = bars.between(end - count, end)
    known = last.has_close()
    without_gap = known & (end - last.days == np.arange(len(last.days), 0, -1))
    first = len(without_gap) - int(np.logical_and.accumulate(without_gap[::-1]).sum())
    return tuple(Decimal(repr(float(close))) for close in last.values[first:, CLOSE])


def _fetch(
    symbols: Sequence[str], settings: Settings, source: DailyBarSource
) -> tuple[dict[str, DailyBars], dict[str, Score]]:
    """Return the bars of BTC, ETH and the tokens, and the scores of those that have none: none either."""
    coins = {symbol: source_kind(settings).coin(settings, symbol) for symbol in dict.fromkeys((*MARKET, *symbols))}
    bars: dict[str, DailyBars] = {}
    failed: dict[str, Score] = {}
    for symbol, answer in source.each_daily_bars(coins, settings.training.days):
        if isinstance(answer, DailyBars):
            bars[symbol] = answer
        elif symbol in MARKET:
            raise TemporaryError(LocalizedText("fault.scores.no_market", coin=symbol, why=answer.message))
        else:
            is_temporary = isinstance(answer, TemporaryError)
            reason = DecisionReason.SOURCE_DOWN if is_temporary else DecisionReason.NOT_TRACKED
            failed[symbol] = Score(symbol, None, answer.message, temporary=is_temporary, reason=reason)
    return bars, failed


def _refuse_what_cannot_be(
    histories: Mapping[str, DailyBars], day: date, settings: Settings, source: DailyBarSource
) -> dict[str, Score]:
    """Return the tokens whose bar of that day holds values that cannot be meant; they are asked for anew next time.

    Raises TemporaryError where a score is the same for all tokens: then the source is in trouble, whatever it says.
    """
    stuck = stuck_columns(histories, histories.keys(), day)
    impossible = {symbol: columns for symbol, bars in histories.items() if (columns := impossible_columns(bars, day))}
    for symbol in histories if stuck else impossible:
        source.forget_latest(symbol, source_kind(settings).coin(settings, symbol))
    if stuck:
        first = stuck[0]
        facts = {"column": first.column, "value": first.value, "tokens": first.tokens}
        raise TemporaryError(LocalizedText("fault.scores.stuck", source=settings.source_name, **facts))
    return {
        symbol: Score(
            symbol,
            None,
            LocalizedText("scores.impossible", source=settings.source_name, columns=", ".join(columns)),
            temporary=True,
            reason=DecisionReason.IMPOSSIBLE_VALUE,
        )
        for symbol, columns in impossible.items()
    }


def score_rows(rows: pd.DataFrame, model: LoadedModel, scale: ScoreScale = "raw") -> list[Score]:
    """Score feature rows, of one day or of many, in their order; one that misses a feature gets no probability.

    scale: rank puts the share of the model's own out-of-sample scores that lie under it in the probability's place.
    Raises InputError if the model cannot score, or has no table for that scale.
    """
    ranks = table_in(model.facts) if scale == "rank" else None
    if scale == "rank" and ranks is None:
        raise InputError(LocalizedText("fault.scores.no_scale"))
    complete = has_features(rows, model.features).all(axis=1).to_numpy()
    found = iter(_probabilities(rows[complete], model) if complete.any() else ())
    scores = []
    columns = zip(rows["symbol"], rows["close"].tolist(), complete.tolist(), strict=True)
    for number, (symbol, close, is_complete) in enumerate(columns):
        found_score = next(found) if is_complete else None
        raw = None if found_score is None else Decimal(repr(found_score))
        unavailable_reason = "" if is_complete else _missing_text(rows.iloc[number], model)
        score = Score(symbol, raw, unavailable_reason, Decimal(repr(close)), reason=DecisionReason.NO_FEATURE)
        if ranks is not None and found_score is not None:
            score = replace(score, probability=rank_of(found_score, ranks), raw=raw)
        scores.append(score)
    return scores


def _missing_text(row: pd.Series, model: LoadedModel) -> str:
    return LocalizedText("scores.no_feature", features=", ".join(missing_features(row, model.features)))


def _probabilities(rows: pd.DataFrame, model: LoadedModel) -> list[float]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = class_probabilities(model.estimator, rows[list(model.features)])
    except (NotFittedError, ValueError) as error:
        raise InputError(LocalizedText("fault.scores.no_score", problem=str(error).splitlines()[0])) from None
    found = [float(value) for value in answer[:, list(model.estimator.classes_).index(1)]]
    if odd := [value for value in found if not 0 <= value <= 1]:  # no rule can compare with what is no number
        raise InputError(LocalizedText("fault.scores.no_score", problem=repr(odd[0])))
    return found


def hit_bands(model: LoadedModel, scale: ScoreScale = "raw") -> tuple[HitBand, ...]:
    """Return how often the model was right, by its score, as its facts have it; nothing where they do not say.

    Nothing either where they say it of another scale than this one.
    """
    hold_out = model.facts.get("hold_out")
    known = isinstance(hold_out, dict) and hold_out.get("scale", "raw") == scale
    bands = hold_out.get("bands") if known and isinstance(hold_out, dict) else None
    return tuple(known for band in bands if (known := _hit_band(band))) if isinstance(bands, list) else ()


def _hit_band(band: object) -> HitBand | None:
    """Return a band of model.json, or None for one that cannot be read: no pass depends on it."""
    try:
        lowest, below, rate = (Decimal(str(band[key])) for key in ("from", "below", "hit_rate"))  # type: ignore[index]
        rows = int(band["rows"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return HitBand(lowest, below, rows, rate) if all(one.is_finite() for one in (lowest, below, rate)) else None


def score_tokens(
    symbols: Sequence[str],
    settings: Settings,
    clock: Clock,
    model_path: Path,
    notify: Callable[[str], None] | None = None,
) -> Scoring:
    """Load the model, fetch, score: the whole work of a daily update before its decisions.

    notify: hears of waits when they begin; without it they are noted in the result.
    Raises InputError for a model that is missing or does not match, else as `get_probabilities`.
    """
    notes: list[str] = []
    model = _load_once(model_path, (file_fingerprint(model_path), file_fingerprint(facts_path(model_path))))
    refuse_other_source(model_path, model.facts, settings.data_source)
    refuse_unscaled(model_path, model.facts, settings.strategy.score_scale)
    scoring = get_probabilities(symbols, settings, clock, open_source(settings, clock, notify or notes.append), model)
    return replace(scoring, notes=tuple(notes))


@lru_cache(maxsize=2)
def _load_once(path: Path, _: tuple[Fingerprint | None, ...]) -> LoadedModel:
    """Load a model, or give the one that these same files held before."""
    return load_model(path)
