"""Moments as text, in UTC: what files keep of them."""

from __future__ import annotations

from datetime import datetime


def utc_text(moment: datetime) -> str:
    """Return the moment as 2021-02-15T00:30:00Z."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def parse_moment(text: str) -> datetime:
    """Return the moment that a file tells. Raises ValueError, also for one that does not say that it is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:  # the beginning of a moment that a death cut off is a moment, too
        raise ValueError(f"{text}: of what time zone?")
    return moment
