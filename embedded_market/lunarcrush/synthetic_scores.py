"""Stand-ins for LunarCrush's scores (Galaxy Score, AltRank, sentiment, posts ...), computed from recorded prices.

THESE ARE NO RECORDED VALUES. Each day's figures come from closes and volumes up to and including that day,
never later ones, plus seeded noise; so they hold no knowledge that the prices do not hold already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedded_market.market_data.price_path import seeded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from embedded_market.market_data.history import History

    Matrix = NDArray[np.float64]

Number = int | float
_SHORT, _LONG = 7, 30


@dataclass(frozen=True, slots=True)
class SocialScores:
    """One matrix (days x coins) per field; NaN where the coin has no bar."""

    first_day: int
    column_of: Mapping[str, int]
    fields: Mapping[str, Matrix]

    def row(self, symbol: str, day: int) -> dict[str, Number]:
        """Return the fields of one coin at the close of a unix day. Raises KeyError where there is no bar."""
        at = (day - self.first_day, self.column_of[symbol])
        if at[0] < 0 or np.isnan(self.fields["alt_rank"][at]):
            raise KeyError(f"{symbol} has no bar on day {day}")
        values = {name: float(matrix[at]) for name, matrix in self.fields.items()}
        return {name: int(value) if value.is_integer() else value for name, value in values.items()}


def social_scores(history: History, seed: int) -> SocialScores:
    """Return the stand-in scores of the whole history at once (a few milliseconds)."""
    close, volume, cap = (matrix_of(history, name) for name in ("close", "volume", "market_cap"))
    columns = {symbol: column for column, symbol in enumerate(history.coins)}
    return SocialScores(history.first_day, columns, social_fields(list(columns), close, volume, cap, seed))


def social_fields(
    symbols: Sequence[str], close: Matrix, volume: Matrix, cap: Matrix, seed: int
) -> Mapping[str, Matrix]:
    """Return the stand-ins by field; all matrices are days x coins, NaN where the coin has no bar."""
    noise = {name: _noise(symbols, len(close), seed, name) for name in ("galaxy", "rank", "mood", "crowd", "spam")}
    trend, heat, today = _trend(close), _heat(volume), _today(close)
    known = np.where(np.isnan(close), np.nan, 1.0)
    mood = np.clip(78 + 7 * today + 5 * trend + 2.5 * noise["mood"], 0, 100)
    galaxy = np.clip(50 + 13 * trend + 8 * heat + 4 * noise["galaxy"], 0, 100)
    crowd = 40 * np.sqrt(np.maximum(cap, 1)) * np.exp(0.5 * heat + 0.2 * np.abs(today) + 0.12 * noise["crowd"])
    fields = {
        "galaxy_score": np.round(galaxy, 1),
        "alt_rank": _rank(trend + 0.5 * heat + 0.1 * noise["rank"], known),
        "sentiment": np.round(mood),
        "social_dominance": _share(crowd),
        "market_dominance": _share(cap),
        "circulating_supply": np.round(cap / close),
    }
    fields |= _counts(crowd, noise["spam"])
    return {name: matrix * known for name, matrix in fields.items()}


def _counts(crowd: Matrix, noise: Matrix) -> dict[str, Matrix]:
    active = crowd / 60
    return {
        "interactions": np.round(crowd),
        "posts_active": np.round(active),
        "posts_created": np.round(active / 30),
        "contributors_active": np.round(active * 0.55),
        "contributors_created": np.round(active * 0.02),
        "spam": np.round(active / 100 * np.exp(0.3 * noise)),
    }


def matrix_of(history: History, name: str) -> Matrix:
    """Return one field of all bars as a matrix (days x coins), NaN where the coin has no bar."""
    matrix = np.full((history.last_day - history.first_day + 1, len(history.coins)), np.nan)
    for column, coin in enumerate(history.coins.values()):
        rows = [day - history.first_day for day in coin.bars]
        matrix[rows, column] = [float(getattr(bar, name)) for bar in coin.bars.values()]
    return matrix


def _noise(symbols: Sequence[str], days: int, seed: int, name: str) -> Matrix:
    """Return one seeded column per coin; a longer history only adds rows at its end."""
    columns = [seeded("social", seed, symbol, name).standard_normal(days) for symbol in symbols]
    return np.column_stack(columns)


def _trailing_mean(values: Matrix, days: int) -> Matrix:
    known = ~np.isnan(values)
    sums, counts = np.cumsum(np.where(known, values, 0.0), axis=0), np.cumsum(known, axis=0)
    sums[days:], counts[days:] = sums[days:] - sums[:-days], counts[days:] - counts[:-days]
    return np.asarray(sums / np.maximum(counts, 1), dtype=np.float64)


def _change(close: Matrix, days: int) -> Matrix:
    change = np.zeros_like(close)
    change[days:] = np.log(close[days:] / close[:-days])
    return np.nan_to_num(change)


def _daily_spread(close: Matrix) -> Matrix:
    return np.sqrt(_trailing_mean(_change(close, 1) ** 2, _LONG)) + 0.005


def _today(close: Matrix) -> Matrix:
    return np.asarray(np.tanh(_change(close, 1) / _daily_spread(close)), dtype=np.float64)


def _trend(close: Matrix) -> Matrix:
    trend = np.tanh(_change(close, _SHORT) / (_daily_spread(close) * np.sqrt(_SHORT)))
    return np.asarray(trend, dtype=np.float64)


def _heat(volume: Matrix) -> Matrix:
    usual = np.maximum(_trailing_mean(volume, _LONG), 1.0)
    heat = np.tanh(np.nan_to_num(np.log(np.maximum(volume, 1.0) / usual)))
    return np.asarray(heat, dtype=np.float64)


def _rank(score: Matrix, known: Matrix) -> Matrix:
    order = np.argsort(np.where(np.isnan(known), -np.inf, score) * -1, axis=1, kind="stable")
    return np.asarray(np.argsort(order, axis=1, kind="stable") + 1, dtype=np.float64)


def _share(values: Matrix) -> Matrix:
    return np.asarray(np.round(100 * values / np.nansum(values, axis=1, keepdims=True), 4), dtype=np.float64)
