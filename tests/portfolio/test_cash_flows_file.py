"""cash_flows.csv takes each row once, whatever a death, an editor or a spreadsheet has made of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.core.book import CashFlow
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.cash_flows_file import add_missing_rows, read_cash_flows

HEADER = "time,amount,capital_after\n"
FIRST, SECOND = "2026-01-02T03:04:05Z,500,1500\n", "2026-01-02T03:04:06Z,-20.5,1479.5\n"
ROWS = [
    CashFlow(time="2026-01-02T03:04:05Z", amount=Decimal(500), capital_after=Decimal(1500)),
    CashFlow(time="2026-01-02T03:04:06Z", amount=Decimal("-20.50"), capital_after=Decimal("1479.5")),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cash_flows.csv"


@pytest.mark.parametrize(
    "before",
    ["", HEADER, HEADER[:5], HEADER + FIRST, HEADER + FIRST + SECOND, HEADER + FIRST[:9], HEADER + FIRST + SECOND[:-1]],
)
def test_each_row_is_there_once(path: Path, before: str) -> None:
    path.write_text(before)
    assert add_missing_rows(path, ROWS, Disk()) is None
    assert path.read_text() == HEADER + FIRST + SECOND
    assert read_cash_flows(path, Disk()) == ROWS


def test_a_file_that_went_is_begun_anew_with_its_header(path: Path) -> None:
    add_missing_rows(path, ROWS[1:], Disk())
    assert path.read_text() == HEADER + SECOND


def test_a_death_at_any_byte_of_the_append_leaves_each_row_once(path: Path) -> None:
    whole = HEADER + FIRST + SECOND
    for length in range(len(whole) + 1):
        path.write_text(whole[:length])
        add_missing_rows(path, ROWS, Disk())
        assert path.read_text() == whole, length


def test_a_last_line_that_an_editor_left_without_its_end_stays(path: Path) -> None:
    path.write_text(HEADER + FIRST[:-1])
    add_missing_rows(path, ROWS[1:], Disk())
    assert path.read_text() == HEADER + FIRST + SECOND


@pytest.mark.parametrize(
    "foreign", ["time;amount;capital_after\n1;2;3\n", "\ufefftime,amount,capital_after\n", "what?\n"]
)
def test_what_cannot_be_added_to_is_kept_aside(path: Path, foreign: str) -> None:
    path.write_text(foreign)
    aside = add_missing_rows(path, ROWS, Disk())
    assert aside == path.with_name("cash_flows.aside1.csv")
    assert aside.read_text() == foreign
    assert path.read_text() == HEADER + FIRST + SECOND


def test_what_cannot_be_read_is_left_out_and_what_is_owed_is_added(path: Path) -> None:
    path.write_text(HEADER + "yesterday,1,2\n2026-01-02,1,2\n2026-01-02T00:00:00Z,x,2\n" + FIRST)
    assert read_cash_flows(path, Disk(), ROWS) == ROWS
    assert read_cash_flows(path.with_name("none.csv"), Disk(), ROWS[:1]) == ROWS[:1]
