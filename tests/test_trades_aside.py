"""trades.csv after a spreadsheet: kept aside, never overwritten; a new one holds what the book still owes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.trades_file import TRADE_COLUMNS, read_trades
from positions_store import Store
from tests.helpers.builders import a_book, a_trade

HEADER = ",".join(TRADE_COLUMNS)
SPREADSHEETS = {
    "semicolons": HEADER.replace(",", ";").encode() + b"\n2021;FET;BUY\n",
    "latin-1": HEADER.encode() + "\n2021-02-15T00:30:00Z,F\u00c9T,BUY\n".encode("latin-1"),
    "utf-16": HEADER.encode("utf-16"),
    "another table": b"date,what\n2021,rent\n",
    "binary": b"PK\x03\x04\n\x00\x00",
}


@pytest.fixture
def told() -> list[str]:
    return []


def a_store(folder: Path, told: list[str], *ids: str) -> Store:
    owed = tuple(replace(a_trade(), client_order_id=name) for name in ids)
    book = a_book(unwritten_trades=owed)
    return Store(book, folder / "bot_state.json", folder / "trades.csv", Disk(), told.append)


@pytest.mark.parametrize("content", SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_what_cannot_be_added_to_is_kept_aside_whole(tmp_path: Path, told: list[str], content: bytes) -> None:
    (tmp_path / "trades.csv").write_bytes(content)
    store = a_store(tmp_path, told, "ms-1-1")
    store.write_trades()
    assert (tmp_path / "trades.aside1.csv").read_bytes() == content
    assert [trade.client_order_id for trade in read_trades(tmp_path / "trades.csv")] == ["ms-1-1"]
    assert store.book.unwritten_trades == ()
    assert len(told) == 1
    assert "trades.aside1.csv" in told[0]


def test_a_second_one_gets_a_name_of_its_own(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "trades.aside1.csv").write_text("the first")
    (tmp_path / "trades.csv").write_bytes(SPREADSHEETS["semicolons"])
    a_store(tmp_path, told, "ms-1-1").write_trades()
    assert (tmp_path / "trades.aside1.csv").read_text() == "the first"
    assert (tmp_path / "trades.aside2.csv").read_bytes() == SPREADSHEETS["semicolons"]


def test_an_order_that_stands_in_the_file_aside_is_not_told_twice(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "trades.csv").write_bytes(SPREADSHEETS["semicolons"] + b"2021;FET;BUY;ms-1-1\n")
    a_store(tmp_path, told, "ms-1-1", "ms-1-2").write_trades()
    assert [trade.client_order_id for trade in read_trades(tmp_path / "trades.csv")] == ["ms-1-2"]


def test_a_file_that_went_is_begun_anew_with_its_header(tmp_path: Path, told: list[str]) -> None:
    a_store(tmp_path, told, "ms-1-1").write_trades()
    assert (tmp_path / "trades.csv").read_text().splitlines()[0] == HEADER
    assert told == []


def test_rows_stay_in_the_book_while_the_file_cannot_be_read(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "trades.csv").mkdir()
    store = a_store(tmp_path, told, "ms-1-1")
    store.write_trades()
    assert len(store.book.unwritten_trades) == 1
    assert len(told) == 1
