"""Reads training_data.csv and says, in one line that names the place and the remedy, what is wrong with it.

Knows no models and no network.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marsshot.core.errors import InputError
from marsshot.model.features import AVAILABLE_COLUMNS, FEATURES, features_in

REMEDY = "make it anew with: python build_csv.py"
_FIRST_LINE = 2  # the header is line 1


def read_training_data(path: Path) -> pd.DataFrame:
    """Return date, symbol, FEATURES, those of RATIOS that are there, and label, by date, then symbol.

    An empty cell is NaN. The rows of a token must be oldest first. Raises InputError.
    """
    text = _read_text(path)
    if missing := [name for name in ("date", "symbol", *FEATURES, "label") if name not in text.columns]:
        raise InputError(f"{path}: has no column {', '.join(missing)}; {REMEDY}")
    if unknown := [name for name in text.columns if name not in ("date", "symbol", *AVAILABLE_COLUMNS, "label")]:
        raise InputError(f"{path}: has an unknown column {', '.join(unknown)[:80]}; take it out, or {REMEDY}")
    if text.empty:
        raise InputError(f"{path}: has no rows; {REMEDY}")
    rows = pd.DataFrame({"date": _dates(path, text["date"]), "symbol": text["symbol"]})
    numbers = {name: _numbers(path, text[name]) for name in AVAILABLE_COLUMNS if name in text.columns}
    rows = rows.assign(**{name: numbers[name] for name in features_in(text.columns)})
    rows["label"] = _labels(path, text["label"])
    _refuse_first(path, ~text["symbol"].str.fullmatch(r"\S+"), text["symbol"], "a ticker is needed")
    twice = rows.duplicated(["date", "symbol"])
    _refuse_first(path, twice, text["symbol"] + " of " + text["date"], "each token and day may stand there once")
    backwards = rows["date"] < rows.groupby("symbol")["date"].shift()
    _refuse_first(path, backwards, text["date"], "the days of a token must be in order")
    return rows.sort_values(["date", "symbol"], ignore_index=True)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would be cut
            return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {REMEDY}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: is empty; {REMEDY}") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError):
        raise InputError(f"{path}: is not a table of comma separated values in UTF-8; {REMEDY}") from None


def _dates(path: Path, column: pd.Series) -> pd.Series:
    dates = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    _refuse_first(path, dates.isna(), column, "a date such as 2024-12-31 is needed")
    return dates


def _numbers(path: Path, column: pd.Series) -> NDArray[np.float64]:
    filled = column.str.strip().replace("", "nan")
    try:
        numbers = filled.to_numpy(dtype=object).astype(np.float64)
    except ValueError:
        _refuse_first(path, ~filled.map(_is_number), column, "a number is needed")
        raise
    _refuse_first(path, np.isinf(numbers), column, "a finite number is needed")
    return numbers


def _labels(path: Path, column: pd.Series) -> NDArray[np.int64]:
    numbers = _numbers(path, column)
    _refuse_first(path, ~np.isin(numbers, (0, 1)), column, "0 or 1 is needed")
    return numbers.astype(np.int64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_first(path: Path, wrong: pd.Series | NDArray[np.bool_], shown: pd.Series, wanted: str) -> None:
    """Raise InputError about the first wrong row, if there is one."""
    places = np.flatnonzero(wrong)
    if len(places):
        first = int(places[0])
        others = f" ({len(places)} such lines)" if len(places) > 1 else ""
        value = str(shown.iloc[first])[:40]
        line = first + _FIRST_LINE
        raise InputError(f"{path}, line {line}: {shown.name or 'row'} {value!r}: {wanted}{others}; {REMEDY}")
