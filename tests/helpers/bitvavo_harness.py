"""One account at the stand-in Bitvavo, asked by the real connection over HTTP; time passes only when it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from embedded_market import EmbeddedMarket, MarketServer
from embedded_market.bitvavo.engine import OrderRecord
from marsshot.core.book import Book
from marsshot.core.orders import Intent, Side
from marsshot.core.reasons import OrderReason
from marsshot.exchange.bitvavo.exchange import BitvavoExchange
from marsshot.exchange.order_tracker import OrderTracker
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import VirtualClock
from marsshot.portfolio.ledger import new_book
from positions_store import Store

D = Decimal
NOON = datetime(2021, 2, 15, 12, 0, tzinfo=UTC)
POST, GET_ORDER = "POST /v2/order", "GET /v2/order?"
OPERATOR_ID = 4_711


class BitvavoHarness:
    """The market, its server, an exchange, and a book with its tracker."""

    def __init__(self, market: EmbeddedMarket, url: str, clock: VirtualClock, folder: Path) -> None:
        self.market, self.url, self.clock = market, url, clock
        self.engine = market.bitvavo.engine
        self.clock_ahead_seconds = 0.0
        self.exchange = self.new_exchange()
        self._folder = folder
        self.store = self.open_store()
        self.tracker = OrderTracker(self.exchange, self.store, clock)

    def new_exchange(self, **changes: Any) -> BitvavoExchange:
        """Return another exchange of the same account."""
        given: dict[str, Any] = {"api_key": self.market.api_key, "api_secret": self.market.api_secret}
        given |= {"base_url": self.url, "clock": self.clock, "operator_id": lambda: OPERATOR_ID}
        return BitvavoExchange(**given | changes)

    def open_store(self) -> Store:
        """Return the book: the one on disk, as after a death, or a new one."""
        path = self._folder / "bot_state.json"
        book = new_book("live", "EUR", D(1000), self.clock.now())
        return Store(book, path, self._folder / "trades.csv", Disk(), lambda _text: None)

    @property
    def book(self) -> Book:
        """The book as it stands."""
        return self.store.book

    @property
    def orders(self) -> list[OrderRecord]:
        """The orders that were taken, oldest first."""
        return self.engine.orders

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)

    def fault(self, match: str, kind: str, *, times: int = 1, **details: Any) -> None:
        """Script a fault."""
        self.market.faults.add(service="bitvavo", match=match, kind=kind, times=times, **details)

    def refuse(self, match: str, status: int, code: int, *, after: bool = False, times: int = 1, **more: Any) -> None:
        """Answer with a refusal; after: although the request was executed."""
        body = json.dumps({"errorCode": code, "error": "what the exchange says"})
        self.fault(match, "status_after" if after else "status", times=times, status=status, body=body, **more)

    def intent(self, symbol: str = "ADA", **amount: str) -> Intent:
        """Return an order that the book does not know."""
        is_sale = "quantity" in amount
        return Intent(
            client_order_id=self.exchange.new_order_id(1, OrderReason.DAILY_BUY),
            symbol=symbol,
            pair=f"{symbol}-EUR",
            base_asset=symbol,
            lot_step=D("0.00000001"),
            side=Side.SELL if is_sale else Side.BUY,
            reason=OrderReason.DAILY_SELL if is_sale else OrderReason.DAILY_BUY,
            created_ms=self.exchange.now_ms(),
            quantity=D(amount["quantity"]) if is_sale else None,
            quote_amount=None if is_sale else D(amount.get("quote_amount", "100")),
        )

    def buy(self, symbol: str = "ADA", amount: str = "100") -> None:
        """Buy through the tracker, as the executor does."""
        rules = self.exchange.trading_rules([f"{symbol}-EUR"])[f"{symbol}-EUR"]
        self.tracker.place(symbol, Side.BUY, OrderReason.DAILY_BUY, rules, quote_amount=D(amount))

    def sell(self, symbol: str = "ADA", quantity: str | None = None) -> None:
        """Sell through the tracker; without a quantity all that the book holds."""
        rules = self.exchange.trading_rules([f"{symbol}-EUR"])[f"{symbol}-EUR"]
        amount = self.book.positions[symbol].qty if quantity is None else D(quantity)
        self.tracker.place(symbol, Side.SELL, OrderReason.DAILY_SELL, rules, quantity=amount)

    def restart(self) -> None:
        """Let the process be another one: only the book stays."""
        book = self.store.book
        self.exchange = self.new_exchange()
        self.store = self.open_store()
        self.store.save(replace(book))
        self.tracker = OrderTracker(self.exchange, self.store, self.clock)

    def resolve_for(self, seconds: int, step: float = 1.0) -> None:
        """Look orders in doubt up, round by round, for so long."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until and self.book.intents:
            self.tracker.resolve_unknown()
            self.wait(step)

    def assert_book_is_the_account(self) -> None:
        """Assert that book and account hold the same, to the last digit."""
        assert self.book.intents == {}
        assert self.book.capital == self.engine.free["EUR"]
        held = {symbol: one.qty for symbol, one in self.book.positions.items()}
        assert held == {asset: amount for asset, amount in self.engine.free.items() if asset != "EUR" and amount}


@contextmanager
def open_bitvavo_harness(folder: Path, euros: str = "1000") -> Iterator[BitvavoHarness]:
    """Yield a harness; its market ends with the block."""
    moment = [NOON.timestamp()]

    def set_time(seconds: float) -> None:
        moment[0] = seconds

    market = EmbeddedMarket(clock=lambda: moment[0], balances={"EUR": D(euros)})
    with MarketServer(market) as server:
        yield BitvavoHarness(market, server.url, VirtualClock(NOON, set_time), folder)
