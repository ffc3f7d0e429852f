"""`training.label: relative`: is a token among the best third of its day, for its volatility, over the next seven days?

Computed from the rows of the training file. Knows no models and no files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from marsshot.config.training_settings import RELATIVE_DAYS
from marsshot.training.forward_returns import trailing_volatility

TOP_SHARE = 1 / 3
MIN_TOKENS = 3  # of a day: of fewer there is no third


def with_relative_label(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose next seven days are known, labelled 1 in the top third of their day, else 0.

    Ranked is (return over seven days less the day's median) / 14-day volatility. rows: date, symbol, close and label.
    """
    closes = rows.assign(symbol=rows["symbol"].astype(str)).pivot(index="date", columns="symbol", values="close")
    closes = closes.asfreq("D")
    later = closes.shift(-RELATIVE_DAYS) / closes.where(closes > 0) - 1
    volatility = trailing_volatility(closes)
    edge = later.sub(later.median(axis=1), axis=0) / volatility.where(volatility > 0)
    place, known = edge.rank(axis=1, pct=True), edge.notna().sum(axis=1)
    days = closes.index.get_indexer(pd.DatetimeIndex(rows["date"]))
    symbols = closes.columns.get_indexer(pd.Index(rows["symbol"].astype(str)))
    places = place.where(known >= MIN_TOKENS, axis=0).to_numpy()[days, symbols]
    is_known = np.isfinite(places)
    labelled: pd.DataFrame = rows[is_known].reset_index(drop=True)
    return labelled.assign(label=(places[is_known] > 1 - TOP_SHARE).astype(np.int64))
