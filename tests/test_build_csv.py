"""build_csv.py end to end over HTTP, and what it does when something is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import build_csv
from marsshot.bot import environment
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.infra.clock import VirtualClock
from marsshot.market_data.lunarcrush import LunarCrush
from marsshot.model.features import AVAILABLE_COLUMNS, RATIOS, feature_table, labelled
from tests.market_data.test_lunarcrush import NOW, StubResponse, StubServer, point

CONFIG = """
mode: {mode}
tokens_daily: [FET]
training_tokens: [FET, OP, BTC]
lunarcrush: {{api_key: "{key}", base_url: "{url}", requests_per_minute: 10}}
training: {{days: 90}}
symbols: {{OP: {{lunarcrush: "4711"}}}}
strategy: {{capital_initial: 1000, buy_threshold: 0.7, sell_threshold: 0.3, stop_loss_pct: 0.5,
  partial_take_profit_pct: 1.0, partial_take_profit_ratio: 0.2, trailing_trigger_pct: 3.0, trailing_pct: 0.3,
  big_gain_exception_pct: 4.0, check_interval_seconds: 300, daily_update_hour_utc: 0}}
binance_api: {{api_key: "", api_secret: ""}}
logging: {{file: bot.log}}
"""


def a_walk(seed: int, length: int = 120) -> list[dict[str, Any]]:
    closes = 10 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.05, length)))
    return [
        point(length - 1 - number, open=close * 0.99, high=close * 1.03, low=close * 0.96, close=close)
        for number, close in enumerate(closes.tolist())
    ]


class StubLunarCrush(StubServer):
    """Another walk for each coin, but for those that are down."""

    down: frozenset[str] = frozenset()

    def default_answer(self, request: Any) -> StubResponse:
        coin = self.coin(request)
        if coin in self.down:
            return StubResponse(502, b"<html></html>")
        self.points = a_walk(sum(coin.encode()))
        self.config = {"symbol": "OP"} if coin == "4711" else {}
        return super().default_answer(request)


class BuildHarness:
    """A working directory with a config, a clock and a stub of LunarCrush."""

    def __init__(self, folder: Path, market: StubLunarCrush) -> None:
        self.folder, self.market, self.clock = folder, market, VirtualClock(NOW)
        self.configure()

    def configure(self, mode: str = "live", key: str = "key") -> None:
        (self.folder / "config.yaml").write_text(CONFIG.format(mode=mode, key=key, url=self.market.url))

    @contextmanager
    def surroundings(self, settings: Settings) -> Iterator[Any]:
        yield SimpleNamespace(settings=settings, clock=self.clock)

    def asked(self) -> list[str]:
        return [self.market.coin(request) for request in self.market.requests]

    def run(self, *arguments: str) -> int:
        return build_csv.main(list(arguments))

    def rows(self, name: str = "training_data.csv") -> list[dict[str, str]]:
        with (self.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BuildHarness]:
    for name in ("LUNARCRUSH_API_KEY", "BINANCE_API_KEY", "BINANCE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    market = StubLunarCrush()
    here = BuildHarness(tmp_path, market)
    monkeypatch.setattr(environment, "open_environment", here.surroundings)
    yield here
    market.server.shutdown()
    market.server.server_close()


def test_the_file_has_the_contracts_columns_in_order_of_date_and_symbol(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness.run() == 0
    rows = harness.rows()
    assert list(rows[0]) == ["date", "symbol", *AVAILABLE_COLUMNS[: -len(RATIOS)], "label", *RATIOS]
    keys = [(row["date"], row["symbol"]) for row in rows]
    assert keys == sorted(keys) and len(set(keys)) == len(keys) == 3 * 88
    assert {row["symbol"] for row in rows} == {"BTC", "FET", "OP"}  # ETH is asked for, and not in the list
    assert (keys[0][0], keys[-1][0]) == ("2024-04-01", "2024-06-27")
    assert harness.asked() == ["BTC", "ETH", "FET", "4711"]
    out = capsys.readouterr().out
    assert "\u2501" not in out, "a bar is for a terminal"
    assert "training_data.csv: 264 rows of 3 tokens, 2024-04-01 to 2024-06-27" in out and "4 requests" in out
    assert "6 days left out: the close 2 days later is not known" in out
    assert "rsi 42, macd 99, atr 42" in out


def test_the_rows_are_those_of_the_feature_function_to_the_last_bit(harness: BuildHarness) -> None:
    harness.run()
    source = LunarCrush(
        api_key="key",
        base_url=harness.market.url,
        requests_per_minute=10,
        cache_dir=Path("cache/live/lunarcrush"),
        clock=harness.clock,
    )
    coins = {"BTC": "BTC", "ETH": "ETH", "FET": "FET", "OP": "4711"}
    bars = {symbol: source.daily_bars(symbol, coin, 90) for symbol, coin in coins.items()}
    assert source.requests_made == 0  # the script's cache
    traded = {symbol: bars[symbol] for symbol in ("FET", "OP", "BTC")}
    settings = build_csv_settings(harness)
    table = labelled(feature_table(traded, bars["BTC"], bars["ETH"]), 2, settings.training.threshold)
    written = pd.read_csv("training_data.csv")
    assert written["label"].tolist() == table["label"].tolist()
    for name in AVAILABLE_COLUMNS:
        assert written[name].to_numpy(float).tobytes() == table[name].to_numpy().tobytes(), name


def build_csv_settings(harness: BuildHarness) -> Settings:
    from marsshot.config.loader import read_settings

    return read_settings(harness.folder / "config.yaml")


def test_a_second_run_asks_nothing_and_one_on_the_next_day_the_end_only(harness: BuildHarness) -> None:
    harness.run()
    first = harness.rows()
    assert harness.run() == 0 and len(harness.asked()) == 4
    assert harness.rows() == first
    harness.clock.sleep(86_400)
    assert harness.run() == 0 and len(harness.asked()) == 8
    assert {span[0] for span in harness.market.spans()[4:]} == {3}


def test_tokens_days_and_output_can_be_given(harness: BuildHarness) -> None:
    assert harness.run("--tokens", "fet, ADA,FET", "--days", "50", "--output", "other.csv") == 0
    assert {row["symbol"] for row in harness.rows("other.csv")} == {"FET", "ADA"}
    assert len(harness.rows("other.csv")) == 2 * 48
    assert harness.asked() == ["BTC", "ETH", "FET", "ADA"]
    assert not Path("training_data.csv").exists()


def test_paper_mode_writes_its_name(harness: BuildHarness) -> None:
    harness.configure(mode="paper")
    assert harness.run() == 0
    assert Path("training_data.paper.csv").exists() and Path("cache/paper/lunarcrush").is_dir()


def test_a_token_that_fails_is_left_out_and_named(harness: BuildHarness, capsys: pytest.CaptureFixture[str]) -> None:
    harness.market.unknown = {"4711"}
    assert harness.run() == 0
    assert {row["symbol"] for row in harness.rows()} == {"BTC", "FET"}
    out = capsys.readouterr().out
    assert "1 token left out:" in out and "OP: LunarCrush does not know 4711 (404)" in out


def test_tokens_that_cannot_be_had_now_leave_the_old_file_as_it_is(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of a few tokens out of many must not replace a whole one; the next run asks for what is missing."""
    harness.market.down = frozenset({"4711"})
    code, err = fail(harness, capsys)
    assert code == 1 and "not written, 1 of 4 tokens could not be had now" in err and "run it again later" in err
    asked = len(harness.market.requests)
    harness.market.down = frozenset()
    assert harness.run() == 0
    assert len(harness.market.requests) == asked + 1


