"""What argparse says of itself, in the owner's language, and only while the block lasts."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

import backtest
import build_csv
import chaos
import dashboard
import main
import train_model
from marsshot.infra.argparse_texts import argparse_in
from tests.helpers.french_text import is_wholly_french, plain


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nonsense"], "ne convient pas"),
        (["restore"], "il manque : FICHIER"),
        (["status", "--nope"], "arguments inconnus : --nope"),
        (["run", "--speed", "fast"], "cette valeur ne convient pas : 'fast'"),
        (["status", "--config"], "il faut une valeur"),
    ],
)
def test_a_wrong_command_line_is_told_in_french(
    given: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("language: fr\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main.main(given)
    shown = plain(capsys.readouterr().err)
    assert told in shown
    assert shown.startswith("utilisation : ")
    assert "erreur : " in shown
    assert not {"error:", "usage:", "argument:"} & set(shown.split())


@pytest.mark.parametrize("script", [backtest, build_csv, chaos, dashboard, train_model], ids=lambda one: one.__name__)
def test_the_help_of_each_script_is_french(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("language: fr\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="0"):
        script.main(["--help"])
    shown = plain(capsys.readouterr().out)
    assert shown.startswith(f"utilisation : {script.__name__}.py ")
    assert is_wholly_french(shown)


def test_afterwards_it_speaks_english_again() -> None:
    with argparse_in("fr"):
        assert "utilisation : " in plain(argparse.ArgumentParser(prog="x").format_usage())
    assert argparse.ArgumentParser(prog="x").format_usage().startswith("usage: ")


def test_in_english_nothing_changes() -> None:
    with argparse_in("en"):
        assert argparse.ArgumentParser(prog="x").format_usage().startswith("usage: ")
