"""Property tests take the time they take; on CI they try the same cases each time.

Programs that tests start and end by Ctrl-C must hear it: what a shell runs in the background is deaf to it, and so are
its children. Such programs are compiled once, whatever the machine's settings are.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: those that wait for a program leave theirs idle."""
    return (os.cpu_count() or 1) + 1
