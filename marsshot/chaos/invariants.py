"""What must be true when a run is over: exchange, book and trades.csv tell one story, and all that was due is done.

Shares no code with the bot's bookkeeping.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from embedded_market.exchange.orders import Order
from marsshot.chaos.monitor import BOOK, Witness
from marsshot.chaos.simulation import CAPITAL, World
from marsshot.chaos.violations import Verdict

TRADES = Path("trades.csv")
ZERO = Decimal(0)
LARGE_ENOUGH = Decimal(11)  # for any pair's smallest order


class Judge:
    """Judges one run that is over."""

    def __init__(self, world: World, witness: Witness) -> None:
        self._world = world
        self._witness = witness
        self.verdict = witness.verdict

    def judge(self) -> Verdict:
        """Return what is wrong when the run is over."""
        world, found = self._world, self.verdict
        found.doubles += [
            f"client order id {name} sent {n} times" for name, n in world.wire.sent_orders.items() if n > 1
        ]
        if world.wire.impatient:
            found.others.append(f"{world.wire.impatient} requests though Binance had asked for silence")
        try:
            book = json.loads(world.system.read(BOOK))
        except (OSError, ValueError) as error:
            found.losses.append(f"there is no book at the end: {error}")
            return found
        executed = {order.client_order_id: order for order in world.exchange.orders.values() if order.executed_quantity}
        self._judge_rows(executed)
        self._judge_balances(book, list(executed.values()))
        self._judge_plans(executed)
        self._judge_partials(executed)
        self._judge_what_is_left(book)
        return found

    def _judge_rows(self, executed: dict[str, Order]) -> None:
        content = self._world.system.read(TRADES).decode() if self._world.system.exists(TRADES) else ""
        rows = list(csv.DictReader(io.StringIO(content)))
        ids = [row["client_order_id"] for row in rows]
        self.verdict.losses += [f"order {name} is not in trades.csv" for name in executed.keys() - set(ids)]
        self.verdict.doubles += [f"order {name} is in trades.csv twice" for name in set(ids) if ids.count(name) > 1]
        self.verdict.others += [f"trades.csv has {name}, which never executed" for name in set(ids) - executed.keys()]
        for row in rows:
            order = executed.get(row["client_order_id"])
            if order is not None and _as_in_row(order) != _as_booked(row):
                self.verdict.others.append(f"trades.csv has {_as_booked(row)}, Binance {_as_in_row(order)}")

    def _judge_balances(self, book: dict[str, Any], executed: list[Order]) -> None:
        """Hold every balance against owner's and bot's shares, to the last digit."""
        free = self._world.exchange.free
        for asset, before in self._world.owned_before.items():
            held = book["positions"].get(asset)
            bots = (Decimal(held["qty"]) if held else ZERO) + Decimal(book["dust"].get(asset, "0"))
            owners = before
            if asset == "USDT":
                owners, bots = before - CAPITAL, Decimal(book["capital_usdt"])
            if asset == "BNB":
                owners -= sum(
                    (fill.commission for order in executed for fill in order.fills if fill.commission_asset == "BNB"),
                    ZERO,
                )
            if free[asset] != owners + bots:
                what = "has lost" if free[asset] < owners + bots else "has gained"
                self.verdict.losses.append(
                    f"{asset}: the account {what} {abs(free[asset] - owners - bots)} against the book"
                )

    def _judge_plans(self, executed: dict[str, Order]) -> None:
        spent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, order in executed.items():
            intent = self._witness.intents.get(name)
            if intent is not None and intent["side"] == "BUY" and intent["day"]:
                spent[intent["day"], intent["symbol"]] += order.executed_quote
        for key, amount in spent.items():
            if amount > self._witness.planned.get(key, ZERO):
                self.verdict.doubles.append(
                    f"{key[1]}: {amount} spent on {key[0]}, {self._witness.planned.get(key)} planned"
                )
        for key, outcome in self._witness.outcomes.items():
            if outcome == "bought" and not spent.get(key):
                self.verdict.losses.append(f"{key[1]}: the book says bought on {key[0]}, Binance knows of nothing")

    def _judge_partials(self, executed: dict[str, Order]) -> None:
        """Hold all partial sales between two purchases of a token against a fifth of what was held at the first."""
        first_held: dict[str, Decimal] = {}
        sold: dict[str, Decimal] = defaultdict(Decimal)
        for name, order in executed.items():
            intent = self._witness.intents.get(name)
            if intent is None:
                continue
            symbol = intent["symbol"]
            if intent["side"] == "BUY":
                first_held.pop(symbol, None)
                sold.pop(symbol, None)
            elif intent["reason"] == "partial_take_profit":
                first_held.setdefault(symbol, Decimal(intent["held"]))
                sold[symbol] += order.executed_quantity
                if sold[symbol] > first_held[symbol] / 5:
                    self.verdict.doubles.append(f"{symbol}: {sold[symbol]} of {first_held[symbol]} sold as partial")

    def _judge_what_is_left(self, book: dict[str, Any]) -> None:
        """Everything that was due has been done in the calm."""
        if book["intents"]:
            self.verdict.losses.append(f"orders are still in doubt: {', '.join(book['intents'])}")
        if book["plan"] is not None:
            self.verdict.others.append(f"the plan of {book['plan']['day']} is not done")
        if self._world.system.exists(Path("DAILY")):
            self.verdict.others.append("the pass that the owner asked for was never answered")
        today = self._world.clock.true_now
        if (book["last_daily_update"] or "") < today.date().isoformat():
            self.verdict.others.append(f"no daily pass on {today:%Y-%m-%d}, the last was {book['last_daily_update']}")
        for symbol, held in book["positions"].items():
            self._judge_position(symbol, held, self._world.board.price(symbol, 0))

    def _judge_position(self, symbol: str, held: dict[str, Any], price: Decimal) -> None:
        """Nothing is held that a rule has told to sell, where it is large enough for an order."""
        rules = self._world.exchange.pairs[f"{symbol}USDT"].rules
        quantity = min(Decimal(held["qty"]), rules.max_market_quantity)
        if quantity // rules.lot_step * rules.lot_step * price < LARGE_ENOUGH:
            return
        if price <= Decimal(held["entry_price"]) / 2:
            self.verdict.others.append(f"{symbol} stands at {price}, under its stop-loss, and is still held")
        if held["trailing_armed"] and price <= Decimal(held["max_price"]) * Decimal("0.7"):
            self.verdict.others.append(f"{symbol} stands at {price}, under its trailing stop, and is still held")
        part = Decimal(held["qty"]) / 5 // rules.lot_step * rules.lot_step * price
        if not held["partial_sold"] and part >= LARGE_ENOUGH and price >= Decimal(held["entry_price"]) * 2:
            self.verdict.others.append(f"{symbol} has doubled, and no part of it was sold")


def _as_in_row(order: Order) -> tuple[str, ...]:
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for fill in order.fills:
        if fill.commission:
            fees[fill.commission_asset] += fill.commission
    return (
        "BUY" if order.request.is_buy else "SELL",
        _plain(order.executed_quantity),
        _plain(order.executed_quote),
        "+".join(sorted(fees)),
        "+".join(_plain(fees[asset]) for asset in sorted(fees)),
    )


def _as_booked(row: dict[str, str]) -> tuple[str, ...]:
    return row["side"], row["qty"], row["quote"], row["fee_asset"], row["fee"]


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
