"""Whether what is shown is French: no part of an English sentence of the catalogue, and no English word, is in it."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from string import Formatter

from marsshot.core.catalog import load_texts

# Words that stand in nearly every English sentence, and that French has not.
ENGLISH = frozenset(
    "the is are was were and of with your this that these from which must not no has have been to for by at in more "
    "days rows needs what how each every under over beside where than other worth rule held".split()
)


@cache
def english_parts() -> tuple[str, ...]:
    """Return what the English sentences have between their values and the French ones have not."""
    french = "\n".join(load_texts("fr").values())
    parts = {part.strip() for text in load_texts("en").values() for part, _, _, _ in Formatter().parse(text)}
    return tuple(part for part in parts if part.count(" ") > 1 and len(part) > 11 and part not in french)


def english_words(text: str) -> set[str]:
    """Return the English words of a text, but for names of files, keys and columns, and for what is quoted."""
    prose = re.sub(r"\{[^}]*\}|%\(\w+\)s|[\w./-]*[._/-][\w./-]*|«[^»]*»|\"[^\"]*\"", " ", text)
    return set(re.findall(r"[A-Za-zÀ-ÿ]+", prose.casefold())) & ENGLISH


def plain(text: str) -> str:
    """Return what is shown with ordinary blanks: where no line may break, tests/core holds the catalogue to."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def is_french(text: str) -> bool:
    found = [part for part in english_parts() if part in text]
    assert not found, (found, text)
    return True


def is_wholly_french(text: str) -> bool:
    """Hold a whole page or table to it, whether or not the catalogue knows what it says."""
    assert is_french(text)
    assert not english_words(text), (english_words(text), text)
    return True


def words_of_page(html: str) -> str:
    """Return what a person, or a screen reader, reads of a page."""
    return " ".join(_Reader(html).words)


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        self.words += [value or "" for name, value in attrs if name in {"aria-label", "title", "alt"}]

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.words.append(data)
