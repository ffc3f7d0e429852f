"""Heartbeats: who gets which, when, and that a loop that hangs sends none; with the real program, too."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.core.version import VERSION
from marsshot.infra.clock import SystemClock, VirtualClock
from marsshot.monitoring import health_check, heartbeat
from marsshot.monitoring.heartbeat import (
    HEARTBEAT_SECONDS,
    MAX_CYCLE_SECONDS,
    WARN_INTERVAL_SECONDS,
    WATCHDOG_SECONDS,
    Heartbeat,
    Ping,
)
from marsshot.monitoring.sd_notify import SystemdNotifier, status
from tests.helpers.builders import NOW, some_settings
from tests.helpers.process_harness import PROGRAM, ProcessHarness


class RecordingServiceManager(SystemdNotifier):
    def __init__(self) -> None:
        super().__init__("")
        self.heard: list[str] = []

    def notify(self, *words: str) -> None:
        self.heard += words


class HeartbeatHarness:
    """A heartbeat with a stopwatch that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.seconds = 0.0
        self.manager = RecordingServiceManager()
        self.path = folder / "heartbeat.json"
        self.pings = 0
        self.heart = Heartbeat(
            self.manager,
            self.path,
            "live",
            now=lambda: NOW + timedelta(seconds=self.seconds),
            summary=lambda: "two positions",
            ping=self._ping,
            seconds=lambda: self.seconds,
        )

    def _ping(self) -> None:
        self.pings += 1

    @property
    def signs(self) -> int:
        return self.manager.heard.count("WATCHDOG=1")


@pytest.fixture
def heartbeat_harness(tmp_path: Path) -> HeartbeatHarness:
    return HeartbeatHarness(tmp_path)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(heartbeat, "log_warning", lambda _, text: lines.append(text))
    return lines


# --------------------------------------------------------------------------- the watchdog


@pytest.mark.parametrize(("seconds", "signs"), [(WATCHDOG_SECONDS - 0.1, 0), (WATCHDOG_SECONDS, 1)])
def test_whoever_asks_for_the_time_shows_that_the_loop_goes_on(
    heartbeat_harness: HeartbeatHarness, seconds: float, signs: int
) -> None:
    heartbeat_harness.seconds = seconds
    heartbeat_harness.heart.notify_watchdog()
    heartbeat_harness.heart.notify_watchdog()
    assert heartbeat_harness.signs == signs


def test_another_thread_is_no_sign_of_the_loops_life(heartbeat_harness: HeartbeatHarness) -> None:
    heartbeat_harness.seconds = WATCHDOG_SECONDS
    thread = threading.Thread(target=heartbeat_harness.heart.notify_watchdog)
    thread.start()
    thread.join()
    assert heartbeat_harness.signs == 0


@pytest.mark.parametrize(("seconds", "signs"), [(MAX_CYCLE_SECONDS - 1, 1), (MAX_CYCLE_SECONDS, 0)])
def test_a_round_that_does_not_end_gives_no_more_signs(
    heartbeat_harness: HeartbeatHarness, seconds: float, signs: int
) -> None:
    heartbeat_harness.seconds = seconds
    heartbeat_harness.heart.notify_watchdog()
    assert heartbeat_harness.signs == signs


def test_a_round_that_ended_lets_the_signs_go_on(heartbeat_harness: HeartbeatHarness) -> None:
    for _ in range(3):
        heartbeat_harness.seconds += MAX_CYCLE_SECONDS - 1
        heartbeat_harness.heart.cycle_ended()
        heartbeat_harness.heart.notify_watchdog()
    assert heartbeat_harness.signs == 3


def test_the_clock_calls_for_a_sign(heartbeat_harness: HeartbeatHarness) -> None:
    clock = SystemClock()
    clock.on_read = heartbeat_harness.heart.notify_watchdog
    heartbeat_harness.seconds = WATCHDOG_SECONDS
    clock.idle(clock.now())
    assert heartbeat_harness.signs == 1


# --------------------------------------------------------------------------- once a minute


def test_the_first_round_and_then_one_a_minute_is_told_to_everybody(heartbeat_harness: HeartbeatHarness) -> None:
    told = []
    for seconds in (0.0, HEARTBEAT_SECONDS - 1, HEARTBEAT_SECONDS, 2 * HEARTBEAT_SECONDS - 1, 2 * HEARTBEAT_SECONDS):
        heartbeat_harness.seconds = seconds
        heartbeat_harness.heart.cycle_ended()
        told.append((heartbeat_harness.pings, json.loads(heartbeat_harness.path.read_text())["time"]))
    moments = ["2021-02-15T00:30:00Z", "2021-02-15T00:31:00Z", "2021-02-15T00:32:00Z"]
    assert told == [(1, moments[0]), (1, moments[0]), (2, moments[1]), (2, moments[1]), (3, moments[2])]
    assert [word for word in heartbeat_harness.manager.heard if word != "WATCHDOG=1"] == ["STATUS=two positions"] * 3


