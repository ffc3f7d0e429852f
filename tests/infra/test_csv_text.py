"""The CSV file's text: that of pandas, byte for byte."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.infra import csv_text as csv_text_room
from marsshot.infra.csv_text import csv_text


def as_pandas_writes(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n").encode()


def a_table(numbers: list[float]) -> pd.DataFrame:
    count = len(numbers)
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-12-30", periods=count).as_unit("us"),
            "symbol": pd.Categorical([f"T{number % 3}" for number in range(count)]),
            "close": np.array(numbers, dtype=np.float64),
            "label": np.arange(count, dtype=np.int64) % 2,
        }
    )


@given(st.lists(st.floats(), min_size=1, max_size=40))
def test_any_number_has_the_text_that_pandas_writes(numbers: list[float]) -> None:
    assert csv_text(a_table(numbers)) == as_pandas_writes(a_table(numbers))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0001, "0.0001"),
        (math.nextafter(0.0001, 0), "9.999999999999999e-05"),
        (math.nextafter(1e16, 0), "9999999999999998.0"),
        (1e16, "1e+16"),
        (0.1 + 0.2, "0.30000000000000004"),
        (5e-324, "5e-324"),
        (-0.0, "-0.0"),
        (7.0, "7.0"),
        (math.nan, ""),
    ],
)
def test_a_cell_is_the_shortest_text_that_reads_back_the_same(number: float, text: str) -> None:
    assert csv_text(a_table([number])) == f"date,symbol,close,label\n2024-12-30,T0,{text},0\n".encode()


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 9])
def test_rows_that_are_written_in_parts_join_to_one_table(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text_room, "_ROWS_AT_ONCE", 4)
    table = a_table([number / 7 for number in range(rows)])
    assert csv_text(table) == as_pandas_writes(table)
    assert len(pd.read_csv(io.BytesIO(csv_text(table)))) == rows


def test_every_other_row_of_a_table_can_be_written() -> None:
    table = a_table([float(number) for number in range(20)])[::2]
    assert csv_text(table) == as_pandas_writes(table)
