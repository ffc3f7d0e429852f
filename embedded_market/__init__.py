"""The embedded market: stand-ins of LunarCrush, Coinbase and Binance spot on loopback HTTP, over recorded history.

For demo mode and for tests. Trading rooms never import this package: they meet it on the wire only.
"""

from __future__ import annotations

from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import History, load_bundled_history, load_history
from embedded_market.server.http_server import MarketServer
from embedded_market.server.launcher import MarketProcess

__all__ = ["EmbeddedMarket", "History", "MarketProcess", "MarketServer", "load_bundled_history", "load_history"]
