"""What the trades of a run came to: positions from purchase to last sale, and what each rule earned or cost. Pure.

Takes rows of trades.csv as they are; profits are those that the book realised, fees taken off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.backtesting.simulation.engine import Skip
from marsshot.core.domain import Book, Reason
from marsshot.reporting.demo_summary import fee_in_quote

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One position: from its first purchase to its last sale, or still held. Amounts in quote asset."""

    symbol: str
    opened: datetime
    last_sale: datetime | None = None
    is_open: bool = True
    spent: float = 0.0
    profit: float = 0.0  # realised

    @property
    def held_for(self) -> timedelta | None:
        """How long it was held, if it is closed."""
        return None if self.is_open or self.last_sale is None else self.last_sale - self.opened


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What the sales of one rule came to."""

    sales: int = 0
    profit: float = 0.0
    won: int = 0  # sales with a profit


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The trades of a run, summed."""

    rows: tuple[Row, ...]
    opened: tuple[datetime | None, ...]  # of the position that each row belongs to
    trips: tuple[Trip, ...]
    by_rule: Mapping[str, RuleResult]
    unrealised: float
    big_gain: float | None  # what waiting brought beyond selling at once; None where no sale was skipped
    fees: float
    traded: float  # purchases and sales together

    @property
    def closed(self) -> tuple[Trip, ...]:
        """The positions that are sold."""
        return tuple(trip for trip in self.trips if not trip.is_open)

    @property
    def hit_rate(self) -> float:
        """The share of the closed positions that ended with a profit; NaN without any."""
        closed = self.closed
        return sum(trip.profit > 0 for trip in closed) / len(closed) if closed else float("nan")


def ledger_of(trades: Sequence[Row], skips: Sequence[Skip], book: Book, last_prices: Mapping[str, float]) -> Ledger:
    """Return what the trades of a run came to, what is still held valued at its last price."""
    by_rule = dict.fromkeys((reason.value for reason in Reason if reason is not Reason.DAILY_BUY), RuleResult())
    for row in trades:
        if row["side"] == "SELL":
            profit, before = float(row["profit"] or 0), by_rule[row["reason"]]
            by_rule[row["reason"]] = RuleResult(
                sales=before.sales + 1, profit=before.profit + profit, won=before.won + (profit > 0)
            )
    trips, opened = _trips(trades, book)
    held = book.positions.items()
    return Ledger(
        rows=tuple(trades),
        opened=opened,
        trips=trips,
        by_rule=by_rule,
        unrealised=sum(float(one.qty) * last_prices[symbol] - float(one.cost) for symbol, one in held),
        big_gain=sum(_waited(skip, trades, book, last_prices) for skip in skips) if skips else None,
        fees=float(sum((fee_in_quote(row, book.quote_asset) for row in trades), Decimal(0))),
        traded=sum(float(row["quote"]) for row in trades),
    )


def _trips(trades: Sequence[Row], book: Book) -> tuple[tuple[Trip, ...], tuple[datetime | None, ...]]:
    """Return the positions in the order of their purchase: one ends where its token is bought again after a sale."""
    trips: list[Trip] = []
    current: dict[str, int] = {}
    opened: list[datetime | None] = []
    for row in trades:
        symbol, moment = row["symbol"], datetime.fromisoformat(row["time"])
        number = current.get(symbol)
        if row["side"] == "BUY" and (number is None or trips[number].last_sale is not None):
            number = current[symbol] = len(trips)
            trips.append(Trip(symbol=symbol, opened=moment))
        if number is None:
            opened.append(None)
            continue
        trip = trips[number]
        if row["side"] == "BUY":
            trips[number] = replace(trip, spent=trip.spent + float(row["quote"]))
        else:
            trips[number] = replace(trip, last_sale=moment, profit=trip.profit + float(row["profit"] or 0))
        opened.append(trip.opened)
    still_held = {current[symbol] for symbol in book.positions if symbol in current}
    return tuple(replace(trip, is_open=n in still_held) for n, trip in enumerate(trips)), tuple(opened)


def _waited(skip: Skip, trades: Sequence[Row], book: Book, last_prices: Mapping[str, float]) -> float:
    """Return what was got for a position after its daily sale was skipped, less what it was worth then."""
    got, left = 0.0, skip.qty
    for row in trades:
        if row["symbol"] != skip.symbol or datetime.fromisoformat(row["time"]) <= skip.moment:
            continue
        if row["side"] == "BUY":
            return got - skip.qty * skip.price
        got += float(row["quote"]) - float(fee_in_quote(row, book.quote_asset))
        left -= float(row["qty"])
    if skip.symbol in book.positions:
        got += left * last_prices[skip.symbol]
    return got - skip.qty * skip.price
