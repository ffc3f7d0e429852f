"""The whole way on Binance's klines: data, model, score; that a model goes with its source; that both tell the same."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import build_csv
import train_model
from embedded_market import EmbeddedMarket, MarketServer
from marsshot.bot.bootstrap import required_keys
from marsshot.commands.checking.check import run_check
from marsshot.commands.plan_preview import show_plan
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.errors import InputError
from marsshot.market_data.daily_bar_sources import cached_bars

SHOWN = date(2021, 8, 20)
ROOT = Path(__file__).resolve().parents[1]
TOKENS = ["ADA", "BNB", "DOGE", "LINK", "LTC", "XRP"]
SOCIAL = ["market_cap", "galaxy_score", "alt_rank", "sentiment", "turnover"]
PRICES = ["open", "high", "low", "close", "volume"]


class Harness:
    """A working directory in paper mode, and the market of 2021 as if it were today's."""

    def __init__(self, folder: Path) -> None:
        shift = (datetime.now(UTC).date() - SHOWN).days
        self.market = EmbeddedMarket(clock=time.time, shift_days=shift)
        self.server = MarketServer(self.market)
        self.folder = folder

    def configure(self, **changes: str) -> Settings:
        text = (ROOT / "config.yaml").read_text()
        url = f'"{self.server.url}"'
        text = re.sub(r'"https://[a-z.-]+"', url, text)
        lists = f"tokens_daily: [{', '.join(TOKENS)}]"
        text = re.sub(r"tokens_daily:\n(  - .*\n)+", f"{lists}\n", text)
        text = re.sub(r"training_tokens:\n  \[[^]]*\]", f"training_tokens: [{', '.join(TOKENS)}]", text)
        wanted = {"mode": "paper", "data_source": "binance", "n_iter": "2", "requests_per_minute": "10000", **changes}
        for key, value in wanted.items():
            text, count = re.subn(rf"^( *{key}:) \S+", rf"\1 {value}", text, flags=re.MULTILINE)
            assert count == 1, key
        (self.folder / "config.yaml").write_text(text)
        return read_settings(self.folder / "config.yaml")

    def rows(self, name: str = "training_data.paper.csv") -> pd.DataFrame:
        return pd.read_csv(self.folder / name)

    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "model.paper.json").read_text()))


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    for name in ("LUNARCRUSH_API_KEY", "BINANCE_API_KEY", "BINANCE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    here = Harness(tmp_path)
    with here.server:
        here.configure()
        yield here


def test_no_lunarcrush_key_is_needed_with_binance(harness: Harness) -> None:
    assert required_keys(harness.configure()) == ()
    assert required_keys(harness.configure(mode="live")) == ("binance_api.api_key", "binance_api.api_secret")
    assert required_keys(harness.configure(data_source="lunarcrush")) == ("lunarcrush.api_key",)


def test_both_sources_tell_the_same_prices_and_volumes(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_csv.main(["--output", "klines.csv"]) == 0
    monkeypatch.setenv("LUNARCRUSH_API_KEY", "any")
    harness.configure(data_source="lunarcrush")
    assert build_csv.main(["--output", "lunarcrush.csv"]) == 0
    klines, lunarcrush = harness.rows("klines.csv"), harness.rows("lunarcrush.csv")
    assert list(klines.columns) == list(lunarcrush.columns)
    same = ["date", "symbol", *PRICES, "rsi", "macd", "atr", "btc_daily_change", "eth_daily_change", "label"]
    pd.testing.assert_frame_equal(klines[same], lunarcrush[same], check_exact=True)
    assert klines[SOCIAL].isna().all().all() and not lunarcrush[SOCIAL].isna().any().any()


@pytest.mark.slow
def test_from_data_to_a_score_without_a_key(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_csv.main([]) == 0
    assert (
        "Binance has no market_cap, galaxy_score, alt_rank, sentiment: training does without" in capsys.readouterr().out
    )
    assert train_model.main([]) == 0
    out = capsys.readouterr().out
    assert "Binance has no market_cap, galaxy_score, alt_rank, sentiment: the model is fitted without" in out
    facts = harness.facts()
    assert facts["source"] == "binance" and not set(facts["features"]) & set(SOCIAL)
    assert {"close", "volume", "rsi", "macd", "atr", "atr_to_close"} <= set(facts["features"])
    assert "daily bars of Binance" in (harness.folder / "model_report.paper.html").read_text()
    settings = harness.configure()
    assert cached_bars(settings, "BTC") is not None
    assert show_plan(settings) == 0
    out = capsys.readouterr().out
    assert "by daily bars from Binance" in out and all(f"{token}: score 0." in out for token in TOKENS)
    assert "score none" not in out
    run_check(settings)
    out = capsys.readouterr().out
    assert "daily bars of Binance" in out and "Binance: every token has a history" in out and "LunarCrush" not in out


@pytest.mark.slow
def test_from_data_to_a_score_on_bitvavos_candles_in_euros(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    at_bitvavo = {"data_source": "bitvavo", "exchange": "bitvavo", "quote_asset": "EUR"}
    settings = harness.configure(**at_bitvavo)
    assert settings.bars_are_in_its_currency and required_keys(settings) == ()
    assert build_csv.main([]) == 0
    assert train_model.main([]) == 0
    assert harness.facts()["source"] == "bitvavo"
    harness.market.faults.add(service="coinbase", match="EUR-USD", kind="status", status=500, times=-1)
    capsys.readouterr()
    assert show_plan(settings) == 0
    out = capsys.readouterr().out
    assert "by daily bars from Bitvavo" in out and all(f"{token}: score 0." in out for token in TOKENS)
    run_check(settings)
    out = capsys.readouterr().out
    assert "Bitvavo: every token has a history" in out and "another coin" not in out
    asked = [one.path for one in harness.market.request_log]
    assert not any(path.endswith("EUR-USD/spot") for path in asked)  # both are in euros: nothing to convert
    assert not any("/klines" in path or "/public/" in path for path in asked)
    with pytest.raises(
        InputError, match=r"was trained on daily bars of bitvavo, config.yaml names data_source: binance"
    ):
        show_plan(harness.configure(**{**at_bitvavo, "data_source": "binance"}))


@pytest.mark.slow
def test_a_model_of_one_source_is_refused_with_the_other(
    harness: Harness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_csv.main([])
    train_model.main([])
    monkeypatch.setenv("LUNARCRUSH_API_KEY", "any")
    settings = harness.configure(data_source="lunarcrush")
    with pytest.raises(
        InputError, match=r"was trained on daily bars of binance, config.yaml names data_source: lunarcrush"
    ):
        show_plan(settings)
    capsys.readouterr()
    assert train_model.main([]) == 2  # the rows are Binance's
    assert "these are not the rows of LunarCrush" in capsys.readouterr().err
    assert build_csv.main([]) == 0
    harness.configure()
    assert train_model.main([]) == 2
    assert "these are not the rows of Binance" in capsys.readouterr().err
    harness.configure(data_source="lunarcrush")
    assert train_model.main([]) == 0
    assert "was trained on daily bars of another source and is replaced" in capsys.readouterr().out
    assert harness.facts()["source"] == "lunarcrush"


def test_what_cannot_be_used_is_left_out_by_name_and_the_rest_goes_on(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    klines = harness.market.binance.klines
    klines.began["SOL"] = date(2021, 7, 25)
    klines.off["ADA"] = {date(2021, 7, 1), date(2021, 7, 2)}

    def harmed(symbol: str, rows: list[Any]) -> object:
        return [[*row[:2], "x", *row[3:]] for row in rows] if symbol == "UNIUSDT" else rows

    klines.edit_rows = harmed
    assert build_csv.main(["--tokens", ",".join([*TOKENS, "SOL", "UNI", "NOPE"])]) == 0
    out = capsys.readouterr().out
    assert "3 tokens left out" in out and "NOPE: Binance has no pair NOPEUSDT, NOPEUSDC" in out
    assert "UNI: Binance sent 'x' where a number belongs for UNIUSDT" in out
    assert re.search(r"SOL: \d+ days with a label are too few for the indicators", out)
    assert "days that the source has not, between others that it has: ADA 2" in out
    assert sorted(harness.rows()["symbol"].unique()) == TOKENS


@pytest.mark.parametrize(("good", "code"), [(4, 1), (5, 0)])
def test_with_fewer_than_five_tokens_left_nothing_is_written(harness: Harness, good: int, code: int) -> None:
    tokens = [*TOKENS[:good], *(f"NOPE{number}" for number in range(3))]
    assert build_csv.main(["--tokens", ",".join(tokens)]) == code
    assert (harness.folder / "training_data.paper.csv").exists() == (code == 0)


def test_a_host_that_does_not_answer_leaves_the_old_file(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    harness.market.faults.add(service="binance", match="klines", kind="status", status=451, times=-1)
    assert build_csv.main([]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("Binance does not serve the region of this machine")
    assert not (harness.folder / "training_data.paper.csv").exists()
