"""The child of `MarketProcess`: reads its orders from stdin, serves, and ends when stdin does.

SIGINT, SIGTERM and SIGHUP are left to the parent, so that an order under way is not cut in two.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from embedded_market.bitvavo.account_file import VENUE as BITVAVO
from embedded_market.bitvavo.account_file import load_account as load_bitvavo
from embedded_market.bitvavo.account_file import save_account as save_bitvavo
from embedded_market.exchange.account_file import AccountFileError, load_account, save_account
from embedded_market.market import EmbeddedMarket
from embedded_market.market_data.history import HistoryError, date_of, load_bundled_history, load_history
from embedded_market.server.http_server import MarketServer

_POLL_SECONDS = 1.0


def main() -> int:
    """Serve until the parent closes the pipe."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    orders = json.loads(sys.stdin.buffer.readline() or b"null")
    if orders is None:
        return 1
    try:
        market = _market(orders)
        save = _saver(market, orders["account_file"], orders["exchange"])
        with MarketServer(market, orders["port"]) as server:
            sys.stdout.write(json.dumps(_ready(market, server)) + "\n")
            sys.stdout.flush()
            _wait_for_parent_exit()
    except (AccountFileError, HistoryError, OSError) as error:
        sys.stderr.write(f"embedded market: {error}\n")
        return 1
    save()
    return 0


def _ready(market: EmbeddedMarket, server: MarketServer) -> dict[str, object]:
    history = market.history
    days = (date_of(day + market.shift_days).isoformat() for day in (history.first_day, history.last_day))
    return {"port": server.port, "days": list(days)}


def _wait_for_parent_exit() -> None:
    """Return when the pipe is closed, or when the parent is gone although a sibling still holds the pipe open."""
    if os.name != "posix":
        sys.stdin.buffer.read()
        return
    parent = os.getppid()
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if readable and not sys.stdin.buffer.read(1):
            return


def _market(orders: dict[str, Any]) -> EmbeddedMarket:
    clock_file = Path(orders["clock_file"])
    with clock_file.open("r+b") as file:
        clock = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
    history_file = orders["history_file"]
    market = EmbeddedMarket(
        clock=lambda: clock[0],
        history=load_history(Path(history_file)) if history_file else load_bundled_history(),
        seed=orders["seed"],
        shift_days=orders["shift_days"],
        balances={asset: Decimal(amount) for asset, amount in orders["balances"].items()},
        api_key=orders["api_key"],
        api_secret=orders["api_secret"],
        lunarcrush_key=orders["lunarcrush_key"],
    )
    market.log_requests = False
    return market


def _saver(market: EmbeddedMarket, account_file: str | None, exchange: str) -> Callable[[], None]:
    if account_file is None:
        return lambda: None
    path = Path(account_file)
    if exchange == BITVAVO:
        load, write = partial(load_bitvavo, market.bitvavo.engine), partial(save_bitvavo, market.bitvavo.engine)
    else:
        load, write = partial(load_account, market.exchange), partial(save_account, market.exchange)
    if path.exists():
        load(path)

    def save() -> None:
        with market.lock:
            write(market.clock(), path)

    market.binance.account.on_order = market.bitvavo.account.on_order = save
    return save


if __name__ == "__main__":
    sys.exit(main())
