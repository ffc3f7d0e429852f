"""What argparse itself says (usage, what is wrong with the command line), in the owner's language.

argparse takes its words from gettext; for the length of a block it takes them from the catalogue. What a later Python
says otherwise stays English.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from marsshot.core.catalog import Language, catalog_of

_KEYS = {
    "usage: ": "usage.usage",
    "positional arguments": "usage.positional",
    "options": "usage.options",
    "show this help message and exit": "usage.help",
    "%(prog)s: error: %(message)s\n": "usage.error",
    "argument %(argument_name)s: %(message)s": "usage.argument",
    "unrecognized arguments: %s": "usage.unrecognized",
    "the following arguments are required: %s": "usage.required",
    "invalid choice: %(value)r (choose from %(choices)s)": "usage.choice",
    "invalid %(type)s value: %(value)r": "usage.invalid",
    "expected one argument": "usage.one_argument",
    "ambiguous option: %(option)s could match %(matches)s": "usage.ambiguous",
    "ignored explicit argument %r": "usage.ignored",
}


@contextmanager
def argparse_in(language: Language) -> Iterator[None]:
    """Have parsers that are built and used in the block speak this language."""
    if language == "en":
        yield
        return
    catalog, before = catalog_of(language), vars(argparse)["_"]

    def translated(text: str) -> str:
        key = _KEYS.get(text, "")
        # The catalogue keeps no blanks at the ends of a text.
        return catalog.text(key) + text[len(text.rstrip()) :] if catalog.has_key(key) else str(before(text))

    setattr(argparse, "_", translated)  # noqa: B010 - a name that type checkers do not know
    try:
        yield
    finally:
        setattr(argparse, "_", before)  # noqa: B010
