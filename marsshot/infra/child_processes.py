"""How a module of ours is run in a process of its own, from whatever folder the bot was started in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


def ask_child(command: Sequence[str], question: object, environment: Mapping[str, str], seconds: float) -> Any:
    """Hand a question to a child and return its answer, both in JSON, through pipes; one that hangs is killed.

    Others can read a process's arguments. Raises OSError, SubprocessError or ValueError.
    """
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        input=json.dumps(question),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        timeout=seconds,
        check=True,
    )
    return json.loads(done.stdout)
