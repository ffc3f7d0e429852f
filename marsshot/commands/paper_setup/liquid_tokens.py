"""Which tokens are traded most: chosen by what was paid for them in 30 days, without what only follows another's price.

Takes bars, returns names. Fetches nothing and writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from marsshot.market_data.bar_cache import CLOSE, FIELDS, DailyBars

COUNT = 60
DAYS = 30  # of volume
MIN_DAYS = 90  # of history, so that there is something to learn from
MOST_PEGGED = 1.02  # highest close over lowest, of what is kept at one price, by itself or beside another coin
LEADERS = ("BTC", "ETH", "BNB", "SOL")  # that others are wrapped around
_VOLUME = FIELDS.index("volume")
_SUFFIXES = ("UP", "DOWN", "BULL", "BEAR")

# Of these the price says less than the name: other currencies, gold, wrapped and staked coins.
_NAMED = frozenset(
    """
    USDT USDC FDUSD TUSD USDP DAI BUSD USD1 USDE USDD XUSD BFUSD RLUSD PYUSD USDS UST USTC AEUR EUR EURI EURC GBP TRY
    BRL AUD JPY PAXG XAUT WBTC WBETH BETH BNSOL STETH WSTETH CBBTC
    """.split()
)


def candidates(rows: Iterable[Mapping[str, Any]], quote: str) -> list[str]:
    """Return the assets of exchangeInfo's rows that trade against this quote and are coins of their own."""
    return coins_of_their_own(
        str(row.get("baseAsset"))
        for row in rows
        if row.get("quoteAsset") == quote and row.get("status") == "TRADING" and row.get("isSpotTradingAllowed", True)
    )


def coins_of_their_own(listed: Iterable[str]) -> list[str]:
    """Return those of the assets that do not only follow another's price, as far as names tell."""
    assets = set(listed)
    return sorted(one for one in assets if re.fullmatch(r"[A-Z0-9]{1,20}", one) and not _is_derived(one, assets))


def _is_derived(asset: str, assets: Collection[str]) -> bool:
    """Return whether this is a currency, a wrapped coin, or a leveraged one such as BTCUP beside BTC."""
    leveraged = any(asset.endswith(suffix) and asset.removesuffix(suffix) in assets for suffix in _SUFFIXES)
    return asset in _NAMED or leveraged


def most_traded(histories: Mapping[str, DailyBars], yesterday: np.datetime64, count: int = COUNT) -> list[str]:
    """Return the tokens with the largest volume of the last 30 days, the largest first."""
    recent = {
        symbol: bars.between(yesterday - (DAYS - 1) * np.timedelta64(1, "D"), yesterday + np.timedelta64(1, "D"))
        for symbol, bars in histories.items()
        if len(bars.days) >= MIN_DAYS and bars.days[-1] == yesterday
    }
    volume = {one: float(np.nansum(bars.values[:, _VOLUME])) for one, bars in recent.items() if len(bars.days) > 1}
    ranked = sorted(volume, key=lambda one: (-volume[one], one))
    return [one for one in ranked if not _is_pegged(one, recent)][:count]


def _is_pegged(symbol: str, recent: Mapping[str, DailyBars]) -> bool:
    """Return whether a price hardly moved, or not beside that of a coin which it is wrapped around."""
    closes = recent[symbol].values[:, CLOSE]
    if closes.max() <= MOST_PEGGED * closes.min():
        return True
    for leader in LEADERS:
        other = recent.get(leader)
        if leader == symbol or other is None or not np.array_equal(other.days, recent[symbol].days):
            continue
        ratio = closes / other.values[:, CLOSE]
        if ratio.max() <= MOST_PEGGED * ratio.min():
            return True
    return False
