"""Feature rows and labels: nothing from later days, nothing from another token, live rows like training rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marsshot.market_data.lunarcrush import FIELDS, DailyBars
from marsshot.model.features import (
    AVAILABLE_COLUMNS,
    FEATURES,
    RATIOS,
    feature_table,
    features_in,
    has_features,
    labelled,
    missing_features,
    rows_of_day,
)

START = np.datetime64("2024-01-01", "D")
FIVE_PERCENT = Decimal("0.05")


def history(symbol: str, length: int = 60, seed: int = 0, first: int = 0) -> DailyBars:
    """A token with every field filled; each token's numbers are its own."""
    random = np.random.default_rng([seed, *symbol.encode()])
    close = 10 * np.exp(np.cumsum(random.normal(0, 0.05, length)))
    values = random.random((length, len(FIELDS))) * 50 + 1
    values[:, :4] = np.column_stack([close * 0.99, close * 1.02, close * 0.97, close])
    return DailyBars(symbol, START + first + np.arange(length), values)


def changed(bars: DailyBars, row: int | slice, **fields: float) -> DailyBars:
    values = bars.values.copy()
    for name, value in fields.items():
        values[row, FIELDS.index(name)] = value
    return DailyBars(bars.symbol, bars.days, values)


def without(bars: DailyBars, *rows: int) -> DailyBars:
    return DailyBars(bars.symbol, np.delete(bars.days, rows), np.delete(bars.values, rows, axis=0))


def until(bars: DailyBars, day: int) -> DailyBars:
    """The same history as it was known when this day had closed."""
    return bars.between(START, START + day + 1)


def closes(*values: float) -> DailyBars:
    bars = history("ABC", len(values))
    return DailyBars("ABC", bars.days, np.column_stack([*[values] * 4, bars.values[:, 4:]]).astype(np.float64))


BTC, ETH = history("BTC"), history("ETH")


def table_of(*tokens: DailyBars, btc: DailyBars = BTC, eth: DailyBars = ETH) -> pd.DataFrame:
    return feature_table({token.symbol: token for token in tokens}, btc, eth)


def same_bits(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    return left[list(AVAILABLE_COLUMNS)].to_numpy().tobytes() == right[list(AVAILABLE_COLUMNS)].to_numpy().tobytes()


def test_columns_and_order() -> None:
    table = table_of(history("FET", 3), history("ADA", 3))
    assert tuple(table.columns) == ("date", "symbol", *AVAILABLE_COLUMNS)
    assert table["symbol"].tolist() == ["ADA", "FET"] * 3
    assert table["date"].is_monotonic_increasing and str(table["date"].dt.normalize().dtype) == str(table["date"].dtype)


def test_live_row_is_the_training_row_bit_for_bit() -> None:
    tokens = [history("FET"), history("ADA", 50, first=10), without(history("OP"), 20, 21)]
    training = labelled(table_of(*tokens), 2, FIVE_PERCENT)
    for day in (35, 50, 57):
        live = table_of(*(until(token, day) for token in tokens), btc=until(BTC, day), eth=until(ETH, day))
        row = rows_of_day(live, (START + day).item())
        assert len(row) == 3
        assert same_bits(row, rows_of_day(training, (START + day).item()))


def test_live_row_of_one_token_alone_has_the_same_bits() -> None:
    among = table_of(history("FET"), history("ADA", 45), history("OP", 20))
    alone = table_of(history("FET"))
    assert same_bits(among[among["symbol"] == "FET"], alone)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 58), st.sampled_from(FIELDS), st.sampled_from(["ABC", "BTC", "ETH"]))
def test_no_later_value_changes_a_row(day: int, field: str, whose: str) -> None:
    tokens = {name: history(name) for name in ("ABC", "BTC", "ETH")}
    before = feature_table({"ABC": tokens["ABC"]}, tokens["BTC"], tokens["ETH"])
    tokens[whose] = changed(tokens[whose], slice(day + 1, None), **{field: 123.0})
    after = feature_table({"ABC": tokens["ABC"]}, tokens["BTC"], tokens["ETH"])
    known = before["date"] <= pd.Timestamp((START + day).item())
    assert same_bits(before[known], after[known])


@pytest.mark.parametrize("whose", ["BTC", "ETH"])
def test_of_btc_and_eth_only_the_daily_change_is_in_a_tokens_row(whose: str) -> None:
    fet = history("FET")
    other = {name: history(name, seed=9 if name == whose else 0) for name in ("BTC", "ETH")}
    before, after = table_of(fet), table_of(fet, btc=other["BTC"], eth=other["ETH"])
    different = [name for name in AVAILABLE_COLUMNS if not before[name].equals(after[name])]
    assert different == [f"{whose.lower()}_daily_change"]
    assert (before[list(FIELDS)].to_numpy() == fet.values).all()


def test_daily_change_is_close_to_close_of_calendar_days() -> None:
    btc = without(closes(100, 110, 99, 50, 75), 3)
    table = table_of(history("FET", 5), btc=btc)
    change = table["btc_daily_change"].tolist()
    assert change[1:3] == [110 / 100 - 1, 99 / 110 - 1]
    assert np.isnan([change[0], change[3], change[4]]).all()


def test_a_bar_without_a_price_gives_no_row_and_indicators_run_over_the_rest() -> None:
    broken = changed(history("FET"), 30, open=0.0)
    table = table_of(broken)
    assert len(table) == 59
    assert (table["rsi"].dropna().to_numpy() == table_of(without(history("FET"), 30))["rsi"].dropna().to_numpy()).all()


