"""A process that dies: disk and exchange whose requests and file operations are counted, and may be its last.

`SimulatedCrash` passes through every handler.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from marsshot.core.orders import Intent, OrderId, OrderReport, PartFill
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.infra.atomic_files import Disk

Answer = TypeVar("Answer")


class SimulatedCrash(BaseException):
    """The process ended here."""


class CrashInjector:
    """The steps of a process so far; with `steps_left` set it ends before so many more of them are over."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.steps_left: int | None = None

    def step(self, name: str) -> None:
        """Note a step, or die instead of taking it."""
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise SimulatedCrash(name)
            self.steps_left -= 1
        self.steps.append(name)


class CrashingDisk(Disk):
    """The real file system, of a process that may die before, or half-way through, any write."""

    def __init__(self, crash_injector: CrashInjector) -> None:
        super().__init__()
        self._crash_injector = crash_injector
        self.failing_file = ""  # part of a name: writing such a file fails, as on a full disk

    def write(self, path: Path, content: bytes) -> None:
        """Write, unless the process dies half-way."""
        self._refuse(path)
        try:
            self._crash_injector.step(f"write {path.name}")
        except SimulatedCrash:
            path.write_bytes(content[: len(content) // 2])
            raise
        super().write(path, content)

    def append(self, path: Path, content: bytes) -> None:
        """Append, unless the process dies half-way."""
        self._refuse(path)
        try:
            self._crash_injector.step(f"append {path.name}")
        except SimulatedCrash:
            with path.open("ab") as file:
                file.write(content[: len(content) // 2])
            raise
        super().append(path, content)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, unless the process dies before."""
        self._crash_injector.step(f"replace {target.name}")
        super().replace(source, target)

    def _refuse(self, path: Path) -> None:
        if self.failing_file and self.failing_file in path.name:
            raise OSError(28, "No space left on device")


class CrashingExchange(BinanceExchange):
    """Binance through the real client, of a process that may die before and after every request."""

    crash_injector: CrashInjector

    def server_ms(self) -> int:
        """Ask for the time."""
        return self._with_crash_points("time", super().server_ms)

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Ask for prices."""
        ask = super().prices
        return self._with_crash_points("prices", lambda: ask(pairs))

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Ask for rules."""
        ask = super().trading_rules
        return self._with_crash_points("rules", lambda: ask(pairs))

    def account(self) -> Account:
        """Ask for the account."""
        return self._with_crash_points("account", super().account)

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Send an order."""
        send = super().send_market_order
        return self._with_crash_points("order", lambda: send(intent))

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Look an order up."""
        find = super().find_order
        return self._with_crash_points("look-up", lambda: find(intent))

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Ask for an order's trades."""
        ask = super().fetch_part_fills
        return self._with_crash_points("trades", lambda: ask(intent, order_id))

    def _with_crash_points(self, name: str, request: Callable[[], Answer]) -> Answer:
        self.crash_injector.step(name)
        answer = request()
        self.crash_injector.step(f"{name} answered")
        return answer
