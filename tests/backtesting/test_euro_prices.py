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
from marsshot.backtesting.simulation.simulated_market import RecordedPrices, prices_to_go_by
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from tests.helpers.backtest_builders import CONFIG

TOKENS = ["BTC", "DOGE", "SOL"]
MOMENT = datetime(2021, 3, 9, 7, 45, tzinfo=UTC).timestamp()
CHECKS = np.arange(int(MOMENT), int(MOMENT) + 20 * 3600, 300, dtype=np.int64)  # past midnight


@pytest.fixture(scope="module")
def market() -> EmbeddedMarket:
    """Both stand-ins, at that moment."""
    return EmbeddedMarket(clock=lambda: MOMENT)


@pytest.fixture(scope="module")
def prices() -> RecordedPrices:
    """What the demo takes the recorded prices from."""
    return prices_in("EUR", read_dataset(None, TOKENS, None, None))


@pytest.fixture(scope="module")
def settings() -> Settings:
    """As shipped."""
    return read_settings(CONFIG)


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


@pytest.mark.parametrize("quote_asset", ["EUR", "USDT"])
@pytest.mark.parametrize("token", [*TOKENS, "BNB"])  # the last one is not at Coinbase
def test_the_range_of_a_day_is_that_of_the_prices_gone_by(token: str, quote_asset: str, settings: Settings) -> None:
    board = prices_in(quote_asset, read_dataset(None, [token], None, None))
    low, high = PriceRanges(board, token, settings, CHECKS).over(len(CHECKS))
    gone_by = [prices_to_go_by(board, settings, [token], _moment(check))[token] for check in CHECKS]
    assert (low, high) == (min(gone_by), max(gone_by))


def test_where_coinbases_price_may_be_too_far_off_the_range_holds_both(settings: Settings) -> None:
    strict = settings.strategy.model_copy(update={"max_price_divergence": Decimal("0.0005")})
    board = prices_in("USDT", read_dataset(None, ["SOL"], None, None))
    low, high = PriceRanges(board, "SOL", settings.model_copy(update={"strategy": strict}), CHECKS).over(len(CHECKS))
    seen = [price("SOL", float(check)) for check in CHECKS for price in (board.price, board.coinbase_price)]
    assert low < min(seen) < max(seen) < high
    assert high / low < Decimal("1.01") * max(seen) / min(seen)


def _moment(check: np.int64) -> datetime:
    return datetime.fromtimestamp(int(check), UTC)
