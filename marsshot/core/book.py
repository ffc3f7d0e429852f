"""The book: all that the bot must not forget, its positions first of all.

Frozen values; a change is `dataclasses.replace`. How the book changes is portfolio/ledger.py's, how it looks on disk
portfolio/serialization.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import ClassVar

from marsshot.core.amounts import EXACT, ONE, ZERO
from marsshot.core.decisions import DailyPlan
from marsshot.core.moments import parse_moment
from marsshot.core.orders import AbsentOrder, Intent, OrderId
from marsshot.core.reasons import DifferenceKind, OrderReason, QuietReason
from marsshot.core.requests import RequestAnswer

STANDSTILL = "standstill.replaced"
"""In `Position.said`: nothing of it is traded until the owner says otherwise; the owner has been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One holding bought by this bot. Prices are in quote asset per unit of base asset."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    qty: Decimal  # base asset, net of commission taken in base asset
    entry_quote: Decimal  # quote spent on ...
    entry_base: Decimal  # ... this much base, fees apart: their ratio is the entry price, without rounding
    cost: Decimal  # quote asset spent on what is held now, fees in quote included
    max_price: Decimal  # entry price until armed, then the highest price seen at a check
    trailing_armed: bool = False
    partial_sold: bool = False
    partial_left: Decimal | None = None  # base asset; a partial sale above the largest order is under way
    did_skip_sell_once: bool = False
    exit_pending: OrderReason | None = None  # a full sale filled in part: the rest goes at the next check
    opened_at: str = ""  # UTC, ISO 8601
    said: frozenset[str] = frozenset()  # what the owner has been told once already
    owners_share: Decimal | None = None  # base asset that was not the bot's when it came to stand still; None: unknown
    resumed_at: str = ""  # UTC, ISO 8601; the owner has looked since: what was seen of it until then says nothing

    def __post_init__(self) -> None:
        """Refuse a position that cannot be true."""
        for name in ("qty", "entry_quote", "entry_base", "max_price"):
            amount: Decimal = getattr(self, name)
            if not (amount.is_finite() and amount > 0):
                raise ValueError(f"{'entry_price' if name == 'entry_quote' else name} must be above 0")
        if self.resumed_at:
            parse_moment(self.resumed_at)

    @property
    def entry_price(self) -> Decimal:
        """Entry price, rounded to 28 digits: for people and files. Rules use entry_quote and entry_base."""
        return self.entry_quote / self.entry_base


def reaches_multiple(position: Position, price: Decimal, multiple: Decimal) -> bool:
    """Return whether price / entry >= multiple, exactly."""
    return EXACT.multiply(price, position.entry_base) >= EXACT.multiply(multiple, position.entry_quote)


