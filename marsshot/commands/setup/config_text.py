"""Values put into the text of config.yaml, everything else of it kept to the letter: comments, order, columns.

Text in, text out. A YAML library that keeps comments would fold the lists anew and move what stands beside a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import fill

_WIDTH = 116
_COMMENT_COLUMN = 2  # at least so many blanks before a comment that follows a value


def with_values(text: str, changes: Mapping[str, str]) -> str:
    """Return the settings with these values in them. changes: YAML of one line, by key: strategy.capital_initial."""
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        text = _in_section(text, section, name, value) if section else _at_top(text, name, value)
    return text


def token_list(tokens: Sequence[str]) -> str:
    """Return tokens as the value of a key, on lines of their own."""
    quoted = [f'"{token}"' if token.isdigit() else token for token in tokens]
    return "\n" + fill(", ".join(quoted), _WIDTH, initial_indent="  [", subsequent_indent="   ") + "]"


def quoted_text(value: str) -> str:
    """Return a text as YAML, in quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _at_top(text: str, name: str, value: str) -> str:
    block = re.compile(rf"(?m)^{name}:[^\n]*\n?(?:(?:[ \t]+\S|-)[^\n]*\n?)*")
    found = block.search(text)
    if found is None:
        return f"{text.rstrip()}\n\n{name}:{_spaced(value)}\n"
    line = found.group().split("\n", 1)[0]
    return text[: found.start()] + _replaced(line, name, value) + "\n" + text[found.end() :]


def _in_section(text: str, section: str, name: str, value: str) -> str:
    header = re.search(rf"(?m)^{section}:[^\n]*\n?", text)
    if header is None:
        return f"{text.rstrip()}\n\n{section}:\n  {name}:{_spaced(value)}\n"
    flow = re.match(rf"{section}:\s*(\{{.*\}})", header.group())
    if flow:
        raise ValueError(section)
    end = re.compile(r"(?m)^[^\s#-]").search(text, header.end())
    stop = end.start() if end else len(text)
    body = text[header.end() : stop]
    own = re.search(rf"(?m)^[ \t]+{name}:[^\n]*", body)
    if own is None:
        indent = re.search(r"(?m)^([ \t]+)[\w\"']", body)
        body = f"{indent[1] if indent else '  '}{name}:{_spaced(value)}\n{body}"
    else:
        blanks = re.match(r"[ \t]*", own.group())
        lead = blanks.group() if blanks else "  "
        body = body[: own.start()] + lead + _replaced(own.group()[len(lead) :], name, value) + body[own.end() :]
    return text[: header.end()] + body + text[stop:]


def _spaced(value: str) -> str:
    return value if value.startswith("\n") else f" {value}"


def _replaced(line: str, name: str, value: str) -> str:
    """Return `name: old   # comment` with the new value, the comment in its column where that is possible."""
    comment = re.search(r"""[ \t]+#[^"']*$""", line)
    written = f"{name}:{_spaced(value)}"
    if comment is None or value.startswith("\n"):
        return written
    column = comment.start() + len(comment.group()) - len(comment.group().lstrip())
    return written.ljust(column - _COMMENT_COLUMN) + " " * _COMMENT_COLUMN + comment.group().lstrip()
