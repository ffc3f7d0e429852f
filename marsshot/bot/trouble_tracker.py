"""Troubles that last: what keeps the bot from seeing or selling a position for a quarter of an hour is told, once.

Takes what is wrong now, returns what there is to tell. Never fetches, never tells, never reads a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from marsshot.core.book import STANDSTILL, Book
from marsshot.market_data.price_aggregator import Quote

TOLD_AFTER = timedelta(minutes=15)


class TroubleKind(StrEnum):
    """What is wrong; texts stand in the catalogue under `trouble`."""

    NO_PRICE = "no_price"  # no venue has a usable price of a held token
    VENUE_SILENT = "venue_silent"  # the exchange takes no request
    NO_ANSWER = "no_answer"  # a venue has given no usable answer about any token
    SALE_REFUSED = "sale_refused"  # a sale that is due is refused again and again
    ORDER_IN_DOUBT = "order_in_doubt"  # what became of an order is not known


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """One trouble: its kind, and the token or venue it is about."""

    kind: TroubleKind
    subject: str

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it."""
        return f"trouble.{self.kind}"

    def __str__(self) -> str:
        """Return what tells it from others."""
        return f"{self.kind} {self.subject}"


@dataclass(frozen=True, slots=True)
class LastingTrouble:
    """Since when, and whether the owner has been told."""

    since: datetime
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Troubles:
    """All troubles that are open, and what there is to tell by the last update: begun to last, or over."""

    open: Mapping[Trouble, LastingTrouble] = field(default_factory=dict)
    to_tell: tuple[Trouble, ...] = ()
    over: tuple[Trouble, ...] = ()

    def told(self) -> dict[Trouble, datetime]:
        """Return what the owner has been told of and is not over, with since when."""
        return {trouble: lasting.since for trouble, lasting in self.open.items() if lasting.is_told}


def troubles_of(
    book: Book,
    quotes: Mapping[str, Quote],
    *,
    unsold: Collection[str],
    refusing: Collection[str],
    silent: Collection[str],
) -> list[Trouble]:
    """Return what is wrong now.

    unsold: tokens whose sale has met with an error. refusing: exchanges that take no request now. silent: venues that
    have given no usable answer.
    """
    found = [Trouble(TroubleKind.ORDER_IN_DOUBT, intent.symbol) for intent in book.intents.values()]
    for symbol, held in book.positions.items():
        if STANDSTILL not in held.said and symbol in quotes and quotes[symbol].price is None:
            found.append(Trouble(TroubleKind.NO_PRICE, symbol))
        if symbol in unsold:
            found.append(Trouble(TroubleKind.SALE_REFUSED, symbol))
    found += [Trouble(TroubleKind.VENUE_SILENT, name) for name in refusing]
    if book.positions:
        found += [Trouble(TroubleKind.NO_ANSWER, name) for name in silent]
    return found


def updated(troubles: Troubles, now_wrong: Collection[Trouble], now: datetime) -> Troubles:
    """Return the troubles after a round in which these were there."""
    found = {}
    to_tell = []
    for trouble in sorted(now_wrong):
        lasting = troubles.open.get(trouble, LastingTrouble(now))
        if lasting.since > now:  # the clock was set back: it has lasted for no time that we know of
            lasting = replace(lasting, since=now)
        if not lasting.is_told and now - lasting.since >= TOLD_AFTER:
            lasting = replace(lasting, is_told=True)
            to_tell.append(trouble)
        found[trouble] = lasting
    over = tuple(sorted(one for one, lasting in troubles.open.items() if one not in found and lasting.is_told))
    return Troubles(found, tuple(to_tell), over)
