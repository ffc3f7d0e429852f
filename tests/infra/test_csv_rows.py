"""CSV cells: no spreadsheet runs them, and they are read back as what they were."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marsshot.core.foreign_text import one_line
from marsshot.infra.csv_rows import csv_bytes, read_lines

FORMULA_SIGNS = ("=", "+", "-", "@")


def cell_in_file(value: object) -> str:
    rows = list(csv.reader(io.StringIO(csv_bytes([["a", "b"], [value, ""]]).decode())))
    return rows[1][0]


def read_back(value: object) -> str:
    return next(cells["a"] for _, cells in read_lines(csv_bytes([["a", "b"], [value, ""]])))


@pytest.mark.parametrize("formula", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(1)", "-", "-inf", "-2-3"])
def test_a_cell_that_would_be_a_formula_is_quoted_and_read_back_as_it_was(formula: str) -> None:
    assert cell_in_file(formula) == f"'{formula}"
    assert read_back(formula) == formula


@pytest.mark.parametrize("number", ["-0.5", "+2", "-1E-8", "12.50", "0"])
def test_a_number_stays_as_it_is(number: str) -> None:
    assert cell_in_file(number) == number


@pytest.mark.parametrize("text", ["", "BNB", "0.1+0.2", "'", "'BNB", "a=b"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert cell_in_file(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("'=1+1")
@example("''-x")
@example("\n=1+1")
@example("=" + "1" * 400)
def test_what_is_written_is_read_back_as_one_line_and_runs_nowhere(text: str) -> None:
    assert read_back(text) == one_line(text)
    cell = cell_in_file(text)
    assert "\n" not in cell
    assert not cell.startswith(FORMULA_SIGNS) or float(cell) is not None
