"""The whole program on Bitvavo's stand-in: check, the daily update in euros, recover, a foreign book, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.config.exchanges import EXCHANGE_FACTS
from marsshot.core.reasons import OrderReason
from marsshot.exchange.bitvavo.order_ids import read_order_id
from tests.helpers.builders import ROOT
from tests.helpers.process_harness import ProcessHarness, open_process_harness

D = Decimal


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with open_process_harness(tmp_path) as harness:
        harness.market.bitvavo.engine.free.update(EUR=D(1500))
        harness.config |= {
            "exchange": "bitvavo",
            "bitvavo": {
                "api_key": harness.market.api_key,
                "api_secret": harness.market.api_secret,
                "base_url": harness.url,
            },
        }
        harness.write_config()
        harness.write_model()
        yield harness


def a_day(harness: ProcessHarness) -> str:
    code, out, error = harness.run("daily")
    assert (code, error) == (0, ""), out + error
    return out


@pytest.mark.slow
def test_the_daily_update_buys_for_euros_to_the_cent(harness: ProcessHarness) -> None:
    out = a_day(harness)
    assert "EUR" in out
    assert "Binance" not in out
    (order,) = harness.market.bitvavo.engine.orders
    book = harness.book()
    assert order.request.market == "ADA-EUR"
    assert order.request.amount_quote == 1000
    assert order.request.operator_id == book["operator_id"] > 0
    assert (book["exchange"], book["quote_asset"]) == ("bitvavo", "EUR")
    assert D(book["capital_usdt"]) == 0
    told = read_order_id(str(order.request.client_order_id), book["operator_id"])
    assert told == (1, OrderReason.DAILY_BUY)
    assert harness.market.bitvavo.engine.free["EUR"] == 500
    assert json.loads((harness.folder / "seen.json").read_text())["bars_rate"] == "1.2"
    assert harness.market.requests["binance"] == 0
    assert harness.run("status")[0] == 0


@pytest.mark.slow
def test_an_operator_id_of_the_settings_wins_and_stands_in_the_book(harness: ProcessHarness) -> None:
    harness.config["bitvavo"]["operator_id"] = 77
    harness.write_config()
    a_day(harness)
    assert harness.book()["operator_id"] == 77
    assert harness.market.bitvavo.engine.orders[0].request.operator_id == 77


@pytest.mark.slow
def test_without_a_rate_the_closes_are_not_compared_and_the_token_is_bought(harness: ProcessHarness) -> None:
    harness.market.faults.add(service="coinbase", match="EUR-USD", kind="status", times=-1, status=500)
    assert "not compared" in a_day(harness)
    assert len(harness.market.bitvavo.engine.orders) == 1


@pytest.mark.slow
def test_another_coin_of_the_name_is_found_out_in_dollars(harness: ProcessHarness) -> None:
    harness.market.set_price("ADA", "50")
    a_day(harness)
    assert harness.market.bitvavo.engine.orders == []


@pytest.mark.slow
def test_a_book_of_one_exchange_is_refused_by_the_other(harness: ProcessHarness) -> None:
    a_day(harness)
    harness.config["exchange"] = "binance"
    harness.write_config()
    code, _, error = harness.run("daily")
    assert code == 2
    assert "bitvavo" in error


@pytest.mark.slow
def test_check_tells_of_the_account_the_key_and_the_first_order(harness: ProcessHarness) -> None:
    harness.market.bitvavo.rights.add("withdraw")
    harness.market.bitvavo.engine.staked["ADA"] = D(5)
    code, out, error = harness.run("check")
    assert error == ""
    assert code == 0, out
    for part in ("1,500.00 EUR", "right to withdraw", "ADA are staked", "10 euros", "ADA", "DOT"):
        assert part in " ".join(out.split()), out
    assert "Binance" not in out


@pytest.mark.slow
def test_check_says_what_the_key_lacks(harness: ProcessHarness) -> None:
    harness.market.bitvavo.rights.discard("trade")
    code, out, _ = harness.run("check")
    assert code != 0
    assert "Trade" in out


@pytest.mark.slow
def test_recover_finds_its_orders_without_a_book(harness: ProcessHarness) -> None:
    a_day(harness)
    before = harness.book()
    for name in ("bot_state.json", "bot_state.json.bak", "trades.csv"):
        (harness.folder / name).unlink(missing_ok=True)
    code, out, error = harness.run("recover", "--yes", "--days", "2")
    assert (code, error) == (0, ""), out + error
    after = harness.book()
    assert after["positions"]["ADA"]["qty"] == before["positions"]["ADA"]["qty"]
    assert after["operator_id"] == before["operator_id"]


@pytest.mark.slow
def test_recover_asks_which_bot_it_is_for_where_several_have_traded(harness: ProcessHarness) -> None:
    a_day(harness)
    (harness.folder / "bot_state.json").unlink()
    (harness.folder / "bot_state.json.bak").unlink(missing_ok=True)
    (harness.folder / "trades.csv").unlink()
    harness.config["bitvavo"]["operator_id"] = 77
    harness.write_config()
    a_day(harness)
    harness.config["bitvavo"]["operator_id"] = 0
    harness.write_config()
    for name in ("bot_state.json", "bot_state.json.bak", "trades.csv"):
        (harness.folder / name).unlink(missing_ok=True)
    code, _, error = harness.run("recover", "--yes", "--days", "2")
    assert code == 2
    assert "77" in error


@pytest.mark.slow
def test_paper_takes_the_fee_out_of_the_amount(harness: ProcessHarness) -> None:
    harness.config["mode"] = "paper"
    harness.write_config()
    (harness.folder / "model.pkl").rename(harness.folder / "model.paper.pkl")
    (harness.folder / "model.json").rename(harness.folder / "model.paper.json")
    a_day(harness)
    book = json.loads((harness.folder / "bot_state.paper.json").read_text())
    held = book["positions"]["ADA"]
    assert D("999.99") <= D(held["cost"]) <= 1000
    fee = D(held["cost"]) - D(held["entry_quote"])
    assert abs(fee - D(held["entry_quote"]) * D("0.0025")) < D("0.01")
    assert harness.market.bitvavo.engine.orders == []


THE_DAEMONS_MODULES = """
import json, sys
import main
from marsshot.bot.bootstrap import open_bot
from marsshot.config.loader import read_settings
from marsshot.infra.clock import SystemClock
path = main.Path("config.yaml")
facts = {"console": None, "config": path, "apply_overrides": lambda changed: changed, "one_shot": False}
with open_bot(read_settings(path), SystemClock(), **facts):
    print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("used", ["binance", "bitvavo"])
def test_a_daemon_loads_the_code_of_its_own_exchange_alone(harness: ProcessHarness, used: str) -> None:
    harness.config["exchange"] = used
    harness.write_config()
    command = [sys.executable, "-W", "ignore", "-c", THE_DAEMONS_MODULES]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, cwd=harness.folder, env=environment, capture_output=True, text=True)
    modules = set(json.loads(done.stdout))
    assert {name for name in EXCHANGE_FACTS if f"marsshot.exchange.{name}" in modules} == {used}
    assert ("binance.client" in modules) is (used == "binance"), "python-binance"
    assert not {"marsshot.market_data.daily_bar_sources", "pandas", "sklearn"} & modules, "the scoring process's"
    assert "charset_normalizer.api" not in modules, "no venue's answer has to be guessed at"
