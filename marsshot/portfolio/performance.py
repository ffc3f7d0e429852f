"""What the bot has gained, deposits and withdrawals apart: money, and a time-weighted index for every percentage.

The index is 1 at the start and moves with the worth of everything alone: a deposit or withdrawal changes how much the
next move counts in money, never the index. Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.core.amounts import ONE, ZERO
from marsshot.core.book import Book, CashFlow, PerformanceBase
from marsshot.core.moments import utc_text
from marsshot.portfolio.worth import with_flow


def index_at(worth: Decimal, book: Book) -> Decimal:
    """Return the time-weighted index where everything is worth this, in quote asset; the gain is the index less 1."""
    base = book.performance_base
    worth_then = book.capital_started if base.worth is None else base.worth
    return base.index * worth / worth_then if worth_then > 0 else base.index


def profit_at(worth: Decimal, book: Book) -> Decimal:
    """Return what was gained since the start where everything is worth this; what the owner brought is no gain."""
    return worth - book.capital_started - book.performance_base.net_flows


def with_cash_flow(book: Book, amount: Decimal, worth: Decimal, now: datetime) -> Book:
    """Let the capital grow (or shrink) by what the owner has brought (or taken): no profit.

    worth: of everything, just before. The row for cash_flows.csv changes in the same step.
    """
    time = _later_than(book.performance_base.last_flow_at, now)
    base = PerformanceBase(
        index=index_at(worth, book),
        worth=worth + amount,
        net_flows=book.performance_base.net_flows + amount,
        last_flow_at=time,
    )
    capital = book.capital + amount
    row = CashFlow(time=time, amount=amount, capital_after=capital)
    flows, top = (*book.unwritten_cash_flows, row), with_flow(book.worth_top, worth, amount)
    return replace(book, capital=capital, performance_base=base, unwritten_cash_flows=flows, worth_top=top)


def with_recorded_flows(book: Book, flows: Iterable[CashFlow]) -> Book:
    """Count the rows of cash_flows.csv that are later than the book: of an older book, or of one made anew.

    What everything was worth at each of them is not known: the index goes on as if they had come at the base's moment.
    """
    base, rows = book.performance_base, list(flows)
    later = sorted((flow for flow in rows if flow.time > base.last_flow_at), key=lambda flow: flow.time)
    if not later:
        return book
    made_anew = [row for row in book.unwritten_cash_flows[-1:] if _is_made_anew(row, rows)]
    amount = sum((flow.amount for flow in later), ZERO) - sum((row.amount for row in made_anew), ZERO)
    worth = (book.capital_started if base.worth is None else base.worth) + amount
    base = replace(base, worth=worth, net_flows=base.net_flows + amount, last_flow_at=later[-1].time)
    kept = tuple(row for row in book.unwritten_cash_flows if row not in made_anew)
    return replace(
        book, capital=book.capital + amount, performance_base=base, worth_top=None, unwritten_cash_flows=kept
    )


def _is_made_anew(row: CashFlow, rows: Sequence[CashFlow]) -> bool:
    """Return whether a row that a book owes the file is there as a later one.

    A disk that refuses half-way may keep a book that the bot does not go by: the request was carried out once more,
    a moment later. The file takes all rows in order, so it would have this one if the bot had gone by that book.
    """
    is_there = any(one.time == row.time for one in rows)
    return not is_there and any(one.time > row.time and one.amount == row.amount for one in rows)


def _later_than(before: str, now: datetime) -> str:
    """Return the moment as a text that no earlier row has: by that a row that is written already is known."""
    time = utc_text(now)
    if before and time <= before:
        return utc_text(datetime.fromisoformat(before) + timedelta(seconds=1))
    return time


def free_capital(book: Book) -> Decimal:
    """Return the cash less what a running plan has set aside and what orders in doubt may have spent."""
    open_buys = [buy for buy in book.plan.buys if not buy.outcome] if book.plan else []
    planned = {buy.symbol: buy.left or ZERO for buy in open_buys}
    doubts = sum(
        (intent.quote_amount or ZERO for intent in book.intents.values() if not planned.get(intent.symbol)), ZERO
    )
    return max(book.capital - sum(planned.values(), ZERO) - doubts, ZERO)


def largest_fall(indices: Iterable[Decimal]) -> Decimal:
    """Return the largest fall from a top, as a fraction. indices: oldest first."""
    meter = DrawdownMeter()
    for index in indices:
        meter.see(index)
    return meter.largest


class DrawdownMeter:
    """The largest fall from a top, on the terminal as in the browser."""

    def __init__(self) -> None:
        self._top = self.largest = ZERO

    def see(self, index: Decimal) -> None:
        """Take the next one into account."""
        self._top = max(self._top, index)
        if self._top > 0:
            self.largest = max(self.largest, ONE - index / self._top)
