"""The exchanges that a run may be at, a file each: its stand-in, its account, and how its answers go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from embedded_market.market_data.price_board import PriceBoard
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.venues.base import Venue
from marsshot.chaos.venues.binance import BinanceVenue
from marsshot.chaos.venues.bitvavo import BitvavoVenue
from marsshot.config.exchanges import ExchangeName

_VENUES: dict[ExchangeName, type[BinanceVenue | BitvavoVenue]] = {"binance": BinanceVenue, "bitvavo": BitvavoVenue}


def venue_of(
    name: ExchangeName, board: PriceBoard, fault_schedule: FaultSchedule, tokens: Iterable[str], capital: Decimal
) -> Venue:
    """Return an account at this exchange, with so much money."""
    return _VENUES[name](board, fault_schedule, tokens, capital)
