"""Indicators against TA-Lib, value by value, from the first defined one on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indicators import Floats, atr, is_clean, macd_histogram, rsi

LENGTHS = [*range(1, 61), 120, 365]


def a_series(length: int, seed: int = 0, scale: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """High, low and close of a random walk."""
    random = np.random.default_rng(seed)
    close = scale * np.exp(np.cumsum(random.normal(0, 0.05, length)))
    high, low = (close * (1 + sign * random.random(length) * 0.03) for sign in (1, -1))
    return high, low, close


def one(values: Floats) -> Floats:
    return values[:, None]


def side_by_side(columns: Sequence[Floats]) -> Floats:
    """Series of different lengths as one array, padded with NaN at the end."""
    padded = np.full((max(map(len, columns)), len(columns)), np.nan)
    for number, column in enumerate(columns):
        padded[: len(column), number] = column
    return padded


def assert_same(ours: Floats, theirs: NDArray[np.float64], unit: float = 1.0) -> None:
    assert (np.isnan(ours) == np.isnan(theirs)).all()
    assert np.nanmax(np.abs(ours - theirs) / unit, initial=0) < 1e-9


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e5])
def test_all_three_agree_with_talib_at_every_length(length: int, scale: float) -> None:
    high, low, close = a_series(length, seed=length, scale=scale)
    assert_same(rsi(one(close))[:, 0], talib.RSI(close, 14))
    assert_same(macd_histogram(one(close))[:, 0], talib.MACD(close, 12, 26, 9)[2], unit=scale)
    assert_same(atr(one(high), one(low), one(close))[:, 0], talib.ATR(high, low, close, 14), unit=scale)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_series_that_never_moves_agrees_with_talib(length: int) -> None:
    close = np.full(length, 3.3)
    assert_same(rsi(one(close))[:, 0], talib.RSI(close, 14))
    assert_same(macd_histogram(one(close))[:, 0], talib.MACD(close, 12, 26, 9)[2])
    assert_same(atr(one(close), one(close), one(close))[:, 0], talib.ATR(close, close, close, 14))


def test_first_defined_values_are_at_14_33_and_14() -> None:
    high, low, close = a_series(40)
    for values, first in ((rsi(one(close)), 14), (macd_histogram(one(close)), 33)):
        assert np.flatnonzero(~np.isnan(values[:, 0]))[0] == first
    assert np.flatnonzero(~np.isnan(atr(one(high), one(low), one(close))[:, 0]))[0] == 14


def test_rsi_is_100_when_it_only_rose_and_0_when_it_only_fell() -> None:
    up = np.arange(1.0, 20.0)
    assert rsi(one(up))[-1, 0] == 100
    assert rsi(one(up[::-1].copy()))[-1, 0] == 0


def test_a_token_has_the_same_bits_alone_and_among_others_of_other_lengths() -> None:
    series = [a_series(length, seed=length) for length in (20, 60, 35, 200)]
    high, low, close = (side_by_side([token[part] for token in series]) for part in range(3))
    for number, (own_high, own_low, own_close) in enumerate(series):
        length = len(own_close)
        for among, alone in (
            (rsi(close), rsi(one(own_close))),
            (macd_histogram(close), macd_histogram(one(own_close))),
            (atr(high, low, close), atr(one(own_high), one(own_low), one(own_close))),
        ):
            assert among[:length, number].tobytes() == alone[:, 0].tobytes()
            assert np.isnan(among[length:, number]).all()


@given(st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_a_later_close_changes_no_earlier_value(length: int, seed: int) -> None:
    _, _, close = a_series(length, seed)
    longer = np.append(close, close[-1] * 7)
    for indicator in (rsi, macd_histogram):
        assert indicator(one(longer))[:-1].tobytes() == indicator(one(close)).tobytes()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_bar_with_one_unusable_price_is_not_clean(bad: float, place: int) -> None:
    bars = np.ones((4, 3))
    bars[place, 1] = bad
    assert is_clean(bars).tolist() == [True, False, True]


def test_no_tokens_and_no_bars_are_no_fault() -> None:
    for shape in ((0, 0), (0, 3), (1, 2)):
        empty = np.full(shape, 1.0)
        assert rsi(empty).shape == macd_histogram(empty).shape == atr(empty, empty, empty).shape == shape
