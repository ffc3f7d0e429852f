"""The locks: every package exactly, with its hashes, the same release in all of them, for every Python of the list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.builders import ROOT

PYTHONS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["marsshot"]["pythons"]
WANTED = sorted((ROOT / "requirements").glob("*.in"))


def lock_of(wanted: Path) -> Path:
    return ROOT / "requirements.txt" if wanted.stem == "runtime" else wanted.with_suffix(".txt")


def wanted_names(path: Path) -> set[str]:
    """The packages that a .in file asks for, those of the files that it names included."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            names |= wanted_names(path.parent / text.removeprefix("-r "))
        elif text:
            names.add(canonicalize_name(Requirement(text).name))
    return names


def locked(lock: Path) -> list[tuple[Requirement, list[str]]]:
    """What is locked, each with its hashes. A line that is neither is a fault of the file."""
    entries: list[tuple[Requirement, list[str]]] = []
    for line in lock.read_text().splitlines():
        text = line.removesuffix("\\").strip()
        if text.startswith("#"):
            continue
        if found := re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", text):
            entries[-1][1].append(found[1])
        else:
            entries.append((Requirement(text), []))
    return entries


def version_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and "*" not in specifier.version, requirement
    return specifier.version


@pytest.mark.parametrize("wanted", WANTED, ids=lambda path: path.stem)
def test_every_package_is_locked_to_one_release_and_its_hashes(wanted: Path) -> None:
    for requirement, hashes in locked(lock_of(wanted)):
        assert version_of(requirement) and hashes, requirement


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", WANTED, ids=lambda path: path.stem)
def test_what_is_asked_for_is_locked_for_every_python(wanted: Path, python: str) -> None:
    here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    names = [
        canonicalize_name(requirement.name)
        for requirement, _ in locked(lock_of(wanted))
        if requirement.marker is None or requirement.marker.evaluate(here)
    ]
    assert wanted_names(wanted) <= set(names)
    assert len(names) == len(set(names)), "two releases of one package for the same Python"


def test_the_locks_agree() -> None:
    versions: dict[str, set[str]] = {}
    for wanted in WANTED:
        for requirement, _ in locked(lock_of(wanted)):
            versions.setdefault(canonicalize_name(requirement.name), set()).add(version_of(requirement))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("wanted", WANTED, ids=lambda path: path.stem)
def test_the_lock_says_how_it_is_made_and_names_no_place_to_fetch_from(wanted: Path) -> None:
    text = lock_of(wanted).read_text()
    command = text.splitlines()[1]
    assert f"--universal --python-version {PYTHONS[0]} --generate-hashes" in command
    assert "://" not in text and "--index-url" not in text and "--find-links" not in text


@pytest.mark.parametrize("path", ["Makefile", "Dockerfile", "deploy/install.sh", ".github/workflows/ci_pipeline.yml"])
def test_whoever_installs_has_the_hashes_checked(path: str) -> None:
    """pip checks hashes where a file has some; with the flag it refuses a file that has lost them."""
    commands = [line for line in (ROOT / path).read_text().splitlines() if re.search(r"pip install\b", line)]
    assert commands
    for command in commands:
        assert "--require-hashes" in command, command
