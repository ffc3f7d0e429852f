"""Bitvavo's spot REST API, without network."""
