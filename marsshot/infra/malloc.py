"""Keeps the sleeping daemon small: one heap for all threads, and what is free goes back to the system.

Otherwise the C library keeps what was freed for later, in a heap for each thread that asks for prices; a bot that
sleeps has no later: 64.9 MB between two passes instead of 59.6, where 60 is the bound (`docs/performance.md`). Where
the C library is not glibc, nothing is done.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

_M_ARENA_MAX = -8  # glibc's malloc.h


def use_single_arena() -> None:
    """Let all threads that are still to come use one heap."""
    if (mallopt := _libc_function("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, 1)


def trim_heap() -> bool:
    """Give back what is free; takes less than a millisecond. Returns True: go on."""
    if (trim := _libc_function("malloc_trim")) is not None:
        trim(0)
    return True


@cache
def _libc_function(name: str) -> Callable[..., int] | None:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # a system without a C library to be asked
        return None
