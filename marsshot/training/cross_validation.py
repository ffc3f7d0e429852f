"""Splits of labelled rows in time: train on the past, test on what comes after, with the overlap taken out.

A label looks `label_days` ahead, so the last training days know prices of the test: they are purged.
Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7. Knows no models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.intp]


class PurgedWalkForward:
    """A scikit-learn splitter: an expanding past, and after it the test, block after block of calendar dates.

    n_splits: number of tests; the dates are cut into n_splits + 1 blocks, the first is only ever trained on.
    label_days: calendar days that a label looks ahead; embargo_days: further days left out before each test,
    because neighbouring days resemble each other. All tokens of a date are on the same side.
    """

    def __init__(self, n_splits: int, label_days: int, embargo_days: int = 0) -> None:
        if n_splits < 1 or label_days < 0 or embargo_days < 0:
            raise ValueError(f"no such splits: {n_splits=}, {label_days=}, {embargo_days=}")
        self.n_splits = n_splits
        self.label_days = label_days
        self.embargo_days = embargo_days

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:  # noqa: N803 - scikit-learn's
        """Return the number of tests."""
        return self.n_splits

    def split(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: object = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield the row numbers of training and test, oldest test first.

        groups: the date of every row, in any order. Raises ValueError if the dates are too few.
        """
        if groups is None:
            raise ValueError("groups must give the date of every row")
        days = _as_days(groups)
        blocks = np.array_split(np.unique(days), self.n_splits + 1)
        for block in blocks[1:]:
            if not len(block):
                raise ValueError(f"{len(np.unique(days))} dates cannot be cut into {self.n_splits + 1} blocks")
            past = _before(days, block[0], self.label_days + self.embargo_days)
            if not len(past):
                raise ValueError(f"nothing is left to train on before {block[0]}")
            yield past, np.flatnonzero((days >= block[0]) & (days <= block[-1]))


def hold_out(dates: ArrayLike, share: float, label_days: int, embargo_days: int = 0) -> tuple[Rows, Rows]:
    """Return the row numbers of the past and of the last `share` of the dates, the overlap taken out of the past."""
    days = _as_days(dates)
    unique = np.unique(days)
    first = unique[-max(1, round(len(unique) * share))]
    return _before(days, first, label_days + embargo_days), np.flatnonzero(days >= first)


def _as_days(dates: ArrayLike) -> NDArray[np.datetime64]:
    return np.asarray(dates).astype("datetime64[D]")


def _before(days: NDArray[np.datetime64], first: np.datetime64, gap_days: int) -> Rows:
    """Return the rows whose label, and the embargo after it, ends before the first day of the test."""
    return np.flatnonzero(days + np.timedelta64(gap_days, "D") < first)
