"""Binance's klines over real HTTP, from the embedded market with its oddities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.core.errors import TemporaryError
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.bar_cache import FIELDS, DailyBars
from marsshot.market_data.base import NotTrackedError, QuotaSpentError, SourceRefusedError, UnusableBarsError
from marsshot.market_data.binance_klines import BinanceKlines
from marsshot.market_data.rate_limiter import RequestPacer

NOW = datetime(2021, 6, 15, 0, 30, tzinfo=UTC)
YESTERDAY = date(2021, 6, 14)
KLINES = "GET /api/v3/klines"


class Harness:
    """A market, its server and a clock that both go by."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOW)
        self.market = EmbeddedMarket(clock=lambda: self.clock.now().timestamp())
        self.server = MarketServer(self.market)
        self.folder = folder
        self.notes: list[str] = []

    def source(self, *quotes: str) -> BinanceKlines:
        return BinanceKlines(
            base_url=self.server.url,
            quotes=quotes or ("USDT", "USDC"),
            cache_dir=self.folder / "cache",
            clock=self.clock,
            notify=self.notes.append,
            requests_per_second=None,
        )

    def fail(self, times: int = 1, match: str = KLINES, **details: Any) -> None:
        self.market.faults.add(
            service="binance", match=match, kind=details.pop("kind", "status"), times=times, **details
        )

    def asked(self) -> list[str]:
        return [one.query for one in self.market.request_log if one.path == "/api/v3/klines"]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    here = Harness(tmp_path)
    with here.server:
        yield here


def days_of(bars: DailyBars) -> list[date]:
    return list(bars.days.astype(object))


def test_the_bars_are_the_closed_days_in_quote_asset_and_nothing_else(harness: Harness) -> None:
    bars = harness.source().daily_bars("ADA", "ADA", 100)
    assert days_of(bars) == [YESTERDAY - timedelta(days=ago) for ago in range(99, -1, -1)]
    recorded = harness.market.history.coins["ADA"].bars[(YESTERDAY - date(1970, 1, 1)).days]
    last = dict(zip(FIELDS, bars.values[-1].tolist(), strict=True))
    for name in ("open", "high", "low", "close"):
        assert last[name] == float(getattr(recorded, name))
    assert last["volume"] == round(float(recorded.volume), 2)
    assert all(math.isnan(last[name]) for name in ("market_cap", "galaxy_score", "alt_rank", "sentiment"))


def test_the_running_days_candle_is_no_bar_even_when_our_clock_is_a_day_ahead(harness: Harness) -> None:
    source = harness.source()
    ahead = VirtualClock(NOW + timedelta(days=1))
    source._clock = ahead
    source._history._clock = ahead
    assert days_of(source.daily_bars("ADA", "ADA", 10))[-1] == YESTERDAY


