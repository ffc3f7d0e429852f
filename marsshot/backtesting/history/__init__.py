"""Recorded bars, read and checked. Knows nothing of the bot."""
