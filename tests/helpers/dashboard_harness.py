"""A folder with the files of a paper bot, and the pages on it: the real app, its files on disk, a clock to set."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.test import TestResponse

from marsshot.config.loader import read_settings
from marsshot.core.book import Book, TradeRow
from marsshot.dashboard.app import create_app
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.dashboard.security.connection_limits import ConnectionLimits
from marsshot.dashboard.server import open_server
from marsshot.infra.atomic_files import Disk
from positions_store import Store
from tests.helpers.builders import D, a_book, a_trade, bought_at, seed_content

TOKEN = "a-token-of-forty-three-characters-or-so-0123"
BASE_URL = "http://127.0.0.1:8377"
START = datetime(2021, 2, 1, tzinfo=UTC)


class CompiledTemplates(BytecodeCache):
    """The templates as compiled for the first app of this process: compiling took most of each test's time."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what was compiled before; the key and checksum in it tell another template."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what has been compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}


@dataclass
class DashboardHarness:
    """The pages of one folder, and a browser's cookies."""

    client: FlaskClient
    time: list[datetime] = field(default_factory=lambda: [datetime(2021, 2, 20, tzinfo=UTC)])

    def get(self, address: str, **more: Any) -> TestResponse:
        """Ask for a page."""
        return self.client.get(address, base_url=BASE_URL, **more)

    def text(self, address: str) -> str:
        """Return a page that must be there."""
        answer = self.get(address)
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, address: str, form_from: str, **values: str) -> TestResponse:
        """Send a form with the key that the page gave out."""
        key = re.search(r'name="csrf_token" value="([^"]+)"', self.text(form_from))
        assert key is not None
        return self.client.post(address, data={"csrf_token": key[1], **values}, base_url=BASE_URL)

    def log_in(self, token: str = TOKEN, address: str = "127.0.0.1") -> TestResponse:
        """Send a token, from an address."""
        self.client.environ_base["REMOTE_ADDR"] = address
        return self.post("/login", "/login", token=token)

    def another_browser(self) -> DashboardHarness:
        """Return the same pages in a browser without cookies."""
        return DashboardHarness(self.client.application.test_client(), self.time)

    def wait(self, span: timedelta) -> None:
        """Let time pass."""
        self.time[0] += span


def open_dashboard(server_address: ServerAddress | None = None) -> DashboardHarness:
    """Return the pages of the working directory."""
    time = [datetime(2021, 2, 20, tzinfo=UTC)]
    bot_files = BotFiles(Path("config.yaml"), read_settings(Path("config.yaml")), lambda: time[0])
    app = create_app(bot_files, server_address or ServerAddress("127.0.0.1", 8377), lambda: time[0])
    return DashboardHarness(app.test_client(), time)


@contextmanager
def serving(server_address: ServerAddress, limits: ConnectionLimits | None = None) -> Iterator[str]:
    """Yield where the working directory's pages are served, by the real server, as long as the block lasts."""
    settings = read_settings(Path("config.yaml"))
    server = open_server(Path("config.yaml"), settings, server_address, lambda: datetime.now(UTC), limits)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://{server_address.host}:{server.effective_port}"
    finally:
        # A loop that is awake anyway closes all, the trigger too, before this has pulled it.
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
        thread.join(20)
        server.task_dispatcher.shutdown()


def address_with_token() -> ServerAddress:
    """Return an address with a token."""
    return ServerAddress("127.0.0.1", 8377, TOKEN)


def write_settings(**changes: Any) -> None:
    """Write config.yaml with the owner's keys."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return float(value) if isinstance(value, type(D(0))) else value

    Path("config.yaml").write_text(yaml.safe_dump(plain(seed_content() | changes)))


def write_book(book: Book, trades: Iterable[TradeRow] = ()) -> None:
    """Write the book, and trades.csv as the bot does."""
    mode = "" if book.mode == "live" else f".{book.mode}"
    store = Store(book, Path(f"bot_state{mode}.json"), Path(f"trades{mode}.csv"), Disk(), pytest.fail)
    store.save(replace(book, unwritten_trades=tuple(trades)))
    store.save(replace(store.book, order_serial=book.order_serial + 1))


def write_equity(*equities: str) -> None:
    """Write equity.paper.csv: a point a day, all of it capital."""
    rows = [f"{START + timedelta(days=n):%Y-%m-%dT%H:%M:%SZ},{one},0,{one}" for n, one in enumerate(equities)]
    Path("equity.paper.csv").write_text("\n".join(["time,capital,positions,equity", *rows, ""]))


def write_seen(**prices: str) -> None:
    """Write seen.paper.json: what the last check saw."""
    moment = "2021-02-19T12:00:00Z"
    seen = {symbol: {"price": price, "time": moment} for symbol, price in prices.items()}
    Path("seen.paper.json").write_text(
        json.dumps({"time": moment, "prices": seen, "put_off": "", "put_off_until": None})
    )


def write_heartbeat(moment: str = "2021-02-20T00:00:00Z") -> None:
    """Write heartbeat.paper.json."""
    Path("heartbeat.paper.json").write_text(json.dumps({"time": moment, "mode": "paper", "pid": 1}))


DECISION_COLUMNS = "day,time,symbol,held,probability,hit_rate,hit_rows,action,quote,reason,detail"


def write_decisions(*rows: str) -> None:
    """Write decisions.paper.csv."""
    Path("decisions.paper.csv").write_text("\n".join([DECISION_COLUMNS, *rows, ""]))


def write_bot_files() -> None:
    """Write a bot that holds FET, has bought and sold, and has noted down what it decided and had."""
    write_settings()
    trades = [
        a_trade("ms-1", time="2021-02-01T00:30:00Z", side="BUY", reason="daily_buy", profit=""),
        a_trade("ms-2", time="2021-02-03T10:00:00Z", symbol="OP", reason="stop_loss", profit="-50.5"),
        a_trade("ms-3", time="2021-02-04T10:00:00Z", symbol="ARB", reason="trailing_stop", profit="120.25"),
    ]
    held = bought_at("1", opened_at="2021-02-01T00:30:00Z")
    write_book(a_book(capital=D("969.75"), started_at="2021-02-01T00:00:00Z", positions={"FET": held}), trades)
    write_equity("1000", "1100", "990", "1069.75")
    write_decisions(
        "2021-02-15,2021-02-15T00:30:00Z,FET,true,0.612,,,keep,,at_sell_threshold,not under 0.30",
        "2021-02-15,2021-02-15T00:30:00Z,OP,false,0.742,0.5,4,buy,100,at_buy_threshold,0.70 or more",
        "2021-02-14,2021-02-14T00:30:00Z,FET,true,0.55,,,keep,,at_sell_threshold,not under 0.30",
    )
    write_heartbeat()
    Path("bot.paper.log").write_text(
        "2021-02-15T00:30:00Z INFO daily.done | Daily pass of 2021-02-15: 1 bought\n"
        "2021-02-15T00:35:00Z WARNING price.note | LUNA: Coinbase does not know it\n"
        "2021-02-15T00:40:00Z ERROR book.trouble symbol=FET | FET: coins are missing\n"
    )
