"""Run the embedded market by hand: `python -m embedded_market --port 8080 --date 2021-02-15`.

Prints where it listens, the keys it accepts and a config snippet, then serves until Ctrl-C. Saves nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import (
    SECONDS_PER_DAY,
    History,
    date_of,
    day_start,
    load_bundled_history,
    unix_day,
)
from embedded_market.server.http_server import MarketServer

LUNARCRUSH_KEY = "any-key-will-do"


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Returns the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    history = load_bundled_history()
    first, last = date_of(history.first_day), date_of(history.last_day)
    if not first <= asked.date <= last:
        parser.error(f"--date {asked.date}: the recorded history reaches from {first} to {last}")
    if asked.speed <= 0:
        parser.error("--speed must be above 0")
    market = _market(asked, history)
    try:
        with MarketServer(market, asked.port) as server:
            sys.stdout.write(_introduction(market, server.url, asked.date))
            sys.stdout.flush()
            while True:
                time.sleep(3600)
    except OSError as error:
        parser.error(f"--port {asked.port}: {error}")
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded_market", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; 0: any")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2021, 2, 15), help="first day of history")
    parser.add_argument("--today", action="store_true", help="serve that date as if it were today")
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds per real second")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--usdt", type=_amount, default=Decimal(10_000), help="balance to begin with")
    return parser


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount")
    return amount


def _market(asked: argparse.Namespace, history: History) -> EmbeddedMarket:
    today = unix_day(datetime.now(UTC).date())
    shift_days = today - unix_day(asked.date) if asked.today else 0
    began = time.time()
    start = began if asked.today else day_start(asked.date) + began % SECONDS_PER_DAY
    return EmbeddedMarket(
        clock=_clock(start, asked.speed),
        history=history,
        seed=asked.seed,
        shift_days=shift_days,
        balances={"USDT": asked.usdt},
    )


def _clock(start: float, speed: float) -> Callable[[], float]:
    if speed == 1.0:
        ahead = start - time.time()
        return lambda: time.time() + ahead
    began = time.monotonic()
    return lambda: start + (time.monotonic() - began) * speed


def _introduction(market: EmbeddedMarket, url: str, day: date) -> str:
    now = datetime.fromtimestamp(market.clock(), UTC)
    note = "" if not market.shift_days else f", showing {day}"
    return f"""The embedded market listens on {url}; it is {now:%Y-%m-%d %H:%M} UTC there{note}.
Any LunarCrush key is accepted. Ctrl-C ends it.

mode: live
lunarcrush:  {{api_key: "{LUNARCRUSH_KEY}", base_url: "{url}"}}
coinbase:    {{base_url: "{url}"}}
binance_api: {{api_key: "{market.api_key}", api_secret: "{market.api_secret}", base_url: "{url}"}}
"""


if __name__ == "__main__":
    sys.exit(main())
