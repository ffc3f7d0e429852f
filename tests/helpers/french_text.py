"""Whether what was printed is French: no part of an English sentence of the catalogue may be in it."""

from __future__ import annotations

from functools import cache
from string import Formatter

from marsshot.core.catalog import load_texts


@cache
def english_parts() -> tuple[str, ...]:
    """Return what the English sentences have between their values and the French ones have not."""
    french = "\n".join(load_texts("fr").values())
    parts = {part.strip() for text in load_texts("en").values() for part, _, _, _ in Formatter().parse(text)}
    return tuple(part for part in parts if part.count(" ") > 1 and len(part) > 11 and part not in french)


def is_french(text: str) -> bool:
    found = [part for part in english_parts() if part in text]
    assert not found, (found, text)
    return True
