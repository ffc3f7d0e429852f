"""Property tests take the time they take: few cases of each in the quick suite, many in the slow one.

On CI they try the same cases each time.

Programs that tests start and end by Ctrl-C must hear it: what a shell runs in the background is deaf to it, and so are
its children. Such programs are compiled once, whatever the machine's settings are.

The bot waits for the disk at each step of an order, thousands of times in this suite: the tests' files are kept in
memory where there is room. What is loaded at the beginning stays to the end: the garbage collector need not look at it.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

from hypothesis import settings

IS_CI = bool(os.environ.get("CI"))
settings.register_profile("quick", deadline=None, derandomize=IS_CI, max_examples=15)
settings.register_profile("thorough", deadline=None, derandomize=IS_CI, max_examples=300)
settings.load_profile("quick")

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
gc.set_threshold(50_000, 20, 20)

MEMORY_DISK = Path("/dev/shm")  # noqa: S108  # tests alone write there, in pytest's folder of this user
ROOM_FOR_A_RUN = 2 * 1024**3


def is_fit_for_tests(folder: Path) -> bool:
    """Whether programs run from there, too, and a whole run has room; a container's default of 64 MB is too small."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return False
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= ROOM_FOR_A_RUN and not disk.f_flag & os.ST_NOEXEC


if is_fit_for_tests(MEMORY_DISK):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY_DISK))


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: those that wait for a program leave theirs idle."""
    return (os.cpu_count() or 1) + 1