def test_ratios_are_the_same_of_cheap_and_dear_tokens() -> None:
    dear = history("FET")
    cheap = DailyBars("FET", dear.days, dear.values * np.where(np.arange(len(FIELDS)) < 4, 1e-6, 1.0))
    before, after = table_of(dear), table_of(cheap)
    for name in RATIOS:
        assert after[name].to_numpy() == pytest.approx(before[name].to_numpy(), rel=1e-9, nan_ok=True), name


def test_ratios_by_hand() -> None:
    bars = changed(history("FET"), 59, open=11.0, high=12.0, low=8.0, close=10.0, volume=50.0, market_cap=200.0)
    row = table_of(bars).iloc[59]
    assert (row["range_to_close"], row["close_in_range"], row["turnover"]) == (0.4, 0.5, 0.25)
    assert (row["atr_to_close"], row["macd_to_close"]) == (row["atr"] / 10, row["macd"] / 10)


def test_a_day_without_movement_or_market_cap_still_has_its_ratios() -> None:
    still = changed(history("FET"), 59, open=10.0, high=10.0, low=10.0, close=10.0, market_cap=0.0)
    row = table_of(still).iloc[59]
    assert (row["range_to_close"], row["close_in_range"], row["turnover"]) == (0.0, 0.5, 0.0)
    assert missing_features(row, (*FEATURES, *RATIOS)) == []


def test_a_model_learns_from_the_ratios_that_a_file_has() -> None:
    assert features_in(["date", *FEATURES]) == FEATURES
    assert features_in(["turnover", "atr_to_close", *FEATURES]) == (*FEATURES, "atr_to_close", "turnover")


def test_rows_of_a_day_without_bars_are_none() -> None:
    assert rows_of_day(table_of(history("FET")), date(2025, 1, 1)).empty


def test_missing_features_are_named() -> None:
    bars = changed(changed(history("FET"), 59, galaxy_score=np.nan), 59, volume=1e39)
    row = rows_of_day(table_of(bars), (START + 59).item()).iloc[0]
    assert missing_features(row) == ["volume", "galaxy_score"]  # 1e39 is more than a forest's float32 holds
    assert missing_features(row, ("close", "rsi")) == []
    early = table_of(bars).iloc[0]
    assert missing_features(early) == ["rsi", "macd", "atr", "btc_daily_change", "eth_daily_change"]
    assert has_features(table_of(bars)).iloc[59].tolist() == [
        name not in {"volume", "galaxy_score"} for name in FEATURES
    ]


def label_of(now: float, later: float, threshold: Decimal = FIVE_PERCENT) -> int:
    return int(labelled(table_of(closes(now, now, later)), 2, threshold)["label"].iloc[0])


@pytest.mark.parametrize(
    ("now", "later", "label"),
    [
        (100.0, 105.0, 1),
        (100.0, 104.99999999999999, 0),
        (100.0, 105.00000000000001, 1),
        (0.1, 0.105, 1),  # as binary floats 0.1 * 1.05 is above 0.105
        (1.1, 1.155, 1),
        (0.3, 0.315, 1),
        (0.3, 0.31499999999999995, 0),
        (0.00001234, 0.000012957, 1),
        (0.00001234, 0.0000129569, 0),
    ],
)
def test_label_at_exactly_five_percent(now: float, later: float, label: int) -> None:
    assert label_of(now, later) == label


@given(st.decimals("0.000001", "100000", places=6), st.sampled_from(["0.05", "0.1", "0.003", "1"]))
def test_label_is_exact_for_prices_of_any_size(now: Decimal, threshold: str) -> None:
    bar = now * (1 + Decimal(threshold))
    if Decimal(repr(float(bar))) != bar:
        return
    assert label_of(float(now), float(bar), Decimal(threshold)) == 1
    assert label_of(float(now), float(np.nextafter(float(bar), 0)), Decimal(threshold)) == 0


def test_rows_whose_future_is_not_known_are_not_there() -> None:
    rows = labelled(table_of(without(history("FET", 10), 5)), 2, FIVE_PERCENT)
    days = (rows["date"].to_numpy().astype("datetime64[D]") - START).astype(int).tolist()
    # 3 looks at the gap, 5 is the gap, 8 and 9 look past the end.
    assert days == [0, 1, 2, 4, 6, 7]


def test_the_label_counts_calendar_days_and_keeps_to_its_token() -> None:
    quiet = without(closes(100, 100, 100, 100, 200), 3)
    loud = DailyBars("ZZZ", START + np.arange(5), np.full((5, len(FIELDS)), 1e6))
    rows = labelled(table_of(quiet, loud), 2, FIVE_PERCENT)
    own: Any = rows[rows["symbol"] == "ABC"].set_index("date")["label"]
    assert own.tolist() == [0, 1]  # day 0 looks at day 2; day 2 at day 4; day 1 at the gap
    assert rows["label"].dtype.kind == "i"


def test_no_tokens_and_empty_histories_are_no_fault() -> None:
    assert labelled(feature_table({}, BTC, ETH), 2, FIVE_PERCENT).empty
    nothing = history("ABC", 0)
    table = table_of(nothing, history("FET", 3), btc=nothing, eth=nothing)
    assert len(table) == 3 and table["btc_daily_change"].isna().all()


def test_bars_that_are_out_of_order_or_do_not_fit_cannot_be_made() -> None:
    bars = history("FET", 3)
    with pytest.raises(ValueError, match="strictly increasing"):
        DailyBars("FET", bars.days[::-1], bars.values)
    with pytest.raises(ValueError, match="3 days"):
        DailyBars("FET", bars.days, bars.values[:2])
