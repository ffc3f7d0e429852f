"""Invariants once a run is over: exchange, book and trades.csv tell one story, and all that was due is done.

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

from marsshot.chaos.monitor import BOOK, PRICE_TOLERANCE, Monitor
from marsshot.chaos.restored_books import faults_of_recovery
from marsshot.chaos.simulation import STANDSTILL, TOKENS, Simulation
from marsshot.chaos.venues.base import VenueOrder
from marsshot.chaos.violations import Violations
from marsshot.config import bot_files

TRADES, CASH_FLOWS = Path(bot_files.TRADES), Path(bot_files.CASH_FLOWS)
ZERO = Decimal(0)


class InvariantChecker:
    """Checks the invariants of one run that is over."""

    def __init__(self, simulation: Simulation, monitor: Monitor) -> None:
        self._simulation = simulation
        self._monitor = monitor
        self.violations = monitor.violations

    def check(self) -> Violations:
        """Return what is wrong when the run is over."""
        simulation, found = self._simulation, self.violations
        found.duplicates += [
            f"client order id {name} sent {n} times" for name, n in simulation.transport.sent_orders.items() if n > 1
        ]
        if simulation.transport.requests_during_backoff:
            found.others.append(
                f"{simulation.transport.requests_during_backoff} requests though the exchange had asked for silence"
            )
        if simulation.transport.endless_requests:
            found.others.append(f"{simulation.transport.endless_requests} requests took longer than ten seconds")
        if simulation.passes_by_a_wrong_clock:
            found.others.append(f"{simulation.passes_by_a_wrong_clock} passes begun by a clock that was wrong")
        try:
            book = json.loads(simulation.filesystem.read(BOOK))
        except (OSError, ValueError) as error:
            found.losses.append(f"there is no book at the end: {error}")
            return found
        executed = {order.client_order_id: order for order in simulation.venue.orders() if order.base}
        self._check_trade_rows(executed)
        self._check_balances(book, list(executed.values()))
        self._check_plans(executed)
        self._check_partial_sales(executed)
        self._check_cash_flows(book)
        found.others += simulation.owner.requests.faults_at_the_end()
        self._check_nothing_left_undone(book)
        # Of coins exchanged for others no order tells, so `recover` cannot know of them.
        if found.is_clean and not simulation.fault_schedule.event_counts["redenomination"]:
            found.losses += faults_of_recovery(simulation, self._monitor.saved_books)
            self._check_trade_rows(executed)
            self._check_cash_flows(json.loads(simulation.filesystem.read(BOOK)))
        return found

    def _check_trade_rows(self, executed: dict[str, VenueOrder]) -> None:
        content = (
            self._simulation.filesystem.read(TRADES).decode() if self._simulation.filesystem.exists(TRADES) else ""
        )
        rows = list(csv.DictReader(io.StringIO(content)))
        ids = [row["client_order_id"] for row in rows]
        self.violations.losses += [f"order {name} is not in trades.csv" for name in executed.keys() - set(ids)]
        self.violations.duplicates += [
            f"order {name} is in trades.csv twice" for name in set(ids) if ids.count(name) > 1
        ]
        self.violations.others += [
            f"trades.csv has {name}, which never executed" for name in set(ids) - executed.keys()
        ]
        for row in rows:
            order = executed.get(row["client_order_id"])
            if order is not None and _row_of_order(order) != _row_as_written(row):
                self.violations.others.append(
                    f"trades.csv has {_row_as_written(row)}, the exchange {_row_of_order(order)}"
                )

    def _check_balances(self, book: dict[str, Any], executed: list[VenueOrder]) -> None:
        """Hold every balance against owner's and bot's shares, to the last digit."""
        venue = self._simulation.venue
        for asset, there in (dict.fromkeys(TOKENS, ZERO) | venue.free).items():
            held = book["positions"].get(asset)
            if held and STANDSTILL in held["said"] and not self._simulation.may_resume(book["positions"]):
                continue  # he has not resumed: what is his of the new coins is not known any more
            bots = (Decimal(held["qty"]) if held else ZERO) + Decimal(book["dust"].get(asset, "0"))
            owners = self._simulation.owner.owned.get(asset, ZERO)
            if asset == venue.money:
                bots = Decimal(book["capital_usdt"])
            if asset == venue.fee_coin:
                owners -= sum((order.fees.get(asset, ZERO) for order in executed), ZERO)
            if there != owners + bots:
                what = "has lost" if there < owners + bots else "has gained"
                self.violations.losses.append(
                    f"{asset}: the account {what} {abs(there - owners - bots)} against the book"
                )

    def _check_cash_flows(self, book: dict[str, Any]) -> None:
        """Hold cash_flows.csv, and what the book still owes it, against what the owner has brought and taken."""
        filesystem = self._simulation.filesystem
        content = filesystem.read(CASH_FLOWS).decode() if filesystem.exists(CASH_FLOWS) else ""
        written = list(csv.DictReader(io.StringIO(content)))
        owed = [row for row in book["unwritten_cash_flows"] if row not in written]
        told = [Decimal(row["amount"]) for row in (*written, *owed)]
        moved = self._simulation.owner.requests.flows()
        if sorted(told) != sorted(moved):
            self.violations.losses.append(f"cash_flows.csv tells of {told}, the owner has moved {moved}")

    def _check_plans(self, executed: dict[str, VenueOrder]) -> None:
        spent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, order in executed.items():
            intent = self._monitor.intents.get(name)
            if intent is not None and intent["side"] == "BUY" and intent["day"]:
                spent[intent["day"], intent["symbol"]] += order.spent(self._simulation.venue.money)
        for key, amount in spent.items():
            if amount > self._monitor.planned.get(key, ZERO):
                self.violations.duplicates.append(
                    f"{key[1]}: {amount} spent on {key[0]}, {self._monitor.planned.get(key)} planned"
                )
        for key, outcome in self._monitor.outcomes.items():
            if outcome == "bought" and not spent.get(key):
                self.violations.losses.append(
                    f"{key[1]}: the book says bought on {key[0]}, the exchange knows of nothing"
                )

    def _check_partial_sales(self, executed: dict[str, VenueOrder]) -> None:
        """Hold all partial sales between two purchases of a token against a fifth of what was held at the first."""
        first_held: dict[str, Decimal] = {}
        sold: dict[str, Decimal] = defaultdict(Decimal)
        for name, order in executed.items():
            intent = self._monitor.intents.get(name)
            if intent is None:
                continue
            symbol = intent["symbol"]
            if intent["side"] == "BUY":
                first_held.pop(symbol, None)
                sold.pop(symbol, None)
            elif intent["reason"] == "partial_take_profit":
                first_held.setdefault(symbol, Decimal(intent["held"]))
                sold[symbol] += order.base
                if sold[symbol] > first_held[symbol] / 5:
                    self.violations.duplicates.append(
                        f"{symbol}: {sold[symbol]} of {first_held[symbol]} sold as partial"
                    )

    def _check_nothing_left_undone(self, book: dict[str, Any]) -> None:
        """Everything that was due has been done in the fault-free period."""
        if book["intents"]:
            self.violations.losses.append(f"orders are still in doubt: {', '.join(book['intents'])}")
        if book["plan"] is not None:
            self.violations.others.append(f"the plan of {book['plan']['day']} is not done")
        if self._simulation.filesystem.exists(Path(bot_files.DAILY)):
            self.violations.others.append("the pass that the owner asked for was never answered")
        today = self._simulation.clock.true_now
        if (book["last_daily_update"] or "") < today.date().isoformat():
            self.violations.others.append(
                f"no daily pass on {today:%Y-%m-%d}, the last was {book['last_daily_update']}"
            )
        for symbol, held in book["positions"].items():
            if STANDSTILL not in held["said"]:
                self._check_position(symbol, held, self._simulation.venue.price(symbol))
            elif self._simulation.may_resume(book["positions"]):
                self.violations.others.append(f"{symbol} stands still, and the owner has resumed")

    def _check_position(self, symbol: str, held: dict[str, Any], price: Decimal) -> None:
        """Nothing is held that a rule has told to sell, where it is large enough for an order."""
        step = self._simulation.venue.lot_step(symbol)
        quantity = min(Decimal(held["qty"]), self._simulation.venue.most_at_once(symbol))
        enough = self._simulation.venue.above_any_minimum(symbol)
        if quantity // step * step * price < enough:
            return
        if held["exit_pending"] is not None:
            self.violations.others.append(f"{symbol} was to be sold ({held['exit_pending']}), and is still held")
        high = price * PRICE_TOLERANCE  # Coinbase's price may be the other by a digit
        if high <= Decimal(held["entry_price"]) / 2:
            self.violations.others.append(f"{symbol} stands at {price}, under its stop-loss, and is still held")
        if held["trailing_armed"] and high <= Decimal(held["max_price"]) * Decimal("0.7"):
            self.violations.others.append(f"{symbol} stands at {price}, under its trailing stop, and is still held")
        part = Decimal(held["qty"]) / 5 // step * step * price
        if not held["partial_sold"] and part >= enough and price >= Decimal(held["entry_price"]) * 2 * PRICE_TOLERANCE:
            self.violations.others.append(f"{symbol} has doubled, and no part of it was sold")


def _row_of_order(order: VenueOrder) -> tuple[str, ...]:
    return (
        "BUY" if order.is_buy else "SELL",
        _plain(order.base),
        _plain(order.quote),
        "+".join(sorted(order.fees)),
        "+".join(_plain(order.fees[asset]) for asset in sorted(order.fees)),
    )


def _row_as_written(row: dict[str, str]) -> tuple[str, ...]:
    return row["side"], row["qty"], row["quote"], row["fee_asset"], row["fee"]


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
