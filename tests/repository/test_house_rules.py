"""What only one place does: read the clock, catch everything, print. And how large a folder may grow."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path

from tests.helpers.builders import ROOT
from tests.helpers.imports import MODULES, nodes_of

READS_THE_CLOCK = {
    "marsshot.infra.clock",
    # python-binance signs with the machine's own time; the offset given to it cancels that out
    "marsshot.exchange.binance.connection",
}
_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}

# Everybody else tells it to the event log, which knows the secrets to blank out.
PRINTS = {
    "backtest",
    "build_csv",
    "chaos",
    "dashboard",
    "main",
    "train_model",
    "marsshot.dashboard.server",
    "marsshot.monitoring.health_check",
}
PRINTING_FOLDERS = ("marsshot.commands.", "marsshot.chaos.", "marsshot.backtesting.reports.")


def _clock_calls(module: str) -> list[int]:
    """Return the lines that read the machine's date and time. time.monotonic measures a span: that is no clock."""
    lines = []
    for node in nodes_of(module):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if (owner, node.attr.removesuffix("_ns")) in _CLOCKS:
                lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            lines += [node.lineno for alias in node.names if alias.name.removesuffix("_ns") == "time"]
    return lines


def test_only_the_clock_reads_a_clock() -> None:
    assert {module for module in MODULES if _clock_calls(module)} == READS_THE_CLOCK


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler takes any exception and goes on.

    One that ends in `raise` only tidies up, one that ends in `set_exception` hands it to whoever waits for an answer.
    """
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds)
    last = handler.body[-1]
    raises = isinstance(last, ast.Raise) and last.exc is None
    hands_on = isinstance(last, ast.Expr) and ".set_exception(" in ast.unparse(last)
    return broad and not raises and not hands_on


def test_one_place_catches_everything_and_it_is_the_loop() -> None:
    handlers = [
        module
        for module in sorted(MODULES)
        for node in nodes_of(module)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    ]
    assert handlers == ["marsshot.bot.loop"]


def test_only_commands_print() -> None:
    prints = [
        (module, node.lineno)
        for module in sorted(MODULES)
        if module not in PRINTS and not module.startswith(PRINTING_FOLDERS)
        for node in nodes_of(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in listed.stdout.splitlines()]


def test_the_house_can_be_seen_from_its_top() -> None:
    tracked = _tracked()
    assert len({path.parts[0] for path in tracked}) <= 34
    assert len([path for path in tracked if len(path.parts) == 1 and path.suffix == ".py"]) <= 12


def test_no_folder_holds_more_than_twenty_modules() -> None:
    modules = [path for path in _tracked() if path.suffix == ".py" and path.name not in {"__init__.py", "conftest.py"}]
    crowded = {folder: count for folder, count in Counter(path.parent for path in modules).items() if count > 20}
    assert crowded == {}