def test_more_than_a_thousand_days_are_asked_for_page_by_page(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.market_data.binance_klines.PAGE", 100)
    monkeypatch.setattr("embedded_market.binance.klines.MAX_LIMIT", 100)
    bars = harness.source().daily_bars("BTC", "BTC", 250)
    assert len(bars.days) == 250 and (np.diff(bars.days).astype(int) == 1).all()
    assert harness.source().requests_made == 0 and len(harness.asked()) == 3


def test_a_halted_day_and_a_day_off_are_no_bars_and_a_young_pair_has_the_days_it_has(harness: Harness) -> None:
    klines = harness.market.binance.klines
    klines.halted["ADA"], klines.off["ADA"] = {date(2021, 6, 10)}, {date(2021, 6, 12)}
    klines.began["SOL"] = date(2021, 6, 11)
    source = harness.source()
    assert [day.day for day in days_of(source.daily_bars("ADA", "ADA", 6))] == [9, 11, 13, 14]
    assert [day.day for day in days_of(source.daily_bars("SOL", "SOL", 300))] == [11, 12, 13, 14]


def test_closed_bars_come_from_the_disk_and_only_new_days_are_asked_for(harness: Harness) -> None:
    first = harness.source()
    before = first.daily_bars("ADA", "ADA", 50)
    again = harness.source()
    assert (again.daily_bars("ADA", "ADA", 50).values[:, :5] == before.values[:, :5]).all() and again.requests_made == 0
    harness.clock.sleep(2 * 86_400)
    later = harness.source()
    assert days_of(later.daily_bars("ADA", "ADA", 50))[-1] == YESTERDAY + timedelta(days=2)
    assert later.requests_made == 1
    started = int(datetime(2021, 6, 15, tzinfo=UTC).timestamp() * 1000)
    assert f"startTime={started}&" in harness.asked()[-1]


def test_what_cannot_be_meant_is_asked_for_anew(harness: Harness) -> None:
    source = harness.source()
    source.daily_bars("ADA", "ADA", 50)
    source.forget_latest("ADA", "ADA")
    source.daily_bars("ADA", "ADA", 50)
    assert source.requests_made == 1  # nothing after yesterday's bar is missing


def test_the_other_dollar_pair_is_taken_where_the_first_is_not_known(harness: Harness) -> None:
    harness.market.delist("ADAUSDT")
    source = harness.source()
    assert len(source.daily_bars("ADA", "ADA", 10).days) == 10
    assert ["ADAUSDT" in harness.asked()[0], "ADAUSDC" in harness.asked()[1]] == [True, True]


def test_a_token_without_a_pair_is_told_by_name(harness: Harness) -> None:
    with pytest.raises(NotTrackedError, match="NOPE: Binance has no pair NOPEUSDT, NOPEUSDC"):
        harness.source().daily_bars("NOPE", "NOPE", 10)


def test_a_pair_that_was_never_traded_in_the_window_is_told_by_name(harness: Harness) -> None:
    harness.market.binance.klines.began["SOL"] = date(2021, 6, 15)
    with pytest.raises(
        NotTrackedError, match="SOL: Binance has no daily close of SOLUSDT, SOLUSDC in the last 10 days"
    ):
        harness.source().daily_bars("SOL", "SOL", 10)


@pytest.mark.parametrize("wrong", ["abc", None, "nan", "-1.0", [], True])
def test_what_is_no_number_makes_the_tokens_bars_unusable(harness: Harness, wrong: Any) -> None:
    def harmed(symbol: str, rows: list[Any]) -> object:
        rows[3][2] = wrong
        return rows

    harness.market.binance.klines.edit_rows = harmed
    with pytest.raises(UnusableBarsError, match=r"ADA: Binance sent .* where a number belongs for ADAUSDT"):
        harness.source().daily_bars("ADA", "ADA", 10)


@pytest.mark.parametrize("answer", [{"rows": []}, [[1, 2]], ["x"], "text"])
def test_an_answer_without_bars_is_tried_again_and_then_trouble_for_now(harness: Harness, answer: object) -> None:
    harness.market.binance.klines.edit_rows = lambda symbol, rows: answer
    source = harness.source()
    with pytest.raises(TemporaryError, match="an answer without bars"):
        source.daily_bars("ADA", "ADA", 10)
    assert source.requests_made == 4


@pytest.mark.parametrize("status", [500, 502, 403, 408])
def test_a_passing_trouble_is_waited_out(harness: Harness, status: int) -> None:
    harness.fail(times=2, status=status)
    assert len(harness.source().daily_bars("ADA", "ADA", 10).days) == 10
    assert harness.clock.now() - NOW == timedelta(seconds=6)
    assert len(harness.notes) == 2 and f"answered {status}; trying again in 2 s" in harness.notes[0]


def test_after_a_429_nothing_is_sent_before_binance_allows_it(harness: Harness) -> None:
    harness.fail(status=429, headers={"Retry-After": "37"})
    harness.source().daily_bars("ADA", "ADA", 10)
    assert timedelta(seconds=37) <= harness.clock.now() - NOW < timedelta(seconds=40)


def test_a_ban_is_not_asked_against(harness: Harness) -> None:
    harness.fail(status=418, headers={"Retry-After": "7200"})
    source = harness.source()
    for symbol in ("ADA", "SOL"):
        with pytest.raises(QuotaSpentError, match="answers nothing until 2021-06-15 02:30 UTC") as caught:
            source.daily_bars(symbol, symbol, 10)
    assert caught.value.until == NOW + timedelta(hours=2)
    assert source.requests_made == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(451, "does not serve the region of this machine"), (404, "is not Binance's"), (301, "HTTP 301")],
)
def test_a_host_that_serves_nobody_here_ends_it_at_once(harness: Harness, status: int, words: str) -> None:
    harness.fail(times=-1, status=status, body='{"code":0,"msg":"Service unavailable from a restricted location"}')
    with pytest.raises(SourceRefusedError, match=words):
        harness.source().daily_bars("ADA", "ADA", 10)
    with pytest.raises(SourceRefusedError, match=words):
        list(harness.source().each_daily_bars({"ADA": "ADA", "SOL": "SOL"}, 10))


def test_side_by_side_each_token_comes_in_the_order_asked_with_its_bars_or_its_trouble(harness: Harness) -> None:
    harness.fail(times=-1, match="symbol=DOGE", status=500)
    found = dict(harness.source().each_daily_bars({one: one for one in ("XRP", "NOPE", "DOGE", "ADA")}, 10))
    assert list(found) == ["XRP", "NOPE", "DOGE", "ADA"]
    assert isinstance(found["XRP"], DailyBars) and isinstance(found["ADA"], DailyBars)
    assert isinstance(found["NOPE"], NotTrackedError) and isinstance(found["DOGE"], TemporaryError)


def test_side_by_side_many_answers_are_awaited_together(harness: Harness) -> None:
    harness.market.latency["binance"] = 0.2
    coins = {one: one for one in harness.market.history.coins}
    begun = datetime.now(UTC)
    assert all(isinstance(bars, DailyBars) for _, bars in harness.source().each_daily_bars(coins, 10))
    assert len(coins) == 14 and (datetime.now(UTC) - begun).total_seconds() < 14 * 0.2


def test_the_weight_of_a_minute_that_is_nearly_used_up_is_waited_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.market_data.binance_klines.USED_WEIGHT_TO_PAUSE_AT", 4)
    source = harness.source()
    for symbol in ("ADA", "SOL"):
        source.daily_bars(symbol, symbol, 10)
    assert harness.clock.now() == NOW
    source.daily_bars("XRP", "XRP", 10)
    assert harness.clock.now() - NOW >= timedelta(seconds=60)


def test_the_market_shuts_out_who_goes_on_asking(harness: Harness) -> None:
    harness.market.binance.weight_limit_per_minute = 2
    source = harness.source()
    source.daily_bars("ADA", "ADA", 10)
    source.daily_bars("SOL", "SOL", 10)  # 429, waited out
    assert harness.clock.now() - NOW >= timedelta(seconds=60)
    assert harness.market.binance._banned_until == 0


def test_the_pace_spreads_requests_evenly() -> None:
    clock = VirtualClock(NOW)
    pacer = RequestPacer(5.0, clock)
    for _ in range(11):
        pacer.acquire()
    assert (clock.now() - NOW).total_seconds() == pytest.approx(2.0, abs=0.02)
    assert pacer.seconds_for(300) == 60
    pacer.hold_until(clock.now().timestamp() + 30)
    pacer.acquire()
    assert (clock.now() - NOW).total_seconds() == pytest.approx(32.0, abs=0.02)
