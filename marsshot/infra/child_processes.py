"""How a module of ours is run in a process of its own, from whatever folder the bot was started in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def module_command(module: str, *options: str) -> list[str]:
    """Return the command that runs a module, with options of Python's; to be started with `module_environment`.

    -P: the working directory holds the owner's files, and none of them is to be taken for a library.
    """
    return [sys.executable, "-P", *options, "-m", module]


def module_environment() -> dict[str, str]:
    """Return this process's environment, with the project where Python looks for modules."""
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
