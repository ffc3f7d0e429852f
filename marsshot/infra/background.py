"""Runs requests in background threads. The process can end at any moment: it never waits for one of them.

Knows nothing of what is asked. Orders never come here: those are sent one after the other, by the loop itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

Task = Callable[[], None]
Result = TypeVar("Result")
Item = TypeVar("Item")


class WorkerPool:
    """At most `limit` tasks at once. Threads live as long as there is work: between two checks there are none."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._pending: deque[Task] = deque()
        self._threads = 0

    @property
    def busy(self) -> bool:
        """True while a task runs or waits."""
        with self._lock:
            return self._threads > 0

    def submit(self, tasks: Iterable[Task]) -> None:
        """Run the tasks, in this order, as soon as a slot is free."""
        with self._lock:
            self._pending.extend(tasks)
            for _ in range(min(len(self._pending), self._limit - self._threads)):
                # A thread that hangs on a silent server must not keep the process from ending: ThreadPoolExecutor's do.
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._threads += 1

    def cancel_pending(self) -> None:
        """Forget the tasks that have not begun."""
        with self._lock:
            self._pending.clear()

    def _work(self) -> None:
        try:
            while (task := self._next()) is not None:
                task()
        except BaseException:
            with self._lock:
                self._threads -= 1
            raise

    def _next(self) -> Task | None:
        """Return the next task; with the last one, release the thread's slot in the same step."""
        with self._lock:
            if self._pending:
                return self._pending.popleft()
            self._threads -= 1
            return None


class Inbox(Generic[Item]):
    """Where the answers of other threads arrive, and the time that is told by whoever waits for them."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Item] = SimpleQueue()

    def put(self, news: Item) -> None:
        """Take an answer in, in any thread."""
        self._arrived.put(news)

    def take(self, seconds: float) -> Item | None:
        """Return the next answer, having waited this long for one at most, or None."""
        try:
            return self._arrived.get(timeout=seconds)
        except Empty:
            return None

    def seconds(self) -> float:
        """Return a time that only goes forward."""
        return monotonic()


def run_in_thread(call: Callable[[], Result]) -> Future[Result]:
    """Begin one call; return what will hold its answer, or what it raised."""
    answer: Future[Result] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=work, name="question", daemon=True).start()
    return answer
