"""`--config` from another folder: the bot's files are those beside the settings, what is typed is where it is typed."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

import main
from marsshot.config.working_folder import folder_of_config
from tests.helpers.process_harness import open_process_harness


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_paths_that_were_typed_stay_where_they_were_typed(elsewhere: Path) -> None:
    default = Path("token")
    given = Namespace(config=Path("../config.yaml"), file=Path("a.tar"), token=default, mode="x", none=None)
    with folder_of_config(given, given.config, defaults=(default,)) as config:
        assert Path.cwd() == elsewhere.parent
        assert config == elsewhere.parent / "config.yaml"
        assert given.file == elsewhere / "a.tar"
        assert given.token == default
    assert Path.cwd() == elsewhere


@pytest.mark.parametrize("config", ["config.yaml", "./config.yaml", "../nowhere/config.yaml"])
def test_in_that_folder_already_or_without_one_nothing_changes(elsewhere: Path, config: str) -> None:
    given = Namespace(file=Path("a.tar"))
    with folder_of_config(given, Path(config)) as path:
        assert (path, Path.cwd(), given.file) == (Path(config), elsewhere, Path("a.tar"))


def test_the_book_beside_the_settings_is_the_one_that_counts(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_process_harness(elsewhere.parent) as harness:
        harness.write_model()
        assert main.main(["intraday", "--config", "../config.yaml"]) == 0
        assert (harness.folder / "bot_state.json").exists()
        assert main.main(["backup", "--config", "../config.yaml", "mine.tar"]) == 0
    assert {path.name for path in elsewhere.iterdir()} == {"mine.tar"}
    assert Path.cwd() == elsewhere


def test_a_book_that_would_be_left_behind_is_not_begun_anew(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "bot_state.json").write_text("{}")
    with open_process_harness(elsewhere.parent) as harness:
        assert main.main(["intraday", "--config", "../config.yaml"]) == 2
        assert not (harness.folder / "bot_state.json").exists()
    assert f"{elsewhere / 'bot_state.json'}: a book lies here" in capsys.readouterr().err
