"""One table names the bot's files: the code, what git leaves out and what goes into the image go by it."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsshot.config import bot_files
from marsshot.config.bot_files import (
    BOT_FILES,
    BotFile,
    bot_file,
    candidate_path,
    in_every_mode,
    lock_path,
    report_path,
)
from marsshot.infra.atomic_files import backup_path, scratch_path
from tests.helpers.builders import PROGRAM, ROOT, some_settings
from tests.helpers.dockerignore import sent
from tests.helpers.imports import module_name, nodes_of

TABLE = Path(bot_files.__file__)
RUNTIME = [file for file in BOT_FILES if file.is_runtime]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")


def written_paths() -> Iterator[str]:
    """Yield what a run may leave in its folder, in every mode, with what lies beside it."""
    for file in RUNTIME:
        for path in in_every_mode(file.name):
            if file.is_folder:
                yield f"{path}/anything"
            else:
                yield from map(str, (path, backup_path(path), scratch_path(path), lock_path(path)))
    for model in in_every_mode(bot_files.MODEL):
        yield from map(str, (candidate_path(model), report_path(candidate_path(model))))
    yield f"{bot_files.LOG}.5"


@needs_git
def test_git_leaves_out_whatever_a_run_writes(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    paths = list(written_paths())
    command = ["git", "-C", str(tmp_path), "check-ignore", "--stdin"]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    assert set(paths) - set(done.stdout.splitlines()) == set()


@needs_git
def test_git_keeps_the_program_and_the_shipped_settings(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    paths = ["main.py", bot_files.CONFIG, "marsshot/config/bot_files.py", "docs/guide.md"]
    command = ["git", "-C", str(tmp_path), "check-ignore", "--stdin"]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_image_holds_nothing_that_a_run_writes_and_no_settings() -> None:
    paths = [*written_paths(), bot_files.CONFIG]
    assert sent(paths, (ROOT / ".dockerignore").read_text()) == set()


def test_no_file_of_the_bots_is_spelled_outside_the_table() -> None:
    names = {file.name for file in BOT_FILES if not file.is_folder}  # a folder's is a plain word as well
    spelled = [
        (str(source), node.value)
        for source in PROGRAM
        if source != TABLE
        for node in nodes_of(module_name(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert spelled == []


@pytest.mark.parametrize("file", BOT_FILES, ids=lambda file: file.name)
def test_a_name_is_known_in_every_mode_and_beside_itself(file: BotFile) -> None:
    for path in in_every_mode(file.name):
        for name in (path, backup_path(path), scratch_path(path), scratch_path(backup_path(path)), lock_path(path)):
            assert bot_file(str(name)) is file


def test_what_shows_everybody_the_keys_or_the_book_is_private() -> None:
    private = {file.name for file in BOT_FILES if file.is_private}
    assert {"bot_state.json", "trades.csv", "bot.log", "dashboard.token", "PAUSE", "SELL_ALL"} <= private
    assert not {"model.pkl", "training_data.csv"} & private


def test_a_backup_holds_what_cannot_be_made_again_and_no_command_that_would_be_carried_out_anew() -> None:
    kept = {file.name for file in BOT_FILES if file.is_backed_up}
    assert {"config.yaml", "bot_state.json", "trades.csv", "decisions.csv", "equity.csv", "model.pkl", "PAUSE"} <= kept
    assert not {"SELL_ALL", "DAILY", "heard.json", "heartbeat.json", "dashboard.token"} & kept


def test_a_file_of_all_modes_together_keeps_its_name() -> None:
    assert some_settings(mode="paper").file("dashboard.token") == Path("dashboard.token")
    assert some_settings(mode="paper").file("model.pkl") == Path("model.paper.pkl")
