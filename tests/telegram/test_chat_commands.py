"""What the owner types is one of the commands or none; a button's number is good once, and for a minute."""

from __future__ import annotations

import pytest

from embedded_market.telegram.checks import MAX_BUTTON_BYTES
from marsshot.telegram.chat import MAX_PART, MAX_PARTS, parts_of
from marsshot.telegram.chat_commands import ACTIONS, CONFIRMED, ChatCommand, Typed, read_command
from marsshot.telegram.confirmations import (
    CONFIRM_SECONDS,
    NO,
    YES,
    Confirmations,
    button_data,
    read_button,
)
from marsshot.telegram.phone_text import as_typed_in_chat

SELL_ALL = Typed(ChatCommand.SELL_ALL)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("/status", Typed(ChatCommand.STATUS)),
        ("  /Status@marsshot_bot ", Typed(ChatCommand.STATUS)),
        ("/sellall", SELL_ALL),
        ("/sell_all", SELL_ALL),
        ("/start", Typed(ChatCommand.HELP)),
        ("/decisions", Typed(ChatCommand.DECISIONS)),
        ("/decisions fet", Typed(ChatCommand.DECISIONS, "FET")),
        ("/chart 1inch", Typed(ChatCommand.CHART, "1INCH")),
        ("/sell fet", Typed(ChatCommand.SELL, "FET")),
        ("/sell", Typed(ChatCommand.SELL)),
    ],
)
def test_a_command_and_its_token(text: str, typed: Typed) -> None:
    assert read_command(text) == typed


@pytest.mark.parametrize(
    "text",
    [
        "sellall",
        "/sellall now",
        "/sellall\n/pause",
        "please /sellall",
        "/buy",
        "/",
        "",
        "/chart ../x",
        "/chart a b",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert read_command(text) is None


def test_what_sells_or_lets_spend_is_asked_about_and_stopping_is_not() -> None:
    assert CONFIRMED < ACTIONS
    assert {ChatCommand.PAUSE, ChatCommand.EXCLUDE} == ACTIONS - CONFIRMED


def test_a_number_is_good_until_the_minute_is_over() -> None:
    open_questions = Confirmations()
    for number, seconds, is_good in (("a", CONFIRM_SECONDS - 0.1, True), ("b", CONFIRM_SECONDS, False)):
        open_questions.ask(number, SELL_ALL, 1, "?", now=100.0)
        assert (open_questions.take(number, 100.0 + seconds) is not None) is is_good
        assert open_questions.take(number, 100.0) is None, "and once"


def test_those_that_nobody_answered_are_given_back_once() -> None:
    open_questions = Confirmations()
    open_questions.ask("a", SELL_ALL, 1, "?", now=0.0)
    open_questions.ask("b", SELL_ALL, 2, "?", now=30.0)
    assert [one.message for one in open_questions.take_expired(60.0)] == [1]
    assert open_questions.take_expired(60.0) == []
    assert len(open_questions) == 1


def test_a_button_fits_and_says_what_it_was_made_of() -> None:
    number = Confirmations.draw()
    assert Confirmations.draw() != number
    for answer, is_yes in ((YES, True), (NO, False)):
        data = button_data(answer, number)
        assert len(data.encode()) <= MAX_BUTTON_BYTES
        assert read_button(data) == (is_yes, number)


@pytest.mark.parametrize("data", ["", "y", "sellall", "x.abc", "Y.abc"])
def test_forged_data_is_the_number_of_no_question(data: str) -> None:
    assert read_button(data)[1] == ""


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", []),
        ("\n \n", []),
        ("a\nb", [3]),
        ("x" * (MAX_PART + 1), [MAX_PART, 1]),
        ("y\n" * MAX_PART, [MAX_PART - 1]),
    ],
)
def test_a_long_text_comes_in_parts(text: str, sizes: list[int]) -> None:
    parts = parts_of(text)
    assert [len(part) for part in parts][: len(sizes)] == sizes
    assert all(len(part) <= MAX_PART for part in parts)


def test_no_text_floods_the_phone() -> None:
    assert len(parts_of("x" * MAX_PART * 50)) == MAX_PARTS


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        ("", "Allow it again with: python main.py resume", "Allow it again with: /resume"),
        ("marsshot", "marsshot sell-all tries it at once", "/sellall tries it at once"),
        ("", "see python main.py status, then python main.py daily", "see /status, then python main.py daily"),
        ("", "python main.py sell-all-else", "python main.py sell-all-else"),
    ],
)
def test_commands_are_told_as_they_are_typed_here(
    monkeypatch: pytest.MonkeyPatch, command: str, text: str, told: str
) -> None:
    monkeypatch.setenv("MARSSHOT_COMMAND", command)
    assert as_typed_in_chat(text) == told
