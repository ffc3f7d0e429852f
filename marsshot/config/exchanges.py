"""The exchanges by their names in config.yaml: what each needs of it, and what its orders cost. Light: the daemon's.

How they are asked stands in marsshot/exchange, a folder each.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

ExchangeName = Literal["binance", "bitvavo"]
DEFAULT_EXCHANGE: ExchangeName = "binance"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """What is known of an exchange before it is asked.

    name: as people call it. quote_assets: what tokens may be bought with, the usual one first; all are worth one unit
    of `currency`, in which prices are compared. pair: how it calls a pair. keys: what trading needs of config.yaml.
    taker_fee: of a market order, for paper mode and the backtest; taken in quote asset, out of the amount of a
    purchase, or in the asset that is received. test_hosts: where all money is play money; they have the calls
    that trade, and no others. hosts_with_own_prices: those of them that do not follow the real market.
    """

    name: str
    quote_assets: tuple[str, ...]
    currency: str
    pair: str
    keys: tuple[str, ...]
    taker_fee: Decimal
    takes_fee_in_quote: bool
    test_hosts: tuple[str, ...] = ()
    hosts_with_own_prices: tuple[str, ...] = ()


EXCHANGE_FACTS: dict[ExchangeName, ExchangeFacts] = {
    "binance": ExchangeFacts(
        name="Binance",
        quote_assets=("USDT", "USDC", "FDUSD", "USD1"),
        currency="USD",
        pair="{base}{quote}",
        keys=("binance_api.api_key", "binance_api.api_secret"),
        taker_fee=Decimal("0.001"),
        takes_fee_in_quote=False,
        test_hosts=("demo-api.binance.com", "testnet.binance.vision"),
        hosts_with_own_prices=("testnet.binance.vision",),
    ),
    "bitvavo": ExchangeFacts(
        name="Bitvavo",
        quote_assets=("EUR",),
        currency="EUR",
        pair="{base}-{quote}",
        keys=("bitvavo.api_key", "bitvavo.api_secret"),
        taker_fee=Decimal("0.0025"),
        takes_fee_in_quote=True,
    ),
}
