"""`marsshot update` and `marsshot rollback`: the program changes, in one command each; what the bot keeps does not."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.builders import ROOT

# As install.sh: a version called broken ends the bot, one called slow waits to be broken off.
INSTALL = """#!/bin/sh
if grep -q no-index marsshot/core/version.py; then exit 1; fi
cat marsshot/core/version.py > installed
if grep -q slow marsshot/core/version.py; then (: > installing; exec sleep 60); fi
if grep -q broken marsshot/core/version.py; then echo failed > service.marsshot; exit 1; fi
"""
# Each service's state stands in a file of the checkout.
SYSTEMCTL = """#!/bin/sh
eval last=\\${$#}
state=$(cat "service.$last" 2>/dev/null || echo inactive)
case "$1" in
is-active) [ "$2" = --quiet ] || echo "$state"; [ "$state" = active ] ;;
start | restart)
    echo "$1 $last" >> systemctl.log
    if [ -e "refuses.$last" ]; then echo failed > "service.$last"; exit 1; fi
    echo active > "service.$last" ;;
daemon-reload) echo daemon-reload >> systemctl.log ;;
esac
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
    (folder / ".gitignore").write_text("installed\ninstalling\nservice.*\nsystemctl.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "MarsShot 1.0.0")
    git(folder, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


@pytest.fixture
def server(tmp_path: Path, work: Path) -> Path:
    """The checkout on the server, with a book in it."""
    git(tmp_path, "clone", "--quiet", "origin.git", "server")
    (tmp_path / "server/bot_state.json").write_text("the book\n")
    write_systemctl(tmp_path)
    return tmp_path / "server"


def write_systemctl(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/systemctl").write_text(SYSTEMCTL)
    (folder / "bin/systemctl").chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def run(server: Path, command: str) -> subprocess.CompletedProcess[str]:
    script: list[str | Path] = [server / "deploy/update.sh", command]
    return subprocess.run(
        script, capture_output=True, text=True, check=False, cwd=server.parent, env=environment(server.parent)
    )


def break_off(server: Path, *numbers: signal.Signals) -> str:
    """Update, send these signals to all that takes part while install.sh is at it, and return what was said."""
    under_way = subprocess.Popen(
        [server / "deploy/update.sh", "update"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(server.parent),
        start_new_session=True,
    )
    while not (server / "installing").exists():
        assert under_way.poll() is None
        time.sleep(0.02)
    for number in numbers:
        os.killpg(under_way.pid, number)
    said = under_way.communicate(timeout=30)[1]
    assert under_way.returncode != 0
    return said


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
    release(work, "1.2.0-no-index")
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
    done = run(server, "update")
    assert done.returncode == 1 and "would be overwritten; nothing has been changed" in done.stderr
    assert (server / "config.yaml").read_text() == "mode: paper\n"
    assert installed(server) == "1.1.0"


def test_files_that_install_has_only_touched_do_not_stop_an_update(work: Path, server: Path) -> None:
    """Its chmod does: git goes by a file's times before it looks into it."""
    for path in (server / "marsshot/core/version.py", server / "config.yaml"):
        os.utime(path, (0, 0))
    release(work, "1.1.0")
    done = run(server, "update")
    assert done.returncode == 0, done.stderr
    os.utime(server / "marsshot/core/version.py", (0, 0))
    assert run(server, "rollback").returncode == 0
    assert installed(server) == "1.0.0"


def test_commits_of_ones_own_are_kept(work: Path, server: Path) -> None:
    (server / "mine").write_text("mine\n")
    git(server, "add", "mine")
    git(server, "commit", "--quiet", "-m", "Mine")
    release(work, "1.1.0")
    done = run(server, "update")
    assert done.returncode == 1 and "nothing has been changed" in done.stderr
    assert (server / "mine").exists()


def test_without_the_repository_nothing_is_changed(tmp_path: Path, server: Path) -> None:
    (tmp_path / "origin.git").rename(tmp_path / "away.git")
    done = run(server, "update")
    assert done.returncode == 1 and "could not be reached; nothing has been changed" in done.stderr


def test_two_updates_at_a_time_do_not_disturb_each_other(work: Path, server: Path) -> None:
    release(work, "1.1.0")
    with (server / ".git/marsshot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(server, "update")
    assert done.returncode == 1 and "another update is under way" in done.stderr
    assert run(server, "update").returncode == 0


def test_a_checkout_of_a_tag_is_told_that_it_follows_nothing(work: Path, server: Path) -> None:
    release(work, "1.1.0")
    git(server, "checkout", "--quiet", "--detach")
    done = run(server, "update")
    assert done.returncode == 1 and "follows no branch" in done.stderr


def test_a_bot_whose_new_program_refuses_to_start_runs_again(work: Path, server: Path) -> None:
    (server / "service.marsshot").write_text("active\n")
    release(work, "1.1.0-broken")
    done = run(server, "update")
    assert done.returncode == 1 and "again 1.0.0" in done.stderr
    assert (server / "service.marsshot").read_text() == "active\n"
    assert (server / "systemctl.log").read_text() == "start marsshot\n", "the dashboard had not run"
    assert installed(server) == "1.0.0", "its packages, too"


def test_a_service_that_was_stopped_stays_so(work: Path, server: Path) -> None:
    release(work, "1.1.0-broken")
    assert run(server, "update").returncode == 1
    assert not (server / "systemctl.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_what_is_broken_off_goes_back(work: Path, server: Path, number: signal.Signals) -> None:
    release(work, "1.1.0-slow")
    assert "again 1.0.0" in break_off(server, number)
    assert installed(server) == "1.0.0"
    assert run(server, "rollback").returncode == 1, "nothing was updated"


def test_what_a_power_cut_broke_off_is_made_whole_by_either_command(work: Path, server: Path) -> None:
    release(work, "1.1.0-slow")
    break_off(server, signal.SIGKILL)
    assert "1.1.0-slow" in (server / "marsshot/core/version.py").read_text(), "half done"
    assert run(server, "rollback").returncode == 0
    assert installed(server) == "1.0.0"
    (server / "installing").unlink()
    break_off(server, signal.SIGKILL)
    install = (server / "deploy/install.sh").read_text()
    (server / "deploy/install.sh").write_text(install.replace("sleep 60", "true"))
    assert "to 1.1.0-slow" in run(server, "update").stdout
    assert "as new as the repository" in run(server, "update").stdout
    assert run(server, "rollback").returncode == 0
    assert installed(server) == "1.0.0"


# --------------------------------------------------------------------------- the services, after install.sh


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    write_systemctl(tmp_path)
    return tmp_path


def restart(machine: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "deploy/restart_services.sh"
    return subprocess.run([script], capture_output=True, text=True, check=False, cwd=machine, env=environment(machine))


@pytest.mark.parametrize("state", ["active", "activating", "failed"])
def test_what_runs_is_restarted_and_what_ended_by_itself_is_started(machine: Path, state: str) -> None:
    (machine / "service.marsshot").write_text(f"{state}\n")
    assert restart(machine).returncode == 0
    assert (machine / "systemctl.log").read_text().splitlines() == ["daemon-reload", "restart marsshot"]


@pytest.mark.parametrize(("state", "code"), [("active", 1), ("failed", 0)])
def test_only_what_ran_before_has_to_run_after(machine: Path, state: str, code: int) -> None:
    (machine / "service.marsshot").write_text(f"{state}\n")
    (machine / "service.marsshot-dashboard").write_text("active\n")
    (machine / "refuses.marsshot").touch()
    done = restart(machine)
    assert done.returncode == code
    assert "marsshot does not start: sudo journalctl -u marsshot -n 50" in done.stderr
    assert (machine / "service.marsshot-dashboard").read_text() == "active\n"
