"""Binance's endpoints as the stand-in serves them."""
