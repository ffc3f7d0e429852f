"""What became of the model's scores, read from decisions.csv and the bars on this disk, and told in the owner's words.

One function for `status`, the dashboard and the weekly message. Asks no network and writes nothing: what is told is
made of files that a restart finds again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from marsshot.bot.environment import recorded_candles
from marsshot.bot.journal import read_last_seen
from marsshot.config.bot_files import DECISIONS, LAST_SEEN
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import csv_bytes
from marsshot.market_data.bar_cache import FIELDS, DailyBars
from marsshot.market_data.daily_bar_sources import cached_bars
from marsshot.portfolio.serialization import decimal_text
from marsshot.reporting.decision_records import DecisionRow, parse_decisions
from marsshot.reporting.score_outcomes import (
    WINDOW_DAYS,
    ScoreRecord,
    ScoreRules,
    first_day,
    history_of,
    score_record,
)
from marsshot.strategy.decision_reasons import COLUMNS

_TAIL_BYTES = 16_000_000  # of decisions.csv: 90 days of 500 tokens are less
MOST_OUTSIDE = 0.10  # of a feature's values: five times what a market like the training's has
_PRICES = [FIELDS.index(name) for name in ("open", "high", "low", "close")]


def read_score_record(settings: Settings, today: date) -> ScoreRecord:
    """Return what became of the scores of the last 90 days. Raises InputError, OSError for a file that is no good."""
    rules = ScoreRules(
        buy_threshold=settings.strategy.buy_threshold,
        rise=settings.training.threshold,
        days=settings.training.shift_days,
    )
    first = first_day(today)
    decisions = _decisions(settings, first)
    if settings.training.label != "rise":  # a promise of another kind of hit
        decisions = tuple(replace(row, hit_rate=None) for row in decisions)
    symbols = {row.symbol for row in decisions if row.probability is not None}
    end = np.datetime64(today, "D")
    bars = {symbol: held for symbol in symbols if (held := _bars(settings, symbol)) is not None}
    histories = {
        symbol: history_of(held.between(held.days[0], end), date.fromordinal(first.toordinal() - 1))
        for symbol, held in bars.items()
        if len(held.days)
    }
    return score_record(decisions, histories, rules, today)


def score_facts(settings: Settings, today: date) -> dict[str, Any] | None:
    """Return the record as plain values for programs, shares from 0 to 1; None where a file cannot be read."""
    try:
        record = read_score_record(settings, today)
    except (InputError, OSError):
        return None
    return {
        "days": WINDOW_DAYS,
        "from_score": decimal_text(record.rules.buy_threshold),
        "rise": decimal_text(record.rules.rise),
        "within_days": record.rules.days,
        "known": record.known,
        "rose": record.rose,
        "interval": [round(one, 6) for one in record.share_interval] if record.share_interval else None,
        "promised": None if record.promised is None else round(record.promised, 6),
        "promised_by_rows": record.promised_by,
        "atr_to_close_rose": record.by_atr,
        "waiting": record.waiting,
        "without_bar": record.without_bar,
        "parting": record.parting,
        "outside_training": dict(read_last_seen(settings.file(LAST_SEEN), Disk()).drift),
    }


def score_lines(settings: Settings, today: date, catalog: Catalog) -> list[str]:
    """Return the lines about the scores' outcomes; a file that cannot be read is one line that says so."""
    try:
        record = read_score_record(settings, today)
    except InputError as error:
        return [catalog.text("scores_record.unreadable", why=error.message)]
    except OSError as error:
        fault = LocalizedText("fault.file.unreadable", path=settings.file(DECISIONS), why=error.strerror)
        return [catalog.text("scores_record.unreadable", why=fault)]
    drift = read_last_seen(settings.file(LAST_SEEN), Disk()).drift
    return [*record_lines(record, catalog), *warning_lines(record, drift, catalog)]


def record_lines(record: ScoreRecord, catalog: Catalog) -> Iterator[str]:
    """Yield what became of the scores, what had been promised, and what ATR/close would have picked."""
    yield catalog.text("scores_record.heading", score=record.rules.buy_threshold, window=WINDOW_DAYS)
    if record.share_interval is None:
        yield catalog.text("scores_record.none", waiting=record.waiting)
    else:
        low, high = record.share_interval
        yield catalog.text(
            "scores_record.rose",
            known=record.known,
            rose=record.rose,
            share=record.rose / record.known,
            low=low,
            high=high,
            rise=record.rules.rise,
            days=record.rules.days,
        )
        if record.promised is None:
            yield catalog.text("scores_record.no_promise")
        else:
            yield catalog.text("scores_record.promised", share=record.promised, rows=record.promised_by)
        yield catalog.text(
            "scores_record.by_atr", rose=record.by_atr, known=record.known, share=record.by_atr / record.known
        )
    if record.without_bar:
        yield catalog.text("scores_record.without_bar", count=record.without_bar)


def warning_lines(record: ScoreRecord, drift: Mapping[str, float], catalog: Catalog) -> Iterator[str]:
    """Yield a warning where promise and outcome part beyond chance, and one where features have left the training's.

    drift: by feature, the share of the last days' values outside the training's borders.
    """
    if record.parting:
        yield catalog.text(f"scores_record.{record.parting}")
    far = sorted((name for name in drift if drift[name] > MOST_OUTSIDE), key=lambda name: -drift[name])
    if far:
        shares = tuple(LocalizedText("scores_record.feature", name=name, share=drift[name]) for name in far)
        yield catalog.text("scores_record.drift", features=shares)


def _decisions(settings: Settings, first: date) -> tuple[DecisionRow, ...]:
    """Return the rows of decisions.csv from a day on; none where there is no file. Raises InputError, OSError."""
    path = settings.file(DECISIONS)
    try:
        content, before = Disk().read_tail(path, _TAIL_BYTES)
    except FileNotFoundError:
        return ()
    head, _, rows = content.partition(b"\n")
    head = csv_bytes([COLUMNS]) if before else head + b"\n"  # else what is cut off is a row's beginning
    oldest = first.isoformat().encode()
    recent = (line for line in rows.splitlines(keepends=True) if line[: len(oldest)] >= oldest)
    return parse_decisions(head + b"".join(recent), str(path))


def _bars(settings: Settings, symbol: str) -> DailyBars | None:
    """Return a token's bars on this disk: in the demo the recorded market's, else what the daily pass has kept."""
    if settings.mode != "demo":
        return cached_bars(settings, symbol)
    candles = recorded_candles(symbol)
    values = np.full((len(candles), len(FIELDS)), np.nan)
    if candles:
        values[:, _PRICES] = [prices for _, *prices in candles]
    return DailyBars(symbol, np.array([day for day, *_ in candles], dtype="datetime64[D]"), values)
