"""The values everyone shares: positions, orders, fills, plans, the book.

Frozen dataclasses; a change is `dataclasses.replace`. Money and quantities are Decimal, never float.
Imports no other module but reasons.py, requests.py and decisions.py, reads no clock, file or network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_CEILING, Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from typing import ClassVar

from marsshot.core.decisions import Decision, HitBand, StepOutcome
from marsshot.core.reasons import DecisionReason, DifferenceKind, OrderReason
from marsshot.core.requests import RequestAnswer

EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Products of this context are exact or an error: thresholds are compared without rounding."""

ZERO, ONE = Decimal(0), Decimal(1)
OrderId = int | str
"""An exchange's own name of an order; some count, some draw a UUID."""
STANDSTILL = "standstill.replaced"
"""In `Position.said`: nothing of it is traded until the owner says otherwise; the owner has been told."""
MAX_EXPONENT = 40  # no price, amount or rate has more digits than this before or after the point


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class QuietReason(StrEnum):
    """Why an exchange is sent no request for a while."""

    TROUBLE = "trouble"  # it is in trouble, or guards itself: worth a minute at most
    RATE_LIMIT = "rate_limit"  # it was asked too much, and says until when
    BAN = "ban"  # it was asked too much after that, and answers nothing any more


# --------------------------------------------------------------------------- rules of the strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRules:
    """The daily update."""

    buy_threshold: Decimal  # probability at or above which a token is bought
    sell_threshold: Decimal  # probability under which a held token is sold
    big_gain_multiple: Decimal  # 4: at four times the entry one daily sell may be skipped
    max_history_divergence: Decimal  # LunarCrush's last close against Binance's price, relative to Binance's
    bar_source: str = "LunarCrush"  # where daily bars come from, as people call it


# --------------------------------------------------------------------------- market values


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """What an exchange accepts for MARKET orders of one pair.

    included_fee: the part of what it buys for, by which the amount of a purchase is more: an exchange may take its fee
    out of the amount.
    """

    pair: str
    base_asset: str
    quote_asset: str
    tradable: bool
    unavailable_reason: str  # empty when tradable
    lot_step: Decimal
    min_quantity: Decimal
    max_market_quantity: Decimal | None
    min_notional: Decimal
    quote_precision: int = 8
    included_fee: Decimal = ZERO
    permission_sets: tuple[frozenset[str], ...] = ()

    def permitted(self, account: Account) -> bool:
        """Return whether the account may trade this pair: one permission of every set, where both sides name any."""
        return not account.permissions or all(names & account.permissions for names in self.permission_sets if names)

    def smallest_order(self, price: Decimal | None) -> Decimal:
        """Return the smallest purchase in quote asset: the minimum notional, or the smallest lot if that is dearer."""
        smallest = self.min_notional
        if price is not None:
            smallest = max(smallest, max(self.min_quantity, self.lot_step) * price)
        if self.included_fee:
            cents = Decimal(1).scaleb(-self.quote_precision)
            return (smallest * (1 + self.included_fee)).quantize(cents, ROUND_CEILING)
        return smallest


