"""Gives freed memory back to the system: a daily pass of a minute would otherwise be paid for until the next one.

Without it the C library keeps what was freed for later; a bot that sleeps has no later.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> bool:
    """Give back what is free, where the C library can (glibc); takes less than a millisecond. Returns True: go on."""
    if (trim := _malloc_trim()) is not None:
        trim(0)
    return True


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # a system without a C library to be asked
        return None
