"""Monitors a run while it goes on, and reports when something is sold or bought that no rule asks for.

Judges by the market's true prices and by rules of its own: it shares no code with the bot's rules or bookkeeping.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from marsshot.chaos.json_files import parsed
from marsshot.chaos.plan_checks import faults_of_amounts, faults_of_decisions
from marsshot.chaos.simulation import Simulation
from marsshot.chaos.venues.base import ABOVE_ANY_MINIMUM
from marsshot.chaos.violations import Violations
from marsshot.config import bot_files

BOOK, SEEN = Path(bot_files.BOOK), Path(bot_files.LAST_SEEN)
# A rule goes by Coinbase's price while that is within a tenth of the exchange's, so the true one may be off by as much.
PRICE_TOLERANCE = Decimal("1.12")
MAX_PAUSE_UNSEEN_SECONDS = 300.0  # an amount that takes several orders is bought whole
FULL_EXITS = ("stop_loss", "trailing_stop")
BY_PRICE = (*FULL_EXITS, "partial_take_profit")
JUST_NOW = timedelta(minutes=2)
LONE_MOVE = Decimal("0.30")  # the most that one venue alone may tell of
RECENT = timedelta(hours=1)  # what was last seen longer ago keeps one venue's word from nothing
PATIENCE = timedelta(hours=1)  # with a market that takes no orders
MAX_HELD_UP_SECONDS = 0.2  # a rule acts on a price that is known, whatever other prices are still awaited


class Monitor:
    """Looks on while a run goes on: at every order that is sent, and at every book that replaces another."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.violations = Violations()
        self.planned: dict[tuple[str, str], Decimal] = {}  # by day and token: the amount when it was first ordered
        self.intents: dict[str, dict[str, Any]] = {}  # every order that was sent, as the book had it
        self.outcomes: dict[tuple[str, str], str] = {}  # by day and token: how a planned purchase ended
        self._lowest_entry: dict[tuple[str, str], Decimal] = {}  # by token and opening: later orders may raise it
        self.saved_books: list[bytes] = []  # oldest first
        self._before: dict[str, Any] = {"positions": {}}
        self._judged_plans: set[tuple[str, str]] = set()
        self._sold_at: dict[str, datetime] = {}  # when a token was last sold by a rule that the true price asks for
        self._wick_at: dict[str, datetime] = {}  # when the exchange last printed nonsense of a token
        self._fooled: set[str] = set()  # tokens whose top may be one venue's nonsense, rightly believed
        self._judged_prices: dict[str, tuple[str, str]] = {}  # by token: time and price that were judged last
        self._last_seen: dict[str, datetime] = {}  # when a check last went by a price of a token, by any run
        simulation.transport.on_order_sent = self._on_order_sent
        simulation.transport.on_wick = self._on_wick
        simulation.filesystem.on_rename = self._on_file_replaced

    # ------------------------------------------------------------------ orders

    def _on_order_sent(self, client_order_id: str) -> None:
        book = parsed(self._simulation.filesystem.read(BOOK))
        intent = book["intents"].get(client_order_id)
        if intent is None:
            return  # what becomes of an order that the book does not know shows in the end
        held = book["positions"].get(intent["symbol"], {"qty": "0"})["qty"]
        self.intents[client_order_id] = intent | {"day": (book["plan"] or {}).get("day"), "held": held}
        if intent["side"] == "BUY":
            self._check_purchase(intent, book)
        else:
            self._check_sale(intent, book)
            self._check_request(intent, book["positions"].get(intent["symbol"]))

    def _check_purchase(self, intent: dict[str, Any], book: dict[str, Any]) -> None:
        symbol, plan = intent["symbol"], book["plan"]
        if symbol in self._simulation.owner.requests.excluded:
            self.violations.others.append(f"{symbol} bought though it is excluded")
        if Decimal(intent["quote_amount"]) > self._simulation.owner.bots_share(self._simulation.venue.money):
            self.violations.losses.append(f"{symbol}: {intent['quote_amount']} of the owner's money spent")
        if self._simulation.owner.seconds_paused(self._simulation.clock.true_now) > MAX_PAUSE_UNSEEN_SECONDS:
            self.violations.others.append(f"{symbol} bought though buying was paused")
        step = next((one for one in plan["buys"] if one["symbol"] == symbol), None) if plan else None
        if step is None or step["amount"] is None:
            self.violations.others.append(f"{symbol} bought without a plan")
            return
        score = self._simulation.scores[date.fromisoformat(plan["day"])][symbol]
        if score is None or Decimal(score) < Decimal("0.70"):
            self.violations.others.append(f"{symbol} bought at score {score}")
        amount = Decimal(step["amount"])
        if self.planned.setdefault((plan["day"], symbol), amount) != amount:
            self.violations.others.append(f"{symbol}: the amount of {plan['day']} changed after it was planned")

    def _check_sale(self, intent: dict[str, Any], book: dict[str, Any]) -> None:
        symbol, reason = intent["symbol"], intent["reason"]
        held = book["positions"].get(symbol)
        if held is None:
            self.violations.others.append(f"{symbol} sold though it is not held")
            return
        if Decimal(intent["quantity"]) > Decimal(held["qty"]):
            self.violations.others.append(f"{symbol}: more sold than held")
        if Decimal(intent["quantity"]) > self._simulation.owner.bots_share(symbol):
            self.violations.losses.append(f"{symbol}: coins of the owner's sold")
        if symbol in self._simulation.redenominated:
            self.violations.losses.append(f"{symbol} sold though it is another coin now")
        prices = self._simulation.acceptable_prices(symbol)
        is_certain = reason == "daily_sell" or not (self._may_be_fooled(symbol) or symbol in self._fooled)
        # Where the true price sells, too, a wrong one is gone by at once, and may name another rule.
        reasons = {reason, *FULL_EXITS} if reason in BY_PRICE else {reason}
        is_due = any(self._is_due(one, symbol, held, book, price) for one in reasons for price in prices)
        if is_due:
            self._sold_at[symbol] = self._simulation.clock.true_now
        if held["exit_pending"] != reason and is_certain and not is_due:
            self.violations.others.append(f"{symbol} sold by {reason} at {prices[-1]}, entry {held['entry_price']}")
        held_up = self._simulation.delayed_responses.seconds_held_up(symbol)
        if reason != "daily_sell" and held_up > MAX_HELD_UP_SECONDS:
            self.violations.others.append(f"{symbol}: its {reason} waited {held_up:.1f} s for the prices of others")

    def _check_request(self, intent: dict[str, Any], held: dict[str, Any] | None) -> None:
        """Hold a sale that the owner has asked for by its token against what he has asked for: that position, once."""
        if intent["reason"] != "sell_token" or held is None:
            return
        if (intent["symbol"], held["opened_at"]) not in self._simulation.owner.requests.to_be_sold:
            self.violations.duplicates.append(f"{intent['symbol']} sold as asked for, and nobody has asked for this")

    def _is_due(self, reason: str, symbol: str, held: dict[str, Any], book: dict[str, Any], price: Decimal) -> bool:
        entry = Decimal(held["entry_price"])
        if reason == "stop_loss":
            return price <= entry / 2 * PRICE_TOLERANCE
        if reason == "trailing_stop":
            top = Decimal(held["max_price"])
            lowest = min(entry, self._lowest_entry.get((symbol, held["opened_at"]), entry))
            was_there = self._simulation.highest_prices[symbol] * PRICE_TOLERANCE >= top >= lowest * 3 / PRICE_TOLERANCE
            return bool(held["trailing_armed"]) and was_there and price <= top * Decimal("0.7") * PRICE_TOLERANCE
        if reason == "partial_take_profit":
            return not held["partial_sold"] and (
                held["partial_left"] is not None or price * PRICE_TOLERANCE >= entry * 2
            )
        if reason == "daily_sell":
            score = self._simulation.scores[date.fromisoformat(book["plan"]["day"])][symbol] if book["plan"] else None
            return score is not None and Decimal(score) < Decimal("0.30")
        return reason == "sell_all" and self._simulation.owner.has_asked_to_sell_all

    # ------------------------------------------------------------------ prices

    def _on_wick(self, symbol: str, wick: Decimal) -> None:
        self._wick_at[symbol] = self._simulation.clock.true_now
        if self._may_be_fooled(symbol) or self._is_near_the_last(symbol, wick):
            self._fooled.add(symbol)

    def _is_near_the_last(self, symbol: str, wick: Decimal) -> bool:
        """Return whether one venue alone may tell so: the true price has moved, and nonsense is where it was before."""
        last = Decimal(self._judged_prices.get(symbol, ("", "0"))[1])
        return abs(wick - last) <= last * LONE_MOVE

    def _is_just_now(self, moment: datetime | None) -> bool:
        return moment is not None and self._simulation.clock.true_now - moment < JUST_NOW

    def _may_be_fooled(self, symbol: str) -> bool:
        """Return whether one venue alone may be believed: nothing of the token was seen for long."""
        held = self._before["positions"].get(symbol)
        known = [self._last_seen.get(symbol), datetime.fromisoformat(held["opened_at"]) if held else None]
        now = self._simulation.clock.now()
        return all(moment is None or now - moment >= RECENT for moment in known)

    def _check_prices(self, seen: dict[str, Any]) -> None:
        """Hold the prices that a check has just gone by against the true ones of its time."""
        second = f"{self._simulation.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        for symbol, last in seen["prices"].items():
            price, true = Decimal(last["price"]), self._simulation.acceptable_prices(symbol)
            # A file that is written twice in one second tells of one look: it is judged once. So is a price that the
            # bot was rightly fooled by.
            time, told = self._judged_prices.get(symbol, ("", ""))
            is_judged = told == last["price"] and (time == last["time"] or symbol in self._fooled)
            is_new = last["time"] == second and not is_judged
            is_certain = not self._may_be_fooled(symbol)
            self._judged_prices[symbol] = last["time"], last["price"]
            self._last_seen[symbol] = datetime.fromisoformat(last["time"])
            is_true = any(one / PRICE_TOLERANCE <= price <= one * PRICE_TOLERANCE for one in true)
            if is_new and not is_true and not is_certain:
                self._fooled.add(symbol)
            # By a price that sells nothing no harm is done; where the true one sells, too, it is gone by at once.
            is_harmless = any(self._is_just_now(moments.get(symbol)) for moments in (self._sold_at, self._wick_at))
            if is_new and is_certain and not is_true and not is_harmless:
                self.violations.others.append(f"{symbol}: a check went by {price}, the market stands at {true[-1]}")

    # ------------------------------------------------------------------ books

    def _on_file_replaced(self, path: Path, content: bytes) -> None:
        if path == SEEN:
            self._check_prices(parsed(content))
        if path != BOOK:
            return
        book = parsed(content)
        self.violations.losses += self._simulation.owner.note_book(book)
        sold = {row["symbol"] for row in book["unwritten_trades"] if row["side"] == "SELL"}
        in_doubt = {intent["symbol"] for intent in book["intents"].values()}  # a purchase that is booked once more
        for symbol in self._before["positions"].keys() - book["positions"].keys() - sold - in_doubt:
            self.violations.losses.append(f"the position in {symbol} was dropped without a sale")
        self._fooled &= book["positions"].keys()
        for symbol, held in book["positions"].items():
            entry, key = Decimal(held["entry_price"]), (symbol, held["opened_at"])
            self._lowest_entry[key] = min(entry, self._lowest_entry.get(key, entry))
        self.saved_books.append(content)
        self._simulation.note_standstills(book["positions"])
        self._check_capital(book)
        if book["plan"] is not None:
            self._check_plan(book["plan"], book)
            self._check_patience(book["plan"])
        for buy in (book["plan"] or {}).get("buys", ()):
            if buy["outcome"]:
                self.outcomes[book["plan"]["day"], buy["symbol"]] = buy["outcome"]["result"]
        self._before = book

    def _check_capital(self, book: dict[str, Any]) -> None:
        """Hold the capital against what of the account's money is the bot's, purchases in doubt given back."""
        capital, there = Decimal(book["capital_usdt"]), self._simulation.owner.bots_share(self._simulation.venue.money)
        absent = {name: one["intent"] for name, one in book["absent_orders"].items()}  # one of them may have turned up
        for name, intent in (book["intents"] | absent).items():
            order = self._simulation.venue.find(intent["pair"], name)
            if order is not None and intent["side"] == "BUY":
                there += order.spent(self._simulation.venue.money)
        if capital < 0:
            self.violations.losses.append(f"the capital is {capital}")
        if capital > there:
            self.violations.losses.append(f"the book counts {capital}, of which {there} are there")

    def _check_plan(self, plan: dict[str, Any], book: dict[str, Any]) -> None:
        """Judge a plan when it is new, and when its amounts are."""
        before, key = self._before.get("plan"), (plan["day"], plan["decided_at"])
        if key not in self._judged_plans:
            self._judged_plans.add(key)
            highest = {symbol: self._highest_price(symbol) for symbol in self._before["positions"]}
            scores = self._simulation.scores[date.fromisoformat(plan["day"])]
            self.violations.others += faults_of_decisions(self._before, plan, scores, highest)
        elif plan["shared_out"] and before is not None and not before["shared_out"] and self._is_account_still():
            venue = self._simulation.venue
            enough = max((self._enough_for(buy["symbol"]) for buy in plan["buys"]), default=ABOVE_ANY_MINIMUM)
            self.violations.others += faults_of_amounts(book, venue.free[venue.money], enough)

    def _enough_for(self, symbol: str) -> Decimal:
        """Return what is surely enough for one order: nothing, where the smallest may be told by a wick's price."""
        is_certain = not self._is_just_now(self._wick_at.get(symbol))
        return self._simulation.venue.above_any_minimum(symbol) if is_certain else Decimal("Infinity")

    def _highest_price(self, symbol: str) -> Decimal:
        """Return what a token may be taken to be worth now: a sale by its score has no second look at a wick."""
        if self._is_just_now(self._wick_at.get(symbol)):
            return Decimal("Infinity")
        return max(self._simulation.acceptable_prices(symbol)) * PRICE_TOLERANCE

    def _check_patience(self, plan: dict[str, Any]) -> None:
        """Hold a sale that is given up because the market is closed against how long it is to be waited for."""
        clock = self._simulation.clock
        if clock.was_ever_skewed or clock.now() - datetime.fromisoformat(plan["decided_at"]) >= PATIENCE:
            return
        for sell in plan["sells"]:
            told = (sell["outcome"] or {}).get("told", "")
            if told in self._simulation.closed_market_texts(sell["symbol"]):
                self.violations.others.append(f"{sell['symbol']}: its sale was given up at once: {told}")

    def _is_account_still(self) -> bool:
        """Return whether the account is what it was when the bot asked for it: the owner has not acted just now."""
        return not self._is_just_now(self._simulation.owner.last_active)

    def on_restart(self) -> None:
        """Take the book that is there after a death as the one before the next."""
        if self._simulation.filesystem.exists(BOOK):
            self._before = _json_or(self._simulation.filesystem.read(BOOK), self._before)
            if "answered_requests" in self._before:
                self.violations.losses += self._simulation.owner.note_book(self._before)
        seen = self._simulation.filesystem.read(SEEN) if self._simulation.filesystem.exists(SEEN) else b""
        prices = _json_or(seen, {"prices": {}})["prices"]  # a power cut may have taken the last of them, or all
        self._last_seen = {symbol: datetime.fromisoformat(one["time"]) for symbol, one in prices.items()}


def _json_or(content: bytes, otherwise: dict[str, Any]) -> dict[str, Any]:
    try:
        return parsed(content)
    except ValueError:
        return otherwise
