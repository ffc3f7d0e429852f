"""A folder with config.yaml and a model, the market that the config names, and the program as its owner starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from sklearn.tree import DecisionTreeClassifier

import main
from embedded_market import EmbeddedMarket, MarketServer
from embedded_market.market_data.history import unix_day
from marsshot.core.book import Position
from marsshot.infra.atomic_files import Disk
from marsshot.model.model_files import save_model
from marsshot.portfolio.ledger import with_position
from positions_store import load_state, save_state

PROGRAM = Path(main.__file__).resolve()
FAST_LOOP_PROGRAM = """if True:
    import sys
    import main
    from marsshot.infra import clock
    clock.SystemClock.LOOP_SECONDS = 0.1
    sys.exit(main.main(sys.argv[1:]))
"""
RECORDED_DAY = date(2021, 2, 15)
D = Decimal


class ProcessHarness:
    """A folder with config.yaml and a model that wants ADA only, and the market that the config names."""

    def __init__(self, folder: Path, market: EmbeddedMarket, url: str) -> None:
        self.folder, self.market, self.url = folder, market, url
        self.config: dict[str, Any] = {
            "mode": "live",
            "tokens_daily": ["ADA", "DOT"],
            "strategy": {
                "capital_initial": 1000,
                "buy_threshold": 0.7,
                "sell_threshold": 0.3,
                "stop_loss_pct": 0.5,
                "partial_take_profit_pct": 1.0,
                "trailing_trigger_pct": 3.0,
                "trailing_pct": 0.3,
                "big_gain_exception_pct": 4.0,
                "check_interval_seconds": 300,
                "daily_update_hour_utc": 0,
                "daily_update_minute_utc": 0,
            },
            "lunarcrush": {"api_key": "lunar-secret-1", "base_url": url, "requests_per_minute": 10_000},
            "coinbase": {"base_url": url},
            "binance_api": {"api_key": market.api_key, "api_secret": market.api_secret, "base_url": url},
        }
        self.write_config()

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.market.api_key, self.market.api_secret, "lunar-secret-1", "signature="

    def write_config(self) -> None:
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(self.config), encoding="utf-8")
        path.chmod(0o600)

    def write_model(self, **facts: object) -> None:
        closes = {
            symbol: float(self.market.history.coins[symbol].bars[unix_day(RECORDED_DAY) - 1].close)
            for symbol in ("ADA", "DOT")
        }
        rows = pd.DataFrame({"close": list(closes.values())})
        save_model(DecisionTreeClassifier(random_state=0).fit(rows, [1, 0]), facts, self.folder / "model.pkl")

    def add_ada_position(self, entry: str = "0.5") -> None:
        """Put 400 ADA into a book, and into the account."""
        self.add_position("ADA", "400", entry)

    def add_position(self, symbol: str, quantity: str, entry: str) -> None:
        """Put a position into the book, and into the account."""
        price, qty = D(entry), D(quantity)
        position = Position(qty=qty, entry_quote=price, entry_base=D(1), cost=qty * price, max_price=price)
        path = self.folder / "bot_state.json"
        book = load_state(path, "live", Disk())
        assert book is not None
        save_state(with_position(book, symbol, position), path, Disk())
        self.market.exchange.free[symbol] += qty

    def start(self, *arguments: str, fast_loop: bool = False) -> subprocess.Popen[str]:
        """Start the program; quick: with a loop that looks around ten times a second, not every ten seconds."""
        program = ["-c", FAST_LOOP_PROGRAM] if fast_loop else [str(PROGRAM)]
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", *program, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(PROGRAM.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def running_bot(self) -> Iterator[subprocess.Popen[str]]:
        """Yield the bot at work; whatever is left of it is killed at the end."""
        process = self.start("run", fast_loop=True)
        try:
            assert process.stdout is not None
            while "MarsShot runs" not in process.stdout.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, error = process.communicate(timeout=60)
        for text in (out, error):
            assert "Traceback" not in text
            assert not any(secret in text for secret in self.secrets)
        return process.returncode, out, error

    def book(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "bot_state.json").read_text())
        return content

    def traded(self) -> list[str]:
        orders = self.market.exchange.orders.values()
        return [f"{'BUY' if order.request.is_buy else 'SELL'} {order.symbol[:-4]}" for order in orders]

    def written_files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file() and path.name != "config.yaml"]


@contextmanager
def open_process_harness(folder: Path) -> Iterator[ProcessHarness]:
    """Yield a harness whose market says that it is today; its account holds 1500 USDT."""
    shift = (datetime.now(UTC).date() - RECORDED_DAY).days
    market = EmbeddedMarket(clock=time.time, shift_days=shift, balances={"USDT": Decimal(1500)})
    with MarketServer(market) as server:
        yield ProcessHarness(folder, market, server.url)
