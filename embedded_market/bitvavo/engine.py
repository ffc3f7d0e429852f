"""The stand-in Bitvavo: one account, market orders, fills to the cent, fees in euros. Decimal only; knows no HTTP.

An order that may not be placed raises BitvavoError and changes nothing. Of every fill the euros that change hands are
whole cents, and the fee absorbs what is left: a purchase's amount includes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from uuid import UUID

from embedded_market.bitvavo.errors import BitvavoError
from embedded_market.bitvavo.markets import QUOTE, Market
from embedded_market.exchange.order_book import levels
from embedded_market.exchange.pair_rules import floor_to_step

TAKER_FEE = Decimal("0.0025")
PROTECTION = Decimal("0.10")  # how much worse than the best price the next fill may be
_CENT = Decimal("0.01")
_STATE_ERRORS = {
    "halted": (400, 423, "Market is halted."),
    "cancelOnly": (400, 424, "Market is in cancel only mode."),
    "auction": (400, 425, "Market is in auction."),
    "auctionMatching": (409, 431, "Market is matching its auction."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A market order as asked for: by `amount` (base) or by `amount_quote` (euros, fee included)."""

    market: str
    is_buy: bool
    operator_id: int
    client_order_id: str | None = None
    amount: Decimal | None = None
    amount_quote: Decimal | None = None
    is_protected: bool = True


