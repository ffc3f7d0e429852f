"""One false alarm of scikit-learn's threads is not shown, every other warning is."""

from __future__ import annotations

import warnings

import pytest
from sklearn.utils.parallel import delayed

from marsshot.training.thread_warnings import without_false_alarms


def test_the_false_alarm_is_not_shown_and_the_others_are() -> None:
    with pytest.warns(UserWarning) as told:
        shown = warnings.showwarning
        with without_false_alarms():
            function, arguments, named = delayed(len)("abc")
            assert function(*arguments, **named) == 3  # scikit-learn warns: nobody has given it its settings
            warnings.warn("a column is missing", UserWarning, stacklevel=1)
        assert warnings.showwarning is shown
    assert [str(one.message) for one in told] == ["a column is missing"]


def test_without_it_the_alarm_is_shown() -> None:
    function, arguments, named = delayed(len)("abc")
    with pytest.warns(UserWarning, match="should be used with"):
        function(*arguments, **named)
