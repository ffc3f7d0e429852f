"""The version: one place, SemVer, and what CHANGELOG.md says of it; what a release says comes from there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from marsshot.core.version import VERSION
from tests.helpers.builders import ROOT

SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?")
SECTIONS = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_version_is_semver() -> None:
    found = SEMVER.fullmatch(VERSION)
    assert found, VERSION
    assert found[4] in {None, "dev"} or re.fullmatch(r"(alpha|beta|rc)\.\d+", found[4])


def test_changelog_tells_of_this_version_first_and_goes_back_from_there() -> None:
    assert SECTIONS[0] == ("Unreleased" if VERSION.endswith("-dev") else VERSION)
    released = [one for one in SECTIONS if one != "Unreleased"]
    numbers = [tuple(int(part) for part in SEMVER.fullmatch(one).group(1, 2, 3)) for one in released]  # type: ignore[union-attr]
    assert numbers == sorted(set(numbers), reverse=True)
    if VERSION.endswith("-dev"):
        assert tuple(map(int, VERSION.removesuffix("-dev").split("."))) > numbers[0]


def test_no_other_file_has_a_version_of_its_own() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("*.py"), *ROOT.glob("marsshot/**/*.py"), ROOT / "pyproject.toml"]
        if re.search(rf"""["']{re.escape(VERSION)}["']""", path.read_text())
    ]
    assert found == ["marsshot/core/version.py"]


# --------------------------------------------------------------------------- deploy/release_notes.sh


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "marsshot/core").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/release_notes.sh", tmp_path / "deploy")
    (tmp_path / "marsshot/core/version.py").write_text('"""Text."""\n\nVERSION = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changes\n\n## 1.2.0 (2027)\n\n- New.\n  And more.\n\n## 1.1.0\n\n- Old.\n"
    )
    return tmp_path


def release_notes(repository: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([repository / "deploy/release_notes.sh", tag], capture_output=True, text=True, check=False)


def test_the_notes_are_the_section_of_the_version(repository: Path) -> None:
    done = release_notes(repository, "v1.2.0")
    assert (done.returncode, done.stdout.strip()) == (0, "- New.\n  And more.")


@pytest.mark.parametrize("tag", ["v1.1.0", "v1.2", "v1.2.0-rc.1"])
def test_a_tag_that_is_not_the_version_is_no_release(repository: Path, tag: str) -> None:
    done = release_notes(repository, tag)
    assert (done.returncode, done.stdout) == (1, "")
    assert "version.py says 1.2.0" in done.stderr


def test_a_version_that_changelog_does_not_know_is_no_release(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n- New.\n\n## 1.1.0\n\n- Old.\n")
    done = release_notes(repository, "v1.2.0")
    assert done.returncode == 1 and "no section ## 1.2.0" in done.stderr
