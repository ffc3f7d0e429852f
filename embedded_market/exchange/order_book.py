"""A synthetic order book: what an order meets on the other side, level by level.

Half a spread of 2 to 5 basis points around the last price, small levels near it, growing ones further off.
Deterministic by pair, time, price and side; nothing is remembered between two orders.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from embedded_market.exchange.pair_rules import floor_to_step
from embedded_market.market_data.price_path import seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded_market.exchange.pair_rules import PairRules

DEFAULT_DEPTH = Decimal(20_000_000)
_FIRST_LEVEL_VALUE = 400.0
_GROWTH = 1.35
_MAX_LEVELS = 60
_BASIS_POINT = 0.0001


class Level(NamedTuple):
    """A price and the quantity of base asset that trades there."""

    price: Decimal
    quantity: Decimal


def levels(
    rules: PairRules, price: Decimal, *, is_buy: bool, time_ms: int, depth: Decimal, width: int = 1
) -> Iterator[Level]:
    """Yield the levels an order meets, best first, until `depth` (quote asset) is used up.

    width: how many times as far from the price as in a liquid pair all of them lie.
    """
    half_spread = 2 + 3 * float(seeded("spread", rules.symbol).random())
    random = seeded("book", rules.symbol, time_ms, price, is_buy)
    direction, rounding = (1, ROUND_CEILING) if is_buy else (-1, ROUND_FLOOR)
    last = price
    for number in count():
        distance = (half_spread + 1.2 * number + 0.05 * number**2) * width * _BASIS_POINT
        raw = price * (1 + direction * Decimal(f"{distance:.8f}"))
        at = (raw / rules.tick).to_integral_value(rounding) * rules.tick
        last = max(at, last + rules.tick) if is_buy else min(at, last - rules.tick)
        value = Decimal(f"{_FIRST_LEVEL_VALUE * _GROWTH**number * (0.5 + random.random()):.2f}")
        quantity = floor_to_step(min(max(value, rules.lot_step * last), depth) / max(last, rules.tick), rules.lot_step)
        if quantity <= 0 or last <= 0 or number >= _MAX_LEVELS:
            return
        yield Level(last, quantity)
        depth -= quantity * last
