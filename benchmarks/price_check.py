"""The five-minute check beside a baseline (a request, a second's sleep, the next token), both in one run.

    python benchmarks/price_check.py [--positions 50] [--answer-seconds 0.1]

The bot is the real one: python-binance, the book on disk, live mode, against the stub market in a process of its
own. Every second position has fallen under its stop-loss. Seconds since the check began: until the first sale was to
be sent, and until the rules had judged every token (orders themselves are left out: one after the other, they take what
Binance takes). The baseline's sleeps are counted, not slept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic, process_time
from unittest.mock import patch

import requests
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.stub_market import StubMarket, now, settings_text, token_names
from marsshot.bot.bootstrap import open_bot
from marsshot.bot.bot import Bot
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.config.loader import read_settings
from marsshot.core.book import Book, Position
from marsshot.core.exit_settings import ExitRules
from marsshot.infra.clock import SystemClock
from marsshot.portfolio.ledger import new_book, with_daily_update_done, with_position
from marsshot.portfolio.serialization import book_to_json
from risk_manager import ExitDecision
from trade_executor import TradeExecutor

BASELINE_SLEEP = 1.0
CASES: dict[str, Callable[[StubMarket], None]] = {
    "all answer": lambda market: None,
    "one token hangs at Coinbase": lambda market: market.hang("coinbase", "T003-USD"),
    "Coinbase hangs": lambda market: market.hang("coinbase", "GET"),
    "Binance's ticker hangs": lambda market: market.hang("binance", "ticker/price"),
}


@dataclass
class CheckTimings:
    """When things happened in one check, in seconds since its beginning."""

    judged: list[float] = field(default_factory=list)
    sales: list[float] = field(default_factory=list)
    whole: float = 0.0
    cpu: float = 0.0


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description="Compare the five-minute check with a baseline.")
    parser.add_argument("--positions", type=int, default=50)
    parser.add_argument("--answer-seconds", type=float, default=0.1)
    arguments = parser.parse_args()
    count = arguments.positions
    table = Table(title=f"{count} positions, {arguments.answer_seconds} s per answer", title_justify="left")
    for name in ("", "first sale", "all judged", "judged", "CPU", "baseline", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    with StubMarket(count) as market:
        market.slow(coinbase=arguments.answer_seconds, binance=arguments.answer_seconds)
        baseline = baseline_check(market, count)
        for name, trouble in CASES.items():
            timings = one_check(market, count, trouble)
            # A token that hangs is answered for by the other venue; it is the last to be judged.
            figures = (
                f"{timings.sales[0]:.2f}",
                f"{timings.judged[-1]:.2f}",
                f"{len(timings.judged)}",
                f"{timings.cpu:.2f}",
            )
            table.add_row(name, *figures, f"{baseline:.1f}", f"{baseline / timings.judged[-1]:.0f}")
    Console().print(table)


def baseline_check(market: StubMarket, count: int) -> float:
    """Ask for one price after the other; return the seconds, with a second's sleep after each counted in."""
    begun = monotonic()
    for token in token_names(count):
        requests.get(f"{market.url}/v2/prices/{token}-USD/spot", timeout=10).json()
    return monotonic() - begun + count * BASELINE_SLEEP


def one_check(market: StubMarket, count: int, trouble: Callable[[StubMarket], None]) -> CheckTimings:
    """Return what one check saw, a first and quiet one having warmed everything up."""
    timings = CheckTimings()
    for token in token_names(count)[::2]:
        market.price(token, "0.6")
    with a_bot(market, count) as bot:
        bot.intraday_check()
        for token in token_names(count)[::2]:
            market.price(token, "0.45")  # within what one venue's word is gone by at the first look
        trouble(market)
        begun, cpu = monotonic(), process_time()

        def sell(_executor: TradeExecutor, _symbol: str, _decision: ExitDecision, _price: Decimal) -> bool:
            if _decision.reason is not None:
                timings.sales.append(monotonic() - begun)
            return True

        def judge(position: Position, price: Decimal, now: datetime, rules: ExitRules) -> ExitDecision:
            timings.judged.append(monotonic() - begun)
            return decide(position, price, now, rules)

        from risk_manager import decide_exit as decide  # noqa: PLC0415 - before it is replaced

        with patch.object(TradeExecutor, "exit", sell), patch("risk_manager.decide_exit", judge):
            bot.intraday_check()
        timings.whole, timings.cpu = monotonic() - begun, process_time() - cpu
    market.heal()
    for token in token_names(count)[::2]:
        market.price(token, "1")
    return timings


@contextmanager
def a_bot(market: StubMarket, count: int, **strategy: object) -> Iterator[Bot]:
    """Yield a bot that holds so many positions, in a folder of its own, today's pass done."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("config.yaml").write_text(settings_text(market, token_names(count), "binance", **strategy))
            Path("bot_state.json").write_text(book_to_json(book_of(count)))
            settings = read_settings(Path("config.yaml"))
            with open_bot(
                settings,
                SystemClock(),
                console=None,
                config=Path("config.yaml"),
                apply_overrides=lambda changed: changed,
                one_shot=True,
            ) as run:
                run.bot.start()
                yield run.bot
        finally:
            os.chdir(before)


def book_of(count: int, exchange: ExchangeName = "binance", *, done_until: date | None = None) -> Book:
    """Return a book with so many positions, bought at 1, whose passes are done up to tomorrow, or to that day."""
    book = new_book("live", EXCHANGE_FACTS[exchange].quote_assets[0], Decimal(1000), now(), exchange)
    one = Decimal(1)
    for token in token_names(count):
        held = Position(qty=Decimal(100), entry_quote=one, entry_base=one, cost=Decimal(100), max_price=one)
        book = with_position(book, token, held)
    return with_daily_update_done(book, done_until or now().date() + timedelta(days=1))


if __name__ == "__main__":
    main()
