"""Where lines are shown: plainly into a pipe, a journal or a file, and no rich in memory for it."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from marsshot.infra.console import PlainTerminal, terminal
from tests.helpers.builders import ROOT

LINE = "Sold 3 [bold]FET[/bold] for 3.00 USDT, " + "and a long line stays one line, " * 8


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(text: str) -> None:
    terminal().print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


def test_where_nobody_looks_on_lines_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(LINE)
    assert capsys.readouterr().out == f"{LINE}\n"


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    assert isinstance(terminal(), Console)


def test_a_reader_that_is_gone_is_an_error_that_the_log_copes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(ValueError, match="closed"):
        PlainTerminal().print("x", style=None, markup=False, highlight=False, soft_wrap=True)


def test_a_service_has_no_rich_in_memory() -> None:
    code = "import sys, main; from marsshot.infra import console; console.terminal(); print('rich' in sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip() == "False"
