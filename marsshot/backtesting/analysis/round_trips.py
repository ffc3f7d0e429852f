"""Trade analysis: round trips from purchase to last sale, and what each rule earned or cost. Pure.

Profits are those that the book realised, fees taken off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from marsshot.backtesting.simulation.engine import SkippedSale
from marsshot.core.book import Book
from marsshot.core.reasons import OrderReason
from marsshot.portfolio.trades_file import Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One position: from its first purchase to its last sale, or still held. Amounts in quote asset."""

    symbol: str
    opened: datetime
    last_sale: datetime | None = None
    is_open: bool = True
    spent: float = 0.0
    profit: float = 0.0  # realised


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What the sales of one rule came to."""

    sales: int = 0
    profit: float = 0.0
    wins: int = 0  # sales with a profit


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeAnalysis:
    """The trades of a run, summed."""

    trades: tuple[Trade, ...]
    opened: tuple[datetime | None, ...]  # of the position that each belongs to
    round_trips: tuple[RoundTrip, ...]
    by_rule: Mapping[str, RuleResult]
    unrealised: float
    big_gain_effect: float | None  # what waiting brought beyond selling at once; None where no sale was skipped
    fees: float
    traded_amount: float  # purchases and sales together

    @property
    def closed(self) -> tuple[RoundTrip, ...]:
        """The positions that are sold."""
        return tuple(round_trip for round_trip in self.round_trips if not round_trip.is_open)

    @property
    def hit_rate(self) -> float:
        """The share of the closed positions that ended with a profit; NaN without any."""
        closed = self.closed
        return sum(round_trip.profit > 0 for round_trip in closed) / len(closed) if closed else float("nan")


def analyse_trades(
    trades: Sequence[Trade], skipped_sales: Sequence[SkippedSale], book: Book, last_prices: Mapping[str, float]
) -> TradeAnalysis:
    """Return what the trades of a run came to, what is still held valued at its last price."""
    by_rule = dict.fromkeys(
        (reason.value for reason in OrderReason if reason is not OrderReason.DAILY_BUY), RuleResult()
    )
    for trade in trades:
        if trade.side == "SELL":
            profit, before = float(trade.profit or 0), by_rule[trade.reason]
            by_rule[trade.reason] = RuleResult(
                sales=before.sales + 1, profit=before.profit + profit, wins=before.wins + (profit > 0)
            )
    round_trips, opened = _round_trips(trades, book)
    held = book.positions.items()
    return TradeAnalysis(
        trades=tuple(trades),
        opened=opened,
        round_trips=round_trips,
        by_rule=by_rule,
        unrealised=sum(float(one.qty) * last_prices[symbol] - float(one.cost) for symbol, one in held),
        big_gain_effect=sum(_gain_from_waiting(skip, trades, book, last_prices) for skip in skipped_sales)
        if skipped_sales
        else None,
        fees=float(sum((trade.fee_in_quote(book.quote_asset) for trade in trades), Decimal(0))),
        traded_amount=sum(float(trade.quote) for trade in trades),
    )


def _round_trips(trades: Sequence[Trade], book: Book) -> tuple[tuple[RoundTrip, ...], tuple[datetime | None, ...]]:
    """Return the positions in the order of their purchase: one ends where its token is bought again after a sale."""
    round_trips: list[RoundTrip] = []
    current: dict[str, int] = {}
    opened: list[datetime | None] = []
    for trade in trades:
        symbol, moment = trade.symbol, trade.time
        number = current.get(symbol)
        if trade.side == "BUY" and (number is None or round_trips[number].last_sale is not None):
            number = current[symbol] = len(round_trips)
            round_trips.append(RoundTrip(symbol=symbol, opened=moment))
        if number is None:
            opened.append(None)
            continue
        round_trip = round_trips[number]
        if trade.side == "BUY":
            round_trips[number] = replace(round_trip, spent=round_trip.spent + float(trade.quote))
        else:
            round_trips[number] = replace(
                round_trip, last_sale=moment, profit=round_trip.profit + float(trade.profit or 0)
            )
        opened.append(round_trip.opened)
    still_held = {current[symbol] for symbol in book.positions if symbol in current}
    return tuple(replace(round_trip, is_open=n in still_held) for n, round_trip in enumerate(round_trips)), tuple(
        opened
    )


def _gain_from_waiting(
    skip: SkippedSale, trades: Sequence[Trade], book: Book, last_prices: Mapping[str, float]
) -> float:
    """Return what was got for a position after its daily sale was skipped, less what it was worth then."""
    got, left = 0.0, skip.qty
    for trade in trades:
        if trade.symbol != skip.symbol or trade.time <= skip.moment:
            continue
        if trade.side == "BUY":
            return got - skip.qty * skip.price
        got += float(trade.quote) - float(trade.fee_in_quote(book.quote_asset))
        left -= float(trade.qty)
    if skip.symbol in book.positions:
        got += left * last_prices[skip.symbol]
    return got - skip.qty * skip.price
