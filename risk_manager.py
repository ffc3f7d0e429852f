"""Exit rules for one open position: what, if anything, to sell now, and why.

The rules take values and return decisions; `update_positions_in_intraday` hands the decisions to an executor. A further
rule is a function in ALL_EXIT_RULES, no more: live, paper, demo and backtest go by that list.
Never fetches, never reads a clock or a file, never saves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal
from typing import Protocol

from marsshot.core.amounts import EXACT, ONE
from marsshot.core.book import Position, reaches_multiple
from marsshot.core.exit_settings import ExitRules
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
"""Of levels."""


def with_price_seen(position: Position, price: Decimal, rules: ExitRules) -> Position:
    """Return the position after it has seen this price: the trailing stop armed for good, its top kept."""
    armed = position.trailing_armed or reaches_multiple(position, price, rules.trailing_start_multiple)
    if not armed:
        return position
    if position.trailing_armed and price <= position.max_price:
        return position
    return replace(position, trailing_armed=True, max_price=max(position.max_price, price))


def positions_changed_by(
    prices: Mapping[str, Decimal], positions: Mapping[str, Position], rules: ExitRules
) -> dict[str, Position]:
    """Return, of the positions, those that are others after they have seen these prices."""
    # In the order of the prices: a set's would be another one in each process, and the book's order with it.
    held = [symbol for symbol in prices if symbol in positions]
    seen = {symbol: with_price_seen(positions[symbol], prices[symbol], rules) for symbol in held}
    return {symbol: position for symbol, position in seen.items() if position is not positions[symbol]}


# --------------------------------------------------------------------------- the rules

ExitRule = Callable[[Position, Decimal, datetime, ExitRules], ExitDecision | None]
"""One rule: what to sell of a position that has seen this price, at this moment (UTC); None: nothing, by this rule.

price: quote asset per base asset, above 0. Compared as exact decimals: a price at the level counts. A rule acts on one
side of a price, and from a moment on; that is all that whoever looks ahead (the backtest) has to know of it, and
tests/backtesting/test_check_skipping.py holds every rule of the list to it.
"""


def finish_full_sale(position: Position, _price: Decimal, _now: datetime, _rules: ExitRules) -> ExitDecision | None:
    """Sell what a full sale has left, whatever the price is by now."""
    return None if position.exit_pending is None else ExitDecision(position.exit_pending, position.qty)


def stop_loss(position: Position, price: Decimal, _now: datetime, rules: ExitRules) -> ExitDecision | None:
    """Sell all where price <= entry x (1 - fall)."""
    level = EXACT.multiply(position.entry_quote, EXACT.subtract(ONE, rules.stop_loss_fall))
    is_hit = EXACT.multiply(price, position.entry_base) <= level
    return ExitDecision(OrderReason.STOP_LOSS, position.qty) if is_hit else None


def trailing_stop(position: Position, price: Decimal, _now: datetime, rules: ExitRules) -> ExitDecision | None:
    """Sell all once the stop is armed and price <= top x (1 - fall)."""
    is_hit = is_trailing_stop_hit(position, price, rules)
    return ExitDecision(OrderReason.TRAILING_STOP, position.qty) if is_hit else None


def is_trailing_stop_hit(position: Position, price: Decimal, rules: ExitRules) -> bool:
    """Return whether the stop is armed and price <= top x (1 - fall)."""
    return position.trailing_armed and price <= EXACT.multiply(
        position.max_price, EXACT.subtract(ONE, rules.trailing_fall)
    )


def partial_take_profit(position: Position, price: Decimal, _now: datetime, rules: ExitRules) -> ExitDecision | None:
    """Sell a share where price >= entry x multiple, once; what is left of that sale goes on at any price."""
    if position.partial_left is not None:
        return ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, min(position.partial_left, position.qty))
    if position.partial_sold or not reaches_multiple(position, price, rules.partial_exit_multiple):
        return None
    return ExitDecision(OrderReason.PARTIAL_TAKE_PROFIT, EXACT.multiply(position.qty, rules.partial_exit_share))


ALL_EXIT_RULES: tuple[ExitRule, ...] = (finish_full_sale, stop_loss, trailing_stop, partial_take_profit)
"""The first one that sells decides: full exits stand before partial ones."""


def decide_exit(position: Position, price: Decimal, now: datetime, rules: ExitRules) -> ExitDecision:
    """Return the exit due now at this price, of a position that has seen it (`with_price_seen`)."""
    decisions = (rule(position, price, now, rules) for rule in ALL_EXIT_RULES)
    return next((decision for decision in decisions if decision is not None), HOLD)


# --------------------------------------------------------------------------- where they act, for people


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


# --------------------------------------------------------------------------- the check over all positions


class PositionSeller(Protocol):
    """What carries the decisions out: TradeExecutor, or a simulator's."""

    def positions(self) -> Mapping[str, Position]:
        """Return the positions as the book has them now."""

    def may_trade(self, symbol: str) -> bool:
        """Return False while an earlier order of this token may still be on its way."""

    def exit(self, symbol: str, decision: ExitDecision, price: Decimal) -> bool:
        """Sell; return False if it has to be tried again. Never lets one token's trouble reach another."""


def _always(_symbol: str) -> bool:
    return True


def update_positions_in_intraday(
    prices: Mapping[str, Decimal],
    rules: ExitRules,
    now: datetime,
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
        seen = with_price_seen(executor.positions()[symbol], price, rules)  # also where it could not be saved
        decision = decide_exit(seen, price, now, rules)
        if decision.reason is not None and not executor.exit(symbol, decision, price):
            unsold.append(symbol)
    return unsold
