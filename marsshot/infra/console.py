"""Where the bot's lines are shown: with colour on a terminal, plainly where they go to a journal or a file.

rich is loaded on a terminal only: a service that rests for days does without its three megabytes.
"""

from __future__ import annotations

import sys
from typing import Protocol


class Terminal(Protocol):
    """What takes lines; rich's Console does."""

    def print(self, text: str, /, *, style: str | None, markup: bool, highlight: bool, soft_wrap: bool) -> None:
        """Show a line."""


class PlainTerminal:
    """Lines as they are, each at once."""

    def print(self, text: str, /, *, style: str | None, markup: bool, highlight: bool, soft_wrap: bool) -> None:
        """Write a line to stdout. Raises OSError or ValueError where nobody reads it any more."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def terminal() -> Terminal:
    """Return what shows lines on stdout."""
    if not sys.stdout.isatty():
        return PlainTerminal()
    from rich.console import Console  # noqa: PLC0415 - for people who look on

    return Console()
