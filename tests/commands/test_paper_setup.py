"""`make paper`: the choice of tokens, the settings made from the shipped ones, and the whole way in real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

import numpy as np
import pytest

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.commands.paper_setup.liquid_tokens import candidates, most_traded
from marsshot.commands.paper_setup.settings_file import paper_config
from marsshot.config.loader import read_settings
from marsshot.market_data.bar_cache import FIELDS, DailyBars

ROOT = Path(__file__).resolve().parents[2]
YESTERDAY = np.datetime64("2026-11-28", "D")
WAIT_SECONDS = 100.0


def row(base: str, **changes: Any) -> dict[str, Any]:
    return {"baseAsset": base, "quoteAsset": "USDT", "status": "TRADING", "isSpotTradingAllowed": True, **changes}


def bars_of(symbol: str, closes: Any, volume: float = 1.0, last: np.datetime64 = YESTERDAY) -> DailyBars:
    days = last - np.arange(len(closes))[::-1] * np.timedelta64(1, "D")
    values = np.full((len(closes), len(FIELDS)), np.nan)
    values[:, :4] = np.asarray(closes, dtype=float)[:, None]
    values[:, 4] = volume
    return DailyBars(symbol, days, values)


def a_walk(seed: int, length: int = 120) -> Any:
    return np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.05, length)))


# --------------------------------------------------------------------------- which tokens


def test_currencies_gold_wrapped_and_leveraged_coins_are_no_candidates() -> None:
    listed = ["BTC", "ETH", "JUP", "SYRUP", "1INCH", "USDC", "EUR", "PAXG", "WBTC", "BTCUP", "ETHDOWN"]
    rows = [row(base) for base in listed]
    rows += [row("OLD", status="BREAK"), row("EURO", quoteAsset="EUR"), row("OFF", isSpotTradingAllowed=False), {}]
    assert candidates(rows, "USDT") == ["1INCH", "BTC", "ETH", "JUP", "SYRUP"]


def test_the_most_traded_of_the_last_thirty_days_come_first() -> None:
    histories = {name: bars_of(name, a_walk(number), number) for number, name in enumerate(("A", "B", "C", "D"), 1)}
    histories["A"].values[:-30, 4] = 1e9  # long ago
    assert most_traded(histories, YESTERDAY, 3) == ["D", "C", "B"]


def test_what_is_kept_at_a_price_by_itself_or_beside_another_coin_is_left_out() -> None:
    btc, noise = a_walk(1), np.random.default_rng(2).normal(1, 0.001, 120)
    histories = {
        "BTC": bars_of("BTC", btc),
        "XBTC": bars_of("XBTC", btc * noise, 9),
        "NEWUSD": bars_of("NEWUSD", noise, 9),
        "ADA": bars_of("ADA", a_walk(3)),
    }
    assert most_traded(histories, YESTERDAY) == ["ADA", "BTC"]


def test_what_is_young_or_did_not_trade_yesterday_is_left_out() -> None:
    histories = {
        "OLD": bars_of("OLD", a_walk(1, 90)),
        "YOUNG": bars_of("YOUNG", a_walk(2, 89)),
        "GONE": bars_of("GONE", a_walk(3), last=YESTERDAY - np.timedelta64(1, "D")),
    }
    assert most_traded(histories, YESTERDAY) == ["OLD"]


# --------------------------------------------------------------------------- the settings


def test_the_settings_are_the_shipped_ones_with_mode_source_tokens_and_date(tmp_path: Path) -> None:
    shipped = (ROOT / "config.yaml").read_text()
    tokens = ["BTC", "1INCH", "NULL", "SOL"]
    (tmp_path / "config.paper.yaml").write_text(
        paper_config(shipped, tokens, date(2026, 11, 29), "https://data.example")
    )
    settings, old = read_settings(tmp_path / "config.paper.yaml"), read_settings(ROOT / "config.yaml")
    assert (settings.mode, settings.data_source) == ("paper", "binance")
    assert list(settings.tokens_daily) == list(settings.training_tokens) == tokens
    assert settings.binance_api.base_url == "https://data.example"
    assert (settings.strategy, settings.training, settings.coinbase) == (old.strategy, old.training, old.coinbase)
    text = (tmp_path / "config.paper.yaml").read_text()
    assert "Chosen on 2026-11-29" in text and "# Every check_interval_seconds." in text


def test_settings_with_the_seeds_keys_alone_do_too(tmp_path: Path) -> None:
    text = (ROOT / "config.yaml").read_text()
    text = re.sub(r"(?m)^(training_tokens|data_source|coinbase|symbols|quote_asset):.*\n(?:[ \t]+.*\n)*", "", text)
    (tmp_path / "config.paper.yaml").write_text(paper_config(text, ["ADA"], date(2026, 11, 29), "https://data.example"))
    settings = read_settings(tmp_path / "config.paper.yaml")
    assert (settings.data_source, settings.training_tokens) == ("binance", ("ADA",))


# --------------------------------------------------------------------------- the whole way


class Paper:
    """A folder with settings, and the market of 2021 as if it were today's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = timedelta(0)
        shift = (datetime.now(UTC).date() - date(2021, 8, 20)).days
        self.market = EmbeddedMarket(clock=lambda: time.time() + self.ahead.total_seconds(), shift_days=shift)
        self.server = MarketServer(self.market)

    def configure(self, url: str) -> None:
        text = re.sub(r'"https://[a-z.-]+"', f'"{url}"', (ROOT / "config.yaml").read_text())
        (self.folder / "config.yaml").write_text(text.replace("n_iter: 30", "n_iter: 1"))

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
        environment.pop("LUNARCRUSH_API_KEY", None)
        command = [sys.executable, "-P", "-m", "marsshot.commands.paper_setup"]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self) -> tuple[int, str]:
        with self.started() as process:
            out, _ = process.communicate(timeout=WAIT_SECONDS)
        return process.returncode, out


