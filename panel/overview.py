"""What the overview and the decisions page show, worked out. Pure: a state in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from domain import Book, Position
from panel.levels import Bar, bar_of
from panel.records import Decision, realised
from panel.state import State
from panel.worth import Curve, falls


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The bot in a handful of numbers, in quote asset; changes as fractions. largest_fall: None without a curve."""

    worth: Decimal
    started_with: Decimal
    change: float
    capital: Decimal
    invested: Decimal
    realised: Decimal
    largest_fall: float | None
    btc_change: float | None


@dataclass(frozen=True, slots=True)
class Holding:
    """One position as it is shown; gain in quote asset, None without a price."""

    symbol: str
    held: Position
    bar: Bar
    worth: Decimal
    gain: Decimal | None


def figures_of(state: State, book: Book, curve: Curve | None, btc: Curve | None) -> Figures:
    """Return the numbers at the top of the overview."""
    worth = book.capital + state.invested
    return Figures(
        worth=worth,
        started_with=book.capital_started,
        change=_change(float(worth), float(book.capital_started)),
        capital=book.capital,
        invested=state.invested,
        realised=realised(state.trades),
        largest_fall=max(falls(curve.values)) if curve else None,
        btc_change=_change(btc.values[-1], btc.values[0]) if btc else None,
    )


def holdings_of(state: State, book: Book) -> list[Holding]:
    """Return the positions, the most valuable first."""
    found = []
    for symbol, held in book.positions.items():
        price = state.prices.get(symbol)
        worth = state.worth_of(symbol, held)
        gain = None if price is None else worth - held.cost
        found.append(Holding(symbol, held, bar_of(held, price, state.settings.exit_rules), worth, gain))
    return sorted(found, key=lambda one: -one.worth)


def days_decided(decisions: Sequence[Decision], wanted: str) -> dict[str, Any]:
    """Return the decisions of the day wanted, or of the last one, by score; and the days before and after it."""
    days = sorted({one.day for one in decisions})
    day = next((one for one in days if one.isoformat() == wanted), days[-1] if days else None)
    of_day = [one for one in decisions if one.day == day]
    of_day.sort(key=lambda one: (one.probability is None, -(one.probability or 0), one.symbol))
    return {"day": day, "rows": of_day, "before": _neighbour(days, day, -1), "after": _neighbour(days, day, 1)}


def _neighbour(days: Sequence[date], day: date | None, step: int) -> date | None:
    at = days.index(day) + step if day is not None else -1
    return days[at] if 0 <= at < len(days) else None


def _change(now: float, then: float) -> float:
    return now / then - 1 if then > 0 else 0.0