def test_a_round_that_ends_is_a_sign_where_the_clock_calls_for_none(heartbeat_harness: HeartbeatHarness) -> None:
    """A demo's clock is the recorded market's."""
    heartbeat_harness.seconds = WATCHDOG_SECONDS
    heartbeat_harness.heart.cycle_ended()
    assert heartbeat_harness.signs == 1


def test_a_service_that_has_ended_shows_nothing_that_it_was_doing(heartbeat_harness: HeartbeatHarness) -> None:
    heartbeat_harness.heart.cycle_ended()
    heartbeat_harness.heart.end()
    assert heartbeat_harness.manager.heard[-2:] == ["STOPPING=1", "STATUS="]


def test_the_heartbeat_says_who_lives_and_is_the_owners_alone(heartbeat_harness: HeartbeatHarness) -> None:
    heartbeat_harness.heart.cycle_ended()
    content = json.loads(heartbeat_harness.path.read_text())
    assert content == {
        "time": "2021-02-15T00:30:00Z",
        "since": "2021-02-15T00:30:00Z",
        "mode": "live",
        "pid": os.getpid(),
        "version": VERSION,
    }
    assert stat.S_IMODE(heartbeat_harness.path.stat().st_mode) == 0o600
    assert [path.name for path in heartbeat_harness.path.parent.iterdir()] == ["heartbeat.json"]


def test_a_heartbeat_that_cannot_be_written_is_told_once_an_hour(
    heartbeat_harness: HeartbeatHarness, warned: list[str]
) -> None:
    heartbeat_harness.path.mkdir()
    for seconds in (0.0, HEARTBEAT_SECONDS, WARN_INTERVAL_SECONDS - 1, WARN_INTERVAL_SECONDS + HEARTBEAT_SECONDS):
        heartbeat_harness.seconds = seconds
        heartbeat_harness.heart.cycle_ended()
    assert len(warned) == 2
    assert "heartbeat.json: cannot be written (Is a directory)" in warned[0]
    assert heartbeat_harness.pings == 4


# --------------------------------------------------------------------------- systemd's socket


