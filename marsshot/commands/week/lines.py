"""A week as the owner reads it, on the terminal and on the phone: what it brought, what was traded, what is wrong.

Values in, lines out; reads nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import CashFlow, Position
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.portfolio.trade_statistics import by_reason, grouped_statistics, sales_of, statistics_of
from marsshot.portfolio.trades_file import Trade, base_asset_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekGain:
    """What was gained since a moment: as a time-weighted fraction, in quote asset, and by BTC over the same days."""

    since: datetime
    share: Decimal
    profit: Decimal
    bitcoin: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The facts of the days up to a moment. gain, trades: None where their file does not tell.

    prices: the last of each position, where there is one. troubles: lasting ones, as sentences.
    """

    start: datetime
    end: datetime
    quote_asset: str
    worth: Decimal
    cash: Decimal
    gain: WeekGain | None
    positions: Mapping[str, Position]
    prices: Mapping[str, Decimal]
    trades: Sequence[Trade] | None
    flows: Sequence[CashFlow]
    troubles: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A position or a sale: what it has brought in quote asset, and as a fraction of what its coins cost."""

    symbol: str
    profit: Decimal
    share: Decimal
    is_sold: bool


def week_lines(week: Week, catalog: Catalog) -> Iterator[str]:
    """Yield the lines."""
    yield catalog.text("week.title", start=week.start.date(), end=week.end.date())
    yield catalog.text("week.worth", worth=week.worth, cash=week.cash, quote=week.quote_asset)
    yield _gain_line(week, catalog)
    yield from _best_and_worst(week, catalog)
    yield from _trade_lines(week, catalog)
    if week.flows:
        moved = sum((one.amount for one in week.flows), ZERO)
        yield catalog.text("week.cash_flows", sum=moved, quote=week.quote_asset, count=len(week.flows))
    for sentence in week.troubles:
        yield catalog.text("week.trouble", sentence=sentence)


def _gain_line(week: Week, catalog: Catalog) -> str:
    if (gain := week.gain) is None:
        return catalog.text("week.gain_not_known")
    beside = catalog.text("week.bitcoin_not_known")
    if gain.bitcoin is not None:
        beside = catalog.text("week.bitcoin", change=gain.bitcoin)
    facts = {"day": gain.since.date(), "share": gain.share, "profit": gain.profit, "quote": week.quote_asset}
    return catalog.text("week.gain", **facts, bitcoin=beside)


def outcomes(week: Week) -> list[Outcome]:
    """Return every sale of the week, and every position whose price is known, the best first."""
    found = []
    for sale in sales_of(week.trades or ()):
        cost = sale.trade.quote - sale.profit
        if cost > 0:
            found.append(Outcome(sale.trade.symbol, sale.profit, sale.profit / cost, is_sold=True))
    for symbol, held in week.positions.items():
        if (price := week.prices.get(symbol)) is not None:
            profit = held.qty * (price - held.entry_price)
            found.append(Outcome(symbol, profit, price / held.entry_price - 1, is_sold=False))
    return sorted(found, key=lambda one: one.profit, reverse=True)


def _best_and_worst(week: Week, catalog: Catalog) -> Iterator[str]:
    ranked = outcomes(week)
    shown = {"best": ranked[:1], "worst": ranked[1:][-1:]}
    for name, found in shown.items():
        for one in found:
            what = catalog.text("week.sold" if one.is_sold else "week.held")
            facts = {"symbol": one.symbol, "share": one.share, "profit": one.profit, "quote": week.quote_asset}
            yield catalog.text(f"week.{name}", **facts, what=what)


def _trade_lines(week: Week, catalog: Catalog) -> Iterator[str]:
    if week.trades is None:
        yield catalog.text("week.trades_not_readable")
        return
    if not week.trades:
        yield catalog.text("week.traded_nothing")
        return
    bought, sold = [one for one in week.trades if one.side == Side.BUY], sales_of(week.trades)
    if bought:
        why = _counts(Counter(one.reason for one in bought), catalog)
        yield catalog.text("week.bought", count=len(bought), why=why, symbols=_symbols(bought))
    if sold:
        why = _counts({one.name: one.sales for one in grouped_statistics(sold, by_reason)}, catalog)
        profit, symbols = statistics_of("", sold).profit, _symbols([one.trade for one in sold])
        facts = {"count": len(sold), "profit": profit, "quote": week.quote_asset}
        yield catalog.text("week.sales", **facts, why=why, symbols=symbols)
    yield _fee_line(week.trades, week.quote_asset, catalog)


def _counts(counts: Mapping[str, int], catalog: Catalog) -> tuple[str, ...]:
    """Return how often each reason stands there, in words; a reason of another version as it stands."""
    names = ((f"reason.{reason}", reason, count) for reason, count in counts.items())
    return tuple(f"{catalog.text(key) if catalog.has_key(key) else reason} {count}" for key, reason, count in names)


def _symbols(trades: Sequence[Trade]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.symbol for one in trades))


def _fee_line(trades: Sequence[Trade], quote_asset: str, catalog: Catalog) -> str:
    """Return the fees: those in quote and base asset in quote asset, those in others (BNB) as they were paid."""
    others: dict[str, Decimal] = {}
    try:
        fees = sum((one.fee_in_quote(quote_asset) for one in trades), ZERO)
        for one in trades:
            for asset, amount in one.fees.items():
                if asset not in {quote_asset, base_asset_of(one.pair, quote_asset)}:
                    others[asset] = others.get(asset, ZERO) + amount
    except (ValueError, ArithmeticError):
        return catalog.text("week.fees_not_readable")
    besides = tuple(catalog.text("week.fee", amount=amount, asset=asset) for asset, amount in others.items())
    parts = (catalog.text("week.fee_in_quote", fees=fees, quote=quote_asset), *besides)
    return catalog.text("week.fees", fees=parts)
