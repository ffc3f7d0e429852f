"""What became of the scores that were high enough to buy: how many rose, beside what had been promised.

Takes the rows of decisions.csv and daily bars, returns values. Fetches, reads and writes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from math import sqrt

import numpy as np

from indicators import atr, is_clean
from marsshot.core.amounts import EXACT
from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars
from marsshot.reporting.decision_records import DecisionRow
from marsshot.training.day_statistics import MIN_DAYS, Interval, day_numbers, share, wilson

WINDOW_DAYS = 90
_MIN_PROMISE_ROWS = 10  # a promise made of fewer cannot be broken
_ROUNDING = 1e-9
_DAY = timedelta(days=1)
_HIGH, _LOW = FIELDS.index("high"), FIELDS.index("low")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRules:
    """Which scores are looked at, and what counts as a rise: by so much, so many days after the scored bar."""

    buy_threshold: Decimal
    rise: Decimal  # a fraction of the scored bar's close
    days: int


class Parting(StrEnum):
    """How what happened differs from what had been promised, where chance does not explain it."""

    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord:
    """The scores of the buy threshold and more of the last WINDOW_DAYS, and what became of them.

    known: those whose outcome is known; of them `rose` did, `share_interval` is that of rose / known. waiting: their
    day is still to come; without_bar: it is over, and no bar tells. promised: the mean of the hit rates that the model
    had at such scores, None where it told none; promised_by: as uncertain as a share of so many rows. by_atr: how many
    rose of as many tokens with the largest ATR/close of the same days' scored ones.
    """

    rules: ScoreRules
    known: int = 0
    rose: int = 0
    share_interval: Interval | None = None
    promised: float | None = None
    promised_by: int = 0
    parting: Parting | None = None
    by_atr: int = 0
    waiting: int = 0
    without_bar: int = 0


@dataclass(frozen=True, slots=True)
class TokenHistory:
    """A token's closes, and its ATR in parts of the close where that is defined, by UTC day."""

    closes: Mapping[date, float]
    atr_to_close: Mapping[date, float]


@dataclass(frozen=True, slots=True)
class _Pick:
    """One row of high score, or one that ATR/close would have picked, with its outcome."""

    row: DecisionRow
    rose: bool


def history_of(bars: DailyBars, first: date) -> TokenHistory:
    """Return what is to be known of a token from a day on; bars with a price that cannot be are left out."""
    clean = is_clean(bars.values[:, : CLOSE + 1].T)
    days, values = bars.days[clean], bars.values[clean]
    high, low, close = (values[:, [field]] for field in (_HIGH, _LOW, CLOSE))
    ratio = (atr(high, low, close) / close)[:, 0]
    wanted = days >= np.datetime64(first, "D")
    dates = [date.fromisoformat(str(day)) for day in days[wanted]]
    return TokenHistory(
        dict(zip(dates, values[wanted, CLOSE].tolist(), strict=True)),
        {day: one for day, one in zip(dates, ratio[wanted].tolist(), strict=True) if np.isfinite(one)},
    )


def first_day(today: date) -> date:
    """Return the first day whose scores are looked at."""
    return today - timedelta(days=WINDOW_DAYS)


def score_record(
    decisions: Iterable[DecisionRow], histories: Mapping[str, TokenHistory], rules: ScoreRules, today: date
) -> ScoreRecord:
    """Return what became of the scores of the days from `first_day` to today. A bar is closed before today."""
    by_day: defaultdict[date, dict[str, DecisionRow]] = defaultdict(dict)
    for row in decisions:
        if row.probability is not None and first_day(today) <= row.day <= today:
            by_day[row.day][row.symbol] = row  # of a day that stands there twice the later one counts
    picks: list[_Pick] = []
    by_atr: list[_Pick] = []
    waiting = without_bar = 0
    for day in sorted(by_day):
        rows = list(by_day[day].values())
        high = [row for row in rows if row.probability is not None and row.probability >= rules.buy_threshold]
        if day - _DAY + timedelta(days=rules.days) >= today:
            waiting += len(high)
            continue
        found = [pick for row in rows if (pick := _pick(row, histories, rules)) is not None]
        mine = [pick for pick in found if pick.row in high]
        without_bar += len(high) - len(mine)
        picks += mine
        by_atr += _most_volatile(found, histories, len(mine))
    _, interval = _share(picks)
    promised, promised_by, parted = _promise(picks)
    return ScoreRecord(
        rules=rules,
        known=len(picks),
        rose=sum(pick.rose for pick in picks),
        share_interval=interval,
        by_atr=sum(pick.rose for pick in by_atr),
        waiting=waiting,
        without_bar=without_bar,
        promised=promised,
        promised_by=round(promised_by),
        parting=parted,
    )