@pytest.fixture
def socket_path(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def systemd(socket_path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(socket_path)
        listening.settimeout(30)
        yield listening


def test_a_word_to_systemd_is_one_message(systemd: socket.socket, socket_path: str) -> None:
    SystemdNotifier(socket_path).notify("READY=1", status("all\nwell"))
    assert systemd.recv(1000) == b"READY=1\nSTATUS=all well"


def test_an_address_without_a_file_is_spoken_to_as_well() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0marsshot-{os.getpid()}")
        listening.settimeout(5)
        SystemdNotifier(f"@marsshot-{os.getpid()}").notify("READY=1")
        assert listening.recv(1000) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    SystemdNotifier(address).notify("READY=1")


def test_a_systemd_that_does_not_read_keeps_nobody_waiting(systemd: socket.socket, socket_path: str) -> None:
    for _ in range(5000):
        SystemdNotifier(socket_path).notify("WATCHDOG=1")
    assert systemd.recv(1000) == b"WATCHDOG=1"


# --------------------------------------------------------------------------- the ping URL


class StubPingService(BaseHTTPRequestHandler):
    answer = 200
    asked: list[str] = []  # noqa: RUF012 - emptied by the fixture

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        self.send_response(self.answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    StubPingService.asked.clear()
    with HTTPServer(("127.0.0.1", 0), StubPingService) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/secret-code"
        server.shutdown()


def pinged(url: str, times: int = 1) -> None:
    ping = Ping(lambda: some_settings(heartbeat={"ping_url": url}))
    for _ in range(times):
        ping.send()
        for thread in threading.enumerate():
            if thread.name == "ping":
                thread.join(20)


@pytest.mark.parametrize(("answer", "told"), [(200, []), (204, []), (302, ["302"]), (404, ["404"]), (500, ["500"])])
def test_the_ping_is_one_request_and_follows_nobody(
    service: str, warned: list[str], monkeypatch: pytest.MonkeyPatch, answer: int, told: list[str]
) -> None:
    monkeypatch.setattr(StubPingService, "answer", answer)
    pinged(service)
    assert StubPingService.asked == ["/secret-code"]
    assert [line.partition("status ")[2][:3] for line in warned] == told


def test_a_ping_that_nobody_takes_is_told_once_an_hour_without_the_url(warned: list[str]) -> None:
    pinged("http://127.0.0.1:1/secret-code", times=3)
    (line,) = warned
    assert line.startswith("heartbeat.ping_url does not take the ping (")
    assert "secret-code" not in line
    assert "127.0.0.1" not in line


def test_without_a_url_nobody_is_asked(service: str) -> None:
    pinged("")
    assert StubPingService.asked == []


# --------------------------------------------------------------------------- Docker's question


@pytest.mark.parametrize(("minutes", "code"), [(0, 0), (10, 0), (10.1, 1)])
def test_healthy_is_who_has_had_a_heartbeat_within_ten_minutes(
    heartbeat_harness: HeartbeatHarness, monkeypatch: pytest.MonkeyPatch, minutes: float, code: int
) -> None:
    heartbeat_harness.heart.cycle_ended()
    later = VirtualClock(NOW + timedelta(minutes=minutes))
    monkeypatch.setattr(health_check, "SystemClock", lambda: later)
    assert health_check.main(heartbeat_harness.path.parent) == code


@pytest.mark.parametrize("content", [None, "", "[]", '{"time": 5}', '{"pid": 1}'])
def test_without_a_readable_heartbeat_nobody_is_healthy(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "heartbeat.paper.json").write_text(content)
    assert health_check.main(tmp_path) == 1


# --------------------------------------------------------------------------- the program itself

# Looks around and gives signs many times a second; hangs for good in the middle of a round when HANG is there.
PROGRAM_THAT_CAN_HANG = """
import pathlib, sys, threading
import main
from marsshot.bot import bot
from marsshot.infra import clock
from marsshot.monitoring import heartbeat
clock.SystemClock.LOOP_SECONDS = heartbeat.SIGN_SECONDS = 0.05
cycle = bot.Bot.cycle
def cycle_or_hang(self):
    if pathlib.Path("HANG").exists():
        threading.Event().wait()
    cycle(self)
bot.Bot.cycle = cycle_or_hang
sys.exit(main.main(["run"]))
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    market = EmbeddedMarket(
        clock=time.time, shift_days=(datetime.now(UTC) - NOW).days, balances={"USDT": Decimal(1500)}
    )
    with MarketServer(market) as server:
        harness = ProcessHarness(tmp_path, market, server.url)
        harness.write_model()
        harness.config["strategy"]["daily_update_hour_utc"] = 23
        harness.config["strategy"]["daily_update_minute_utc"] = 59
        harness.write_config()
        yield harness


@pytest.fixture
def daemon(harness: ProcessHarness, socket_path: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM_THAT_CAN_HANG],
        cwd=harness.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROGRAM.parent), "NOTIFY_SOCKET": socket_path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield started
    started.kill()
    started.wait()


def hear(systemd: socket.socket, word: bytes) -> list[bytes]:
    """Return everything up to this word."""
    heard = list[bytes]()
    while not heard or word not in heard[-1]:
        heard.append(systemd.recv(1000))
    return heard


def falls_silent(systemd: socket.socket) -> bool:
    """Return whether the words stop for a while in which many would have come."""
    systemd.settimeout(1.5)
    with suppress(TimeoutError):
        for _ in range(1000):
            systemd.recv(1000)
        return False
    return True


@pytest.mark.slow
def test_the_program_is_ready_alive_and_stopping(
    harness: ProcessHarness, systemd: socket.socket, daemon: subprocess.Popen[bytes]
) -> None:
    hear(systemd, b"READY=1")
    hear(systemd, b"STATUS=mode live: 0 positions, capital 1000.00 USDT, next daily pass ")
    hear(systemd, b"WATCHDOG=1")
    assert json.loads((harness.folder / "heartbeat.json").read_text())["pid"] == daemon.pid
    daemon.send_signal(signal.SIGTERM)
    hear(systemd, b"STOPPING=1")
    assert daemon.wait(20) == 0


@pytest.mark.slow
def test_a_loop_that_hangs_falls_silent_and_a_new_start_takes_over(
    harness: ProcessHarness, systemd: socket.socket, daemon: subprocess.Popen[bytes]
) -> None:
    """What systemd does then: it ends the process and starts it anew."""
    hear(systemd, b"READY=1")
    hear(systemd, b"WATCHDOG=1")
    (harness.folder / "HANG").touch()
    assert falls_silent(systemd)
    assert daemon.poll() is None, "it is there, and does nothing"
    daemon.send_signal(signal.SIGABRT)
    assert daemon.wait(20) == -signal.SIGABRT
    code, _, error = harness.run("intraday")
    assert (code, error) == (0, "")


@pytest.mark.slow
def test_a_process_that_is_frozen_falls_silent(systemd: socket.socket, daemon: subprocess.Popen[bytes]) -> None:
    hear(systemd, b"WATCHDOG=1")
    daemon.send_signal(signal.SIGSTOP)
    assert falls_silent(systemd)
    systemd.settimeout(30)
    daemon.send_signal(signal.SIGCONT)
    hear(systemd, b"WATCHDOG=1")
