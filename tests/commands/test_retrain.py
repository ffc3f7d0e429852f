"""main.py retrain: one message to the owner, the failed script's exit code, a priority that gives way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from marsshot.commands import retrain
from marsshot.commands.retrain import run_in_process, run_retrain
from marsshot.infra.child_processes import PROJECT
from marsshot.monitoring.messages import Message
from tests.helpers.builders import some_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("addresses", [(), ("json://127.0.0.1:9/",)])
def test_a_script_that_fails_is_told_here_and_to_whoever_gets_messages(
    addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    priorities: list[int] = []
    told: list[tuple[Sequence[str], str]] = []

    def send(urls: Sequence[str], message: Message, _equity: None) -> None:
        told.append((urls, message.body))

    monkeypatch.setattr("os.nice", priorities.append)
    monkeypatch.setattr(retrain, "run_in_process", lambda _script, _config: 2)
    monkeypatch.setattr(retrain, "send", send)
    assert run_retrain(some_settings(notify=addresses), Path("config.yaml")) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("No new model: the data could not be made.")
    assert told == ([(addresses, said)] if addresses else [])
    assert priorities == [19]


def test_the_scripts_run_as_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert (PROJECT / "build_csv.py").is_file()
    assert run_in_process("build_csv.py", Path("nowhere.yaml")) == 2
    assert "nowhere.yaml" in capfd.readouterr().err
