"""Reads training_data.csv and says, in one line that names the place and the remedy, what is wrong with it.

Knows no models and no network.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marsshot.core.catalog import LocalizedText, with_remedy
from marsshot.core.errors import InputError
from marsshot.model.features import AVAILABLE_COLUMNS, FEATURES, features_in

_FIRST_LINE = 2  # the header is line 1


def read_training_data(path: Path) -> pd.DataFrame:
    """Return date, symbol, FEATURES, those of RATIOS that are there, and label, by date, then symbol.

    An empty cell is NaN. The rows of a token must be oldest first. Raises InputError.
    """
    text = _read_text(path)
    if missing := [name for name in ("date", "symbol", *FEATURES, "label") if name not in text.columns]:
        raise _refusal("column_missing", path, columns=tuple(missing))
    if unknown := [name for name in text.columns if name not in ("date", "symbol", *AVAILABLE_COLUMNS, "label")]:
        columns = ", ".join(unknown)[:80]
        remedy = LocalizedText("training.remedy.data")
        raise InputError(LocalizedText("training.fault.column_unknown", path=path, columns=columns, remedy=remedy))
    if text.empty:
        raise _refusal("no_rows", path)
    rows = pd.DataFrame({"date": _dates(path, text["date"]), "symbol": text["symbol"]})
    numbers = {name: _numbers(path, text[name]) for name in AVAILABLE_COLUMNS if name in text.columns}
    rows = rows.assign(**{name: numbers[name] for name in features_in(text.columns)})
    rows["label"] = _labels(path, text["label"])
    _refuse_first(path, ~text["symbol"].str.fullmatch(r"\S+"), text["symbol"], "ticker")
    twice = rows.duplicated(["date", "symbol"])
    _refuse_first(path, twice, text["symbol"] + " " + text["date"], "once")
    backwards = rows["date"] < rows.groupby("symbol")["date"].shift()
    _refuse_first(path, backwards, text["date"], "order")
    return rows.sort_values(["date", "symbol"], ignore_index=True)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would be cut
            return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise _refusal("no_file", path) from None
    except OSError as error:
        raise _refusal("unreadable", path, why=str(error.strerror)) from None
    except pd.errors.EmptyDataError:
        raise _refusal("empty", path) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError):
        raise _refusal("no_csv", path) from None


def _dates(path: Path, column: pd.Series) -> pd.Series:
    dates = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    _refuse_first(path, dates.isna(), column, "date")
    return dates


def _numbers(path: Path, column: pd.Series) -> NDArray[np.float64]:
    filled = column.str.strip().replace("", "nan")
    try:
        numbers = filled.to_numpy(dtype=object).astype(np.float64)
    except ValueError:
        _refuse_first(path, ~filled.map(_is_number), column, "number")
        raise
    _refuse_first(path, np.isinf(numbers), column, "finite")
    return numbers


def _labels(path: Path, column: pd.Series) -> NDArray[np.int64]:
    numbers = _numbers(path, column)
    _refuse_first(path, ~np.isin(numbers, (0, 1)), column, "label")
    return numbers.astype(np.int64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_first(path: Path, wrong: pd.Series | NDArray[np.bool_], shown: pd.Series, wanted: str) -> None:
    """Raise InputError about the first wrong row, if there is one. wanted: what is needed there, by its key."""
    places = np.flatnonzero(wrong)
    if len(places):
        first = int(places[0])
        others = LocalizedText("training.fault.such_lines", count=len(places)) if len(places) > 1 else ""
        raise _refusal(
            "odd_line",
            path,
            line=first + _FIRST_LINE,
            column=str(shown.name) if shown.name else LocalizedText("training.wanted.row"),
            value=repr(str(shown.iloc[first])[:40]),
            wanted=LocalizedText(f"training.wanted.{wanted}"),
            others=others,
        )


def _refusal(fault: str, path: Path, **values: object) -> InputError:
    return InputError(
        with_remedy(
            LocalizedText(f"training.fault.{fault}", path=path, **values), LocalizedText("training.remedy.data")
        )
    )
