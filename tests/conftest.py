"""Property tests take the time they take: few cases of each in the quick suite, many in the slow one.

On CI they try the same cases each time.

Programs that tests start and end by Ctrl-C must hear it: what a shell runs in the background is deaf to it, and so are
its children. Such programs are compiled once, whatever the machine's settings are.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

IS_CI = bool(os.environ.get("CI"))
settings.register_profile("quick", deadline=None, derandomize=IS_CI, max_examples=40)
settings.register_profile("thorough", deadline=None, derandomize=IS_CI, max_examples=300)
settings.load_profile("quick")

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: those that wait for a program leave theirs idle."""
    return (os.cpu_count() or 1) + 1
