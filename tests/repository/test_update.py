"""`marsshot update` and `marsshot rollback`: the program changes, in one command each; what the bot keeps does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.builders import ROOT

INSTALL = """#!/bin/sh
if grep -q broken marsshot/core/version.py; then exit 1; fi
cat marsshot/core/version.py > installed
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Owner", "-c", "user.email=owner@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def release(work: Path, version: str) -> None:
    (work / "marsshot/core/version.py").write_text(f'VERSION = "{version}"\n')
    git(work, "commit", "--quiet", "--all", "-m", f"MarsShot {version}")
    git(work, "push", "--quiet")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the program is written; its install.sh only notes which version it has been run of."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "work")
    folder = tmp_path / "work"
    git(folder, "checkout", "--quiet", "-B", "main")
    for name in ("deploy", "marsshot/core"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "deploy/update.sh", folder / "deploy")
    (folder / "deploy/install.sh").write_text(INSTALL)
    (folder / "deploy/install.sh").chmod(0o755)
    (folder / "config.yaml").write_text("mode: demo\n")
    (folder / "marsshot/core/version.py").write_text('VERSION = "1.0.0"\n')
    (folder / ".gitignore").write_text("installed\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "MarsShot 1.0.0")
    git(folder, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


@pytest.fixture
def server(tmp_path: Path, work: Path) -> Path:
    """The checkout on the server, with a book in it."""
    git(tmp_path, "clone", "--quiet", "origin.git", "server")
    (tmp_path / "server/bot_state.json").write_text("the book\n")
    return tmp_path / "server"


def run(server: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [server / "deploy/update.sh", command], capture_output=True, text=True, check=False, cwd=server.parent
    )


def installed(server: Path) -> str:
    program, done = (server / "marsshot/core/version.py").read_text(), (server / "installed").read_text()
    assert program == done, "what lies there is not what was installed"
    return done.removeprefix('VERSION = "').removesuffix('"\n')


def test_an_update_and_back_and_forth_again(work: Path, server: Path) -> None:
    release(work, "1.1.0")
    done = run(server, "update")
    assert done.returncode == 0, done.stderr
    assert "from 1.0.0" in done.stdout and "to 1.1.0" in done.stdout
    assert installed(server) == "1.1.0"
    for version in ("1.0.0", "1.1.0", "1.0.0"):
        assert run(server, "rollback").returncode == 0
        assert installed(server) == version
    release(work, "1.2.0")
    assert run(server, "update").returncode == 0
    assert installed(server) == "1.2.0"
    assert (server / "bot_state.json").read_text() == "the book\n"


def test_nothing_newer_is_told_and_nothing_done(server: Path) -> None:
    done = run(server, "update")
    assert done.returncode == 0 and "as new as the repository: 1.0.0" in done.stdout
    assert not (server / "installed").exists()


def test_without_an_update_there_is_nothing_to_go_back_to(server: Path) -> None:
    done = run(server, "rollback")
    assert done.returncode == 1 and "nothing to go back to" in done.stderr


def test_what_cannot_be_installed_leaves_the_old_program(work: Path, server: Path) -> None:
    release(work, "1.1.0")
    assert run(server, "update").returncode == 0
    release(work, "1.2.0-broken")
    done = run(server, "update")
    assert done.returncode == 1 and "again 1.1.0" in done.stderr
    assert installed(server) == "1.1.0"
    assert run(server, "rollback").returncode == 0, "the one before is still known"
    assert installed(server) == "1.0.0"


def test_what_was_changed_by_hand_is_not_overwritten(work: Path, server: Path) -> None:
    (server / "config.yaml").write_text("mode: paper\n")
    release(work, "1.1.0")
    assert run(server, "update").returncode == 0
    assert (server / "config.yaml").read_text() == "mode: paper\n"
    (work / "config.yaml").write_text("mode: demo\nlanguage: en\n")
    release(work, "1.2.0")
    assert run(server, "update").returncode != 0
    assert (server / "config.yaml").read_text() == "mode: paper\n"
    assert installed(server) == "1.1.0"


def test_commits_of_ones_own_are_kept(work: Path, server: Path) -> None:
    (server / "mine").write_text("mine\n")
    git(server, "add", "mine")
    git(server, "commit", "--quiet", "-m", "Mine")
    release(work, "1.1.0")
    done = run(server, "update")
    assert done.returncode == 1 and "nothing has been changed" in done.stderr
    assert (server / "mine").exists()
