"""The recorded market in euros is the one that the stand-ins for Bitvavo and Coinbase serve."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from embedded_market.bitvavo.api import BitvavoApi
from embedded_market.coinbase.api import CoinbaseApi
from embedded_market.http_messages import Request
from embedded_market.market import EmbeddedMarket
from marsshot.backtesting.history.market_history import read_dataset
from marsshot.backtesting.simulation.check_skipping import PriceRanges
from marsshot.backtesting.simulation.euro_prices import EuroPrices, prices_in
from marsshot.backtesting.simulation.simulated_market import RecordedPrices

TOKENS = ["BTC", "DOGE", "SOL"]
MOMENT = datetime(2021, 3, 9, 7, 45, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def market() -> EmbeddedMarket:
    """Both stand-ins, at that moment."""
    return EmbeddedMarket(clock=lambda: MOMENT)


@pytest.fixture(scope="module")
def prices() -> RecordedPrices:
    """What the demo takes the recorded prices from."""
    return prices_in("EUR", read_dataset(None, TOKENS, None, None))


@pytest.mark.parametrize("token", TOKENS)
def test_both_prices_are_those_on_the_wire(token: str, market: EmbeddedMarket, prices: RecordedPrices) -> None:
    bitvavo = _answer(market.bitvavo, "/v2/ticker/price", f"market={token}-EUR")
    coinbase = _answer(market.coinbase, f"/v2/prices/{token}-EUR/spot")
    assert prices.price(token, MOMENT) == Decimal(bitvavo["price"])
    assert prices.coinbase_price(token, MOMENT) == Decimal(coinbase["data"]["amount"])


def _answer(service: BitvavoApi | CoinbaseApi, path: str, query: str = "") -> Any:
    return json.loads(service.handle(Request("GET", path, query, {}, b""), MOMENT).body)


def test_dollars_stay_dollars() -> None:
    assert not isinstance(prices_in("USDT", read_dataset(None, TOKENS, None, None)), EuroPrices)


@pytest.mark.parametrize("token", TOKENS)
def test_the_range_of_a_day_holds_both_prices_of_each_check(token: str, prices: RecordedPrices) -> None:
    checks = np.arange(int(MOMENT), int(MOMENT) + 12 * 3600, 300, dtype=np.int64)
    low, high = PriceRanges(prices, token, checks).over(len(checks))
    seen = [price(token, int(check)) for check in checks for price in (prices.price, prices.coinbase_price)]
    assert low <= min(seen) <= max(seen) <= high
    assert high / low < Decimal("1.2") * max(seen) / min(seen)
