"""Keeps one warning of scikit-learn from the owner's terminal.

Its threads empty the list of warning filters that they share while they copy it; one that looks at that moment takes
itself for started without scikit-learn's settings and says so, which nobody can do anything about.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FALSE_ALARM = "`sklearn.utils.parallel.delayed` should be used with"


@contextmanager
def without_false_alarms() -> Iterator[None]:
    """Show all warnings but that one: a filter would be emptied like the rest."""
    show = warnings.showwarning

    def show_others(message: Warning | str, *more: Any, **named: Any) -> None:
        if not str(message).startswith(_FALSE_ALARM):
            show(message, *more, **named)

    warnings.showwarning = show_others
    try:
        yield
    finally:
        warnings.showwarning = show
