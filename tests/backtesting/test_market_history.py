"""What is read from recorded bars: their way through the day, the finer file first, and one line for every fault."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_market import EmbeddedMarket
from marsshot.backtesting.history.intraday_bars import prices_within_bars, read_intraday
from marsshot.backtesting.history.market_history import read_dataset
from marsshot.backtesting.simulation.simulated_market import RecordedPrices
from marsshot.core.errors import InputError
from marsshot.market_data.lunarcrush import FIELDS
from marsshot.market_data.lunarcrush_parser import bars_from_points
from tests.helpers.backtest_builders import (
    SYNTHETIC_FIRST_DAY,
    bundled_request,
    synthetic_request,
    write_synthetic_bars,
)

BAR = st.tuples(*(st.integers(1, 1000) for _ in range(4)))
DAY = 86_400
HEAD = "symbol,time,open,high,low,close\n"


@given(BAR)
def test_the_price_meets_open_both_extremes_and_close_and_the_further_extreme_first(bar: tuple[int, ...]) -> None:
    low, one, other, high = sorted(bar)
    opening, close = (one, other) if bar[0] % 2 else (other, one)
    first, second, third, fourth = prices_within_bars(np.array([[opening, high, low, close]]))[0].tolist()
    assert (first, fourth) == (opening, close)
    assert {second, third} == {high, low}
    assert abs(second - close) >= abs(third - close)


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_an_hour_has_four_prices_and_a_gap_stands_still(tmp_path: Path) -> None:
    path = _write(tmp_path, "intraday_1h.csv.gz", f"{HEAD}A,0,10,13,9,12\nA,3600,12,12.5,11,11\nA,10800,20,20,20,20\n")
    bars = read_intraday([path], {"A"}, 0, 0)["A"]
    moments = np.array([0, 899, 900, 1800, 2700, 3599, 3600, 7199, 7200, 10799, 10800])
    expected = [10, 10, 9, 13, 12, 12, 12, 11, 11, 11, 20]
    assert (bars.ticks_at(moments) / 1e8).tolist() == expected
    assert [bars.tick_at(int(moment)) / 1e8 for moment in moments] == expected


def test_of_a_day_the_finer_bars_count(tmp_path: Path) -> None:
    coarse = "".join(f"A,{hour * 3600},1,1,1,1\n" for hour in range(48))
    fine = "".join(f"A,{DAY + minute * 300},2,2,2,2\n" for minute in range(288))
    paths = [_write(tmp_path, "intraday_1h.csv", HEAD + coarse), _write(tmp_path, "intraday_5m.csv", HEAD + fine)]
    bars = read_intraday(paths, {"A"}, 0, 1)["A"]
    assert bars.days == {0, 1}
    assert [bars.tick_at(DAY - 1) / 1e8, bars.tick_at(DAY) / 1e8, bars.tick_at(2 * DAY - 1) / 1e8] == [1, 2, 2]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("A,0,10,9,8,9\n", "row 2: A has an impossible bar on 1970-01-01 (open 10, high 9, low 8, close 9)"),
        ("A,0,,9,8,9\n", "impossible bar"),
        ("A,0,1,1,1,1\nA,0,1,1,1,1\n", "A has two bars of 1970-01-01 00:00"),
        ("A,0,1,1,1,1\nA,7000,1,1,1,1\n", "bars 7000 seconds apart"),
        ("A,0,1,1,1,x\n", "is not a table of symbol, time, open"),
    ],
)
def test_faulty_bars_inside_the_day_are_told(tmp_path: Path, rows: str, told: str) -> None:
    path = _write(tmp_path, "intraday_1h.csv", HEAD + rows)
    with pytest.raises(InputError) as refused:
        read_intraday([path], {"A"}, 0, 1)
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_the_bundled_bars_are_what_the_embedded_markets_lunarcrush_tells() -> None:
    market = EmbeddedMarket(clock=lambda: 1_614_000_000.0)
    today = np.datetime64("2021-02-22")
    for symbol, bars in read_dataset(None, None, None, date(2021, 2, 21)).bars.items():
        rows = [json.loads(row) for row in market.lunarcrush._rows(symbol, 0, 1_614_000_000, 1_614_000_000)]
        told = bars_from_points(symbol, rows, np.datetime64("2020-01-01"), today)
        assert (bars.days == told.days).all()
        assert bars.values.tolist() == told.values.tolist(), symbol


def test_a_file_of_the_owners_is_read_as_it_stands(tmp_path: Path) -> None:
    dataset = read_dataset(write_synthetic_bars(tmp_path, 1, hourly=True), None, SYNTHETIC_FIRST_DAY, None)
    assert dataset.symbols == ("AAA", "BBB", "BTC", "ETH")
    assert set(dataset.intraday) == {"AAA", "BTC"}
    line = (tmp_path / "daily.csv").read_text().splitlines()[5].split(",")
    bar = dataset.history.coins["AAA"].bars[dataset.history.first_day + 4]
    assert [bar.open, bar.high, bar.low, bar.close] == [Decimal(text) for text in line[2:6]]
    values = dict(zip(FIELDS, dataset.bars["AAA"].values[4], strict=True))
    assert values["close"] == float(line[5])
    assert values["volume"] == 3_000_000
    assert not dataset.has_recorded_scores
    # Of a day with recorded bars the price is theirs, of another the embedded market's way between daily prices.
    board = RecordedPrices(dataset)
    hour = (tmp_path / "intraday_1h.csv").read_text().splitlines()[1].split(",")
    assert board.price("AAA", float(hour[1])) == Decimal(hour[2])
    assert board.coinbase_price("AAA", float(hour[1])) == Decimal(hour[2])
    assert board.price("BBB", float(hour[1])) == dataset.history.coins["BBB"].bars[int(hour[1]) // DAY].open


def test_recorded_social_scores_are_used(tmp_path: Path) -> None:
    text = "symbol,date,open,high,low,close,volume,market_cap,galaxy_score,alt_rank,sentiment\n"
    path = _write(tmp_path, "daily.csv", text + "BTC,2023-01-01,1,1,1,1,5,100,61.5,7,80\n")
    dataset = read_dataset(path, None, None, None)
    assert dataset.has_recorded_scores
    assert dataset.bars["BTC"].values[0, 6:].tolist() == [61.5, 7, 80]


def test_a_market_cap_is_carried_forward_never_back(tmp_path: Path) -> None:
    rows = "BTC,2023-01-01,1,1,1,1,5,\nBTC,2023-01-02,2,2,2,2,5,200\nBTC,2023-01-03,3,3,3,3,5,\n"
    path = _write(tmp_path, "daily.csv", "symbol,date,open,high,low,close,volume,market_cap\n" + rows)
    caps = read_dataset(path, None, None, None).bars["BTC"].values[:, FIELDS.index("market_cap")]
    assert np.isnan(caps[0])
    assert caps[1:].tolist() == [200, 300]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:1], "has no rows"),
        (lambda lines: ["symbol,date,open", *lines[1:]], "has no column high, low, close, volume"),
        (lambda lines: [*lines, lines[3]], "daily.csv: row 66: AAA has two bars of 2023-01-03"),
        (lambda lines: [lines[0], lines[1].replace("2023-01-01", "soon"), *lines[2:]], "daily.csv: row 2: date 'soon'"),
        (
            lambda lines: [lines[0], lines[1].replace(",3000000,", ",-5,"), *lines[2:]],
            "daily.csv: row 2: AAA has a volume of -5 on 2023-01-01",
        ),
        (lambda lines: [lines[0], lines[1].replace(",3000000,", ",inf,"), *lines[2:]], "AAA has a volume of inf"),
        (
            lambda lines: [*lines[:2], ",".join((*lines[2].split(",")[:4], "0", *lines[2].split(",")[5:])), *lines[3:]],
            "daily.csv: row 3: AAA has an impossible bar on 2023-01-02",
        ),
        (
            lambda lines: [line for line in lines if "AAA,2023-01-13" not in line],
            "daily.csv: row 13: AAA has a gap after 2023-01-12: 1 day missing",
        ),
        (lambda lines: [line for line in lines if "BTC,2023-01-10" not in line], "BTC has a gap"),
        (lambda lines: [line for line in lines if not line.startswith("ETH")], "has no bar of ETH"),
        (lambda lines: [line for line in lines if not line.startswith("BBB")], "has no bar of BBB"),
        (
            lambda lines: [line for line in lines if "ETH" not in line or line.split(",")[1] < "2023-01-13"],
            "ETH ends on",
        ),
    ],
)
def test_faulty_daily_bars_are_told(tmp_path: Path, change: object, told: str) -> None:
    path = write_synthetic_bars(tmp_path, 1, hourly=False) / "daily.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")  # type: ignore[operator]
    with pytest.raises(InputError) as refused:
        synthetic_request(tmp_path)
    assert told in str(refused.value)
    assert len(refused.value.faults) == 1


def test_a_gap_before_the_span_is_no_fault(tmp_path: Path) -> None:
    path = write_synthetic_bars(tmp_path, 1, hourly=False) / "daily.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "AAA,2023-01-05" not in line) + "\n")
    assert synthetic_request(tmp_path).first == SYNTHETIC_FIRST_DAY


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2020, 1, 1), None),  # the first day has no bar before it
        (date(2019, 1, 1), date(2019, 2, 1)),
        (date(2021, 9, 1), date(2021, 9, 30)),
        (date(2021, 9, 30), None),
        (date(2021, 3, 2), date(2021, 3, 1)),
    ],
)
def test_a_span_outside_the_data_is_told(first: date, last: date | None) -> None:
    with pytest.raises(InputError) as refused:
        bundled_request(first=first, last=last)
    assert len(refused.value.faults) == 1


def test_the_span_reaches_to_both_ends_of_the_data() -> None:
    assert bundled_request(first=date(2020, 1, 2), last=date(2021, 9, 29)).span == (date(2020, 1, 2), date(2021, 9, 29))


def test_without_a_span_a_models_worth_of_days_comes_before_it() -> None:
    assert bundled_request(first=None, last=None).span == (date(2020, 12, 31), date(2021, 9, 29))


def test_a_folder_without_daily_bars_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no daily\.csv"):
        read_dataset(tmp_path, None, None, None)


def test_a_change_that_the_settings_refuse_is_told() -> None:
    with pytest.raises(InputError, match=r"strategy\.stop_loss_pct: 2 is not allowed"):
        bundled_request(changes={"strategy.stop_loss_pct": "2"})
    with pytest.raises(InputError, match=r"strategy\.nonsense: is not a key"):
        bundled_request(changes={"strategy.nonsense": "2"})


def test_the_tokens_may_be_all_of_the_data_or_those_of_the_training_list() -> None:
    assert "ICP" in bundled_request(tokens="all", last=date(2021, 5, 11)).settings.tokens_daily
    assert (
        "ICP" not in bundled_request(tokens="all", last=date(2021, 5, 10)).settings.tokens_daily
    )  # not listed by then
    training = bundled_request(tokens="training", last=date(2021, 5, 11)).settings.tokens_daily
    assert "ICP" not in training
    assert {"BTC", "ADA"} <= set(training)


@pytest.mark.parametrize("ticker", ["NA", "NAN", "NULL", "None", "TRUE", "N/A", "nan"])
def test_a_ticker_that_looks_like_a_missing_value_is_a_ticker(tmp_path: Path, ticker: str) -> None:
    daily = "date,symbol,open,high,low,close,volume,market_cap\n"
    rows = "".join(f"2021-01-0{day},{name},1,2,0.5,1,10,\n" for name in ("BTC", "ETH", ticker) for day in (1, 2))
    dataset = read_dataset(_write(tmp_path, "daily.csv", daily + rows), [ticker], None, None)
    assert ticker in dataset.symbols
    bars = read_intraday([_write(tmp_path, "intraday_1h.csv", f"{HEAD}{ticker},0,10,13,9,12\n")], {ticker}, 0, 0)
    assert list(bars) == [ticker]
