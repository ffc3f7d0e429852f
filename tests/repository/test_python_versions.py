"""The Pythons that MarsShot runs on: one list in pyproject.toml, and everything that names one keeps to it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.builders import ROOT

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS: list[str] = PYPROJECT["tool"]["marsshot"]["pythons"]
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]
WORKFLOWS = ROOT / ".github/workflows"


def workflow(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return loaded


def test_the_list_is_in_order_and_without_gaps() -> None:
    minors = [int(version.removeprefix("3.")) for version in PYTHONS]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_the_checks_are_made_for_the_oldest() -> None:
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")
    assert PYPROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert f"--python-version {OLDEST} " in (ROOT / "Makefile").read_text()


def test_ci_runs_on_all_of_them() -> None:
    assert workflow("tests.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS


def test_the_image_and_the_training_run_on_one_of_them() -> None:
    bases = re.findall(r"^FROM python:(\S+)-slim\b", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    steps = workflow("ci_pipeline.yml")["jobs"]["train"]["steps"]
    (training,) = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    assert bases == [training]
    assert training in PYTHONS


PAGES = {"README.md": "to", "README.fr.md": "à", "docs/guide.md": "to", "docs/guide.fr.md": "à"}


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_name_the_oldest_and_the_newest(page: str) -> None:
    text = (ROOT / page).read_text()
    assert f"Python {OLDEST} {PAGES[page]} {NEWEST}" in text
    assert set(re.findall(r"\bPython (3\.\d+)", text)) == {OLDEST}
    assert not re.search(r"\bpython3\.\d+", text), "a package of one Debian alone"


def test_the_page_of_the_cluster_names_them_all() -> None:
    assert f"the same Python ({', '.join(PYTHONS[:-1])} or {NEWEST})" in (ROOT / "docs/scaling.md").read_text()


# --------------------------------------------------------------------------- deploy/find_python.sh


def a_python(folder: Path, name: str, version: str, *, complete: bool = True) -> Path:
    """Put a Python into a folder that says it is of this version; without ensurepip where it is not complete."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {version}\nexit {int(not complete)}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PATH with the few tools that the script needs, and no Python yet."""
    for tool in ("sh", "sed", "tr", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def find_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "deploy/find_python.sh"), *arguments],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_newest_of_the_list_is_taken(folder: Path) -> None:
    for version in (OLDEST, PYTHONS[1]):
        a_python(folder, f"python{version}", version)
    a_python(folder, "python3.99", "3.99")
    assert find_python(folder).stdout.strip() == str(folder / f"python{PYTHONS[1]}")


def test_one_that_goes_by_python3_alone_is_found(folder: Path) -> None:
    a_python(folder, "python3", NEWEST)
    assert find_python(folder).stdout.strip() == str(folder / "python3")


@pytest.mark.parametrize("version", ["3.10", "3.15", "2.7"])
def test_one_beside_the_list_is_not_taken_and_the_line_says_what_to_install(folder: Path, version: str) -> None:
    a_python(folder, "python3", version)
    done = find_python(folder)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "MarsShot needs Python 3.11, 3.12, 3.13 or 3.14" in line
    assert "apt-get install python3 python3-venv" in line


def test_without_its_venv_an_older_one_is_taken_or_the_package_is_named(folder: Path) -> None:
    a_python(folder, f"python{NEWEST}", NEWEST, complete=False)
    done = find_python(folder)
    assert done.returncode == 1 and f"apt-get install python{NEWEST}-venv" in done.stderr
    a_python(folder, f"python{OLDEST}", OLDEST)
    assert find_python(folder).stdout.strip() == str(folder / f"python{OLDEST}")


def test_a_named_one_is_taken_or_refused(folder: Path) -> None:
    a_python(folder, f"python{NEWEST}", NEWEST)
    named = a_python(folder, "mine", OLDEST)
    assert find_python(folder, str(named)).stdout.strip() == str(named)
    refused = find_python(folder, str(a_python(folder, "old", "3.10")))
    assert refused.returncode == 1 and "old is none of them" in refused.stderr


def test_a_real_python_is_understood() -> None:
    """The one under which the tests run is of the list."""
    done = subprocess.run([ROOT / "deploy/find_python.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([done.stdout.strip(), "--version"], capture_output=True, text=True, check=True).stdout
    assert said.removeprefix("Python ").rpartition(".")[0] in PYTHONS