def lines_until(stream: IO[str] | None, text: str) -> list[str]:
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    here = Paper(tmp_path)
    with here.server:
        here.configure(here.server.url)
        yield here


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_one_command_leads_from_a_clone_to_a_trading_bot_and_the_second_goes_on(paper: Paper) -> None:
    with paper.started() as process:
        lines = lines_until(process.stdout, "MarsShot runs in mode paper")
        address = re.search(r"http://127.0.0.1:\d+", "".join(lines))
        assert address is not None
        page = urlopen(address[0]).read().decode()
        assert "MarsShot" in page
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    told = "".join(lines)
    assert told.index(address[0]) < told.index("training_data.paper.csv: ") < told.index("model.paper.pkl is written")
    settings = read_settings(paper.folder / "config.paper.yaml")
    assert settings.tokens_daily[0] in {"BTC", "ETH"} and 5 <= len(settings.tokens_daily) <= 14
    assert (paper.folder / "bot_state.paper.json").exists() and (paper.folder / "model_report.paper.html").exists()
    requests = len([one for one in paper.market.request_log if one.path == "/api/v3/klines"])
    with paper.started() as process:
        again = "".join(lines_until(process.stdout, "MarsShot runs in mode paper"))
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    assert "model.paper.pkl is written" not in again and "most traded" not in again
    assert len([one for one in paper.market.request_log if one.path == "/api/v3/klines"]) <= requests + 28


def test_without_a_network_one_line_says_so(paper: Paper) -> None:
    paper.configure("http://127.0.0.1:9")
    code, out = paper.run()
    assert (code, len(out.splitlines())) == (1, 1) and "Binance cannot be reached" in out and "network" in out
    assert not (paper.folder / "config.paper.yaml").exists()


def test_where_the_region_is_not_served_one_line_says_so(paper: Paper) -> None:
    paper.market.faults.add(service="binance", match="/api/v3/time", kind="status", status=451, times=-1)
    code, out = paper.run()
    assert (code, len(out.splitlines())) == (1, 1) and "does not serve the region of this machine (HTTP 451)" in out


@pytest.mark.parametrize(("ahead", "told"), [(-90, r"\+(89|90|91) s off"), (90, r"-(89|90|91) s off")])
def test_with_a_wrong_clock_one_line_says_how_wrong(paper: Paper, ahead: int, told: str) -> None:
    paper.ahead = timedelta(seconds=ahead)
    code, out = paper.run()
    assert (code, len(out.splitlines())) == (2, 1) and re.search(told, out), out
