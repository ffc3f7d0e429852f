"""Coinbase's endpoint as the stand-in serves it."""
