"""A fresh clone under a real Docker: built, looked at from inside and outside, stopped, started again.

Makes images, a volume and a network of its own name, and takes them away again; a bot that runs here is left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.helpers.builders import ROOT

# Any free port of this machine in place of 8377.
OVERRIDE = 'services: {dashboard: {ports: !override ["127.0.0.1::8377"]}}\n'
MAX_DEMO_SECONDS = 600
UNPRIVILEGED = {"Uid": "1000", "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}


def _engine_answers() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


# Where GitHub runs this there is an engine: a skipped test would hold nobody to anything there.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),  # packages are fetched, two images written, a demo lived through
    pytest.mark.skipif(not os.environ.get("CI") and not _engine_answers(), reason="no Docker engine answers"),
]


@dataclass(frozen=True, slots=True)
class Project:
    """A clone, and what `docker compose` does there."""

    folder: Path

    def compose(self, *arguments: str) -> str:
        """Run a command of Compose to its end and return what it shows. Raises AssertionError where it fails."""
        command = ["docker", "compose", "-p", f"marsshot-test-{os.getpid()}", "-f", "compose.yaml", "-f", "port.yaml"]
        done = subprocess.run(
            [*command, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=1800
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def logged(self, service: str, text: str, seconds: float) -> str:
        """Return all that a service has shown, once a text is in it."""
        end = time.monotonic() + seconds
        while text not in (shown := self.compose("logs", "--no-color", "--no-log-prefix", service)):
            assert time.monotonic() < end, shown
            time.sleep(1)
        return shown

    def exit_codes(self) -> dict[str, str]:
        """Return how the containers have ended, by their services."""
        shown = self.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.ExitCode}}")
        return {service: f"{state} {code}" for service, state, code in map(str.split, shown.splitlines())}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A fresh clone that `docker compose up -d` has built and started, with nothing prepared."""
    folder = tmp_path / "marsshot"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(folder)], check=True)
    (folder / "port.yaml").write_text(OVERRIDE)
    project = Project(folder)
    try:
        project.compose("up", "-d")
        yield project
    finally:
        project.compose("down", "--volumes", "--rmi", "local", "--timeout", "10")


# One test, for a build and a demo take minutes, and each process of pytest would have its own.
def test_a_fresh_clone_lives_in_docker(project: Project) -> None:
    for service in ("marsshot", "dashboard"):
        _the_containers_have_no_rights(project, service)
    _the_page_is_shown_to_this_machine(project)
    _the_demo_ends_stays_and_is_not_begun_again_by_docker(project)
    _a_stop_is_no_failure_and_the_volume_outlives_it(project)
    if os.geteuid() != 1000:  # else the containers' user owns what is cloned here
        _settings_that_the_containers_may_not_read_are_told(project)
    _keys_go_to_the_bot_alone_and_a_missing_config_is_no_folder(project)


def _the_containers_have_no_rights(project: Project, service: str) -> None:
    status = project.compose("exec", "-T", service, "cat", "/proc/1/status")
    found = dict(line.split(":", 1) for line in status.splitlines())
    assert {name: found[name].split()[0] for name in UNPRIVILEGED} == UNPRIVILEGED
    written = project.compose("exec", "-T", service, "sh", "-c", "touch /app/x /x 2>/dev/null || echo refused")
    assert written == "refused\n"


def _the_page_is_shown_to_this_machine(project: Project) -> None:
    project.logged("dashboard", "http://127.0.0.1:8377", 60)
    published = project.compose("port", "dashboard", "8377").strip()
    assert published.startswith("127.0.0.1:")
    with urlopen(f"http://{published}/", timeout=60) as page:
        assert "MarsShot" in page.read().decode()


def _the_demo_ends_stays_and_is_not_begun_again_by_docker(project: Project) -> None:
    shown = project.logged("marsshot", "The demo is over", MAX_DEMO_SECONDS)
    assert shown.count("The demo begins") == 1
    assert "mode demo" in project.compose("exec", "-T", "marsshot", "marsshot", "status")


def _a_stop_is_no_failure_and_the_volume_outlives_it(project: Project) -> None:
    before = time.monotonic()
    project.compose("stop")
    assert time.monotonic() - before < 10
    assert project.exit_codes() == {"marsshot": "exited 0", "dashboard": "exited 0"}
    project.compose("up", "-d", "--force-recreate")
    kept = project.compose("exec", "-T", "marsshot", "ls", "/data").split()
    assert {"trades.demo.csv", "model.demo.pkl", "bot_state.demo.json"} <= set(kept)


def _settings_that_the_containers_may_not_read_are_told(project: Project) -> None:
    settings = project.folder / "config.yaml"
    settings.chmod(0o600)
    project.compose("restart")
    for service in ("marsshot", "dashboard"):
        assert "chmod a+r config.yaml" in project.logged(service, "Mend that", 60)
    settings.chmod(0o644)


def _keys_go_to_the_bot_alone_and_a_missing_config_is_no_folder(project: Project) -> None:
    keys = project.folder / "deploy/keys"
    keys.write_text("LUNARCRUSH_API_KEY='a$b#c'\n")
    keys.chmod(0o600)
    project.compose("up", "-d", "--force-recreate")
    assert "LUNARCRUSH_API_KEY=a$b#c\n" in project.compose("exec", "-T", "marsshot", "env")
    assert "LUNARCRUSH" not in project.compose("exec", "-T", "dashboard", "env")
    settings, aside = project.folder / "config.yaml", project.folder / "aside.yaml"
    settings.rename(aside)
    with pytest.raises(AssertionError, match=r"config\.yaml"):
        project.compose("up", "-d", "--force-recreate")
    assert not settings.exists()
    aside.rename(settings)
