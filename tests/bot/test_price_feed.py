"""The price to go by: a jump beyond belief on one venue's word waits for a second look; all else counts at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.price_feed import PriceFeed
from marsshot.market_data.coinbase import MissingPrice, MissingPriceReason, SpotPricesCallback
from tests.helpers.builders import D, spot
from tests.helpers.trading_harness import TradingHarness, open_trading_harness


class StubCoinbase:
    """Coinbase, of the test's making."""

    def __init__(self, **prices: str) -> None:
        self.prices = prices

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        unknown = MissingPrice(MissingPriceReason.UNKNOWN)
        callback({asset: spot(self.prices[asset]) if asset in self.prices else unknown for asset in assets})

    def cancel_pending(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TradingHarness]:
    with open_trading_harness(tmp_path) as harness:
        yield harness


class RepeatedPriceCheck:
    """One price feed, asked again and again."""

    def __init__(self, harness: TradingHarness) -> None:
        self.harness = harness
        self.prices = PriceFeed(harness.store, harness.clock)

    def price(self, binance: str | None, coinbase: str | None, after: float = 300) -> Decimal | None:
        """Return ADA's price at the next check."""
        self.harness.wait(after)
        if binance is None:
            self.harness.fault("ticker/price", "status", status=502)
        else:
            self.harness.market.set_price("ADA", binance)
        venue = StubCoinbase() if coinbase is None else StubCoinbase(ADA=coinbase)
        looks = self.prices.stream_prices(["ADA"], self.harness.settings, venue, self.harness.exchange)
        return {symbol: price for look in looks for symbol, price in look.prices.items()}.get("ADA")


@pytest.mark.parametrize("price", ["0.1", "10"])
def test_a_jump_that_both_venues_tell_of_counts_at_once(harness: TradingHarness, price: str) -> None:
    check = RepeatedPriceCheck(harness)
    assert check.price("1", "1") == 1
    assert check.price(price, price) == D(price)


@pytest.mark.parametrize(
    ("price", "believed"), [("0.11", True), ("0.1", False), ("0.001", False), ("9.9", True), ("10", False)]
)
def test_ten_times_up_or_down_on_binances_word_alone_waits_for_the_next_check(
    harness: TradingHarness, price: str, believed: bool
) -> None:
    check = RepeatedPriceCheck(harness)
    assert check.price("1", "1") == 1
    assert check.price(price, None) == (D(price) if believed else None)
    assert check.price(price, None) == D(price), "seen again, it counts"


def test_the_owner_is_told_what_is_waited_for(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    check.price("0.05", None)
    assert any(
        "it counts if the next check sees about the same" in line for line in harness.captured_log.of("price.note")
    )


def test_another_nonsense_does_not_confirm_the_first(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.01", None) is None
    assert check.price("0.0001", None) is None
    assert check.price("1.1", None) == D("1.1")


@pytest.mark.parametrize(
    ("again", "believed"), [("0.005", False), ("0.0051", True), ("0.01", True), ("0.0199", True), ("0.02", False)]
)
def test_only_about_the_same_price_confirms_a_jump(harness: TradingHarness, again: str, believed: bool) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.01", None) is None
    assert check.price(again, None) == (D(again) if believed else None)
    assert check.price(again, None) == D(again)


def test_an_old_price_says_nothing_about_a_jump(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.05", None, after=timedelta(hours=1, seconds=1).total_seconds()) == D("0.05")


def test_a_new_process_believes_binance_at_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    assert RepeatedPriceCheck(harness).price("0.05", None) == D("0.05")


@pytest.mark.parametrize(("price", "believed"), [("0.11", True), ("0.1", False), ("10", False)])
def test_a_new_process_measures_coinbase_alone_by_what_the_book_knows(
    harness: TradingHarness, price: str, believed: bool
) -> None:
    harness.add_position("ADA", "300")  # at 1
    check = RepeatedPriceCheck(harness)
    assert check.price(None, price) == (D(price) if believed else None)
    assert check.price(None, price) == D(price)


def test_binance_against_a_coinbase_that_stands_still_waits_too(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.01", "1") is None
    assert check.price("0.01", "1") == D("0.01"), "the contract's rule: beyond the divergence Binance counts"
