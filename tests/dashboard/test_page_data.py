"""The numbers behind the pages: levels, curves, falls, BTC beside them, rows of files, the end of a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.bot.daily_candles import DailyClose, bitcoin_closes
from marsshot.core.book import Position
from marsshot.core.reasons import OrderReason
from marsshot.dashboard.data.equity_curve import (
    Curve,
    build_equity_curve,
    buy_and_hold,
    downsample,
    drawdowns,
    sample_evenly,
)
from marsshot.dashboard.data.file_cache import FileCache, read_tail
from marsshot.dashboard.data.log_tail import tail_log
from marsshot.dashboard.presentation.price_levels import MIN_LABEL_DISTANCE, build_price_scale
from marsshot.market_data.bar_cache import FIELDS, BarCache, CachedBars, DailyBars, cache_folder
from marsshot.portfolio.trades_file import parse_trades, realised_profit
from marsshot.reporting.decision_records import parse_decisions
from risk_manager import decide_exit, exit_levels, with_price_seen
from tests.helpers.builders import EXIT_RULES, NOW, D, a_book, bought_at, some_settings

START = datetime(2021, 2, 1, tzinfo=UTC)
CENT = D("0.01")


def day(number: float) -> datetime:
    return START + timedelta(days=number)


# --------------------------------------------------------------------------- levels


def reason_at(held: Position, price: Decimal) -> OrderReason | None:
    return decide_exit(with_price_seen(held, price, EXIT_RULES), price, NOW, EXIT_RULES).reason


def test_at_each_level_the_rule_fires_and_a_step_before_it_does_not() -> None:
    levels = exit_levels(bought_at("1"), EXIT_RULES)
    assert (levels.stop_loss, levels.partial_exit, levels.trailing_start) == (D("0.5"), D(2), D(3))
    assert levels.trailing_stop is None
    assert reason_at(bought_at("1"), D("0.5")) is OrderReason.STOP_LOSS
    assert reason_at(bought_at("1"), D("0.51")) is None
    assert reason_at(bought_at("1"), D(2)) is OrderReason.PARTIAL_TAKE_PROFIT
    assert reason_at(bought_at("1"), D("1.99")) is None
    assert with_price_seen(bought_at("1"), D(3), EXIT_RULES).trailing_armed
    assert not with_price_seen(bought_at("1"), D("2.99"), EXIT_RULES).trailing_armed


def test_once_armed_and_part_sold_the_trailing_stop_is_what_is_left() -> None:
    held = bought_at("1", trailing_armed=True, max_price=D("3.2"), partial_sold=True)
    levels = exit_levels(held, EXIT_RULES)
    assert (levels.partial_exit, levels.trailing_start, levels.trailing_stop) == (None, None, D("2.24"))
    assert reason_at(held, D("2.24")) is OrderReason.TRAILING_STOP
    assert reason_at(held, D("2.25")) is None


prices = st.decimals("0.000001", "100000", places=6)


@given(entry=prices, price=prices)
def test_a_level_that_the_price_has_passed_is_one_whose_rule_fires(entry: Decimal, price: Decimal) -> None:
    held = bought_at(str(entry))
    levels = exit_levels(held, EXIT_RULES)
    assert (price <= levels.stop_loss) == (reason_at(held, price) is OrderReason.STOP_LOSS)
    assert levels.partial_exit is not None
    assert (price >= levels.partial_exit) == (reason_at(held, price) is OrderReason.PARTIAL_TAKE_PROFIT)


@given(entry=prices, price=st.none() | prices)
def test_the_marks_of_a_bar_are_in_order_and_inside_it(entry: Decimal, price: Decimal | None) -> None:
    bar = build_price_scale(bought_at(str(entry)), price, EXIT_RULES)
    assert [mark.kind for mark in bar.marks] == ["stop_loss", "entry", "partial", "trailing_start"]
    assert all(before.at < after.at for before, after in pairwise(bar.marks))
    assert all(0 < mark.at < 100 for mark in bar.marks)
    names = [mark.at for mark in bar.marks if mark.has_label]
    assert all(after - before >= MIN_LABEL_DISTANCE for before, after in pairwise(names))
    assert (bar.price is None) == (price is None) == (bar.gain is None)


def test_equal_factors_are_equally_far_apart() -> None:
    bar = build_price_scale(bought_at("1"), D(4), EXIT_RULES)
    stop, entry, partial, now = (bar.mark_of("stop_loss"), bar.mark_of("entry"), bar.mark_of("partial"), bar.price)
    assert stop and entry and partial and now
    assert partial.at - entry.at == pytest.approx(entry.at - stop.at, abs=0.02)
    assert now.at - partial.at == pytest.approx(entry.at - stop.at, abs=0.02)


def test_a_bar_tells_how_far_the_price_has_to_go() -> None:
    bar = build_price_scale(bought_at("1"), D("1.25"), EXIT_RULES)
    stop, partial = bar.mark_of("stop_loss"), bar.mark_of("partial")
    assert stop and partial
    assert stop.distance == pytest.approx(-0.6)
    assert partial.distance == pytest.approx(0.6)
    assert bar.gain == pytest.approx(0.25)
    assert build_price_scale(bought_at("1"), None, EXIT_RULES).marks[0].distance is None


# --------------------------------------------------------------------------- curves


def worths(*equities: str) -> list[tuple[datetime, Decimal]]:
    return [(day(n), D(one)) for n, one in enumerate(equities)]


def test_the_curve_is_what_was_noted_down() -> None:
    curve = build_equity_curve(worths("1000", "1100"), (), a_book())
    assert (curve.values, curve.includes_open_positions) == ((1000.0, 1100.0), True)


def test_a_clock_that_was_set_back_leaves_the_curve_in_order() -> None:
    first, second, third = worths("1000", "1100", "900")
    curve = build_equity_curve([first, third, second], (), a_book())
    assert (curve.moments, curve.values) == ((day(0), day(1), day(2)), (1000, 1100, 900))


def test_without_notes_it_is_what_sales_brought() -> None:
    rows = (
        b"time,symbol,side,reason,qty,price,quote,profit,client_order_id\n"
        b"2021-02-02T00:00:00Z,FET,BUY,daily_buy,1,1,1,,a\n"
        b"2021-02-03T00:00:00Z,FET,SELL,stop_loss,1,1,1,-10.5,b\n"
        b"2021-02-04T00:00:00Z,OP,SELL,sell_all,1,1,1,30,c\n"
    )
    trades = tuple(parse_trades(rows))
    curve = build_equity_curve((), trades, a_book(started_at="2021-02-01T00:00:00Z"))
    assert curve.moments == (day(0), day(2), day(3))
    assert (curve.values, curve.includes_open_positions) == ((1000.0, 989.5, 1019.5), False)
    assert realised_profit(trades) == D("19.5")


def test_between_its_points_the_curve_is_straight() -> None:
    curve = build_equity_curve(worths("1000", "1100", "900"), (), a_book())
    assert [curve.value_at(day(n)) for n in (-1, 0, 0.5, 1, 1.5, 2, 9)] == [1000, 1000, 1050, 1100, 1000, 900, 900]


def test_a_fall_is_from_the_highest_before_it() -> None:
    assert drawdowns([100, 50, 200, 150, 200]) == [0, 0.5, 0, 0.25, 0]
    assert drawdowns([0, 0]) == [0, 0]
    assert drawdowns([]) == []


@given(st.lists(st.integers(), max_size=60), st.integers(4, 20))
def test_thinning_keeps_ends_and_order(items: list[int], most: int) -> None:
    kept = sample_evenly(items, most)
    assert len(kept) == min(len(items), most)
    if items:
        assert (kept[0], kept[-1]) == (items[0], items[-1])
    places = sample_evenly(range(len(items)), most)
    assert places == sorted(set(places))


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=90), st.integers(2, 20).map(lambda half: 2 * half))
def test_the_outline_of_a_line_keeps_its_ends_its_top_and_its_depth(values: list[float], most: int) -> None:
    curve = Curve(tuple(day(n) for n in range(len(values))), tuple(values), includes_open_positions=True)
    kept = downsample(curve, most)
    points = dict(zip(curve.moments, curve.values, strict=True))
    assert all(points[moment] == value for moment, value in zip(kept.moments, kept.values, strict=True))
    assert list(kept.moments) == sorted(set(kept.moments))
    assert len(kept.moments) <= most + 2
    assert (kept.values[0], kept.values[-1]) == (values[0], values[-1])
    assert (max(kept.values), min(kept.values)) == (max(values), min(values))


# --------------------------------------------------------------------------- BTC


def test_btc_starts_with_the_capital_at_the_close_known_then() -> None:
    closes = [DailyClose(day(n), price) for n, price in enumerate([10.0, 20.0, 30.0, 15.0])]
    line = buy_and_hold(closes, day(1.5), day(3), 1000)
    assert line is not None
    assert line.moments == (day(1.5), day(2), day(3))
    assert line.values == (1000, 1500, 750)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (2, 2), (3, 9)])
def test_where_btcs_closes_do_not_reach_there_is_no_line(start: float, end: float) -> None:
    closes = [DailyClose(day(n), 10.0) for n in range(4)]
    assert buy_and_hold(closes, day(start), day(end), 1000) is None
    assert buy_and_hold([], day(0), day(3), 1000) is None


def test_in_paper_mode_btc_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = some_settings()
    assert bitcoin_closes(settings) == ()
    values = np.full((2, len(FIELDS)), 40_000.0)
    values[1, FIELDS.index("close")] = np.nan
    bars = DailyBars("BTC", np.array(["2021-02-01", "2021-02-02"], "datetime64[D]"), values)
    first, last = np.datetime64("2021-02-01"), np.datetime64("2021-02-03")
    BarCache(cache_folder("paper"), settings.lunarcrush.base_url).save("BTC", CachedBars(bars, first, last))
    assert bitcoin_closes(settings) == (DailyClose(day(1), 40_000.0),)  # known when its day is over


def test_in_demo_mode_btc_is_the_recorded_markets() -> None:
    closes = bitcoin_closes(some_settings(mode="demo"))
    assert closes[0].moment == datetime(2020, 1, 2, tzinfo=UTC)
    assert len(closes) > 600


# --------------------------------------------------------------------------- rows


def test_an_empty_file_has_no_rows() -> None:
    assert parse_decisions(b"", "file.csv") == ()
    assert parse_decisions(b"day,sym", "file.csv") == ()


def test_a_decision_is_read_whole() -> None:
    content = (
        b"day,time,symbol,held,probability,hit_rate,hit_rows,action,quote,reason,detail\n"
        b'2021-02-01,t,FET,true,0.71,0.5,4,buy,99.5,at_buy_threshold,"0.70 or more, so"\n'
        b"2021-02-01,t,OP,false,,,,leave,,no_bar,no bar\n"
    )
    first, second = parse_decisions(content, "decisions.csv")
    assert (first.held, first.probability, first.hit_rate, first.hit_rows, first.quote) == (
        True, D("0.71"), D("0.5"), 4, D("99.5"),
    )  # fmt: skip
    assert first.detail == "0.70 or more, so"
    assert (second.held, second.probability, second.hit_rate, second.hit_rows) == (False, None, None, None)


# --------------------------------------------------------------------------- files


def test_a_file_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    file, files, reads = tmp_path / "file", FileCache(), list[str]()

    def text(path: Path) -> str:
        reads.append(path.read_text() if path.exists() else "nothing")
        return reads[-1]

    assert files.get(file, text) == files.get(file, text) == "nothing"
    file.write_text("one")
    assert files.get(file, text) == files.get(file, text) == "one"
    file.write_text("three")
    assert files.get(file, text) == "three"
    file.unlink()
    assert files.get(file, text) == "nothing"
    assert reads == ["nothing", "one", "three", "nothing"]


@pytest.mark.parametrize(
    ("most", "end"), [(100, "first\nsecond\n"), (13, "first\nsecond\n"), (12, "second\n"), (7, ""), (6, "")]
)
def test_the_end_of_a_file_begins_with_a_line(tmp_path: Path, most: int, end: str) -> None:
    (tmp_path / "log").write_text("first\nsecond\n")
    assert read_tail(tmp_path / "log", most).decode() == end


def test_a_traceback_in_the_log_is_shown_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("2021-02-15T00:30:00Z ERROR loop.error a='b c' | Failed | so\nTraceback:\n  line\n")
    last, middle, first = tail_log(tmp_path / "log", "", "")
    assert (last.text, middle.text) == ("  line", "Traceback:")
    assert (first.level, first.event, first.fields, first.text) == (
        "ERROR", "loop.error", " a='b c'", "Failed | so",
    )  # fmt: skip


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert tail_log(tmp_path / "log", "", "") == []
