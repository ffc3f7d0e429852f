"""The embedded market: stand-ins of LunarCrush, Coinbase and Binance spot on loopback HTTP, over recorded history.

For demo mode and for tests. The trading code never imports this package: it meets it over HTTP only.
"""

from __future__ import annotations

from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import History, load_bundled_history, load_history
from embedded_market.server.http_server import MarketServer
from embedded_market.server.launcher import MarketProcess

__all__ = ["EmbeddedMarket", "History", "MarketProcess", "MarketServer", "load_bundled_history", "load_history"]
