"""What came of a run: returns, drawdowns, round trips, chance. Pure."""
