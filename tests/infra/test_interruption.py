"""Ctrl-C ends every script with one line, also while it still loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marsshot.infra.interruption import STOPPED
from tests.helpers.builders import ROOT

SCRIPTS = ("main.py", "build_csv.py", "train_model.py", "backtest.py", "dashboard.py", "chaos.py")
SECONDS = 60
# Takes the place of a library that all scripts load, and never ends.
ENDLESS = "import pathlib, time\npathlib.Path('is_loading').touch()\ntime.sleep(1000)\n"
ONCE_LOADED = """
import pathlib, sys, time
sys.path.insert(0, {root!r})
from marsshot.infra import interruption

def main():
    {body}

interruption.guard_loading()
interruption.run(main)
"""


def interrupted(command: list[str], folder: Path, sign: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Send SIGINT once the process has made a file of this name; return how it ended."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + SECONDS
    while not (folder / sign).exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_still_loads_ends_with_one_line(script: str, tmp_path: Path) -> None:
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs" / "yaml.py").write_text(ENDLESS)
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    ended = interrupted([str(ROOT / script)], tmp_path, "is_loading", PYTHONPATH=str(tmp_path / "stubs"))
    (line,) = ended.stderr.strip().splitlines()
    assert line in {f"{script}: {STOPPED}", f"{script}: interrupted; no file was changed"}
    assert (ended.returncode != 0, ended.stdout) == (True, "")


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("pathlib.Path('works').touch(); time.sleep(1000)", 130, f"-c: {STOPPED}"),
        ("try: pathlib.Path('works').touch(); time.sleep(1000)\n    except KeyboardInterrupt: return 1", 1, ""),
    ],
)
def test_a_script_that_works_may_end_in_its_own_way(body: str, code: int, told: str, tmp_path: Path) -> None:
    ended = interrupted(["-c", ONCE_LOADED.format(root=str(ROOT), body=body)], tmp_path, "works")
    assert (ended.returncode, ended.stderr.strip()) == (code, told)
