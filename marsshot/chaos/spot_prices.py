"""Coinbase's spot prices on one simulated machine: some late, some unknown, some malformed, some implausible.

What is implausible is so in another way each time: the same implausible price twice is what the bot's rule believes.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import partial

from embedded_market.coinbase.api import CoinbaseApi
from embedded_market.http_messages import Request
from marsshot.chaos.delayed_responses import DelayedResponses
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.price_lies import PriceLies
from marsshot.chaos.skewed_clock import SkewedClock
from marsshot.chaos.venues.base import Venue
from marsshot.config.exchanges import EXCHANGE_FACTS
from marsshot.market_data.coinbase import (
    MissingPrice,
    MissingPriceReason,
    PriceRequested,
    SpotAnswer,
    SpotPricesCallback,
    read_spot_price,
)

IMPLAUSIBLE = "beyond belief"


class SimulatedCoinbase:
    """What the bot sees of Coinbase in one process."""

    def __init__(
        self,
        api: CoinbaseApi,
        venue: Venue,
        clock: SkewedClock,
        fault_schedule: FaultSchedule,
        delayed_responses: DelayedResponses,
        price_lies: PriceLies,
    ) -> None:
        self._api = api
        self._venue = venue
        self._currency = EXCHANGE_FACTS[venue.exchange].currency
        self._clock = clock
        self._faults = fault_schedule
        self._delayed = delayed_responses
        self._price_lies = price_lies
        self._last_exponent: dict[str, int] = {}  # by asset: powers of ten between the last nonsense and the true price

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        """Answer for each asset, or say why not, now or later; a late answer tells the price of when it was asked."""
        for asset in assets:
            callback({asset: PriceRequested(self._delayed.seconds)})
            self._delayed.schedule(asset, partial(callback, {asset: self._price(asset)}))

    def cancel_pending(self) -> None:
        """Do nothing: everything has been asked for, and will be answered."""

    def close(self) -> None:
        """Do nothing."""

    def _price(self, asset: str) -> SpotAnswer:
        if self._faults.chance(self._faults.network_fault_rate):
            self._faults.record_event("price fault", asset)
            text = self._faults.choose((IMPLAUSIBLE, "0", "-3", "NaN", "", "soon", "1e999", None))
            if text == IMPLAUSIBLE and not self._price_lies.try_to_lie(asset, "Coinbase", self._clock.true_now):
                text = None
            if text == IMPLAUSIBLE:
                text = format(self._venue.price(asset).scaleb(self._implausible_exponent(asset)), "f")
            if text is None:
                return MissingPrice(MissingPriceReason.LATE)
            body = json.dumps({"data": {"amount": text, "base": asset, "currency": self._currency}}).encode()
            return read_spot_price(body, asset, self._currency)
        request = Request("GET", f"/v2/prices/{asset}-{self._currency}/spot", "", {}, b"")
        response = self._api.handle(request, self._clock.true_now.timestamp())
        if response.status != 200:  # noqa: PLR2004
            return MissingPrice(MissingPriceReason.UNKNOWN)
        return read_spot_price(response.body, asset, self._currency)

    def _implausible_exponent(self, asset: str) -> int:
        """Return how many powers of ten a price is to be off; never nearly as many as the last time."""
        last = self._last_exponent.get(asset, 0)
        powers = [power for power in range(-11, 12) if abs(power) >= 2 and abs(power - last) >= 3]  # noqa: PLR2004
        self._last_exponent[asset] = self._faults.choose(powers)
        return self._last_exponent[asset]