@dataclass(frozen=True, slots=True)
class OrderFill:
    """One trade. The fee is in euros."""

    trade_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal

    @property
    def value(self) -> Decimal:
        """Return the euros of it, fee apart."""
        return self.price * self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order that was taken. Market orders end at once: filled, canceled by the protection, or expired."""

    request: OrderRequest
    order_id: str
    created_ms: int
    status: str
    fills: tuple[OrderFill, ...]
    restatement: str = ""

    @property
    def filled(self) -> Decimal:
        """Return the base asset that was traded."""
        return sum((fill.amount for fill in self.fills), Decimal(0))

    @property
    def filled_quote(self) -> Decimal:
        """Return the euros that were traded, fees apart."""
        return sum((fill.value for fill in self.fills), Decimal(0))

    @property
    def fee(self) -> Decimal:
        """Return the fees."""
        return sum((fill.fee for fill in self.fills), Decimal(0))


@dataclass(slots=True)
class BitvavoEngine:
    """Balances, markets and orders of one account, and how far its answers lag."""

    markets: dict[str, Market]
    free: dict[str, Decimal]
    in_order: dict[str, Decimal] = field(default_factory=dict)
    staked: dict[str, Decimal] = field(default_factory=dict)  # in fixed staking: no balance shows it
    orders: list[OrderRecord] = field(default_factory=list)
    open_client_order_ids: set[str] = field(default_factory=set)
    """Ids held by orders still open. Market orders end at once, so only a test ever adds one."""
    look_up_lag_ms: int = 300
    """For so long after its creation a look-up of an order answers 240."""
    list_lag_ms: int = 0
    """For so long after its creation the lists of orders and trades do not have an order."""
    fill_lag_ms: int = 0
    """For so long after its creation an order is told as `new`, without a fill."""
    settling_ms: int = 0
    """For so long after its creation an order's fills are told as not settled."""

    def place(self, request: OrderRequest, price: Decimal, now_ms: int) -> OrderRecord:
        """Fill a market order at once and return its record. Raises BitvavoError."""
        market = self.markets[request.market]
        self._check(market, request, price)
        fills, status, restatement = self._walk(market, request, price, now_ms)
        order = OrderRecord(
            request=request,
            order_id=_uuid(f"order {len(self.orders) + 1} {now_ms}"),
            created_ms=now_ms,
            status=status,
            fills=tuple(fills),
            restatement=restatement,
        )
        self._settle(market, order)
        self.orders.append(order)
        return order

    def find(self, market: str, order_id: str | None, client_order_id: str | None) -> OrderRecord | None:
        """Return an order; of several with one client order id the latest. The client order id wins."""
        for order in reversed(self.orders):
            if order.request.market != market:
                continue
            if client_order_id is not None:
                if order.request.client_order_id == client_order_id:
                    return order
            elif order.order_id == order_id:
                return order
        return None

    def shows_client_order_id(self, order: OrderRecord) -> bool:
        """Return whether lists tell the order's client order id: of several with one id, the latest alone has it."""
        name = order.request.client_order_id
        return name is not None and self.find(order.request.market, None, name) is order

    def _check(self, market: Market, request: OrderRequest, price: Decimal) -> None:
        if market.status in _STATE_ERRORS:
            raise BitvavoError(*_STATE_ERRORS[market.status])
        if request.client_order_id in self.open_client_order_ids:
            raise BitvavoError(400, 220, "An order with this clientOrderId exists already.")
        asked, decimals = (request.amount, market.quantity_decimals)
        if request.amount_quote is not None:
            asked, decimals = request.amount_quote, market.notional_decimals
        if asked is None or asked <= 0:
            raise BitvavoError(400, 210, "amount exceeds the minimum allowed amount.")
        if asked != floor_to_step(asked, Decimal(1).scaleb(-decimals)):
            name = "amount" if request.amount is not None else "amountQuote"
            raise BitvavoError(400, 429, f"{name} has too many decimals.")
        self._check_minimums(market, request, asked, price)
        held = self.free.get(QUOTE if request.is_buy else market.base, Decimal(0))
        needed = asked if request.amount_quote is not None or not request.is_buy else asked * price * (1 + TAKER_FEE)
        if needed > held:
            raise BitvavoError(400, 216, "You do not have sufficient balance to complete this operation.")

    @staticmethod
    def _check_minimums(market: Market, request: OrderRequest, asked: Decimal, price: Decimal) -> None:
        base = asked if request.amount is not None else asked / (1 + TAKER_FEE) / price
        worth = asked * price if request.amount is not None else asked / (1 + TAKER_FEE)
        if base > market.max_base:
            raise BitvavoError(400, 213, "amount exceeds the maximum allowed amount.")
        if base < market.min_base:
            raise BitvavoError(400, 212, "amount is below the minimum allowed amount.")
        if worth < market.min_quote:
            raise BitvavoError(400, 217, f"Minimum order size in quote currency is {market.min_quote} {QUOTE}.")

    def _walk(
        self, market: Market, request: OrderRequest, price: Decimal, now_ms: int
    ) -> tuple[list[OrderFill], str, str]:
        """Return the fills along the order book, and how the order ends."""
        rest = request.amount if request.amount is not None else request.amount_quote or Decimal(0)
        step = Decimal(1).scaleb(-market.quantity_decimals)
        fills: list[OrderFill] = []
        best: Decimal | None = None
        rules = market.book_rules(price)
        met = levels(rules, price, is_buy=request.is_buy, time_ms=now_ms, depth=market.depth, width=market.width)
        for level in met:
            best = best or level.price
            if request.is_protected and abs(level.price - best) > PROTECTION * best:
                return fills, "canceled", "Market protection."
            wanted = rest
            if request.amount is None:
                wanted = floor_to_step(rest / (1 + TAKER_FEE) / level.price, step)
            amount = min(wanted, level.quantity)
            if amount > 0:
                fill = _fill(f"{len(self.orders)} {len(fills)} {now_ms}", level.price, amount, is_buy=request.is_buy)
                fills.append(fill)
                rest -= amount if request.amount is not None else fill.value + fill.fee
            if amount == wanted:
                return fills, "filled", ""
        return fills, "expired", "No liquidity."

    def _settle(self, market: Market, order: OrderRecord) -> None:
        base, quote = self.free.get(market.base, Decimal(0)), self.free.get(QUOTE, Decimal(0))
        if order.request.is_buy:
            base, quote = base + order.filled, quote - order.filled_quote - order.fee
        else:
            base, quote = base - order.filled, quote + order.filled_quote - order.fee
        if min(base, quote) < 0:
            raise BitvavoError(400, 216, "You do not have sufficient balance to complete this operation.")
        self.free[market.base], self.free[QUOTE] = base, quote


def new_engine(markets: Iterable[Market], balances: Mapping[str, Decimal]) -> BitvavoEngine:
    """Return the engine of these markets, with these balances."""
    return BitvavoEngine({market.name: market for market in markets}, dict(balances))


def _fill(seed: str, price: Decimal, amount: Decimal, *, is_buy: bool) -> OrderFill:
    """Return a fill whose euros with its fee are whole cents, rounded against the account."""
    value = price * amount
    if is_buy:
        fee = (value * (1 + TAKER_FEE)).quantize(_CENT, ROUND_CEILING) - value
    else:
        fee = value - (value * (1 - TAKER_FEE)).quantize(_CENT, ROUND_FLOOR)
    return OrderFill(_uuid(f"trade {seed}"), price, amount, fee)


def _uuid(seed: str) -> str:
    """Return a UUID that depends on its seed alone: a run that is repeated is the same."""
    return str(UUID(bytes=hashlib.blake2b(seed.encode(), digest_size=16).digest(), version=4))
