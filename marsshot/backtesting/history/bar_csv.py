"""Reading of recorded bars from CSV files (plain or .gz), and what is refused: one line that names the place.

Knows no market and no rules.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

DAY_SECONDS = 86_400
DECIMALS = 8  # of every price: what Binance quotes at most
_NO_NUMBER = ["", "nan", "NaN", "NA", "N/A", "null", "NULL", "None"]  # in a column of numbers
MAX_PRICE = 1e10  # so that prices fit into whole numbers of 64 bits


def read_table(path: Path, needed: Sequence[str], numbers: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Return the columns needed, and those optional ones that are there. Raises InputError.

    numbers: the columns that must be numbers, the optional ones too; an empty cell is NaN.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            header = list(pd.read_csv(path, nrows=0, keep_default_na=False, encoding="utf-8-sig").columns)
            if missing := [name for name in needed if name not in header]:
                raise InputError(LocalizedText("backtest.bars.no_column", path=path, columns=tuple(missing)))
            names = [*needed, *(name for name in optional if name in header)]
            return _read_columns(path, names, {name for name in names if name in (*numbers, *optional)})
    except FileNotFoundError:
        raise InputError(LocalizedText("backtest.bars.no_file", path=path)) from None
    except (OSError, EOFError, zlib.error) as error:
        if why := getattr(error, "strerror", None):
            raise InputError(LocalizedText("backtest.bars.unreadable", path=path, why=why)) from None
        raise InputError(LocalizedText("backtest.bars.damaged", path=path, problem=str(error))) from None
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        problem = str(error).splitlines()[0]
        raise InputError(
            LocalizedText("backtest.bars.no_table", path=path, columns=tuple(needed), problem=problem)
        ) from None


def _read_columns(path: Path, names: list[str], numeric: set[str]) -> pd.DataFrame:
    def read(kind: str) -> pd.DataFrame:
        return pd.read_csv(
            path,
            usecols=names,
            dtype={name: "float64" if name in numeric else kind for name in names},
            keep_default_na=False,  # NA, NAN, NULL and None are tickers, too
            na_values=dict.fromkeys(numeric, _NO_NUMBER),
            index_col=False,
            encoding="utf-8-sig",
        )

    texts = [name for name in names if name not in numeric]
    table = read("category")
    # pandas makes truth values or numbers of a column that holds nothing else, be they tickers a hundred times.
    if all(pd.api.types.is_string_dtype(table[name].cat.categories) for name in texts):
        return table
    return read("str").astype(dict.fromkeys(texts, "category"))


FIRST_ROW = 2  # of a file: the first one is its header


def refuse_impossible_bars(path: Path, table: pd.DataFrame, days: Any, prices: NDArray[np.float64]) -> None:
    """Raise InputError about the first bar, of open, high, low and close, that cannot be.

    table: rows as they were read, each still with its number.
    """
    opening, high, low, close = prices.T
    possible = np.isfinite(prices).all(axis=1) & (low >= 10.0**-DECIMALS) & (high <= MAX_PRICE)
    possible &= (low <= np.minimum(opening, close)) & (high >= np.maximum(opening, close))
    if not possible.all():
        row = first_row(~possible)
        bar = dict(zip(("open", "high", "low", "close"), prices[row].tolist(), strict=True))
        raise InputError(
            LocalizedText(
                "backtest.bars.impossible",
                where=place_of(path, table, row),
                token=str(table["symbol"].iloc[row]),
                day=pd.Timestamp(np.asarray(days)[row]).date(),
                **bar,
            )
        )


def place_of(path: Path, table: pd.DataFrame, row: int) -> LocalizedText:
    """Return where a row of a table stands in its file, in words; the header is row 1, empty lines do not count."""
    return LocalizedText("backtest.bars.row", path=path, row=str(int(table.index[row]) + FIRST_ROW))


def first_row(wrong: NDArray[np.bool_]) -> int:
    """Return the number of the first row that is marked."""
    return int(np.flatnonzero(wrong)[0])
