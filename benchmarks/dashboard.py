"""The dashboard's pages with 5,000 trades, a year of hourly equity and 90 days of decisions about 150 tokens.

    pip install -r requirements/dashboard.txt
    python benchmarks/dashboard.py [--trades 5000]

Server time without the network, wall and CPU: of the first request after the start and of the following ones (median of
20). The ratio is that of a page with all trades on it to the page of fifty that is shown,
both in this run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time

from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from marsshot.config.loader import read_settings
from marsshot.core.book import Book, Position, TradeRow
from marsshot.dashboard.app import create_app, warm_up
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.presentation import trade_list
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.infra.atomic_files import Disk
from positions_store import Store

START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
PAGES = ("/", "/trades", "/trades?side=SELL&page=20", "/decisions", "/log", "/chart/worth", "/chart/fall", "/pulse")
REPEATS = 20
BASE_URL = "http://127.0.0.1:8377"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=5000)
    trades = parser.parse_args().trades
    settings = (ROOT / "config.yaml").read_text(encoding="utf-8").replace("mode: demo", "mode: paper")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("config.yaml").write_text(settings, encoding="utf-8")
        _write_bot_files(trades)
        table = Table("Page", title=f"{trades} trades", title_justify="left")
        for column in ("first ms", "first CPU ms", "then ms", "then CPU ms", "kB"):
            table.add_column(column, justify="right")
        for page in PAGES:
            table.add_row(page, *_measured(page))
        Console().print(table)
        _print_ratio(trades)
    return 0


def _print_ratio(trades: int) -> None:
    fifty = _then(_client(), "/trades")[1]
    trade_list.ROWS_PER_PAGE = trades
    everything = _then(_client(), "/trades")[1]
    Console().print(f"all trades on one page: {everything:.0f} CPU ms, {everything / fifty:.1f} times the page of 50")


def _measured(page: str) -> tuple[str, ...]:
    client = _client()
    began, began_cpu = perf_counter(), process_time()
    content = client.get(page, base_url=BASE_URL).data
    first, first_cpu = (perf_counter() - began) * 1000, (process_time() - began_cpu) * 1000
    then, then_cpu = _then(client, page)
    return f"{first:.0f}", f"{first_cpu:.0f}", f"{then:.1f}", f"{then_cpu:.1f}", f"{len(content) / 1000:.0f}"


def _then(client: FlaskClient, page: str) -> tuple[float, float]:
    """Return the median wall and CPU milliseconds of further requests."""
    client.get(page, base_url=BASE_URL)
    walls, cpus = [], []
    for _ in range(REPEATS):
        began, began_cpu = perf_counter(), process_time()
        answer = client.get(page, base_url=BASE_URL)
        walls.append((perf_counter() - began) * 1000)
        cpus.append((process_time() - began_cpu) * 1000)
        if answer.status_code != 200:  # noqa: PLR2004 - HTTP's "OK"
            raise SystemExit(f"{page}: {answer.status}")
    return statistics.median(walls), statistics.median(cpus)


def _client() -> FlaskClient:
    config = Path("config.yaml")
    bot_files = BotFiles(config, read_settings(config), lambda: END)
    app = create_app(bot_files, ServerAddress("127.0.0.1", 8377), lambda: END)
    warm_up(app, bot_files)
    return app.test_client()


def _write_bot_files(trades: int) -> None:
    """Write the files of a bot that has traded for a year."""
    one = Decimal(1)
    held = Position(qty=one, entry_quote=one, entry_base=one, cost=one, max_price=one, opened_at="2025-12-01T00:30:00Z")
    book = Book(
        mode="paper",
        quote_asset="USDT",
        capital=Decimal(1000),
        capital_started=Decimal(1000),
        started_at=f"{START:%Y-%m-%dT%H:%M:%SZ}",
        positions={f"T{n}": held for n in range(10)},
    )
    store = Store(book, Path("bot_state.paper.json"), Path("trades.paper.csv"), Disk(), print)
    step = (END - START) / trades
    rows = [_trade(n, START + n * step) for n in range(trades)]
    for first in range(0, trades, 500):
        store.save(replace(store.book, unwritten_trades=tuple(rows[first : first + 500])))
    hours = int((END - START) / timedelta(hours=1))
    moments = (f"{START + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(hours))
    lines = (f"{moment},900.5,{n % 700}.25,{900 + n % 700}.75" for n, moment in enumerate(moments))
    Path("equity.paper.csv").write_text("\n".join(["time,capital,positions,equity", *lines, ""]))
    days = (f"{END - timedelta(days=n):%Y-%m-%d}" for n in range(90, 0, -1))
    decided = (
        f"{day},{day}T00:30:00Z,T{n},false,0.{400 + n},,,leave,,below_buy_threshold,under 0.70"
        for day in days
        for n in range(150)
    )
    columns = "day,time,symbol,held,probability,hit_rate,hit_rows,action,quote,reason,detail"
    Path("decisions.paper.csv").write_text("\n".join([columns, *decided, ""]))
    log = (f"2025-12-31T00:30:00Z INFO daily.decision symbol=T{n} | T{n}: under 0.70\n" for n in range(20_000))
    Path("bot.paper.log").write_text("".join(log))


def _trade(number: int, moment: datetime) -> TradeRow:
    is_sale = number % 2 == 1
    return TradeRow(
        time=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        symbol=f"T{number % 40}",
        side="SELL" if is_sale else "BUY",
        reason="stop_loss" if is_sale else "daily_buy",
        qty=Decimal("12.5"),
        price=Decimal("1.2345"),
        quote=Decimal("15.43"),
        fee="0.01543",
        fee_asset="USDT",
        client_order_id=f"ms-{number}-1",
        pair=f"T{number % 40}USDT",
        order_id=number,
        status="FILLED",
        profit="0.5" if is_sale else "",
    )


if __name__ == "__main__":
    sys.exit(main())
