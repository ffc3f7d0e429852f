"""When a price is known: no venue and no token holds up another; one venue alone is believed only where it may be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import cast

import pytest

from marsshot.core.errors import MarsShotError, StopRequested, TemporaryError
from marsshot.exchange.base import Exchange, PricesCallback
from marsshot.infra.background import Inbox
from marsshot.market_data.coinbase import (
    MissingPrice,
    MissingPriceReason,
    PriceRequested,
    SpotAnswer,
    SpotPricesCallback,
)
from marsshot.market_data.price_aggregator import (
    HARD_TIMEOUT_SECONDS,
    SOFT_TIMEOUT_SECONDS,
    PriceAggregator,
    PriceUpdate,
    Quote,
)
from tests.helpers.builders import D, some_settings, spot


class StubVenues(Inbox[PriceUpdate]):
    """Coinbase and Binance, of the test's making, and an inbox on a time that each look at it moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.given_up = False
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.hear_spot: SpotPricesCallback = lambda _said: None
        self.hear_prices: PricesCallback = lambda _said: None

    def seconds(self) -> float:
        return self.now

    def take(self, seconds: float) -> PriceUpdate | None:
        self.now += min(seconds, 0.001)
        due = [tell for moment, tell in self.later if moment <= self.now]
        self.later = [one for one in self.later if one[0] > self.now]
        for tell in due:
            tell()
        return super().take(0)

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        assert assets
        self.hear_spot = callback

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        assert pairs
        self.hear_prices = callback

    def cancel_pending(self) -> None:
        self.given_up = True

    def close(self) -> None:
        """Nothing is open."""

    def coinbase_says(self, after: float, **said: str | float) -> None:
        """Let Coinbase say this so many seconds from now; a number is the moment at which it was asked, from now."""
        start = self.now
        news: Mapping[str, SpotAnswer | PriceRequested] = {
            asset: PriceRequested(start + told) if isinstance(told, float) else _answer(told)
            for asset, told in said.items()
        }
        self.later.append((start + after, lambda: self.hear_spot(news)))

    def binance_says(self, after: float, said: Mapping[str, Decimal] | MarsShotError) -> None:
        """Let Binance say this so many seconds from now."""
        self.later.append((self.now + after, lambda: self.hear_prices(said)))

    def look(self, *symbols: str, **how: object) -> tuple[dict[str, Quote], dict[str, float], PriceAggregator]:
        """Return what became known of each token, and after how many seconds."""
        start, quotes, moments = self.now, dict[str, Quote](), dict[str, float]()
        look = PriceAggregator(symbols, some_settings(), self, cast(Exchange, self), self)
        for known in look.quotes(**how):  # type: ignore[arg-type]
            quotes |= known
            moments |= dict.fromkeys(known, self.now - start)
        return quotes, moments, look


@pytest.fixture
def venues() -> StubVenues:
    return StubVenues()


def _answer(told: str) -> SpotAnswer:
    return spot(told) if told[0].isdigit() else MissingPrice(MissingPriceReason(told))


def test_a_price_is_handed_over_when_it_is_known_and_not_before(venues: StubVenues) -> None:
    venues.binance_says(0.1, {"FETUSDT": D(1), "OPUSDT": D(2)})
    venues.coinbase_says(0.2, FET="1")
    venues.coinbase_says(0.4, OP="2")
    quotes, moments, look = venues.look("FET", "OP")
    assert {symbol: quote.source for symbol, quote in quotes.items()} == {"FET": "Coinbase", "OP": "Coinbase"}
    assert moments["FET"] < 0.3 < moments["OP"] < 0.5
    assert look.exchange_problem == ""
    assert venues.given_up


def test_one_token_that_hangs_gets_binances_price_after_its_fair_chance_and_delays_no_other(venues: StubVenues) -> None:
    venues.binance_says(0.1, {"FETUSDT": D(1), "OPUSDT": D(2)})
    venues.coinbase_says(0.0, FET=0.0, OP=0.0)
    venues.coinbase_says(0.1, OP="2")
    quotes, moments, _ = venues.look("FET", "OP")
    assert moments["OP"] < 0.2
    assert SOFT_TIMEOUT_SECONDS <= moments["FET"] < SOFT_TIMEOUT_SECONDS + 0.2
    assert (quotes["FET"].price, quotes["FET"].source) == (D(1), "exchange")
    assert "has not answered within 0.8 seconds; Binance's price is used" in quotes["FET"].note


