"""Coinbase's spot prices on one simulated machine: some late, some unknown, some nonsense, some beyond belief.

What is beyond belief is so in another way each time: the same nonsense twice is what the bot's rule believes.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal
from functools import partial

from embedded_market.coinbase.api import CoinbaseApi
from embedded_market.http_messages import Request
from embedded_market.market_data.price_board import PriceBoard
from marsshot.chaos.delayed_responses import Later
from marsshot.chaos.fault_schedule import Fate
from marsshot.chaos.skewed_clock import StrayingClock
from marsshot.market_data.coinbase import HearSpot, read_spot_price

BEYOND_BELIEF = "beyond belief"


class SimulatedCoinbase:
    """What the bot sees of Coinbase in one life."""

    def __init__(self, api: CoinbaseApi, board: PriceBoard, clock: StrayingClock, fate: Fate, later: Later) -> None:
        self._api = api
        self._board = board
        self._clock = clock
        self._fate = fate
        self._later = later
        self._last_away: dict[str, int] = {}  # by asset: powers of ten between the last nonsense and the true price

    def spot_prices_soon(self, assets: Collection[str], hear: HearSpot) -> None:
        """Answer for each asset, or say why not, now or later; a late answer tells the price of when it was asked."""
        for asset in assets:
            hear({asset: self._later.seconds})
            self._later.answer(asset, partial(hear, {asset: self._price(asset)}))

    def give_up(self) -> None:
        """Do nothing: everything has been asked for, and will be answered."""

    def close(self) -> None:
        """Do nothing."""

    def _price(self, asset: str) -> Decimal | str:
        if self._fate.chance(self._fate.wire_trouble):
            self._fate.note("price fault", asset)
            text = self._fate.choose((BEYOND_BELIEF, "0", "-3", "NaN", "", "soon", "1e999", None))
            if text == BEYOND_BELIEF:
                text = format(self._board.price(asset, 0).scaleb(self._away(asset)), "f")
            if text is None:
                return "does not answer in time"
            body = json.dumps({"data": {"amount": text, "base": asset, "currency": "USD"}}).encode()
            return read_spot_price(body, asset)
        request = Request("GET", f"/v2/prices/{asset}-USD/spot", "", {}, b"")
        response = self._api.handle(request, self._clock.true_now.timestamp())
        return read_spot_price(response.body, asset) if response.status == 200 else "does not know it"  # noqa: PLR2004

    def _away(self, asset: str) -> int:
        """Return how many powers of ten a price is to be off; never nearly as many as the last time."""
        last = self._last_away.get(asset, 0)
        powers = [power for power in range(-11, 12) if abs(power) >= 2 and abs(power - last) >= 3]  # noqa: PLR2004
        self._last_away[asset] = self._fate.choose(powers)
        return self._last_away[asset]
