"""Recorded daily bars and the prices between them."""
