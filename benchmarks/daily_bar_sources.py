"""How long 150 tokens take to fetch from each source of daily bars, and the daily pass after it, 100 ms an answer.

    python benchmarks/daily_bar_sources.py [--tokens 150] [--days 1095] [--latency 0.1]

The embedded market serves both on loopback, from a process of its own, over synthetic walks. LunarCrush's limit of
requests is set out of the way: what its plan adds is arithmetic. Over the network Binance is asked at most five times a
second, which is arithmetic as well; both are printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embedded_market import EmbeddedMarket, MarketServer
from embedded_market.market_data.history import CoinHistory, DailyBar, History
from marsshot.infra.clock import SystemClock
from marsshot.market_data.bar_cache import DailyBars
from marsshot.market_data.base import DailyBarSource
from marsshot.market_data.binance_klines import BinanceKlines
from marsshot.market_data.lunarcrush import LunarCrush

LUNARCRUSH_PER_MINUTE, KLINES_PER_SECOND = 10, 5


def main() -> int:
    """Measure and print. Returns the exit code."""
    chosen = _parser().parse_args()
    if chosen.serve:
        return _serve(chosen)
    with _market(chosen) as url, TemporaryDirectory() as folder:
        for name in ("Binance", "LunarCrush"):
            _print_measured(name, _clock_and_source(name, url, Path(folder)), chosen)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--days", type=int, default=1095)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser


class _SettableClock(SystemClock):
    """The real time, less a while."""

    behind = timedelta(days=1)

    def now(self) -> datetime:
        """Return the moment that it is meant to be."""
        return super().now() - self.behind


def _clock_and_source(name: str, url: str, folder: Path) -> tuple[_SettableClock, DailyBarSource]:
    clock = _SettableClock()
    if name == "Binance":
        return clock, BinanceKlines(
            base_url=url, quotes=("USDT",), cache_dir=folder / name, clock=clock, requests_per_second=None
        )
    return clock, LunarCrush(
        api_key="key", base_url=url, requests_per_minute=10_000, cache_dir=folder / name, clock=clock
    )


def _print_measured(name: str, measured: tuple[_SettableClock, DailyBarSource], chosen: argparse.Namespace) -> None:
    clock, source = measured
    per_second = KLINES_PER_SECOND if name == "Binance" else LUNARCRUSH_PER_MINUTE / 60
    for what, behind in (("first", timedelta(days=1)), ("a day later", timedelta(0)), ("again", timedelta(0))):
        clock.behind, before, begun = behind, source.requests_made, time.monotonic()
        histories = _fetched(source, chosen.tokens, chosen.days)
        seconds, asked = time.monotonic() - begun, source.requests_made - before
        print(  # noqa: T201
            f"{name}, {what}: {len(histories)} tokens x {chosen.days} days in {seconds:.1f} s, {asked} requests, which "
            f"the limit over the network makes {asked / per_second:.0f} s at least"
        )


def _fetched(source: DailyBarSource, tokens: int, days: int) -> dict[str, DailyBars]:
    found = dict(source.each_daily_bars({f"T{number}": f"T{number}" for number in range(tokens)}, days))
    bars = {token: one for token, one in found.items() if isinstance(one, DailyBars)}
    if failed := [str(one) for one in found.values() if not isinstance(one, DailyBars)]:
        raise SystemExit(f"{len(failed)} tokens failed: {failed[0]}")
    return bars


# --------------------------------------------------------------------------- the market


@contextmanager
def _market(chosen: argparse.Namespace) -> Iterator[str]:
    options = ["--serve", "--tokens", str(chosen.tokens), "--days", str(chosen.days), "--latency", str(chosen.latency)]
    with subprocess.Popen(  # noqa: S603 - this file
        [sys.executable, __file__, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.kill()


def _serve(chosen: argparse.Namespace) -> int:
    market = EmbeddedMarket(clock=time.time, history=_walks(chosen.tokens, chosen.days + 30))
    market.latency.update(dict.fromkeys(market.latency, chosen.latency))
    market.log_requests = False
    with MarketServer(market) as server:
        print(server.url, flush=True)  # noqa: T201
        sys.stdin.read()
    return 0


def _walks(tokens: int, days: int) -> History:
    today = int(time.time() // 86_400)
    first, random = today - days, np.random.default_rng(0)
    coins = {}
    for number in range(tokens):
        closes = 10 * np.exp(np.cumsum(random.normal(0, 0.03, days + 1)))
        bars = {first + day: _bar(Decimal(f"{close:.4f}")) for day, close in enumerate(closes.tolist())}
        coins[f"T{number}"] = CoinHistory(f"T{number}", bars, first, today, 6)
    # LunarCrush's stand-in knows the two that every score needs by their names.
    return History({**coins, "BTC": coins["T0"], "ETH": coins["T1"]}, first, today)


def _bar(close: Decimal) -> DailyBar:
    step = Decimal("0.0001")
    low, high = ((close * Decimal(factor)).quantize(step) for factor in ("0.98", "1.02"))
    return DailyBar(close, high, low, close, Decimal(1_000_000), Decimal(50_000_000))


if __name__ == "__main__":
    sys.exit(main())