def fail(harness: BuildHarness, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run into a failure with an older file present; it must stay as it was."""
    Path("training_data.csv").write_text("the old file")
    code = harness.run(*arguments)
    assert Path("training_data.csv").read_text() == "the old file"
    assert not list(Path.cwd().glob("*.tmp")) and not list(Path.cwd().glob(".*.tmp"))
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return code, err


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_without_btc_or_eth_nothing_is_written(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str], coin: str
) -> None:
    harness.market.unknown = {coin}
    code, err = fail(harness, capsys)
    assert code == 1 and f"{coin}: LunarCrush does not know {coin} (404)" in err and "try again later" in err


def test_without_any_token_nothing_is_written(harness: BuildHarness, capsys: pytest.CaptureFixture[str]) -> None:
    harness.market.unknown = {"FET", "4711"}
    code, err = fail(harness, capsys, "--tokens", "FET,OP")
    assert code == 1 and "no token has a labelled day" in err and "FET: LunarCrush does not know FET" in err


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_key_or_plan_ends_it_at_once(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    harness.market.script = [StubResponse(status, {"error": "no"})]
    code, err = fail(harness, capsys)
    assert code == 1 and f"({status})" in err and len(harness.market.requests) == 1


def test_a_source_that_is_down_is_told(harness: BuildHarness, capsys: pytest.CaptureFixture[str]) -> None:
    harness.market.script = [StubResponse(502, b"<html></html>") for _ in range(5)]
    code, err = fail(harness, capsys)
    assert code == 1 and "trying again in 2 s" in err and "BTC: LunarCrush answered 502; without BTC" in err


def test_150_tokens_are_152_requests_in_the_quarter_of_an_hour_that_ten_a_minute_take(harness: BuildHarness) -> None:
    sent: list[float] = []
    default_answer = harness.market.default_answer

    def noted(request: Any) -> StubResponse:
        sent.append(harness.clock.now().timestamp())
        return default_answer(request)

    harness.market.default_answer = noted  # type: ignore[method-assign]
    assert harness.run("--days", "36", "--tokens", ",".join(f"T{number}" for number in range(150))) == 0
    assert len(sent) == len(harness.market.requests) == 152
    # Fifteen full minutes, each with the tenth of a second that keeps both its ends from counting twice.
    assert (harness.clock.now() - NOW).total_seconds() == pytest.approx(15 * 60.1)
    assert max(sum(0 <= other - moment <= 60 for other in sent) for moment in sent) == 10


TOMORROW = str(int((NOW + timedelta(days=1)).replace(minute=0).timestamp()))


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-rate-limit-day-reset": TOMORROW}, "run it again from 2024-07-01 00:00 UTC on: "),
        ({"Retry-After": "84600"}, "run it again from 2024-07-01 00:00 UTC on: "),
        ({"x-rate-limit-day-reset": "soon"}, "run it again later (LunarCrush does not say when): "),
    ],
)
def test_when_the_daily_quota_ends_it_says_when_it_can_go_on_and_then_goes_on(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str], headers: dict[str, str], told: str
) -> None:
    refusal = StubResponse(429, {"error": "Rate limit exceeded (daily)"}, headers)
    harness.market.script = [
        harness.market.default_answer,
        harness.market.default_answer,
        harness.market.default_answer,
        lambda _: refusal,
    ]
    code, err = fail(harness, capsys)
    line = f"training_data.csv: not written, LunarCrush's daily quota of requests is used up; {told}"
    assert code == 1 and err.splitlines()[-1] == f"{line}what was fetched is kept and not asked for again"
    assert harness.asked() == ["BTC", "ETH", "FET", "4711"]
    harness.clock.sleep(3600)
    assert harness.run() == 0
    assert harness.asked()[4:] == ["4711"]


def test_after_the_last_request_of_the_day_not_one_more_is_sent(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    def last(request: Any) -> StubResponse:
        answer = harness.market.default_answer(request)
        answer.headers = {"x-rate-limit-day-remaining": "0", "x-rate-limit-day-reset": TOMORROW}
        return answer

    harness.market.script = [harness.market.default_answer, last]
    code, err = fail(harness, capsys)
    assert code == 1 and "from 2024-07-01 00:00 UTC on" in err.splitlines()[-1]
    assert harness.asked() == ["BTC", "ETH"]
    assert harness.run("--tokens", "BTC") == 0 and harness.asked() == ["BTC", "ETH"]  # both were kept


def test_a_missing_key_is_asked_for_before_anything_is_sent(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.configure(key="")
    code, err = fail(harness, capsys)
    assert code == 2 and "lunarcrush.api_key" in err and "LUNARCRUSH_API_KEY" in err and not harness.market.requests


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--days", "35"], "--days: 35 is not allowed; it must be from 36 to 5000"),
        (["--days", "0"], "--days: 0"),
        (["--tokens", ""], "--tokens: '' is no ticker"),
        (["--tokens", "FET,O P"], "--tokens: 'O P' is no ticker"),
        (["--output", "."], "is a directory"),
        (["--output", "nowhere/data.csv"], "there is no directory nowhere"),
        (["--config", "none.yaml"], "none.yaml: there is no such file"),
    ],
)
def test_wrong_arguments_are_named(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    code, err = fail(harness, capsys, *arguments)
    assert code == 2 and text in err and len(err.splitlines()) == 1 and not harness.market.requests


def test_an_unknown_option_is_wrong_usage(harness: BuildHarness) -> None:
    with pytest.raises(SystemExit) as caught:
        harness.run("--nonsense")
    assert caught.value.code == 2


def test_ctrl_c_is_one_line_and_leaves_the_old_file(harness: BuildHarness, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    harness.clock.sleep = interrupt  # type: ignore[method-assign]
    harness.market.script = [StubResponse(500)]
    code, err = fail(harness, capsys)
    assert code == 1 and err.splitlines()[-1].startswith("build_csv.py: interrupted; no file was changed")


def test_a_disk_that_is_full_leaves_the_old_file(
    harness: BuildHarness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    code, err = fail(harness, capsys)
    assert code == 1 and "training_data.csv: cannot be written (No space left on device)" in err


def test_the_time_left_is_what_the_limit_makes_it(harness: BuildHarness) -> None:
    from rich.console import Console

    source: Any = SimpleNamespace(requests_made=5, seconds_for=lambda requests: requests * 6.0)
    with build_csv._bar(
        source, 10, Console(file=Path("bar.txt").open("w"), force_terminal=True), Catalog("en")
    ) as advance:
        advance("FET", 5)
    assert f"{timedelta(seconds=30)} left" in Path("bar.txt").read_text()


def test_the_clock_of_the_surroundings_decides_what_is_closed(harness: BuildHarness) -> None:
    harness.clock = VirtualClock(datetime(2024, 6, 20, 12, tzinfo=UTC))
    assert harness.run() == 0
    assert harness.rows()[-1]["date"] == "2024-06-17"
