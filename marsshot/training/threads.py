"""Fits and scores in threads of this process, without what scikit-learn's threads do to the process's warnings.

Each of them empties the list of warning filters that all share while it copies it, and puts back the list that it
found, which may be another thread's empty one: it stays empty then. A fit that finds it empty takes itself for started
without scikit-learn's settings and says so, once a tree, which nobody can do anything about.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config

_FALSE_ALARM = "`sklearn.utils.parallel.delayed` should be used with"


@contextmanager
def in_threads(n_jobs: int | None = None) -> Iterator[None]:
    """Let joblib use threads, n_jobs of them where its caller names no number; warnings stay as they were before.

    All warnings are shown but that one: a filter would be emptied like the rest.
    """
    show = warnings.showwarning

    def show_others(message: Warning | str, *more: Any, **named: Any) -> None:
        if not str(message).startswith(_FALSE_ALARM):
            show(message, *more, **named)

    limits = {} if n_jobs is None else {"n_jobs": n_jobs}
    with warnings.catch_warnings(), parallel_config(backend="threading", **limits):
        warnings.showwarning = show_others
        yield
