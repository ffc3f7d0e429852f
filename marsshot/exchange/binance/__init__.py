"""Binance spot through python-binance. No name, code or symbol form of Binance's leaves this folder."""
