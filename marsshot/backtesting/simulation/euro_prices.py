"""The recorded market in euros, as the stand-ins for Bitvavo and Coinbase tell it at one fixed exchange rate."""

from __future__ import annotations

from decimal import Decimal

from embedded_market.bitvavo.markets import QUOTE, in_euros
from embedded_market.coinbase.api import text_in_euros
from marsshot.backtesting.history.market_history import Dataset
from marsshot.backtesting.simulation.simulated_market import RecordedPrices


class EuroPrices(RecordedPrices):
    """Prices at a moment, in euros."""

    def quoted(self, dollars: Decimal) -> Decimal:
        """Return a recorded price as Bitvavo tells it."""
        return in_euros(dollars)

    def coinbase_quoted(self, dollars: Decimal) -> Decimal:
        """Return a recorded price as Coinbase tells it."""
        return Decimal(text_in_euros(format(dollars, "f")))

    def price(self, coin: str, now: float) -> Decimal:
        """Return Bitvavo's last price."""
        return in_euros(super().price(coin, now))

    def coinbase_price(self, coin: str, now: float) -> Decimal:
        """Return Coinbase's price."""
        return self.coinbase_quoted(Decimal(self.coinbase_text(coin, now)))


def prices_in(quote_asset: str, dataset: Dataset) -> RecordedPrices:
    """Return the recorded prices in this quote asset: euros, or dollars as they are."""
    return EuroPrices(dataset) if quote_asset == QUOTE else RecordedPrices(dataset)
