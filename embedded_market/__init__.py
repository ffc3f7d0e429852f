"""The embedded market: stand-ins of LunarCrush, Coinbase and Binance spot on loopback HTTP, over recorded history.

For demo mode and for tests. Trading rooms never import this package: they meet it on the wire only.
"""

from __future__ import annotations

from embedded_market.history import History, load_bundled_history, load_history
from embedded_market.launcher import MarketProcess
from embedded_market.market import EmbeddedMarket
from embedded_market.server import MarketServer

__all__ = ["EmbeddedMarket", "History", "MarketProcess", "MarketServer", "load_bundled_history", "load_history"]