def _pick(row: DecisionRow, histories: Mapping[str, TokenHistory], rules: ScoreRules) -> _Pick | None:
    """Return what became of a score: it is of the bar of the day before. None where a bar is missing."""
    closes = histories[row.symbol].closes if row.symbol in histories else {}
    scored = row.day - _DAY
    close, later = closes.get(scored), closes.get(scored + timedelta(days=rules.days))
    if close is None or later is None:
        return None
    return _Pick(row, Decimal(repr(later)) >= EXACT.multiply(Decimal(repr(close)), 1 + rules.rise))


def _most_volatile(found: Sequence[_Pick], histories: Mapping[str, TokenHistory], count: int) -> list[_Pick]:
    def atr_to_close(pick: _Pick) -> float:
        return histories[pick.row.symbol].atr_to_close.get(pick.row.day - _DAY, 0.0)

    return sorted(found, key=lambda pick: (-atr_to_close(pick), pick.row.symbol))[:count]


def _share(picks: Sequence[_Pick]) -> tuple[float | None, Interval | None]:
    """Return the share of picks that rose, and its interval: the day, not the row, is the unit of chance."""
    if not picks:
        return None, None
    _, numbers = day_numbers([np.datetime64(pick.row.day, "D") for pick in picks])
    return share(numbers, np.ones(len(picks)), [pick.rose for pick in picks])


def _promise(picks: Sequence[_Pick]) -> tuple[float | None, float, Parting | None]:
    """Return the mean of the promised hit rates, how many rows that is worth, and how the picks parted from it."""
    with_promise = [(pick, *promise) for pick in picks if (promise := _promise_of(pick.row))]
    rate, interval = _share([pick for pick, *_ in with_promise])
    if rate is None or interval is None:
        return None, 0, None
    weights: defaultdict[tuple[float, int], float] = defaultdict(float)
    for _, hit_rate, rows in with_promise:
        weights[hit_rate, rows] += 1 / len(with_promise)
    promised = min(1.0, sum(weight * hit_rate for (hit_rate, _), weight in weights.items()))
    # As uncertain as a share of so many rows: each band's own count, in the parts in which the bands were used.
    count = 1 / sum(weight**2 / rows for (_, rows), weight in weights.items())
    days = len({pick.row.day for pick, *_ in with_promise})
    says_something = days >= MIN_DAYS and count >= _MIN_PROMISE_ROWS * (1 - _ROUNDING)
    found = parting(rate, interval, promised, wilson(promised, count)) if says_something else None
    return promised, count, found


def _promise_of(row: DecisionRow) -> tuple[float, int] | None:
    if row.hit_rate is None or not row.hit_rows or not 0 <= row.hit_rate <= 1:
        return None
    return float(row.hit_rate), row.hit_rows


def parting(rate: float, interval: Interval, promised: float, promised_interval: Interval) -> Parting | None:
    """Return on which side of the promise the rate is, if the interval of their difference leaves out zero.

    Source: Newcombe, Interval estimation for the difference between independent proportions, method 10 (1998).
    """
    difference = rate - promised
    down = sqrt((rate - interval[0]) ** 2 + (promised_interval[1] - promised) ** 2)
    up = sqrt((interval[1] - rate) ** 2 + (promised - promised_interval[0]) ** 2)
    if difference + up < 0:
        return Parting.BELOW
    return Parting.ABOVE if difference - down > 0 else None