def is_usable_price(price: Decimal) -> bool:
    """Return whether rules can calculate with this price: a number above 0, of a size that prices have."""
    return (
        price.is_finite()
        and price > 0
        and abs(price.adjusted()) <= MAX_EXPONENT
        and len(price.as_tuple().digits) <= MAX_EXPONENT
    )


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of step not above quantity; a step of 0 (filter disabled) changes nothing."""
    if step == 0:
        return quantity
    return quantity // step * step


@dataclass(frozen=True, slots=True)
class Account:
    """Balances by asset (free, locked in orders, lent to an earn product) and permissions of the exchange account.

    unreadable: the assets whose balance is not known, as the exchange told no number.
    """

    free: Mapping[str, Decimal]
    can_trade: bool = True
    permissions: frozenset[str] = frozenset()
    locked: Mapping[str, Decimal] = field(default_factory=dict)
    lent: Mapping[str, Decimal] = field(default_factory=dict)  # cannot be sold before the owner takes it back
    unreadable: frozenset[str] = frozenset()

    def total(self, asset: str) -> Decimal:
        """Return what the account holds of an asset, free or locked in orders."""
        return self.free.get(asset, ZERO) + self.locked.get(asset, ZERO)


# --------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One MARKET order, written to the book before anything is sent.

    Exactly one of quantity (base asset) and quote_amount (quote asset) is set.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    client_order_id: str
    symbol: str
    pair: str
    base_asset: str
    lot_step: Decimal  # what a full sale leaves under one step is dust
    side: Side
    reason: OrderReason
    created_ms: int  # exchange time
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse an order of two amounts, of none, or of nothing."""
        amounts = [amount for amount in (self.quantity, self.quote_amount) if amount is not None]
        if len(amounts) != 1 or amounts[0] <= 0:
            raise ValueError(f"an order needs exactly one amount above 0: {self}")


_OUR_ORDER = re.compile(r"ms-([0-9]+)-([0-9]+)(?:-([a-z]+))?")


def new_client_order_id(moment_ms: int, serial: int, reason: OrderReason) -> str:
    """Return the id of a new order: exchange time, the book's running number, and why it is sent, for `recover`."""
    return f"ms-{moment_ms}-{serial}-{reason.initials}"


def is_our_order(client_order_id: str) -> bool:
    """Return whether a client order id has the form of those that this bot gives."""
    return _OUR_ORDER.fullmatch(client_order_id) is not None


def reason_in_id(client_order_id: str) -> OrderReason | None:
    """Return why an order was sent, where its id says so: those of older versions do not."""
    match = _OUR_ORDER.fullmatch(client_order_id)
    initials = match.group(3) if match else None
    return next((reason for reason in OrderReason if reason.initials == initials), None)


def serial_in_id(client_order_id: str) -> int:
    """Return the running number that an order has in its book; 0 where the id has none."""
    match = _OUR_ORDER.fullmatch(client_order_id)
    return int(match.group(2)) if match else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedOrder:
    """An order that the exchange says the account has executed, whoever sent it."""

    client_order_id: str
    pair: str
    side: str
    executed_base: Decimal
    time_ms: int  # exchange time
    is_own: bool  # sent by this bot, as far as the exchange's memory of it tells
    quote: Decimal = ZERO  # executed
    fees: Mapping[str, Decimal] = field(default_factory=dict)  # by asset


@dataclass(frozen=True, slots=True)
class PartFill:
    """One trade of an order: quantity in base asset, price in quote per base, commission in its asset."""

    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str