def test_a_request_has_its_fair_chance_from_when_it_goes_out(venues: StubVenues) -> None:
    venues.binance_says(0.1, {"FETUSDT": D(1)})
    venues.coinbase_says(0.5, FET=0.5)
    venues.coinbase_says(1.2, FET="1.01")
    assert venues.look("FET")[0]["FET"].source == "Coinbase"


def test_a_request_that_cannot_go_out_waits_as_long_as_coinbase_answers_others(venues: StubVenues) -> None:
    venues.binance_says(0.1, {"FETUSDT": D(1), "OPUSDT": D(2)})
    venues.coinbase_says(0.7, OP="2")
    quotes, moments, _ = venues.look("FET", "OP")
    assert quotes["FET"].source == "exchange"
    assert moments["FET"] >= 0.7 + SOFT_TIMEOUT_SECONDS


def test_coinbase_alone_counts_when_binance_has_had_its_fair_chance(venues: StubVenues) -> None:
    venues.coinbase_says(0.1, FET="1", OP="2")
    venues.binance_says(5.0, {"FETUSDT": D(9)})
    quotes, moments, look = venues.look("FET", "OP")
    assert {(quote.source, quote.agrees) for quote in quotes.values()} == {("Coinbase", None)}
    assert all(SOFT_TIMEOUT_SECONDS <= moment < SOFT_TIMEOUT_SECONDS + 0.2 for moment in moments.values())
    assert look.exchange_problem == "Binance has not answered within 0.8 seconds"


def test_what_will_not_do_alone_waits_for_the_other_venue(venues: StubVenues) -> None:
    venues.coinbase_says(0.1, FET="1", OP="2")
    venues.binance_says(5.0, {"FETUSDT": D(9), "OPUSDT": D(2)})
    quotes, moments, look = venues.look("FET", "OP", accepts_single_source=lambda symbol, _: symbol == "OP")
    assert moments["OP"] < 1
    assert moments["FET"] >= 5
    assert (quotes["FET"].price, quotes["FET"].agrees) == (D(9), False)
    assert look.exchange_problem == ""


def test_binances_trouble_is_known_at_once(venues: StubVenues) -> None:
    venues.binance_says(0.1, TemporaryError("Binance answered 503"))
    venues.coinbase_says(0.2, FET="1")
    quotes, moments, look = venues.look("FET")
    assert (quotes["FET"].source, look.exchange_problem) == ("Coinbase", "Binance answered 503")
    assert moments["FET"] < 0.3


def test_a_token_that_coinbase_does_not_know_waits_for_binance_alone(venues: StubVenues) -> None:
    venues.coinbase_says(0.1, FET="unknown", OP="2")
    venues.binance_says(3.0, {"FETUSDT": D(1)})
    quotes, moments, _ = venues.look("FET", "OP")
    assert moments["OP"] < 1
    assert moments["FET"] >= 3
    assert quotes["FET"].source == "exchange"


def test_where_neither_venue_answers_there_is_no_price_in_the_end(venues: StubVenues) -> None:
    quotes, moments, look = venues.look("FET")
    assert quotes["FET"].price is None
    assert HARD_TIMEOUT_SECONDS <= moments["FET"] < HARD_TIMEOUT_SECONDS + 0.1
    assert look.exchange_problem == "Binance does not answer in time"


def test_where_time_is_virtual_all_are_waited_for_and_come_together_in_their_order(venues: StubVenues) -> None:
    venues.coinbase_says(2.0, OP="2")
    venues.coinbase_says(4.0, FET="1")
    venues.binance_says(1.0, {"FETUSDT": D(1), "OPUSDT": D(2)})
    quotes, moments, _ = venues.look("FET", "OP", all_at_once=True)
    assert list(quotes) == ["FET", "OP"]
    assert {quote.source for quote in quotes.values()} == {"Coinbase"}
    assert len(set(moments.values())) == 1


def test_two_tokens_that_coinbase_calls_alike_are_asked_for_once(venues: StubVenues) -> None:
    names = {"AAA": {"coinbase": "FET"}}
    venues.coinbase_says(0.1, FET="1")
    venues.binance_says(0.1, {"FETUSDT": D(1), "AAAUSDT": D(1)})
    look = PriceAggregator(["FET", "AAA"], some_settings(symbols=names), venues, cast(Exchange, venues), venues)
    assert {symbol for known in look.quotes() for symbol in known} == {"FET", "AAA"}


def test_a_bot_that_is_to_stop_waits_for_no_price(venues: StubVenues) -> None:
    with pytest.raises(StopRequested):
        venues.look("FET", stopping=lambda: True)
    assert venues.given_up
