"""Which venue may tell an untrue price of a token now: one of them at a time, the second look that follows included.

Two venues that lie together are beyond what the bot's rules can see through, so a run proves nothing by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

LIE_LASTS = timedelta(minutes=5)  # the look, a second one 60 s later, and the silences that Binance asks for


class PriceLies:
    """Remembers for each token which venue told the last lie."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, datetime]] = {}
        self.spared: set[str] = set()  # tokens of which nobody lies now: they have become other coins

    def try_to_lie(self, token: str, venue: str, now: datetime) -> bool:
        """Return whether this venue may lie now, and count it as done."""
        liar, at = self._last.get(token, (venue, now))
        if token in self.spared or (liar != venue and now - at < LIE_LASTS):
            return False
        self._last[token] = venue, now
        return True
