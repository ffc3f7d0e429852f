"""The way inside a day keeps to the recorded bar, and the stand-in scores never look ahead."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_market.lunarcrush.synthetic_scores import social_scores
from embedded_market.market_data.history import (
    CoinHistory,
    DailyBar,
    History,
    HistoryError,
    day_start,
    load_bundled_history,
    load_history,
    unix_day,
)
from embedded_market.market_data.price_board import PriceBoard
from embedded_market.market_data.price_path import STEPS_PER_DAY, day_path

DAY = date(2021, 2, 15)
SEEDS = st.integers(0, 2**32)


def a_bar(first: object, high: object, low: object, last: object) -> DailyBar:
    a, b, c, d = (Decimal(str(price)) for price in (first, high, low, last))
    return DailyBar(a, b, c, d, Decimal(1), Decimal(1))


@st.composite
def bars_and_decimals(draw: st.DrawFn) -> tuple[DailyBar, int]:
    decimals = draw(st.integers(0, 8))
    low = draw(st.one_of(st.integers(1, 10**9), st.integers(10**12, 10**13)))
    high = low + draw(st.one_of(st.integers(0, 5), st.integers(0, 10**9)))
    first, last = (draw(st.integers(low, high)) for _ in range(2))
    return a_bar(*(Decimal(p).scaleb(-decimals) for p in (first, high, low, last))), decimals


@given(bars_and_decimals(), SEEDS)
def test_a_path_opens_closes_touches_both_ends_and_passes_none(sample: tuple[DailyBar, int], seed: int) -> None:
    bar, decimals = sample
    path = day_path(bar, seed=seed, symbol="X", day=DAY, decimals=decimals)
    prices = [path.price(step) for step in range(STEPS_PER_DAY)]
    assert len(path.ticks) == STEPS_PER_DAY
    assert (prices[0], prices[-1]) == (bar.open, bar.close)
    assert (min(prices), max(prices)) == (bar.low, bar.high)


@given(bars_and_decimals(), SEEDS)
def test_a_path_depends_on_its_arguments_alone(sample: tuple[DailyBar, int], seed: int) -> None:
    bar, decimals = sample
    once, again = (day_path(bar, seed=seed, symbol="X", day=DAY, decimals=decimals) for _ in range(2))
    assert once == again


def test_seed_symbol_and_day_each_give_another_path() -> None:
    bar = a_bar(100, 120, 80, 110)
    paths = {
        day_path(bar, seed=seed, symbol=symbol, day=day, decimals=2).ticks
        for seed, symbol, day in ((0, "A", DAY), (1, "A", DAY), (0, "B", DAY), (0, "A", date(2021, 2, 16)))
    }
    assert len(paths) == 4


def test_a_path_is_the_same_in_another_process() -> None:
    code = (
        "from datetime import date; from decimal import Decimal as D;"
        "from embedded_market.market_data.history import DailyBar;"
        "from embedded_market.market_data.price_path import day_path;"
        "bar = DailyBar(D(100), D(120), D(80), D(110), D(1), D(1));"
        "print(day_path(bar, seed=7, symbol='BTC', day=date(2021, 2, 15), decimals=2).ticks)"
    )
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    here = day_path(a_bar(100, 120, 80, 110), seed=7, symbol="BTC", day=DAY, decimals=2).ticks
    assert done.stdout.strip() == str(here)


def test_a_rising_day_more_often_sees_its_low_first() -> None:
    rising, falling = a_bar(90, 120, 80, 118), a_bar(110, 120, 80, 82)

    def low_first(bar: DailyBar) -> int:
        paths = (day_path(bar, seed=seed, symbol="X", day=DAY, decimals=0).ticks for seed in range(200))
        return sum(ticks.index(80) < ticks.index(120) for ticks in paths)

    assert low_first(rising) > 130
    assert low_first(falling) < 70


@pytest.mark.parametrize(("bar", "decimals"), [(a_bar(100, 99, 80, 90), 0), (a_bar(1.23, 1.3, 1, 1.2), 1)])
def test_an_impossible_bar_is_refused(bar: DailyBar, decimals: int) -> None:
    with pytest.raises(ValueError, match=r"order|decimals"):
        day_path(bar, seed=0, symbol="X", day=DAY, decimals=decimals)


def test_the_bundled_history_is_whole() -> None:
    history = load_bundled_history()
    assert len(history.coins) == 14
    assert sum(len(coin.bars) for coin in history.coins.values()) == 7490
    assert history.first_day == unix_day(date(2020, 1, 1))
    assert history.last_day == unix_day(date(2021, 9, 29))
    bitcoin = history.coins["BTC"].bars[unix_day(date(2021, 2, 10))]
    assert (bitcoin.open, bitcoin.close) == (Decimal("46420.42"), Decimal("44807.58"))
    assert bitcoin.market_cap == Decimal(839561450000)
    early = history.coins["BTC"].bars[unix_day(date(2020, 1, 1))]
    assert Decimal("18.5e6") < early.market_cap / early.close < Decimal("18.7e6")


def test_a_bar_of_every_recorded_day_can_be_walked() -> None:
    history = load_bundled_history()
    board = PriceBoard(history, seed=3, shift_days=0)
    for coin in history.coins.values():
        for day in list(coin.bars)[::60]:
            assert board.price(coin.symbol, day * 86400.0) == coin.bars[day].open
            assert board.price(coin.symbol, day * 86400.0 + 86399) == coin.bars[day].close


def test_the_price_holds_for_five_minutes() -> None:
    board = PriceBoard(load_bundled_history(), seed=0, shift_days=0)
    start = day_start(DAY) + 3600
    assert board.text("BTC", start) == board.text("BTC", start + 299.9)
    assert board.text("BTC", start) != board.text("BTC", start + 300)


def test_after_the_end_and_in_a_gap_the_price_stands_still(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("symbol,date,open,high,low,close,volume\nA,2021-01-01,1,2,1,2,5\nA,2021-01-03,3,4,3,4,5\n")
    board = PriceBoard(load_history(file), seed=0, shift_days=0)
    assert board.price("A", day_start(date(2021, 1, 2)) + 40_000) == 2
    assert board.price("A", day_start(date(2021, 1, 9))) == 4
    assert board.has_ended("A", day_start(date(2021, 1, 4)))
    assert not board.has_ended("A", day_start(date(2021, 1, 3)) + 86_399)
    assert not board.is_listed("A", day_start(date(2020, 12, 31)))


def test_a_missing_market_cap_uses_the_nearest_earlier_supply(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    header = "symbol,date,open,high,low,close,volume,market_cap\n"
    rows = [
        "A,2021-01-01,1,1,1,1,5,",
        "A,2021-01-02,2,2,2,2,5,200",
        "A,2021-01-03,3,3,3,3,5,",
        "A,2021-01-04,3,3,3,3,5,600",
        "A,2021-01-05,4,4,4,4,5,",
    ]
    file.write_text(header + "\n".join(rows))
    assert [int(bar.market_cap) for bar in load_history(file).coins["A"].bars.values()] == [100, 200, 300, 600, 800]


@pytest.mark.parametrize("row", ["A,2021-01-01,1,2,3,2,5", "A,2021-13-01,1,2,1,2,5", "A,2021-01-01,x,2,1,2,5", ""])
def test_a_broken_history_is_refused(tmp_path: Path, row: str) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(f"symbol,date,open,high,low,close,volume\n{row}\n")
    with pytest.raises(HistoryError):
        load_history(file)


def cut(history: History, last_day: int) -> History:
    coins: dict[str, CoinHistory] = {}
    for symbol, coin in history.coins.items():
        bars = {day: bar for day, bar in coin.bars.items() if day <= last_day}
        if bars:
            coins[symbol] = dataclasses.replace(coin, bars=bars, last_day=max(bars))
    return History(coins, history.first_day, last_day)


def test_scores_do_not_know_later_days() -> None:
    history = load_bundled_history()
    end = unix_day(date(2021, 3, 31))
    whole, shorter = social_scores(history, seed=5), social_scores(cut(history, end), seed=5)
    for symbol in ("BTC", "ADA", "SOL"):
        for day in range(end - 300, end + 1):
            if day in history.coins[symbol].bars:
                assert whole.row(symbol, day) == shorter.row(symbol, day)


def test_scores_follow_the_day_that_just_closed() -> None:
    history = load_bundled_history()
    end = unix_day(date(2021, 3, 31))
    bars = dict(history.coins["ADA"].bars)
    bars[end] = dataclasses.replace(bars[end], close=bars[end].close * 2, high=bars[end].high * 2)
    changed = History(
        {**history.coins, "ADA": dataclasses.replace(history.coins["ADA"], bars=bars)},
        history.first_day,
        history.last_day,
    )
    before, after = (social_scores(h, seed=5) for h in (history, changed))
    assert after.row("ADA", end)["galaxy_score"] > before.row("ADA", end)["galaxy_score"]
    assert after.row("ADA", end - 1) == before.row("ADA", end - 1)


def test_scores_stay_in_their_ranges() -> None:
    history = load_bundled_history()
    scores = social_scores(history, seed=0)
    for day in range(history.first_day, history.last_day + 1, 7):
        rows = [scores.row(s, day) for s, coin in history.coins.items() if day in coin.bars]
        assert sorted(row["alt_rank"] for row in rows) == list(range(1, len(rows) + 1))
        assert all(0 <= row["galaxy_score"] <= 100 and 0 <= row["sentiment"] <= 100 for row in rows)
        assert sum(row["social_dominance"] for row in rows) == pytest.approx(100, abs=0.01)
    with pytest.raises(KeyError):
        scores.row("ICP", unix_day(date(2021, 5, 10)))
