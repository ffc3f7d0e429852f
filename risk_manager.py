"""Exit rules for one open position: what, if anything, to sell now, and why.

The rules take values and return decisions; `update_positions_in_intraday` hands the decisions to an executor.
Never fetches, never reads a clock or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Protocol

from marsshot.core.domain import EXACT, ONE, ZERO, ExitRules, Position, reaches_multiple
from marsshot.core.reasons import OrderReason


@dataclass(frozen=True, slots=True)
class ExitDecision:
    """How much to sell now, in base asset before rounding to the lot step. No reason: hold."""

    reason: OrderReason | None
    quantity: Decimal = Decimal(0)

    @property
    def is_full(self) -> bool:
        """True when the whole position is to go."""
        return self.reason is not None and self.reason is not OrderReason.PARTIAL_TAKE_PROFIT


HOLD = ExitDecision(None)
HIGH_PRECISION = Context(prec=60)
"""Of turning points."""


def with_price_seen(position: Position, price: Decimal, rules: ExitRules) -> Position:
    """Return the position after it has seen this price: the trailing stop armed for good, its top kept."""
    armed = position.trailing_armed or reaches_multiple(position, price, rules.trailing_start_multiple)
    if not armed:
        return position
    if position.trailing_armed and price <= position.max_price:
        return position
    return replace(position, trailing_armed=True, max_price=max(position.max_price, price))


def decide_exit(position: Position, price: Decimal, rules: ExitRules) -> ExitDecision:
    """Return the exit due at this price, of a position that has seen it (`with_price_seen`); full before partial.

    price: quote asset per base asset, above 0. Compared as exact decimals: a price at the level counts.
    """
    if position.exit_pending is not None:
        return ExitDecision(position.exit_pending, position.qty)
    if is_stop_loss_hit(position, price, rules):
        return ExitDecision(OrderReason.STOP_LOSS, position.qty)
    if is_trailing_stop_hit(position, price, rules):
        return ExitDecision(OrderReason.TRAILING_STOP, position.qty)
    if position.partial_left is not None:
        return ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, min(position.partial_left, position.qty))
    if not position.partial_sold and reaches_multiple(position, price, rules.partial_exit_multiple):
        return ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, EXACT.multiply(position.qty, rules.partial_exit_share))
    return HOLD


def is_stop_loss_hit(position: Position, price: Decimal, rules: ExitRules) -> bool:
    """Return whether price <= entry x (1 - fall)."""
    level = EXACT.multiply(position.entry_quote, EXACT.subtract(ONE, rules.stop_loss_fall))
    return EXACT.multiply(price, position.entry_base) <= level


def is_trailing_stop_hit(position: Position, price: Decimal, rules: ExitRules) -> bool:
    """Return whether the stop is armed and price <= top x (1 - fall)."""
    return position.trailing_armed and price <= EXACT.multiply(
        position.max_price, EXACT.subtract(ONE, rules.trailing_fall)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitLevels:
    """The prices at which the rules act on a position, in quote asset; None for a rule that does not wait for one."""

    stop_loss: Decimal  # at or under: all is sold
    partial_exit: Decimal | None  # at or above: a part is sold; None once it has been
    trailing_start: Decimal | None  # at or above: the trailing stop is armed; None once it is
    trailing_stop: Decimal | None  # at or under: all is sold; None until it is armed


def exit_levels(position: Position, rules: ExitRules) -> ExitLevels:
    """Return the prices at which the rules act, to 60 digits; the rules themselves compare without rounding."""

    def at_multiple(multiple: Decimal) -> Decimal:
        return HIGH_PRECISION.divide(EXACT.multiply(position.entry_quote, multiple), position.entry_base)

    armed = position.trailing_armed
    stop = EXACT.multiply(position.max_price, EXACT.subtract(ONE, rules.trailing_fall))
    return ExitLevels(
        stop_loss=at_multiple(EXACT.subtract(ONE, rules.stop_loss_fall)),
        partial_exit=None if position.partial_sold else at_multiple(rules.partial_exit_multiple),
        trailing_start=None if armed else at_multiple(rules.trailing_start_multiple),
        trailing_stop=stop if armed else None,
    )


def turning_points(position: Position, rules: ExitRules) -> tuple[Decimal, ...]:
    """Return the prices from which on `with_price_seen` or `decide_exit` decide differently about this position.

    From one of them on, and under the next one, both do the same at every price of 20 digits or less: with 60 digits no
    such price lies between a level and its rounding.
    """
    levels = exit_levels(position, rules)
    points = [HIGH_PRECISION.next_plus(levels.stop_loss)]
    if levels.trailing_stop is not None:
        points += [HIGH_PRECISION.next_plus(position.max_price), HIGH_PRECISION.next_plus(levels.trailing_stop)]
    points += [point for point in (levels.trailing_start, levels.partial_exit) if point is not None]
    return tuple(points)


def same_decision_band(price: Decimal, points: Collection[Decimal], widest: Decimal) -> tuple[Decimal, Decimal]:
    """Return from which price on, and under which, a check does what it does at this price.

    points: where it begins to do something else. widest: above 1; the band reaches from price / widest to under
    price * widest at most.
    """
    low = max((point for point in points if point <= price), default=ZERO)
    high = min((point for point in points if point > price), default=price * widest)
    return max(low, price / widest), min(high, price * widest)


class PositionSeller(Protocol):
    """What carries the decisions out: TradeExecutor, or a simulator's."""

    def positions(self) -> Mapping[str, Position]:
        """Return the positions as the book has them now."""

    def may_trade(self, symbol: str) -> bool:
        """Return False while an earlier order of this token may still be on its way."""

    def save_position(self, symbol: str, position: Position) -> None:
        """Put the position, which has seen a price, into the book."""

    def exit(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        """Sell; return False if it has to be tried again. Never lets one token's trouble reach another."""


def _always(_symbol: str) -> bool:
    return True


def update_positions_in_intraday(
    prices: Mapping[str, Decimal],
    rules: ExitRules,
    executor: PositionSeller,
    is_price_fresh: Callable[[str], bool] = _always,
) -> list[str]:
    """Apply the five-minute check to every position that has a price. Returns the tokens whose sale must be retried.

    is_price_fresh: whether the price of the token whose turn it is may still be gone by; asked once a token.
    """
    unsold = []
    for symbol, price in prices.items():
        if symbol not in executor.positions() or not executor.may_trade(symbol) or not is_price_fresh(symbol):
            continue
        held = executor.positions()[symbol]
        seen = with_price_seen(held, price, rules)
        if seen is not held:
            executor.save_position(symbol, seen)
        decision = decide_exit(seen, price, rules)
        if decision.reason is not None and not executor.exit(symbol, decision, price):
            unsold.append(symbol)
    return unsold