def fees_by_asset(parts: Iterable[PartFill]) -> dict[str, Decimal]:
    """Return the commissions of an order's trades, summed by asset."""
    fees: dict[str, Decimal] = {}
    for part in parts:
        if part.commission:
            fees[part.commission_asset] = fees.get(part.commission_asset, ZERO) + part.commission
    return fees


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the exchange says about an order. `parts` is None when its fills are not (all) known yet."""

    client_order_id: str
    order_id: OrderId
    status: str
    executed_base: Decimal
    executed_quote: Decimal | None  # None when the exchange does not say; its trades then tell
    transact_ms: int
    parts: tuple[PartFill, ...] | None

    @property
    def is_final(self) -> bool:
        """True once the order can execute no more: FILLED, or ended otherwise, with or without a part."""
        return self.status in {"FILLED", "EXPIRED", "EXPIRED_IN_MATCH", "CANCELED", "REJECTED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What one order executed, its trades summed."""

    client_order_id: str
    order_id: OrderId
    status: str
    base: Decimal
    quote: Decimal
    fees: Mapping[str, Decimal]  # by asset
    time_ms: int  # exchange time

    @property
    def price(self) -> Decimal:
        """Average price in quote asset per base asset, fees apart."""
        return self.quote / self.base

    def fee_in(self, asset: str) -> Decimal:
        """Return the commission taken in this asset."""
        return self.fees.get(asset, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """An order of this bot as the exchange remembers it: what was asked for, and what it executed.

    At most one of quantity (base asset) and quote_amount (quote asset) is known.
    """

    pair: str
    side: Side
    fill: Fill
    quantity: Decimal | None = None
    quote_amount: Decimal | None = None
    is_final: bool = True  # it can execute no more
    reason: OrderReason | None = None  # why it was sent, where its id tells
    serial: int = 0  # the running number that it has in its book, where its id tells
    sender: int = 0  # which program sent it, where the exchange keeps that


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentOrder:
    """An order that an exchange's lists proved never taken, and that is still asked for: where lists lag, it may come.

    replaced_by: client order id of another order of its token and side that has executed since.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    intent: Intent
    replaced_by: str = ""


# --------------------------------------------------------------------------- the book


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

    def __post_init__(self) -> None:
        """Refuse a position that cannot be true."""
        for name in ("qty", "entry_quote", "entry_base", "max_price"):
            amount: Decimal = getattr(self, name)
            if not (amount.is_finite() and amount > 0):
                raise ValueError(f"{'entry_price' if name == 'entry_quote' else name} must be above 0")

    @property
    def entry_price(self) -> Decimal:
        """Entry price, rounded to 28 digits: for people and files. Rules use entry_quote and entry_base."""
        return self.entry_quote / self.entry_base


def reaches_multiple(position: Position, price: Decimal, multiple: Decimal) -> bool:
    """Return whether price / entry >= multiple, exactly."""
    return EXACT.multiply(price, position.entry_base) >= EXACT.multiply(multiple, position.entry_quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSell:
    """One sale of a daily plan. It has no outcome while it is still to do."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    symbol: str
    outcome: StepOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBuy:
    """One purchase of a daily plan. `amount` is fixed once all sells are done; `left` is what is still to order."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    symbol: str
    probability: str
    amount: Decimal | None = None
    left: Decimal | None = None
    outcome: StepOutcome | None = None
    equal_share: Decimal | None = None  # what a lever has cut the amount down from


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPlan:
    """The orders of one UTC date. On disk before its first order, then worked off; a restart does what is left."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown key in the file is refused

    day: date
    sells: tuple[PlannedSell, ...] = ()
    buys: tuple[PlannedBuy, ...] = ()
    shared_out: bool = False  # the capital has been split among the buys
    decisions: tuple[Decision, ...] = ()  # for decisions.csv, while the plan is worked off
    decided_at: str = ""  # UTC, ISO 8601


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


@dataclass(frozen=True, slots=True)
class Score:
    """What the model says of one token. Without a probability, `unavailable_reason` says why there is none."""

    symbol: str
    probability: Decimal | None
    unavailable_reason: str = ""
    last_close: Decimal | None = None  # LunarCrush, yesterday's closed bar, USD
    temporary: bool = False  # the source could not answer now; asking again later may help
    reason: DecisionReason = DecisionReason.NOT_SCORED  # without a probability
    raw: Decimal | None = None  # what the model said, where the probability is that on another scale


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scores of one pass, with what there was to tell on the way."""

    day: date  # the UTC date that they are of: they rest on the bars of the day before
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()
    hit_bands: tuple[HitBand, ...] = ()  # of the model that scored
    last_answer_day: date | None = None  # the UTC date of the last answer that they rest on; None: that of `day`
    btc_closes: tuple[Decimal, ...] = ()  # as many as btc_trend_days asks for, the last one yesterday's; fewer: a gap
    drift: Mapping[str, float] = field(default_factory=dict)  # by feature: the share outside the training's borders


def utc_text(moment: datetime) -> str:
    """Return the moment as 2021-02-15T00:30:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
