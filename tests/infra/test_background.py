"""Requests beside the loop: so many at once and no more, none lost, and none that keeps the process from ending."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from marsshot.infra.background import Inbox, WorkerPool, run_in_thread
from tests.helpers.builders import ROOT


def test_every_task_runs_and_never_more_than_the_limit_at_once() -> None:
    most, running, ran = 0, 0, 0
    lock, over = threading.Lock(), threading.Semaphore(0)

    def task() -> None:
        nonlocal most, running, ran
        with lock:
            running, most = running + 1, max(most, running + 1)
        threading.Event().wait(0.001)
        with lock:
            running, ran = running - 1, ran + 1
        over.release()

    pool = WorkerPool(3, "test")
    for _ in range(4):  # new work arrives while threads come to their end
        pool.submit([task] * 25)
    for _ in range(100):
        assert over.acquire(timeout=10)
    assert (ran, most) == (100, 3)


def test_a_task_that_hangs_leaves_room_for_the_others() -> None:
    hangs, done = threading.Event(), threading.Event()
    pool = WorkerPool(2, "test")

    def hang() -> None:
        hangs.wait(10)

    pool.submit([hang, done.set])
    assert done.wait(10)
    assert pool.busy
    hangs.set()


def test_what_has_not_begun_can_be_dropped() -> None:
    hangs, run_in_thread, ran = threading.Event(), threading.Event(), list[int]()
    pool = WorkerPool(1, "test")

    def hang() -> None:
        run_in_thread.set()
        hangs.wait(10)

    pool.submit([hang, lambda: ran.append(1)])
    assert run_in_thread.wait(10)
    pool.cancel_pending()
    pool.submit([lambda: ran.append(2)])
    hangs.set()
    while pool.busy:
        threading.Event().wait(0.001)
    assert ran == [2]


def test_a_task_that_fails_takes_no_room_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _failure: told.set())

    def fail() -> None:
        raise ValueError("on purpose")

    pool, done = WorkerPool(1, "test"), threading.Event()
    pool.submit([fail])
    assert told.wait(10)
    pool.submit([done.set])
    assert done.wait(10)


def test_the_process_ends_while_a_task_hangs() -> None:
    code = "import threading; from marsshot.infra.background import WorkerPool; begun = threading.Event()\n"
    code += "WorkerPool(1, 'test').submit([lambda: (begun.set(), threading.Event().wait(60))]); begun.wait()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)


# --------------------------------------------------------------------------- answers


def test_an_inbox_hands_out_what_arrives_in_its_order_and_nothing_where_nothing_does() -> None:
    inbox: Inbox[int] = Inbox()
    assert inbox.take(0) is None
    assert inbox.take(0.01) is None
    for thread in [threading.Thread(target=inbox.put, args=(number,)) for number in (1, 2)]:
        thread.start()
        thread.join()
    assert [inbox.take(10), inbox.take(0), inbox.take(0)] == [1, 2, None]


def test_who_waits_at_an_inbox_is_woken_by_what_arrives() -> None:
    inbox: Inbox[str] = Inbox()
    before = inbox.seconds()
    threading.Timer(0.01, inbox.put, ("news",)).start()
    assert inbox.take(60) == "news"
    assert 0 < inbox.seconds() - before < 30


def test_one_call_is_begun_in_a_thread_of_its_own_and_brings_its_answer() -> None:
    assert run_in_thread(threading.get_ident).result(10) != threading.get_ident()


def test_what_a_call_raises_is_raised_where_its_answer_is_awaited_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loose = list[object]()
    monkeypatch.setattr(threading, "excepthook", loose.append)
    answer = run_in_thread(lambda: int("no number"))
    with pytest.raises(ValueError, match="no number"):
        answer.result(10)
    assert loose == []
