"""docs/promises.md, in both languages: every promise names tests that there are, the same in both."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.builders import ROOT

PAGES = {"en": "docs/promises.md", "fr": "docs/promises.fr.md"}
READMES = {"en": "README.md", "fr": "README.fr.md"}
SECTIONS = {"2", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "8", "10"}
A_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
COLUMNS = 3

Row = tuple[str, tuple[str, ...]]  # the section's number, and the cells


def rows(text: str) -> list[Row]:
    """Return the rows of all tables, each with the number of its section."""
    found, section, in_table = list[Row](), "", False
    for line in text.splitlines():
        if heading := re.match(r"## (\d[\d.]*)?", line):
            section = heading[1] or ""
        if set(line) <= set("| -") and "---" in line:
            in_table = True
        elif in_table and line.startswith("|"):
            found.append((section, tuple(cell.strip() for cell in line.strip("|").split("|"))))
        else:
            in_table = False
    return found


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file; none where there is no such file."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    return frozenset(node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def missing(text: str) -> list[str]:
    """Return each test that a page names and that there is not."""
    return [f"{file}::{name}" for file, name in A_TEST.findall(text) if name not in names_of_tests(file)]


def page(language: str) -> str:
    return (ROOT / PAGES[language]).read_text()


@pytest.mark.parametrize("language", PAGES)
def test_every_test_that_is_named_is_there(language: str) -> None:
    assert missing(page(language)) == []


@pytest.mark.parametrize("language", PAGES)
def test_every_promise_says_what_the_bot_does_and_names_its_tests_and_nothing_else(language: str) -> None:
    for section, cells in rows(page(language)):
        assert len(cells) == COLUMNS, (section, cells)
        assert all(cells), (section, cells)
        assert A_TEST.findall(cells[-1]), cells
        assert A_TEST.sub("", cells[-1]).strip() == "", cells


@pytest.mark.parametrize("language", PAGES)
def test_every_section_has_promises(language: str) -> None:
    assert {section for section, _ in rows(page(language))} >= SECTIONS


def test_both_languages_promise_the_same() -> None:
    english, french = ([(section, A_TEST.findall(cells[-1])) for section, cells in rows(page(one))] for one in PAGES)
    assert english == french


@pytest.mark.parametrize("language", PAGES)
def test_the_readme_leads_to_them(language: str) -> None:
    assert f"]({PAGES[language]})" in (ROOT / READMES[language]).read_text()


@pytest.mark.parametrize("page", PAGES.values())
def test_their_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(Path(target)).exists(), target


def test_a_test_that_there_is_not_is_found() -> None:
    here = "tests/repository/test_promises.py"
    assert missing(f"`{here}::test_a_test_that_there_is_not_is_found`") == []
    assert missing(f"`{here}::test_nothing` `tests/test_nowhere.py::test_it`") == [
        f"{here}::test_nothing",
        "tests/test_nowhere.py::test_it",
    ]
