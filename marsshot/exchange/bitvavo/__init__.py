"""Bitvavo spot: the one folder that knows its names, codes and forms."""
