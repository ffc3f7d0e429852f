"""What the overview and the decisions page show, worked out. Pure: a state in, values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from marsshot.bot.journal import last_price
from marsshot.core.book import Book, Position
from marsshot.dashboard.data.bot_snapshot import BotSnapshot
from marsshot.dashboard.data.equity_curve import Curve, drawdowns
from marsshot.dashboard.presentation.price_levels import PriceScale, build_price_scale
from marsshot.dashboard.presentation.table_order import AS_IT_COMES, TableOrder, ordered
from marsshot.reporting.decision_records import DecisionRow

PROFIT_SPANS = ("today", "7_days", "30_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """The bot in a handful of numbers, in quote asset; changes as fractions.

    profits: by span of time, None where it is not known what there was then. largest_fall, btc_change: None without a
    line.
    """

    worth: Decimal
    started_with: Decimal
    gain: Decimal
    change: Decimal
    capital: Decimal
    invested: Decimal
    realised: Decimal
    profits: Mapping[str, Decimal | None]
    max_drawdown: float | None
    btc_change: float | None


@dataclass(frozen=True, slots=True)
class Holding:
    """One position as it is shown. priced_at: when its price was seen; None: it counts with its entry price."""

    symbol: str
    held: Position
    bar: PriceScale
    worth: Decimal
    priced_at: datetime | None


def account_summary(facts: Mapping[str, Any], curve: Curve | None, btc: Curve | None) -> AccountSummary:
    """Return the numbers at the top of the overview. facts: as `main.py status` has them."""
    profit = facts["profit"]
    return AccountSummary(
        worth=Decimal(facts["equity"]),
        started_with=Decimal(facts["capital_started"]),
        gain=Decimal(profit["since_start"]),
        change=Decimal(facts["gain"]),
        capital=Decimal(facts["capital"]),
        invested=Decimal(facts["positions_worth"]),
        realised=Decimal(facts["realised_profit"]),
        profits={span: None if profit[span] is None else Decimal(profit[span]) for span in PROFIT_SPANS},
        max_drawdown=_max_drawdown(facts, curve),
        btc_change=btc.values[-1] / btc.values[0] - 1 if btc and btc.values[0] else None,
    )


def _max_drawdown(facts: Mapping[str, Any], curve: Curve | None) -> float | None:
    """Return the largest fall as `main.py status` tells it; before there is one, that of what sales brought."""
    if facts["largest_fall"] is not None:
        return float(facts["largest_fall"])
    return max(drawdowns(curve.values)) if curve else None


def build_holdings(state: BotSnapshot, book: Book) -> list[Holding]:
    """Return the positions, the most valuable first."""
    rules = state.settings.exit_rules
    found = []
    for symbol, held in book.positions.items():
        price, moment = state.seen.prices.get(symbol, (None, None))
        worth = held.qty * last_price(symbol, book, state.seen)
        found.append(Holding(symbol, held, build_price_scale(held, price, rules), worth, moment))
    return sorted(found, key=lambda one: -one.worth)


DECISION_ORDER_KEYS: Mapping[str, Callable[[DecisionRow], Any]] = {
    "token": lambda row: row.symbol,
    "score": lambda row: row.probability,
    "decision": lambda row: row.action,
    "amount": lambda row: row.quote,
}


def decisions_of_day(decisions: Sequence[DecisionRow], wanted: str, order: TableOrder = AS_IT_COMES) -> dict[str, Any]:
    """Return the decisions of the day wanted, or of the last one, by score or as asked for; and the days around it."""
    days = sorted({one.day for one in decisions})
    day = next((one for one in days if one.isoformat() == wanted), days[-1] if days else None)
    of_day = sorted((one for one in decisions if one.day == day), key=lambda one: one.symbol)
    order = order if order.column else TableOrder("score", descending=True)
    rows = ordered(of_day, order, DECISION_ORDER_KEYS)
    return {"day": day, "rows": rows, "before": _neighbour(days, day, -1), "after": _neighbour(days, day, 1)}


def _neighbour(days: Sequence[date], day: date | None, step: int) -> date | None:
    at = days.index(day) + step if day is not None else -1
    return days[at] if 0 <= at < len(days) else None
