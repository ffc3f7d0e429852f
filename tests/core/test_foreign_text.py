"""Text from outside: one line of printable characters, at most 300, wherever it is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.foreign_text import MAX_LENGTH, one_line, printable

FRENCH_BLANKS = "\u00a0\u202f"
ANY_TEXT = st.text(st.characters())  # surrogates, too: what an environment's odd bytes become


def is_fit_to_show(text: str) -> bool:
    return all(sign.isprintable() or sign in FRENCH_BLANKS for sign in text)


@given(ANY_TEXT)
def test_any_text_is_one_printable_line_of_at_most_300(text: str) -> None:
    line = one_line(text)
    assert is_fit_to_show(line)
    assert len(line) <= MAX_LENGTH
    assert one_line(line) == line


def test_what_can_be_shown_stays_as_it_is_up_to_300() -> None:
    assert one_line("Filter failure: LOT_SIZE") == "Filter failure: LOT_SIZE"
    assert one_line("1\u202f234,50\u00a0€") == "1\u202f234,50\u00a0€"
    assert one_line("é" * 300) == "é" * 300
    assert one_line("é" * 301) == "é" * 299 + "…"


def test_breaks_are_a_blank_and_what_steers_a_terminal_a_question_mark() -> None:
    assert one_line("a\r\n\tb\u2028c") == "a b c"
    assert one_line("\x1b[31mred\u202e\x00") == "?[31mred??"
    assert printable("\x1b" + "a" * 400) == "?" + "a" * 400


@given(ANY_TEXT)
def test_a_value_in_a_sentence_is_one_printable_line_in_both_languages(text: str) -> None:
    told = LocalizedText("fault.exchange.refused_order", text=text, code=-1013)
    words = len(LocalizedText("fault.exchange.refused_order", text="", code=-1013))
    for line in (str(told), Catalog("fr").render(told), Catalog("fr").text(told.key, **told.values)):
        assert is_fit_to_show(line)
    assert len(told) <= words + MAX_LENGTH


@given(ANY_TEXT)
def test_a_text_that_is_no_sentence_of_ours_is_told_on_one_line(text: str) -> None:
    assert Catalog("fr").render(text) == one_line(text)


def test_a_sentence_of_ours_is_not_cut_within_another() -> None:
    tokens = tuple(f"TOKEN{number}" for number in range(60))
    inner = LocalizedText("fault.config.needed.dollar", list=tokens)
    assert len(inner) > MAX_LENGTH
    for catalog in (Catalog("en"), Catalog("fr")):
        assert "TOKEN59" in catalog.text("fault.in_file", path="config.yaml", fault=inner)
        assert "TOKEN59" in catalog.text("fault.in_file", path="config.yaml", fault=catalog.render(inner))
