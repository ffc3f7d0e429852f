"""Now and sleep: the real clock wakes up to stop, the virtual one jumps and tells."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from marsshot.bot.loop import stopped_by_signals
from marsshot.core.errors import MarsShotError, StopRequested
from marsshot.infra.clock import Clock, SystemClock, VirtualClock
from tests.helpers.builders import NOW

CLOCKS = pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(NOW)], ids=["system", "virtual"])


@CLOCKS
def test_now_is_aware_utc(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)


def test_the_system_clock_tells_the_real_time() -> None:
    assert abs(datetime.now(UTC) - SystemClock().now()) < timedelta(seconds=5)


def test_sleep_lets_that_much_time_pass() -> None:
    began = time.monotonic()
    SystemClock().sleep(0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_there_is_no_sleep_into_the_past(seconds: float) -> None:
    SystemClock().sleep(seconds)
    clock = VirtualClock(NOW)
    clock.sleep(seconds)
    assert clock.now() == NOW


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(NOW)], ids=["system", "virtual"])
def test_a_stopped_clock_lets_nobody_sleep(clock: Clock) -> None:
    assert not clock.stopping
    clock.stop()
    assert clock.stopping
    with pytest.raises(StopRequested):
        clock.sleep(3600)
    with pytest.raises(StopRequested):
        clock.sleep(0)


def test_a_sleeper_is_woken_to_stop() -> None:
    clock = SystemClock()
    threading.Timer(0.05, clock.stop).start()
    began = time.monotonic()
    with pytest.raises(StopRequested):
        clock.sleep(30)
    assert time.monotonic() - began < 10


def test_a_stop_ends_well() -> None:
    assert issubclass(StopRequested, MarsShotError)
    assert StopRequested.exit_code == 0


def test_a_rest_ends_when_something_is_due_and_never_raises() -> None:
    clock = SystemClock()
    began = time.monotonic()
    clock.idle(clock.now() + timedelta(seconds=0.05))
    clock.idle(clock.now() - timedelta(hours=1))
    assert 0.04 <= time.monotonic() - began < 5
    clock.stop()
    clock.idle(clock.now() + timedelta(hours=1))
    assert time.monotonic() - began < 5


def test_a_rest_is_ten_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SystemClock.LOOP_SECONDS == 10
    monkeypatch.setattr(SystemClock, "LOOP_SECONDS", 0.05)
    clock = SystemClock()
    began = time.monotonic()
    clock.idle(clock.now() + timedelta(hours=1))
    assert time.monotonic() - began < 5


def test_a_signal_that_interrupts_the_very_beginning_of_a_rest_ends_it_too() -> None:
    """The handler must not need a lock that the rest it interrupts may be holding."""
    for number in range(60):
        clock = SystemClock()
        with stopped_by_signals(clock), pytest.raises(StopRequested):
            threading.Timer(number * 1e-5, os.kill, (os.getpid(), signal.SIGTERM)).start()
            while True:
                clock.sleep(0)


# --------------------------------------------------------------------------- questions

EACH = pytest.mark.parametrize("new", [SystemClock, lambda: VirtualClock(NOW)], ids=["system", "virtual"])


@EACH
def test_an_answer_is_waited_for_and_so_is_an_error(new: Callable[[], Clock]) -> None:
    assert new().wait_for(lambda: 7) == 7
    with pytest.raises(TimeoutError, match="as it was raised"):
        new().wait_for(lambda: _raise(TimeoutError("as it was raised")))


def _raise(error: Exception) -> None:
    raise error


@EACH
def test_a_stopped_bot_asks_nothing_more_but_what_it_has_begun(new: Callable[[], Clock]) -> None:
    asked: list[str] = []
    clock = new()
    with clock.uninterruptible():
        clock.wait_for(clock.stop)
        clock.wait_for(lambda: asked.append("of what was begun"))
    with pytest.raises(StopRequested):
        clock.wait_for(lambda: asked.append("anew"))
    assert asked == ["of what was begun"]


@EACH
def test_a_piece_within_a_piece_ends_with_the_outer_one(new: Callable[[], Clock]) -> None:
    clock = new()
    clock.stop()
    with clock.uninterruptible():
        with clock.uninterruptible():
            pass
        assert clock.wait_for(lambda: 7) == 7
    with pytest.raises(StopRequested):
        clock.wait_for(lambda: 7)


def test_an_answer_that_does_not_come_is_done_without_when_the_bot_stops() -> None:
    clock, never = SystemClock(), threading.Event()
    threading.Timer(0.05, clock.stop).start()
    with pytest.raises(StopRequested):
        clock.wait_for(never.wait)
    never.set()


def test_what_is_asked_beside_the_loop_is_nobodys_wait() -> None:
    clock, answers = SystemClock(), list[int]()
    clock.stop()
    beside = threading.Thread(target=lambda: answers.append(clock.wait_for(threading.get_ident)))
    beside.start()
    beside.join()
    assert answers == [beside.ident]


# --------------------------------------------------------------------------- the virtual clock


def test_a_virtual_clock_jumps_and_tells_each_new_time() -> None:
    told: list[float] = []
    clock = VirtualClock(NOW, told.append)
    clock.sleep(90.5)
    clock.idle(NOW + timedelta(minutes=5))
    assert clock.now() == NOW + timedelta(minutes=5)
    assert told == [NOW.timestamp() + seconds for seconds in (0, 90.5, 300)]


def test_a_virtual_clock_takes_no_time() -> None:
    began = time.monotonic()
    VirtualClock(NOW).sleep(1_000_000)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_virtual_clock_never_goes_back(seconds: float) -> None:
    told: list[float] = []
    clock = VirtualClock(NOW, told.append)
    clock.idle(NOW + timedelta(seconds=seconds))
    assert clock.now() == NOW
    assert len(told) == 1


def test_a_stopped_virtual_clock_stands_still() -> None:
    told: list[float] = []
    clock = VirtualClock(NOW, told.append)
    clock.stop()
    with pytest.raises(StopRequested):
        clock.sleep(60)
    assert clock.now() == NOW
    assert len(told) == 1


def test_a_virtual_clock_begins_at_a_moment_of_a_known_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(NOW.replace(tzinfo=None))


def test_a_virtual_clock_that_begins_elsewhere_tells_utc() -> None:
    clock = VirtualClock(datetime(2021, 2, 15, 0, 30, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now().utcoffset() == timedelta(0)
