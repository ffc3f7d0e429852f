"""What everything of the bot's is worth, and the top of that, from which the drawdown pause is counted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from marsshot.core.amounts import EXACT, ONE, ZERO
from marsshot.core.book import STANDSTILL, Book, WorthTop


def worth_of(book: Book, prices: Mapping[str, Decimal]) -> Decimal:
    """Return cash and positions at these prices, in quote asset; what no venue has a price of counts as nothing.

    A token that stands still counts with its cost: neither its price nor its quantity is believed now. So does the
    money that an order in doubt may have spent: it is there, as cash or as a token.
    """
    held = (
        one.cost if STANDSTILL in one.said else one.qty * prices.get(symbol, ZERO)
        for symbol, one in book.positions.items()
    )
    return book.capital + sum(held, ZERO)


def next_worth_top(top: WorthTop | None, worth: Decimal, fall: Decimal, *, is_buying_paused: bool) -> WorthTop | None:
    """Return the top after a look at the worth, and whether buying is to pause: at `fall` under it, or further.

    fall: a fraction; 0 keeps no top, and so does a worth of nothing. Once paused it stays so; when the owner has
    resumed, a new top begins.
    """
    if fall == 0 or worth <= 0:
        return None
    if top is None or (top.is_paused and not is_buying_paused):
        return WorthTop(amount=worth)
    highest = max(top.amount, worth)
    is_under = worth < highest and worth <= EXACT.multiply(highest, ONE - fall)
    return WorthTop(amount=highest, is_paused=top.is_paused or is_under)


def with_flow(top: WorthTop | None, worth: Decimal, flow: Decimal) -> WorthTop | None:
    """Return the top after money came in (or went out, under 0): as far above the worth as before, in per cent."""
    if top is None or worth <= 0 or worth + flow <= 0:
        return None  # nothing is left to measure by: the next look begins anew
    return replace(top, amount=top.amount * (worth + flow) / worth)
