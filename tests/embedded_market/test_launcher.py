"""The market in a process of its own: starts, follows the clock, keeps its account, never outlives its parent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from binance.client import Client

from embedded_market.__main__ import main
from embedded_market.market_data.history import day_start
from embedded_market.server.launcher import MarketProcess, MarketProcessError

NOW = day_start(date(2021, 2, 15)) + 1805
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def a_client(market: MarketProcess) -> Any:
    client: Any = Client(market.api_key, market.api_secret, ping=False)
    client.API_URL = market.url + "/api"
    client.timestamp_offset = round(market.time * 1000) - int(time.time() * 1000)
    return client


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


def test_it_follows_the_parents_clock_and_ends_with_the_block() -> None:
    with MarketProcess(start=NOW) as market:
        times = []
        for seconds in (0, 300):
            market.set_time(NOW + seconds)
            times.append(requests.get(f"{market.url}/api/v3/time", timeout=5).json()["serverTime"])
        pid = market.pid
        assert is_alive(pid)
        assert (market.first_date, market.last_date) == (date(2020, 1, 1), date(2021, 9, 29))
        key = market.api_key
    assert times == [round(NOW * 1000), round(NOW * 1000) + 300_000]
    assert wait_until_gone(pid)
    assert MarketProcess(start=NOW).api_key != key


def test_it_ignores_the_terminals_signals() -> None:
    with MarketProcess(start=NOW) as market:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(market.pid, number)
        time.sleep(0.1)
        assert requests.get(f"{market.url}/api/v3/ping", timeout=5).json() == {}


def test_it_dies_with_a_killed_parent() -> None:
    code = (
        "import time; from embedded_market.server.launcher import MarketProcess\n"
        f"with MarketProcess(start={NOW}) as market:\n    print(market.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert wait_until_gone(child)


@pytest.mark.slow
def test_its_account_and_time_survive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "embedded_market.json"
    with MarketProcess(start=NOW, balances={"USDT": Decimal(500)}, account_file=file) as market:
        client = a_client(market)
        placed = client.create_order(
            symbol="ADAUSDT", side="BUY", type="MARKET", quoteOrderQty="100", newClientOrderId="ms-1"
        )
        assert MarketProcess.saved_time(file) == NOW
        market.set_time(NOW + 600)
    assert MarketProcess.saved_time(file) == NOW + 600
    assert file.stat().st_mode & 0o777 == 0o600
    with MarketProcess(start=NOW, account_file=file) as market:
        assert market.time == NOW + 600
        client = a_client(market)
        assert client.get_order(symbol="ADAUSDT", origClientOrderId="ms-1")["orderId"] == placed["orderId"]
        balance = client.get_asset_balance("USDT")["free"]
    assert float(balance) == pytest.approx(500 - float(placed["cummulativeQuoteQty"]))


@pytest.mark.slow
def test_an_order_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "embedded_market.json"
    with MarketProcess(start=NOW, account_file=file) as market:
        a_client(market).create_order(symbol="ADAUSDT", side="BUY", type="MARKET", quoteOrderQty="100")
        os.kill(market.pid, signal.SIGKILL)
        wait_until_gone(market.pid)
    with MarketProcess(start=NOW, account_file=file) as market:
        assert len(a_client(market).get_my_trades(symbol="ADAUSDT")) == 1


def test_a_broken_account_file_stops_the_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "embedded_market.json"
    file.write_text('{"version": 1, "time": 5}')
    with pytest.raises(MarketProcessError), MarketProcess(start=NOW, account_file=file):
        pass
    assert str(file) in capfd.readouterr().err


def test_by_hand_it_prints_what_to_paste_and_serves() -> None:
    command = [sys.executable, "-m", "embedded_market", "--port", "0", "--date", "2021-02-15", "--today"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        printed = "".join(child.stdout.readline() for _ in range(7))
        found = re.search(r'binance_api: \{api_key: "(\w{64})", api_secret: "(\w{64})", base_url: "(\S+)"\}', printed)
        assert found, printed
        client: Any = Client(found[1], found[2], ping=False)
        client.API_URL = found[3] + "/api"
        assert client.get_asset_balance("USDT")["free"] == "10000.00000000"
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--date", "2019-12-31"], "2020-01-01 to 2021-09-29"),
        (["--date", "2021-09-30"], "2020-01-01 to 2021-09-29"),
        (["--date", "soon"], "--date"),
        (["--speed", "0"], "--speed"),
        (["--usdt", "-1"], "--usdt"),
    ],
)
def test_by_hand_a_wrong_argument_ends_with_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
