"""LunarCrush over real HTTP against a small stub server: the wire, the limits, messy answers, the cache."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from marsshot.core.errors import StopRequested, TemporaryError
from marsshot.infra.clock import VirtualClock
from marsshot.market_data import lunarcrush
from marsshot.market_data.lunarcrush import (
    FIELDS,
    DailyBars,
    LunarCrush,
    NotTrackedError,
    QuotaSpentError,
    SourceRefusedError,
)

NOW = datetime(2024, 6, 30, 0, 30, tzinfo=UTC)
TODAY = int(datetime(2024, 6, 30, tzinfo=UTC).timestamp())
DAY = 86_400
KEY = "secret-key"


def point(days_ago: int, **changes: Any) -> dict[str, Any]:
    """The daily point of so many days before 2024-06-30."""
    default_answer = {
        "time": TODAY - days_ago * DAY,
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": 1.5,
        "volume_24h": 100,
        "market_cap": 5000,
        "galaxy_score": 60,
        "alt_rank": 7,
        "sentiment": 80,
    }
    return {**default_answer, **changes}


class StubResponse:
    """One response of the stub server."""

    def __init__(self, status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.status, self.headers = status, headers or {}
        self.body = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()


class StubServer:
    """LunarCrush on loopback: answers from `points`, or with what stands in `script` first."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.script: list[StubResponse | Callable[[Any], StubResponse | None]] = []
        self.points: list[Any] = [point(ago) for ago in range(400, -1, -1)]
        self.unknown: set[str] = set()
        self.config: dict[str, Any] = {}
        stub_server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536  # one packet per answer

            def do_GET(self) -> None:
                stub_server.requests.append(SimpleNamespace(path=self.path, headers=self.headers))
                step = stub_server.script.pop(0) if stub_server.script else stub_server.default_answer
                answer = step if isinstance(step, StubResponse) else step(self)
                if answer is not None:
                    self.send_response(answer.status)
                    for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def coin(self, request: Any) -> str:
        return str(urlsplit(request.path).path.split("/")[-3])

    def default_answer(self, request: Any) -> StubResponse:
        coin, query = self.coin(request), parse_qs(urlsplit(request.path).query)
        if coin in self.unknown:
            return StubResponse(404, {"error": "coin not found"})
        first, last = int(query["start"][0]), int(query["end"][0])
        inside = [
            each
            for each in self.points
            if not isinstance(each, dict)
            or not isinstance(each.get("time"), int)
            or first <= each["time"] <= last + DAY  # the running day is sent too
        ]
        return StubResponse(body={"config": {"symbol": coin.upper(), "bucket": "day", **self.config}, "data": inside})

    def spans(self) -> list[tuple[int, int]]:
        """What was asked for, in days before 2024-06-30: first day, and the day after the last."""
        queries = [parse_qs(urlsplit(request.path).query) for request in self.requests]
        return [
            ((TODAY - int(query["start"][0])) // DAY, (TODAY - int(query["end"][0]) - 1) // DAY) for query in queries
        ]


@pytest.fixture
def stub_server() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def source(stub_server: StubServer, clock: VirtualClock, tmp_path: Path) -> LunarCrush:
    return a_source(stub_server, clock, tmp_path)


def a_source(stub_server: StubServer, clock: VirtualClock, folder: Path, **changes: Any) -> LunarCrush:
    default_answer = {
        "api_key": KEY,
        "base_url": stub_server.url,
        "requests_per_minute": 10,
        "cache_dir": folder / "cache",
    }
    return LunarCrush(**{**default_answer, "clock": clock, **changes})


def waited(clock: VirtualClock) -> float:
    return (clock.now() - NOW).total_seconds()


def ages(bars: DailyBars) -> list[int]:
    """The days of the bars, in days before 2024-06-30."""
    return [int(age) for age in (np.datetime64("2024-06-30", "D") - bars.days).astype(int)]


def column(bars: DailyBars, name: str) -> list[float]:
    return [float(value) for value in bars.values[:, FIELDS.index(name)]]


# ------------------------------------------------------------------------------------------ the wire


def test_request_form_and_headers(stub_server: StubServer, source: LunarCrush) -> None:
    bars = source.daily_bars("FET", "FET", 365)
    (request,) = stub_server.requests
    start, end = TODAY - 365 * DAY, TODAY - 1
    assert request.path == f"/api4/public/coins/FET/time-series/v2?bucket=day&start={start}&end={end}"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["User-Agent"].startswith("MarsShot/")
    assert request.headers["Accept"] == "application/json"
    assert source.requests_made == 1
    assert ages(bars) == list(range(365, 0, -1))
    assert bars.values[0].tolist() == [1.0, 2.0, 0.5, 1.5, 100, 5000, 60, 7, 80]


def test_a_netrc_entry_does_not_replace_the_key(
    stub_server: StubServer, source: LunarCrush, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    source.daily_bars("FET", "FET", 5)
    assert stub_server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_coin_name_cannot_leave_its_place_in_the_path(stub_server: StubServer, source: LunarCrush) -> None:
    stub_server.config = {"symbol": "a?b"}
    source.daily_bars("AB", "a?b", 5)
    assert stub_server.requests[0].path.startswith("/api4/public/coins/a%3Fb/time-series/v2?bucket=day&")


def test_redirects_are_not_followed(stub_server: StubServer, source: LunarCrush) -> None:
    stub_server.script = [StubResponse(301, headers={"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(SourceRefusedError, match=r"redirect \(301\); check lunarcrush.base_url"):
        source.daily_bars("FET", "FET", 5)


# ------------------------------------------------------------------------------------------ pacing


def test_a_burst_of_the_limit_waits_not_at_all_and_the_next_one_waits_a_minute(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    for number in range(10):
        source.daily_bars(f"T{number}", f"T{number}", 5)
    assert waited(clock) == 0
    source.daily_bars("LAST", "LAST", 5)
    assert 60 < waited(clock) < 61


def test_150_tokens_take_a_quarter_of_an_hour_and_no_minute_sees_more_than_ten(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    sent: list[float] = []
    source = a_source(stub_server, clock, tmp_path)
    for number in range(152):
        assert source.seconds_for(152 - number) + waited(clock) == pytest.approx(15 * 60.1, abs=0.01)
        source.daily_bars(f"T{number}", f"T{number}", 2)
        sent.append(clock.now().timestamp())
    assert waited(clock) < 15.1 * 60
    assert all(sum(moment - 60 <= other <= moment for other in sent) <= 10 for moment in sent)


def test_two_runs_after_each_other_keep_the_limit_together(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    for run in range(3):
        source = a_source(stub_server, clock, tmp_path, requests_per_minute=4)
        source.daily_bars(f"A{run}", f"A{run}", 5)
        source.daily_bars(f"B{run}", f"B{run}", 5)
        assert waited(clock) == (0 if run < 2 else pytest.approx(60.1))


@pytest.mark.parametrize("content", ["", "[1, 2", '["x"]', "{}", "[9e15]"])
def test_a_broken_file_of_request_times_is_no_fault(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock, tmp_path: Path, content: str
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "requests.json").write_text(content)
    source.daily_bars("FET", "FET", 5)
    assert waited(clock) == 0


def test_a_minute_used_up_elsewhere_is_waited_for(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    reset = str(int(NOW.timestamp()) + 37)
    full = {"x-rate-limit-minute-remaining": "0", "x-rate-limit-minute-reset": reset}
    stub_server.script = [StubResponse(body={"data": stub_server.points}, headers=full)]
    source.daily_bars("FET", "FET", 5)
    assert waited(clock) == 0
    source.daily_bars("OP", "OP", 5)
    assert waited(clock) == 37


# ------------------------------------------------------------------------------------------ retries


def test_growing_waits_and_then_a_temporary_error(stub_server: StubServer, clock: VirtualClock, tmp_path: Path) -> None:
    told: list[str] = []
    source = a_source(stub_server, clock, tmp_path, notify=told.append)
    stub_server.script = [StubResponse(500) for _ in range(5)]
    with pytest.raises(TemporaryError, match="FET: LunarCrush answered 500"):
        source.daily_bars("FET", "FET", 5)
    assert [line.rsplit(" in ")[1] for line in told] == ["2 s", "4 s", "8 s", "16 s"]
    assert waited(clock) == 30
    assert source.requests_made == len(stub_server.requests) == 5


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": format_datetime(NOW + timedelta(seconds=21), usegmt=True)}, 21),
        (429, {"Retry-After": "0"}, 1),
        (429, {"Retry-After": "86400"}, 120),
        (503, {"Retry-After": "86400"}, 60),
        (429, {"Retry-After": "soon"}, 2),
        (429, {"x-rate-limit-minute-reset": str(int(NOW.timestamp()) + 33)}, 33),
        (429, {"x-rate-limit-minute-reset": "never"}, 2),
        (429, {}, 2),
        (502, {"x-rate-limit-minute-reset": str(int(NOW.timestamp()) + 33)}, 2),
        (530, {"Content-Type": "text/html"}, 2),
        (408, {}, 2),
        (204, {}, 2),
    ],
)
def test_one_failure_is_waited_out(
    stub_server: StubServer,
    source: LunarCrush,
    clock: VirtualClock,
    status: int,
    headers: dict[str, str],
    seconds: float,
) -> None:
    stub_server.script = [StubResponse(status, b"" if status == 204 else b"<html>sorry</html>", headers)]
    assert len(source.daily_bars("FET", "FET", 5).days) == 5
    assert waited(clock) == seconds


def close_at_once(handler: Any) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def send_half(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.wfile.flush()
    close_at_once(handler)


@pytest.mark.parametrize(
    "trouble",
    [
        close_at_once,
        send_half,
        StubResponse(body=b'{"config": {}, "data": [{"time": 17'),
        StubResponse(body=b""),
        StubResponse(body=b"<html></html>"),
        StubResponse(body={"config": {}}),
        StubResponse(body={"data": None}),
        StubResponse(body={"data": {}}),
        StubResponse(body=[]),
        StubResponse(body=b"[" * 100_000),
        StubResponse(body={"config": {"bucket": "hour"}, "data": [point(1)]}),
    ],
)
def test_half_an_answer_is_asked_for_again(stub_server: StubServer, source: LunarCrush, trouble: Any) -> None:
    stub_server.script = [trouble]
    assert len(source.daily_bars("FET", "FET", 5).days) == 5
    assert source.requests_made == 2


def test_timeouts_and_no_server_are_temporary(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lunarcrush, "TIMEOUT_SECONDS", (0.05, 0.05))
    hold = threading.Event()

    def hang(handler: Any) -> None:
        hold.wait(5)
        close_at_once(handler)

    stub_server.script = [hang] * 5
    source = a_source(stub_server, clock, tmp_path)
    with pytest.raises(TemporaryError, match="FET: LunarCrush did not answer in time"):
        source.daily_bars("FET", "FET", 5)
    hold.set()
    nobody = a_source(stub_server, clock, tmp_path, base_url="http://127.0.0.1:1")
    with pytest.raises(TemporaryError, match="no whole answer from LunarCrush"):
        nobody.daily_bars("FET", "FET", 5)


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (401, SourceRefusedError, "check lunarcrush.api_key or the environment variable LUNARCRUSH_API_KEY"),
        (402, SourceRefusedError, "plan"),
        (403, SourceRefusedError, "blocks"),
        (451, SourceRefusedError, "refuses the request"),
        (404, NotTrackedError, "FET: LunarCrush does not know FETCH"),
        (400, NotTrackedError, "FET: LunarCrush does not know FETCH"),
    ],
)
def test_refusals_are_told_plainly_and_not_retried(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock, status: int, error: type[Exception], text: str
) -> None:
    stub_server.script = [StubResponse(status, b"<html>no</html>")]
    with pytest.raises(error, match=text) as caught:
        source.daily_bars("FET", "FETCH", 5)
    assert str(status) in str(caught.value) and "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert (waited(clock), source.requests_made) == (0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        StubResponse(429, {"error": "Rate limit exceeded (daily)"}, {"Retry-After": "5"}),
        StubResponse(429, {"error": "no"}, {"x-rate-limit-day-remaining": "0", "Retry-After": "5"}),
    ],
)
def test_a_spent_daily_quota_is_not_retried_within_the_run_but_later(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock, answer: StubResponse
) -> None:
    stub_server.script = [answer]
    for symbol in ("FET", "OP"):
        with pytest.raises(TemporaryError, match=f"{symbol}: LunarCrush's daily quota"):
            source.daily_bars(symbol, symbol, 5)
    assert (waited(clock), source.requests_made) == (0, 1)
    clock.sleep(600)
    assert len(source.daily_bars("FET", "FET", 5).days) == 5


@pytest.mark.parametrize(("seconds", "ends"), [(-1, None), (60, None), (61, 61), (90_000, 90_000), (90_001, None)])
def test_the_end_of_the_quota_is_believed_if_it_can_be_that_of_a_day(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock, seconds: int, ends: int | None
) -> None:
    headers = {"x-rate-limit-day-remaining": "0", "x-rate-limit-day-reset": str(int(NOW.timestamp()) + seconds)}
    stub_server.script = [StubResponse(429, {}, headers)]
    with pytest.raises(QuotaSpentError) as caught:
        source.daily_bars("FET", "FET", 5)
    assert caught.value.until == (None if ends is None else NOW + timedelta(seconds=ends))
    clock.sleep((ends or 540) - 1)
    with pytest.raises(QuotaSpentError):
        source.daily_bars("OP", "OP", 5)
    clock.sleep(1)
    assert len(source.daily_bars("FET", "FET", 5).days) == 5


def test_a_source_that_is_down_costs_each_further_token_one_attempt_only(
    stub_server: StubServer, source: LunarCrush
) -> None:
    stub_server.script = [StubResponse(502) for _ in range(17)]
    for number in range(5):
        with pytest.raises(TemporaryError):
            source.daily_bars(f"T{number}", f"T{number}", 5)
    assert source.requests_made == 3 * 5 + 2
    source.daily_bars("FET", "FET", 5)
    stub_server.script = [StubResponse(502)]
    source.daily_bars("OP", "OP", 5)  # it is up again: retried


def test_a_stop_while_waiting_comes_through(stub_server: StubServer, source: LunarCrush, clock: VirtualClock) -> None:

    def stop_and_fail(handler: Any) -> None:
        clock.stop()
        send_half(handler)

    stub_server.script = [stop_and_fail]
    with pytest.raises(StopRequested):
        source.daily_bars("FET", "FET", 5)
    with pytest.raises(StopRequested):
        source.daily_bars("OP", "OP", 5)
    assert len(stub_server.requests) == 1


def test_a_key_that_cannot_be_a_header_is_told_without_showing_it(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    source = a_source(stub_server, clock, tmp_path, api_key="clé\u2019s")
    with pytest.raises(SourceRefusedError, match=r"lunarcrush\.api_key") as caught:
        source.daily_bars("FET", "FET", 5)
    assert "clé" not in str(caught.value)


# ------------------------------------------------------------------------------------------ messy points


def bars_of(stub_server: StubServer, source: LunarCrush, *points: Any) -> DailyBars:
    stub_server.points = list(points)
    return source.daily_bars("FET", "FET", 10)


def test_missing_and_unusable_values_are_nan_and_texts_of_numbers_are_numbers(
    stub_server: StubServer, source: LunarCrush
) -> None:
    values: list[Any] = [None, "3.5", "n/a", True, "", float("nan"), float("inf"), 10**400, [], "1_0", 12]
    points = [point(10 - number, galaxy_score=value) for number, value in enumerate(values[:10])]
    lacking = point(1, close=2)
    del lacking["galaxy_score"]
    got = column(bars_of(stub_server, source, *points, lacking), "galaxy_score")
    assert got[1] == 3.5
    assert all(math.isnan(value) for number, value in enumerate(got) if number != 1)


def test_unordered_points_are_sorted_and_the_running_and_later_days_are_dropped(
    stub_server: StubServer, source: LunarCrush
) -> None:
    bars = bars_of(stub_server, source, point(0), point(2), point(-1), point(5), point(1), point(11))
    assert ages(bars) == [5, 2, 1]


def test_points_off_midnight_belong_to_their_day_and_the_last_of_a_day_wins(
    stub_server: StubServer, source: LunarCrush
) -> None:
    late = point(3, close=9, time=TODAY - 3 * DAY + 80_000)
    assert column(bars_of(stub_server, source, late, point(3, close=4), point(2)), "close") == [9, 1.5]


def test_of_two_points_of_a_day_one_without_a_close_does_not_win(stub_server: StubServer, source: LunarCrush) -> None:
    for_nothing = point(3, close=0, time=TODAY - 3 * DAY + 5)
    assert column(bars_of(stub_server, source, point(3, close=4), for_nothing), "close") == [4]


def test_rows_that_are_no_points_are_dropped(stub_server: StubServer, source: LunarCrush) -> None:
    times: list[Any] = [None, "x", True, [], float("nan"), -5, 1e300, 10**400]
    rows: list[Any] = ["text", None, 7, [], {}, *(point(1, time=time) for time in times)]
    bars = bars_of(stub_server, source, *rows, point(4), point(2, time=str(TODAY - 2 * DAY)))
    assert ages(bars) == [4, 2]


@pytest.mark.parametrize("points", [[], ["text"], [point(3, close=None)], [point(3, close=0)], [point(0)]])
def test_no_usable_bar_is_not_tracked(stub_server: StubServer, source: LunarCrush, points: list[Any]) -> None:
    with pytest.raises(NotTrackedError, match="FET: LunarCrush has no daily close of FET"):
        bars_of(stub_server, source, *points)


@pytest.mark.parametrize(("coin", "told", "taken"), [("FET", "fet", True), ("FET", "FTM", False), ("23", "FTM", True)])
def test_an_answer_about_another_coin_is_refused(
    stub_server: StubServer, source: LunarCrush, coin: str, told: str, taken: bool
) -> None:
    stub_server.config = {"symbol": told}
    if taken:
        assert len(source.daily_bars("FET", coin, 5).days) == 5
    else:
        with pytest.raises(NotTrackedError, match="FTM when asked for FET"):
            source.daily_bars("FET", coin, 5)


# ------------------------------------------------------------------------------------------ the cache


def test_a_second_run_on_the_same_day_asks_nothing(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    first = a_source(stub_server, clock, tmp_path).daily_bars("FET", "FET", 365)
    clock.sleep(20 * 3600)
    again = a_source(stub_server, clock, tmp_path)
    second = again.daily_bars("FET", "FET", 365)
    assert again.requests_made == 0
    assert (first.days.tobytes(), first.values.tobytes()) == (second.days.tobytes(), second.values.tobytes())


def test_the_next_day_asks_for_the_new_day_and_the_last_three_again(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    source.daily_bars("FET", "FET", 365)
    stub_server.points = [point(ago, close=9.0, alt_rank=None) for ago in range(400, -3, -1)]
    clock.sleep(DAY)
    bars = source.daily_bars("FET", "FET", 365)
    assert stub_server.spans() == [(365, 0), (3, -1)]
    assert column(bars, "close") == [1.5] * 361 + [9.0] * 4
    assert ages(bars) == list(range(364, -1, -1))


def test_a_revision_without_a_close_does_not_wipe_what_is_held(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    source.daily_bars("FET", "FET", 5)
    stub_server.points = [point(2, close=None), point(0, close=3.0)]
    clock.sleep(DAY)
    assert column(source.daily_bars("FET", "FET", 5), "close") == [1.5, 1.5, 1.5, 1.5, 3.0]


def test_after_days_off_the_gap_is_asked_for(stub_server: StubServer, source: LunarCrush, clock: VirtualClock) -> None:
    source.daily_bars("FET", "FET", 365)
    clock.sleep(10 * DAY)
    source.daily_bars("FET", "FET", 365)
    assert stub_server.spans()[1] == (3, -10)


def test_yesterday_late_is_asked_for_again_alone(stub_server: StubServer, source: LunarCrush) -> None:
    stub_server.points = [point(ago) for ago in range(400, 1, -1)] + [point(1, close=None)]
    assert ages(source.daily_bars("FET", "FET", 365))[-1] == 1
    stub_server.points.append(point(1, close=8.0))
    assert column(source.daily_bars("FET", "FET", 365), "close")[-1] == 8.0
    source.daily_bars("FET", "FET", 365)
    assert stub_server.spans() == [(365, 0), (1, 0)]


def test_a_series_that_ended_is_asked_for_once_a_day(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    stub_server.points = [point(ago) for ago in range(400, 50, -1)]
    for _ in range(3):
        source.daily_bars("FET", "FET", 365)
    assert source.requests_made == 1
    clock.sleep(DAY)
    for _ in range(3):
        source.daily_bars("FET", "FET", 365)
    assert stub_server.spans() == [(365, 0), (53, -1)]


def test_a_young_token_is_not_asked_for_from_the_start_each_day(
    stub_server: StubServer, source: LunarCrush, clock: VirtualClock
) -> None:
    stub_server.points = [point(ago) for ago in range(100, -3, -1)]
    for _ in range(3):
        assert len(source.daily_bars("FET", "FET", 365).days) >= 100
        clock.sleep(DAY)
    assert stub_server.spans() == [(365, 0), (3, -1), (2, -2)]


def test_a_longer_span_is_asked_for_whole_and_a_shorter_one_not_at_all(
    stub_server: StubServer, source: LunarCrush
) -> None:
    assert len(source.daily_bars("FET", "FET", 100).days) == 100
    assert ages(source.daily_bars("FET", "FET", 30)) == list(range(30, 0, -1))
    assert len(source.daily_bars("FET", "FET", 200).days) == 200
    assert stub_server.spans() == [(100, 0), (200, 0)]


def test_a_token_without_bars_is_asked_for_again(stub_server: StubServer, source: LunarCrush) -> None:
    points, stub_server.points = stub_server.points, []
    with pytest.raises(NotTrackedError):
        source.daily_bars("FET", "FET", 5)
    stub_server.points = points
    assert len(source.daily_bars("FET", "FET", 5).days) == 5


def test_a_clock_that_went_back_sees_no_bar_of_its_future(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    a_source(stub_server, clock, tmp_path).daily_bars("FET", "FET", 30)
    earlier = VirtualClock(NOW - timedelta(days=10))
    bars = a_source(stub_server, earlier, tmp_path).daily_bars("FET", "FET", 15)
    assert ages(bars) == list(range(25, 10, -1))


def test_another_server_or_name_shares_nothing_and_leaves_no_pile_of_files(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    a_source(stub_server, clock, tmp_path).daily_bars("FET", "FET", 5)
    a_source(stub_server, clock, tmp_path).daily_bars("FET", "fet", 5)
    a_source(stub_server, clock, tmp_path, base_url=stub_server.url.replace("127.0.0.1", "localhost")).daily_bars(
        "FET", "FET", 5
    )
    assert len(stub_server.requests) == 3
    assert len(list((tmp_path / "cache").glob("*.bars"))) == 2


def flip_a_byte(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"not json\n",
        lambda content: b"[]\n",
        lambda content: b'{"rows": -1}\n',
        lambda content: content.replace(b"2024-06-30", b"yesterday!"),
        flip_a_byte,
    ],
)
def test_a_broken_cache_file_is_replaced(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    a_source(stub_server, clock, tmp_path).daily_bars("FET", "FET", 5)
    (file,) = (tmp_path / "cache").glob("*.bars")
    whole = file.read_bytes()
    file.write_bytes(harm(whole))
    again = a_source(stub_server, clock, tmp_path)
    assert len(again.daily_bars("FET", "FET", 5).days) == 5
    assert again.requests_made == 1
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_told_and_no_fault(
    stub_server: StubServer, clock: VirtualClock, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    told: list[str] = []
    source = a_source(stub_server, clock, tmp_path, notify=told.append)
    for number in range(11):
        assert len(source.daily_bars(f"T{number}", f"T{number}", 5).days) == 5
    assert "cannot be kept in the cache" in told[0]
    assert waited(clock) == pytest.approx(60.1)  # the limit holds without the file, too


def test_nothing_unfinished_is_left_in_the_cache(stub_server: StubServer, source: LunarCrush, tmp_path: Path) -> None:
    source.daily_bars("FET", "FET", 5)
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".bars", ".json"]


def test_a_history_is_on_the_disk_before_the_next_request(
    stub_server: StubServer, source: LunarCrush, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut takes no answer that was had; file and name are synced, so that neither is in memory only."""
    synced: set[int] = set()
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))
    for symbol in ("FET", "OP"):
        source.daily_bars(symbol, symbol, 365)
        (file,) = (tmp_path / "cache").glob(f"{symbol}-*.bars")
        assert {file.stat().st_ino, (tmp_path / "cache").stat().st_ino} <= synced
        synced.clear()


# --------------------------------------------------------------------------- the source's own clock


def test_a_bar_made_before_the_days_end_is_not_closed(source: LunarCrush, stub_server: StubServer) -> None:
    """Our clock is ahead: by the source's own stamp yesterday is still running."""
    stub_server.config["generated"] = TODAY - 1
    assert source.daily_bars("FET", "FET", 365).days[-1] == np.datetime64("2024-06-28")


def test_from_the_days_end_on_it_is(source: LunarCrush, stub_server: StubServer) -> None:
    stub_server.config["generated"] = TODAY
    assert source.daily_bars("FET", "FET", 365).days[-1] == np.datetime64("2024-06-29")


@pytest.mark.parametrize("stamp", [None, "soon", 0, -5, TODAY * 1000, True])
def test_a_stamp_that_says_nothing_is_not_gone_by(source: LunarCrush, stub_server: StubServer, stamp: object) -> None:
    stub_server.config["generated"] = stamp
    assert source.daily_bars("FET", "FET", 365).days[-1] == np.datetime64("2024-06-29")


def test_what_cannot_be_meant_is_asked_for_anew_the_same_day(source: LunarCrush, stub_server: StubServer) -> None:
    source.daily_bars("FET", "FET", 365)
    source.daily_bars("FET", "FET", 365)
    assert len(stub_server.requests) == 1
    source.forget_latest("FET", "FET")
    stub_server.points = [point(ago, galaxy_score=61) for ago in range(400, -1, -1)]
    bars = source.daily_bars("FET", "FET", 365)
    assert len(stub_server.requests) == 2
    assert bars.values[-1, FIELDS.index("galaxy_score")] == 61
