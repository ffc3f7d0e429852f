"""What trading costs in a backtest over the owner's data: how wide a pair's order book is, and what orders it takes.

Pure but for `read_exchange_info`, which reads Binance's own recorded rules.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from embedded_market.exchange.pair_rules import REFERENCE_DATE, PairRules, rules_for
from embedded_market.market_data.history import CoinHistory, quote_decimals, unix_day
from marsshot.backtesting.history.bar_csv import DECIMALS
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.exchange.binance.trading_rules import trading_rules_of
from marsshot.market_data.bar_cache import FIELDS, DailyBars

VOLUME_DAYS = 30
SPREAD_WIDTHS = ((10_000_000.0, 1), (1_000_000.0, 3), (0.0, 8))
"""Daily volume in quote asset from which on a book is this many times as wide as a liquid pair's."""

_VOLUME_COLUMN = FIELDS.index("volume")


def spread_width(volume: float) -> int:
    """Return how wide the order book of a pair is that trades so much a day; unknown counts as little."""
    return next((width for least, width in SPREAD_WIDTHS if volume >= least), SPREAD_WIDTHS[-1][1])


def median_daily_volume(bars: DailyBars, day: int) -> float:
    """Return the median daily volume of the last VOLUME_DAYS days before a unix day; NaN where nothing is known."""
    known = bars.between(np.datetime64(day - VOLUME_DAYS, "D"), np.datetime64(day, "D")).values[:, _VOLUME_COLUMN]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")


def plausible_rules(coin: CoinHistory, quote: str, first: date, *, is_bundled: bool) -> PairRules:
    """Return rules of a pair that suit its price the day before a span, or its first one if it is listed later.

    Those of the bundled history are the demo's, unless their date lies in the span.
    """
    before = date.fromordinal(first.toordinal() - 1)
    if is_bundled:
        return rules_for(coin, quote, min(REFERENCE_DATE, before))
    price = coin.bar_nearest(unix_day(before)).close
    return rules_for(replace(coin, decimals=quote_decimals(price)), quote, before)


def with_fine_enough_tick(rules: PairRules, price: Decimal) -> PairRules:
    """Return rules whose tick is fine enough for a price that has fallen since they were made."""
    lot_digits = -min(int(rules.lot_step.as_tuple().exponent), 0)
    tick = Decimal(1).scaleb(-min(quote_decimals(price), DECIMALS - lot_digits))
    return replace(rules, tick=min(rules.tick, tick))


# --------------------------------------------------------------------------- Binance's recorded rules


def read_exchange_info(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a recorded exchangeInfo (.json or .json.gz) by pair. Raises InputError."""
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        return {str(row["symbol"]): row for row in content["symbols"]}
    except FileNotFoundError:
        raise InputError(LocalizedText("backtest.fault.no_rules", path=path)) from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(LocalizedText("backtest.fault.odd_rules", path=path)) from None


def recorded_rules(row: Mapping[str, Any], path: Path) -> PairRules:
    """Return the rules of one recorded pair, whether or not it traded that day. Raises InputError."""
    try:
        known = trading_rules_of(row)
        filters = {entry["filterType"]: entry for entry in row["filters"]}
        largest = Decimal(filters["LOT_SIZE"]["maxQty"])
        return PairRules(
            symbol=known.pair,
            base=known.base_asset,
            quote=known.quote_asset,
            tick=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
            lot_step=known.lot_step.normalize(),
            max_quantity=largest,
            max_market_quantity=known.max_market_quantity or largest,
            min_notional=known.min_notional,
            legacy_notional="NOTIONAL" not in filters,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise InputError(
            LocalizedText("backtest.fault.odd_pair_rules", path=path, pair=str(row.get("symbol")))
        ) from None
