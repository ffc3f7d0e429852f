"""Numbers of things in words."""

from __future__ import annotations

import pytest

from marsshot.backtesting.plurals import counted


@pytest.mark.parametrize(("number", "told"), [(0, "0 tokens"), (1, "1 token"), (2, "2 tokens"), (1200, "1,200 tokens")])
def test_one_is_one_and_all_else_is_many(number: int, told: str) -> None:
    assert counted(number, "token") == told
