"""What the daemon asks of the C library: one heap, and back with what is free."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from marsshot.infra import malloc
from tests.helpers.builders import ROOT

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

HEAPS_AFTER_THREADS = """if True:
    import ctypes, re, sys, threading
    sys.path.insert(0, {root!r})
    from marsshot.infra import malloc
    if {share}:
        malloc.use_single_arena()
    def work():
        blocks = [bytes(1000) for _ in range(2000)]
        both.wait()
    both = threading.Barrier(9)
    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    both.wait()
    sys.stdout.flush()
    ctypes.CDLL(None).malloc_info(0, ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stdout"))
"""


def heaps(*, share: bool) -> int:
    """Return how many heaps a process has that has allocated in eight threads."""
    code = HEAPS_AFTER_THREADS.format(root=str(ROOT), share=share)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.count(
        "<heap "
    )


@needs_glibc
def test_all_threads_use_one_heap() -> None:
    assert heaps(share=False) > 1
    assert heaps(share=True) == 1


def test_giving_back_goes_on_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert malloc.trim_heap()

    def none(_: object) -> object:
        raise OSError("no C library")

    malloc._libc_function.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", none)
    try:
        assert malloc.trim_heap()
        malloc.use_single_arena()
    finally:
        malloc._libc_function.cache_clear()
