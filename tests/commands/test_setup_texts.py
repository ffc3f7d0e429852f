"""What setup writes: values in the text of config.yaml and in the file of keys, all else as it was."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from marsshot.commands.setup.config_text import token_list, with_values
from marsshot.commands.setup.steps import amount_of
from marsshot.config.keys_file import read_keys, with_keys

SHIPPED = (Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8")


def texts_of(content: str) -> dict[str, Any]:
    """Return what a YAML file says, each value as its text."""
    return dict(yaml.load(content, yaml.CBaseLoader))  # noqa: S506 - texts alone


SHIPPED_TEXTS = texts_of(SHIPPED)


@pytest.mark.parametrize(
    ("text", "key", "value", "after"),
    [
        ("mode: demo  # which\n", "mode", "live", "mode: live  # which\n"),
        ("a: 1\n", "mode", "live", "a: 1\n\nmode: live\n"),
        ("s:\n  a: 1.0   # note\n  b: 2\n", "s.a", "25", "s:\n  a: 25    # note\n  b: 2\n"),
        ("s:\n  b: 2\nc: 3\n", "s.a", "1", "s:\n  a: 1\n  b: 2\nc: 3\n"),
        ("t:\n  - A\n  - B\n\n# next\nc: 3\n", "t", "[C]", "t: [C]\n\n# next\nc: 3\n"),
        ("t:\n- A\n- B\nc: 3\n", "t", "[C]", "t: [C]\nc: 3\n"),
        ("mode: demo", "mode", "live", "mode: live\n"),
    ],
)
def test_one_value_changes(text: str, key: str, value: str, after: str) -> None:
    assert with_values(text, {key: value}) == after


@given(st.lists(st.from_regex(r"[A-Z0-9]{1,10}", fullmatch=True), min_size=1, max_size=60, unique=True))
def test_every_list_of_tokens_is_read_back_and_nothing_else_changes(tokens: list[str]) -> None:
    after = texts_of(with_values(SHIPPED, {"tokens_daily": token_list(tokens)}))
    assert after.pop("tokens_daily") == tokens
    assert after == {key: value for key, value in SHIPPED_TEXTS.items() if key != "tokens_daily"}


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1000", "1000"),
        ("1 000,50", "1000.50"),
        ("1\u202f000,50", "1000.50"),
        ("1,000.50", "1000.50"),
        ("1.000,50", "1000.50"),
        ("250.5", "250.5"),
        ("0,5", "0.5"),
    ],
)
def test_an_amount_is_read_as_it_is_typed(typed: str, amount: str) -> None:
    assert amount_of(typed) == Decimal(amount)


@pytest.mark.parametrize("typed", ["", "a", "0", "-1", "NaN", "Infinity", "1,000", "1,2,3"])
def test_what_is_no_amount_or_may_be_two_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        amount_of(typed)


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'"), min_size=1)


@given(SECRETS, SECRETS)
def test_a_secret_is_read_back_and_stands_once(first: str, second: str) -> None:
    text = with_keys("# mine\n#A_KEY='...'\nOTHER='x'\n", {"A_KEY": first})
    text = with_keys(text, {"A_KEY": second, "NEW": first})
    assert read_keys(text) == {"A_KEY": second, "OTHER": "x", "NEW": first}
    assert text.startswith("# mine\n")


def test_a_secret_that_stands_twice_is_one_afterwards() -> None:
    assert read_keys(with_keys("A='1'\nexport A='2'\n", {"A": "3"})) == {"A": "3"}
