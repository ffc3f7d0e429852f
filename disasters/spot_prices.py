"""Coinbase's spot prices on one simulated machine: without threads, some unknown, some nonsense, some beyond belief."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal

from coinbase import HearSpot, read_spot_price
from disasters.clock import StrayingClock
from disasters.fate import Fate
from embedded_market.coinbase_api import CoinbaseApi
from embedded_market.prices import PriceBoard
from embedded_market.wire import Request


class SimulatedCoinbase:
    """What the bot sees of Coinbase."""

    def __init__(self, api: CoinbaseApi, board: PriceBoard, clock: StrayingClock, fate: Fate) -> None:
        self._api = api
        self._board = board
        self._clock = clock
        self._fate = fate

    def spot_prices_soon(self, assets: Collection[str], hear: HearSpot) -> None:
        """Answer for each asset, or say why not."""
        hear({asset: self._price(asset) for asset in assets})

    def give_up(self) -> None:
        """Do nothing: nothing is under way."""

    def close(self) -> None:
        """Do nothing."""

    def _price(self, asset: str) -> Decimal | str:
        if self._fate.chance(self._fate.wire_trouble):
            self._fate.note("price fault", asset)
            away = self._fate.choose((-1, 1)) * (2 + self._fate.below(10))
            beyond_belief = format(self._board.price(asset, 0).scaleb(away), "f")
            odd = (beyond_belief, "0", "-3", "NaN", "", "soon", "1e999")
            text = self._fate.choose((*odd, None))
            if text is None:
                return "does not answer in time"
            body = json.dumps({"data": {"amount": text, "base": asset, "currency": "USD"}}).encode()
            return read_spot_price(body, asset)
        request = Request("GET", f"/v2/prices/{asset}-USD/spot", "", {}, b"")
        response = self._api.handle(request, self._clock.true_now.timestamp())
        return read_spot_price(response.body, asset) if response.status == 200 else "does not know it"  # noqa: PLR2004
