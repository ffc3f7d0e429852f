"""What `docker build` sends of a folder: the rules of .dockerignore, as far as the one here uses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Return whether the last pattern that fits the path, or a folder above it, leaves it out."""
    parts = path.split("/")
    above = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    ignored = False
    for pattern in patterns:
        expression = _expression(pattern.removeprefix("!").strip("/"))
        if any(expression.fullmatch(one) for one in above):
            ignored = not pattern.startswith("!")
    return ignored


def sent(paths: Iterable[str], dockerignore: str) -> set[str]:
    """Return those of the paths that reach the image's builder."""
    lines = [line.strip() for line in dockerignore.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    return {path for path in paths if not is_ignored(path, patterns)}


def _expression(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(text)
