"""Bitvavo's candles over real HTTP, from the embedded market with its oddities."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedded_market import EmbeddedMarket, MarketServer
from embedded_market.bitvavo.markets import EUR_USD
from marsshot.core.errors import TemporaryError
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.bar_cache import FIELDS, DailyBars
from marsshot.market_data.base import NotTrackedError, ShutOutError, SourceRefusedError, UnusableBarsError
from marsshot.market_data.bitvavo_candles import WEIGHT_TO_LEAVE, BitvavoCandles

NOW = datetime(2021, 6, 15, 0, 30, tzinfo=UTC)
YESTERDAY = date(2021, 6, 14)
DAY_MS = 86_400_000
A_DAY = (YESTERDAY - date(1970, 1, 1)).days * DAY_MS


class Harness:
    """A market, its server and a clock that both go by."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOW)
        self.market = EmbeddedMarket(clock=lambda: self.clock.now().timestamp())
        self.server = MarketServer(self.market)
        self.folder = folder
        self.notes: list[str] = []

    def source(self, clock: VirtualClock | None = None) -> BitvavoCandles:
        return BitvavoCandles(
            base_url=self.server.url,
            cache_dir=self.folder / "cache",
            clock=clock or self.clock,
            notify=self.notes.append,
            requests_per_second=None,
        )

    def answer(self, status: int, body: object = "", times: int = 1, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.market.faults.add(
            service="bitvavo", match="candles", kind="status", times=times, status=status, body=text, headers=told
        )

    def asked(self) -> list[str]:
        return [one.query for one in self.market.request_log if one.path.endswith("/candles")]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    here = Harness(tmp_path)
    with here.server:
        yield here


def days_of(bars: DailyBars) -> list[date]:
    return list(bars.days.astype(object))


def unix_ms(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def test_the_bars_are_the_closed_days_in_euros_and_nothing_else(harness: Harness) -> None:
    bars = harness.source().daily_bars("ADA", "ADA-EUR", 100)
    assert days_of(bars) == [YESTERDAY - timedelta(days=ago) for ago in range(99, -1, -1)]
    recorded = harness.market.history.coins["ADA"].bars[A_DAY // DAY_MS]
    last = dict(zip(FIELDS, bars.values[-1].tolist(), strict=True))
    for name in ("open", "high", "low", "close"):
        assert last[name] == pytest.approx(float(getattr(recorded, name) / EUR_USD), rel=1e-4)
    assert last["volume"] == pytest.approx(float(recorded.volume / EUR_USD), rel=1e-4)
    assert all(math.isnan(last[name]) for name in ("market_cap", "galaxy_score", "alt_rank", "sentiment"))


def test_the_volume_is_in_euros_coins_times_close(harness: Harness) -> None:
    harness.answer(200, [[A_DAY, "1", "4", "0.5", "2", "30"]])
    (last,) = harness.source().daily_bars("ADA", "ADA-EUR", 1).values
    assert last[: FIELDS.index("market_cap")].tolist() == [1, 4, 0.5, 2, 60]


@pytest.mark.parametrize("is_ahead", [False, True])
def test_the_running_days_candle_is_no_bar(harness: Harness, *, is_ahead: bool) -> None:
    row = ["1", "1", "1", "1", "1"]
    harness.answer(200, [[A_DAY + DAY_MS, *row], [A_DAY, *row]], Date="Tue, 15 Jun 2021 00:30:00 GMT")
    clock = VirtualClock(NOW + timedelta(days=1)) if is_ahead else harness.clock
    assert days_of(harness.source(clock).daily_bars("ADA", "ADA-EUR", 5)) == [YESTERDAY]


def test_a_day_is_closed_at_midnight_and_not_a_second_before(harness: Harness) -> None:
    row = [A_DAY, "1", "1", "1", "1", "1"]
    harness.answer(200, [row], times=2, Date="Mon, 14 Jun 2021 23:59:59 GMT")
    with pytest.raises(NotTrackedError):
        harness.source().daily_bars("ADA", "ADA-EUR", 5)
    harness.market.faults.pending.clear()
    harness.answer(200, [row], Date="Tue, 15 Jun 2021 00:00:00 GMT")
    assert days_of(harness.source().daily_bars("ADA", "ADA-EUR", 5)) == [YESTERDAY]


def test_more_days_than_an_answer_holds_are_asked_for_span_by_span(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.market_data.bitvavo_candles.PAGE", 100)
    monkeypatch.setattr("embedded_market.bitvavo.candles._MAX_ROWS", 100)
    harness.market.bitvavo.candles.missing.add(("BTC", A_DAY // DAY_MS - 150))
    source = harness.source()
    bars = source.daily_bars("BTC", "BTC-EUR", 250)
    assert len(bars.days) == 249
    assert set(np.diff(bars.days).astype(int)) == {1, 2}
    assert source.requests_made == len(harness.asked()) == 3


def test_a_day_without_a_trade_is_no_bar(harness: Harness) -> None:
    harness.market.bitvavo.candles.missing.add(("ADA", A_DAY // DAY_MS - 2))
    assert [day.day for day in days_of(harness.source().daily_bars("ADA", "ADA-EUR", 5))] == [10, 11, 13, 14]


def test_closed_bars_come_from_the_disk_and_only_new_days_are_asked_for(harness: Harness) -> None:
    harness.source().daily_bars("ADA", "ADA-EUR", 50)
    again = harness.source()
    again.daily_bars("ADA", "ADA-EUR", 50)
    assert again.requests_made == 0
    harness.clock.sleep(2 * 86_400)
    later = harness.source()
    assert days_of(later.daily_bars("ADA", "ADA-EUR", 50))[-1] == YESTERDAY + timedelta(days=2)
    assert later.requests_made == 1
    assert f"start={A_DAY + DAY_MS}&" in harness.asked()[-1]


def test_a_token_without_a_market_is_told_by_name_and_the_others_go_on(harness: Harness) -> None:
    answers = dict(harness.source().each_daily_bars({"NOPE": "NOPE-EUR", "ADA": "ADA-EUR"}, 5))
    assert isinstance(answers["NOPE"], NotTrackedError)
    assert "NOPE: Bitvavo has no market NOPE-EUR" in str(answers["NOPE"])
    assert isinstance(answers["ADA"], DailyBars)


@pytest.mark.parametrize("wrong", ["abc", None, "nan", "-1.0", [], True])
def test_what_is_no_number_makes_the_tokens_bars_unusable(harness: Harness, wrong: Any) -> None:
    harness.answer(200, [[A_DAY, "1", "1", wrong, "1", "1"]])
    with pytest.raises(UnusableBarsError, match=r"ADA: Bitvavo sent .* where a number belongs for ADA-EUR"):
        harness.source().daily_bars("ADA", "ADA-EUR", 10)


def test_days_of_another_time_zone_are_not_taken_for_days_of_utc(harness: Harness) -> None:
    harness.answer(200, [[A_DAY - 2 * 3_600_000, "1", "1", "1", "1", "1"]])  # midnight in Amsterdam
    with pytest.raises(UnusableBarsError, match="days that do not begin at midnight UTC"):
        harness.source().daily_bars("ADA", "ADA-EUR", 10)


@pytest.mark.parametrize("body", ["{", '{"rows": []}', "[[1, 2]]", '["x"]'])
def test_an_answer_without_bars_is_tried_again_and_then_trouble_for_now(harness: Harness, body: str) -> None:
    harness.answer(200, body, times=3)
    assert len(harness.source().daily_bars("ADA", "ADA-EUR", 5).days) == 5
    harness.answer(200, body, times=4)
    with pytest.raises(TemporaryError, match="DOT: Bitvavo sent"):
        harness.source().daily_bars("DOT", "DOT-EUR", 5)


def test_after_a_429_nothing_is_asked_before_the_reset(harness: Harness) -> None:
    reset = NOW + timedelta(seconds=90)
    harness.answer(429, {"errorCode": 105}, bitvavo_ratelimit_resetat=unix_ms(reset))
    source = harness.source()
    assert len(source.daily_bars("ADA", "ADA-EUR", 5).days) == 5
    assert harness.clock.now() >= reset
    assert source.requests_made == 2


def test_an_address_that_is_shut_out_for_longer_asks_no_more(harness: Harness) -> None:
    reset = NOW + timedelta(minutes=15)
    harness.answer(429, {"errorCode": 105}, bitvavo_ratelimit_resetat=unix_ms(reset))
    source = harness.source()
    answers = dict(source.each_daily_bars({"ADA": "ADA-EUR", "DOT": "DOT-EUR"}, 5))
    assert [getattr(answer, "until", None) for answer in answers.values()] == [reset, reset]
    assert all(isinstance(answer, ShutOutError) for answer in answers.values())
    assert source.requests_made == 1
    harness.clock.sleep(15 * 60)
    assert len(source.daily_bars("ADA", "ADA-EUR", 5).days) == 5


@pytest.mark.parametrize(("left", "waits"), [(WEIGHT_TO_LEAVE + 1, False), (WEIGHT_TO_LEAVE, True)])
def test_a_part_of_the_minutes_weight_is_left_to_the_prices(harness: Harness, left: int, *, waits: bool) -> None:
    reset = NOW + timedelta(seconds=45)
    rows = [[A_DAY, "1", "1", "1", "1", "1"]]
    harness.answer(200, rows, bitvavo_ratelimit_remaining=str(left), bitvavo_ratelimit_resetat=unix_ms(reset))
    source = harness.source()
    source.daily_bars("ADA", "ADA-EUR", 5)
    source.daily_bars("DOT", "DOT-EUR", 5)
    assert (harness.clock.now() >= reset) is waits


@pytest.mark.parametrize("status", [403, 408, 500, 503])
def test_trouble_of_the_moment_is_tried_again(harness: Harness, status: int) -> None:
    harness.answer(status)
    assert len(harness.source().daily_bars("ADA", "ADA-EUR", 5).days) == 5
    assert harness.notes == [f"ADA: Bitvavo answered {status}; trying again in 2 s"]


@pytest.mark.parametrize("status", [301, 404, 451])
def test_another_host_is_told_at_once(harness: Harness, status: int) -> None:
    harness.answer(status, "<html>")
    with pytest.raises(SourceRefusedError, match=r"bitvavo\.base_url"):
        harness.source().daily_bars("ADA", "ADA-EUR", 5)