@dataclass(frozen=True, slots=True)
class DifferenceTopic:
    """What one difference between book and exchange is about. The same topic again is the same difference.

    detail: what is there of a shortfall, in base asset, or of the capital; the client order id of an unknown order.
    """

    kind: DifferenceKind
    symbol: str = ""
    detail: str = ""

    def __str__(self) -> str:
        """Return it as the book and bot.log have it: kind.token.detail."""
        return ".".join(part for part in (self.kind, self.symbol, self.detail) if part)

    @property
    def is_unknown_order(self) -> bool:
        """True of an order of ours that the book does not know."""
        return self.kind in {
            DifferenceKind.UNKNOWN_SALE,
            DifferenceKind.COVERED_SALE,
            DifferenceKind.UNKNOWN_PURCHASE,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One row of trades.csv: an order that executed something, its fills summed."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    time: str
    symbol: str
    side: str
    reason: str
    qty: Decimal
    price: Decimal
    quote: Decimal
    fee: str  # amounts joined with + in the order of fee_asset
    fee_asset: str
    client_order_id: str
    pair: str
    order_id: OrderId
    status: str
    profit: str  # quote asset, realised by a sale, fees in quote and base taken off; empty for a buy


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthTop:
    """The highest that cash and positions were worth at a daily update, in quote asset, flows of money scaled out."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    amount: Decimal
    is_paused: bool = False  # buying was paused, so far under it; when the owner has resumed, a new top begins

    def __post_init__(self) -> None:
        """Refuse a top that cannot be true."""
        if not (self.amount.is_finite() and self.amount > 0):
            raise ValueError("amount must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """One row of cash_flows.csv: money that the owner has brought (above 0) or taken, in quote asset. time: UTC."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    time: str
    amount: Decimal
    capital_after: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceBase:
    """What percentages are counted from: the last deposit or withdrawal, or the start.

    index: the time-weighted index then; 1 at the start. worth: of everything, just after it; None: the capital at the
    start. net_flows: deposits less withdrawals so far. last_flow_at: UTC, ISO 8601.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    index: Decimal = ONE
    worth: Decimal | None = None
    net_flows: Decimal = ZERO
    last_flow_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All that the bot must not forget. Replaced whole, never edited in place."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    mode: str
    exchange: str = "binance"  # books of before there was a second one do not say
    operator_id: int = 0  # by which the exchange tells this bot's orders from others'; 0: it has none, or not yet
    quote_asset: str
    capital: Decimal  # quote asset that belongs to the bot
    capital_started: Decimal
    started_at: str = ""
    last_daily_update: date | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)  # by client order id; outcome not known yet
    absent_orders: Mapping[str, AbsentOrder] = field(default_factory=dict)  # by client order id; of the last day
    plan: DailyPlan | None = None
    unwritten_trades: tuple[TradeRow, ...] = ()  # executed, perhaps not in trades.csv yet
    dust: Mapping[str, Decimal] = field(default_factory=dict)  # base asset under one lot step, left by full sales
    order_serial: int = 0
    reconciled_ms: int = 0  # exchange time up to which the orders at the exchange were compared with the book
    booked_orders: Mapping[str, int] = field(default_factory=dict)  # booked since then: client order id, exchange time
    differences: Mapping[DifferenceTopic, str] = field(default_factory=dict)  # and how the owner was told of each
    suspected: Mapping[DifferenceTopic, int] = field(default_factory=dict)  # seen once, at this exchange time: not told
    # Purchases of ours that `resume` left to the owner, and by how much it lowered the capital for each.
    left_out_purchases: Mapping[str, Decimal] = field(default_factory=dict)  # by client order id; for `recover`
    sell_all_done_ns: int = 0  # when the last SELL_ALL was made that is carried out and whose file could not be removed
    excluded: frozenset[str] = frozenset()  # tokens that the owner wants no more purchases of
    answered_requests: Mapping[str, RequestAnswer] = field(default_factory=dict)  # by id: each is carried out once
    performance_base: PerformanceBase = PerformanceBase()
    unwritten_cash_flows: tuple[CashFlow, ...] = ()  # perhaps not in cash_flows.csv yet
    exchange_quiet_until_ms: int = 0  # by our clock: the exchange asked for no requests until then
    exchange_quiet_reason: QuietReason = QuietReason.TROUBLE
    stop_losses: Mapping[str, date] = field(default_factory=dict)  # by token: the UTC date of its last one
    worth_top: WorthTop | None = None  # kept where max_drawdown_pause is set

    def __post_init__(self) -> None:
        """Refuse a book that cannot be true."""
        if any(amount < 0 for amount in self.dust.values()):
            raise ValueError("dust must not be under 0")

    def has_pending_order(self, symbol: str) -> bool:
        """Return whether an order of this token may be on its way."""
        return any(intent.symbol == symbol for intent in self.intents.values())

    def is_disputed(self, symbol: str) -> bool:
        """Return whether the exchange has sold of this token by an order of ours that the book does not know."""
        topics = (*self.differences, *self.suspected)
        return any(topic.kind is DifferenceKind.UNKNOWN_SALE and topic.symbol == symbol for topic in topics)
