"""The names under which config.yaml knows the sources of daily bars, and what each needs of it. Light: the daemon's.

How they are asked stands in market_data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DataSource = Literal["lunarcrush", "binance", "bitvavo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What people call a source, what its prices are in, the keys it needs, and its pace; None: the settings say."""

    name: str
    currency: str = "USD"  # of its prices
    keys: tuple[str, ...] = ()
    requests_per_minute: int | None = None


SOURCE_FACTS: dict[DataSource, SourceFacts] = {
    "lunarcrush": SourceFacts(name="LunarCrush", keys=("lunarcrush.api_key",)),
    "binance": SourceFacts(name="Binance", requests_per_minute=300),  # a tenth of what an address may ask
    "bitvavo": SourceFacts(name="Bitvavo", currency="EUR", requests_per_minute=300),  # a third of it
}
