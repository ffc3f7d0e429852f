"""The price to go by: a jump beyond belief on one venue's word waits for a second look; all else counts at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.price_feed import PriceFeed, PriceLook
from marsshot.core.book import STANDSTILL, Position
from marsshot.market_data.coinbase import MissingPrice, MissingPriceReason, SpotPricesCallback
from marsshot.portfolio.ledger import with_position
from marsshot.strategy.second_look import Effect, LastLook
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


def _sells_at_a_half(_held: Position, price: Decimal) -> Effect:
    return Effect.FULL_SALE if price <= D("0.5") else Effect.NOTHING


class RepeatedPriceCheck:
    """One price feed of a bot that holds 300 ADA bought at 1, asked again and again."""

    def __init__(self, harness: TradingHarness) -> None:
        self.harness = harness
        if "ADA" not in harness.book.positions:
            harness.add_position("ADA", "300")
        self.prices = PriceFeed(harness.store, harness.clock)

    def look(self, binance: str | None, coinbase: str | None, after: float = 300) -> PriceLook:
        """Return what the next look shows."""
        self.harness.wait(after)
        if binance is None:
            self.harness.fault("ticker/price", "status", status=502)
        else:
            self.harness.market.set_price("ADA", binance)
        venue = StubCoinbase() if coinbase is None else StubCoinbase(ADA=coinbase)
        looks = list(
            self.prices.stream_prices(["ADA"], self.harness.settings, venue, self.harness.exchange, _sells_at_a_half)
        )
        prices = {symbol: price for look in looks for symbol, price in look.prices.items()}
        return PriceLook(prices, {}, {symbol: share for look in looks for symbol, share in look.replaced.items()})

    def price(self, binance: str | None, coinbase: str | None, after: float = 300) -> Decimal | None:
        """Return ADA's price at the next look; none where the rules may not go by it."""
        return self.look(binance, coinbase, after).prices.get("ADA")


def test_a_fall_that_both_venues_tell_of_counts_at_once(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    assert check.price("1", "1") == 1
    assert check.price("0.1", "0.1") == D("0.1")


def test_what_one_venue_alone_says_is_looked_at_again_a_minute_later(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.4", None) is None
    assert check.prices.second_look_at == harness.clock.now() + timedelta(seconds=60)
    assert check.price("0.4", None, after=59) is None
    assert check.prices.doubted() == ()
    assert check.price("0.4", None, after=1) == D("0.4")
    assert check.prices.second_look_at is None


def test_a_wick_is_gone_at_the_second_look(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.2", "0.97") is None, "Binance counts, and Coinbase's price sells nothing"
    assert check.price("0.97", "0.97", after=60) == D("0.97")


def test_a_contradiction_is_acted_on_at_the_second_look(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.4", "1") is None
    assert check.price("0.4", "1", after=60) == D("0.4")


def test_the_owner_is_told_what_is_waited_for(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    check.price("0.4", None)
    assert any("looked at again in a minute" in line for line in harness.captured_log.of("price.note"))


def test_a_new_process_goes_by_what_an_earlier_one_saw(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.prices = PriceFeed(harness.store, harness.clock, last_looks={"ADA": LastLook(D(1), harness.clock.now())})
    assert check.price("0.4", None) is None


def test_a_wick_of_binances_right_after_a_start_sells_nothing(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.prices = PriceFeed(harness.store, harness.clock, last_looks={"ADA": LastLook(D("3.0"), harness.clock.now())})
    assert check.price("0.2", "2.9") is None, "one of the two would sell: it is looked at again"
    assert check.price("2.9", "2.9", after=60) == D("2.9")


def test_an_old_price_says_nothing(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.4", None, after=3601) == D("0.4")


def test_without_any_earlier_price_binance_is_believed_at_once(harness: TradingHarness) -> None:
    assert RepeatedPriceCheck(harness).price("0.05", None) == D("0.05")


@pytest.mark.parametrize(("price", "believed"), [("0.5", False), ("0.71", True)])
def test_a_new_process_measures_coinbase_alone_by_what_the_book_knows(
    harness: TradingHarness, price: str, believed: bool
) -> None:
    check = RepeatedPriceCheck(harness)
    assert check.price(None, price) == (D(price) if believed else None)


# --------------------------------------------------------------------------- another coin, or a crash


def test_a_crash_is_acted_on_at_the_second_look(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.09", "0.09") is None
    assert check.price("0.09", "0.09", after=60) == D("0.09")


def test_a_coin_that_was_exchanged_stands_still(harness: TradingHarness) -> None:
    """300 OLD at 1 are 30,000 NEW at 0.01, under the same ticker."""
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    harness.market.exchange.free["ADA"] += D(300 * 99)
    assert check.look("0.01", "0.01") == PriceLook({}, {})
    assert check.look("0.01", "0.01", after=60) == PriceLook({}, {}, {"ADA": None})
    told = harness.captured_log.of("token.standstill")[0]
    assert all(number in told for number in ("from 1 to 0.01", "holds 30000,", "were 300:"))


def test_a_thousandfold_price_for_one_look_changes_nothing(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.look("1000", "1000") == PriceLook({}, {})
    assert check.price("1", "1", after=60) == 1


def test_coins_of_the_owners_are_no_exchange(harness: TradingHarness) -> None:
    """He holds as much again as the bot, from before: a price that halves is a fall."""
    harness.market.exchange.free["ADA"] += D(300)
    check = RepeatedPriceCheck(harness)
    check.price("1", "1")
    assert check.price("0.5", "0.5") == D("0.5")


def test_a_token_that_stands_still_is_left_alone_until_the_owner_says_otherwise(harness: TradingHarness) -> None:
    check = RepeatedPriceCheck(harness)
    held = harness.book.positions["ADA"]
    harness.store.save(with_position(harness.book, "ADA", replace(held, said=frozenset({STANDSTILL}))))
    assert check.price("1", "1") is None
    harness.store.save(with_position(harness.book, "ADA", replace(held, entry_base=D(100), qty=D(30000))))
    assert check.price("0.01", "0.01") == D("0.01")
