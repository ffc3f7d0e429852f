"""The embedded market in a process of its own, for demo mode: `with MarketProcess(start=...) as market:`.

The parent owns the virtual clock and sets it through shared memory, without a request. A plain child process, not
`multiprocessing`: that would import the trader's main module a second time. The child lives as long as the pipe
to its parent does, so it ends with the parent however that ends.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Self

from embedded_market.exchange.account_file import saved_time

if TYPE_CHECKING:
    from types import TracebackType

CLOCK_BYTES = 8
_STOP_SECONDS = 10.0


class MarketProcessError(RuntimeError):
    """The child could not start; its own words are on stderr."""


@dataclass(kw_only=True)
class MarketProcess:
    """Start, feed with time, and end the child. Keys are random per start.

    start: unix seconds of the wire. account_file: when given and there, balances, orders and the time are taken from
    it; it is saved after every order and at a stop. history_file: a CSV instead of the bundled history. exchange: whose
    account that is, binance or bitvavo.
    """

    start: float
    seed: int = 0
    shift_days: int = 0
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    account_file: Path | None = None
    history_file: Path | None = None
    exchange: str = "binance"
    port: int = 0
    api_key: str = field(default_factory=lambda: secrets.token_hex(32))
    api_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    lunarcrush_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    def __post_init__(self) -> None:
        """Take the time from the account file, if there is one. Raises AccountFileError."""
        saved = self.saved_time(self.account_file) if self.account_file is not None else None
        self._clock = memoryview(bytearray(CLOCK_BYTES)).cast("d")
        self.first_date, self.last_date = date.min, date.max
        """The days on record, in wire time; known once the child runs."""
        self._child: subprocess.Popen[bytes] | None = None
        self.set_time(self.start if saved is None else saved)

    @staticmethod
    def saved_time(account_file: Path) -> float | None:
        """Return the time an account file was saved at, or None where there is none. Raises AccountFileError."""
        return saved_time(account_file)

    @property
    def time(self) -> float:
        """Return the wire's time in unix seconds."""
        return float(self._clock[0])

    def set_time(self, unix_seconds: float) -> None:
        """Set the wire's time; the next request sees it."""
        self._clock[0] = unix_seconds

    @property
    def url(self) -> str:
        """Return the origin of all three services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return the child's process id."""
        if self._child is None:
            raise MarketProcessError("the embedded market is not running")
        return self._child.pid

    def run(self) -> None:
        """Start the child and wait until it serves. Raises MarketProcessError."""
        clock_file = self._share_clock_file()
        project = Path(__file__).resolve().parents[2]
        paths = [str(project), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "embedded_market.server.child_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        pipes = self._child.stdin, self._child.stdout
        if pipes[0] is None or pipes[1] is None:
            raise MarketProcessError("the embedded market has no pipes")
        try:
            pipes[0].write(json.dumps(self._orders(clock_file)).encode() + b"\n")
            pipes[0].flush()
            answer = pipes[1].readline()
        except BrokenPipeError:
            answer = b""
        finally:
            clock_file.unlink(missing_ok=True)
        if not answer.startswith(b"{"):
            self.stop()
            raise MarketProcessError("the embedded market did not start")
        ready = json.loads(answer)
        self.port = int(ready["port"])
        self.first_date, self.last_date = (date.fromisoformat(day) for day in ready["days"])

    def stop(self) -> None:
        """Let the child save its account and end; kill it if it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Self:
        """Start the child."""
        self.run()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self.stop()

    def _share_clock_file(self) -> Path:
        """Move the clock into a file that the child maps as well; nobody needs its name once both have."""
        with tempfile.NamedTemporaryFile(prefix="embedded-market-clock-", delete=False) as file:
            file.write(bytes(self._clock))
            file.flush()
            self._clock = memoryview(mmap.mmap(file.fileno(), CLOCK_BYTES)).cast("d")
        return Path(file.name)

    def _orders(self, clock_file: Path) -> dict[str, object]:
        """Return what the child needs to know; it goes through the pipe, so keys never stand in a command line."""
        return {
            "clock_file": str(clock_file),
            "seed": self.seed,
            "shift_days": self.shift_days,
            "balances": {asset: str(amount) for asset, amount in self.balances.items()},
            "account_file": str(self.account_file.resolve()) if self.account_file else None,
            "history_file": str(self.history_file.resolve()) if self.history_file else None,
            "exchange": self.exchange,
            "port": self.port,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "lunarcrush_key": self.lunarcrush_key,
        }
