"""The file of secrets, one NAME='value' a line, as systemd, Docker and a shell read it: text in, values or text out.

Shows no value. Who may read the file is its writer's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*?)[ \t]*$", re.MULTILINE)
_QUOTES = "'\""


def keys_beside(path: Path) -> dict[str, str]:
    """Return the secrets of a file by their names; none where no file can be read. Raises InputError."""
    try:
        return read_keys(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError):
        raise InputError(LocalizedText("fault.config.no_text", path=path)) from None


def read_keys(text: str) -> dict[str, str]:
    """Return the secrets by their names; what is commented out or empty is none."""
    found = {match["name"]: _unquoted(match["value"]) for match in _LINE.finditer(text)}
    return {name: value for name, value in found.items() if value}


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1] if is_quoted else value


def with_keys(text: str, changes: Mapping[str, str]) -> str:
    """Return the file with these secrets in it: in place of their lines, commented out or not, or at the end.

    Raises ValueError for a value that a shell would not give back as it is.
    """
    for name, value in changes.items():
        if "'" in value or "\n" in value:
            raise ValueError(name)
        line = f"{name}='{value}'"
        own = re.compile(rf"^[ \t]*(?:export[ \t]+)?{name}=.*$", re.MULTILINE)
        sample = re.compile(rf"^#[ \t]*{name}=.*$", re.MULTILINE)
        if own.search(text) or sample.search(text):
            pattern = own if own.search(text) else sample
            first, rest = pattern.search(text), pattern
            assert first is not None  # noqa: S101 - found a line above
            text = text[: first.start()] + line + rest.sub(f"#{name}=''", text[first.end() :])
        else:
            text = f"{text.rstrip()}\n{line}\n" if text.strip() else f"{line}\n"
    return text
