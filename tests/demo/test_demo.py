"""The demo, shortened: the real loop over the recorded market, its files, its summary, its picture."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import main
from marsshot.bot import environment
from marsshot.bot.daily_candles import bitcoin_closes
from marsshot.bot.journal import read_equity, read_last_seen
from marsshot.commands.status import status_facts
from marsshot.config.bot_files import EQUITY, LAST_SEEN, bot_file
from marsshot.config.loader import read_settings
from marsshot.core.catalog import load_texts
from marsshot.dashboard.data.equity_curve import buy_and_hold
from marsshot.demo import demo
from marsshot.infra.atomic_files import Disk
from marsshot.model.model_files import save_model
from marsshot.monitoring.health_check import newest_heartbeat
from marsshot.monitoring.sd_notify import SystemdNotifier
from positions_store import load_state
from tests.helpers.builders import NOW, some_settings
from tests.helpers.french_text import is_french, plain

ROOT = Path(__file__).resolve().parents[2]
DAYS = 3
IDS = ("client_order_id", "order_id")  # drawn at random at Bitvavo


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a model that likes cheap tokens has lived through a demo of three days, and what was shown."""
    folder = tmp_path_factory.mktemp("demo")
    with _three_days_in(folder), redirect_stdout(io.StringIO()) as shown:
        (folder / "config.yaml").write_text((ROOT / "config.yaml").read_text())
        rows = pd.DataFrame({"close": np.linspace(0.01, 100, 200)})
        model = DecisionTreeClassifier(max_depth=1).fit(rows, (rows["close"] < 1).astype(int))
        save_model(model, {}, Path("model.demo.pkl"))
        assert main.main([]) == 0
    return folder, shown.getvalue()


@contextmanager
def _three_days_in(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(environment, "DEMO_DAYS", DAYS)
        patch.setattr(demo, "DEMO_DAYS", DAYS)
        yield


@pytest.fixture
def folder(lived: tuple[Path, str], tmp_path: Path) -> Iterator[Path]:
    """A copy of that folder, to go on in."""
    shutil.copytree(lived[0], tmp_path, dirs_exist_ok=True)
    with _three_days_in(tmp_path):
        yield tmp_path


@pytest.mark.slow
def test_in_french_everything_that_is_shown_is_french(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = (ROOT / "config.yaml").read_text()
    (folder / "config.yaml").write_text(shipped.replace("language: en", "language: fr"))
    capsys.readouterr()
    assert main.main([]) == 0
    shown = plain(capsys.readouterr().out)
    assert is_french(shown)
    assert f"La démo commence : {DAYS} jours du marché enregistré" in shown
    assert "À quoi a servi le capital" in shown
    assert "(achat du jour)" in shown


def _trades(folder: Path, without: Collection[str] = ()) -> list[dict[str, str]]:
    with (folder / "trades.demo.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name not in without} for row in csv.DictReader(file)]


def test_the_demo_trades_sums_up_and_draws(lived: tuple[Path, str]) -> None:
    folder, shown = lived
    trades = _trades(folder)
    assert {row["side"] for row in trades} == {"BUY"}
    assert {row["symbol"] for row in trades} >= {"DOGE", "MATIC"}  # under a dollar then
    assert "promises nothing" in shown
    assert load_texts("en")["demo.stand_ins"] in shown.splitlines(), "whole, where no terminal is"
    assert "holding BTC" in shown
    for row in trades:
        assert f"{row['symbol']}" in shown
    assert (folder / "equity.demo.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "bot_state.demo.json").read_text())["last_daily_update"] == "2021-02-23"


def test_holding_btc_is_one_number_on_the_terminal_and_in_the_browser(lived: tuple[Path, str], folder: Path) -> None:
    shown, settings = lived[1], read_settings(folder / "config.yaml")
    moments = [moment for moment, _ in read_equity(settings.file(EQUITY), Disk())]
    curve = buy_and_hold(bitcoin_closes(settings), moments[0], moments[-1], 1000.0)
    assert curve is not None
    (row,) = (line for line in shown.splitlines() if "holding BTC" in line)
    assert f"{curve.values[-1]:,.2f}" in row
    assert f"{curve.values[-1] / 1000 - 1:+.1%}".replace("%", " %") in row


def test_every_file_of_a_demo_carries_its_name(lived: tuple[Path, str]) -> None:
    written = {path.name for path in lived[0].iterdir()} - {"config.yaml", "cache"}
    assert written
    assert all(".demo." in name for name in written), written
    assert all(bot_file(name) for name in written), "the table of the bot's files knows each"


@pytest.mark.slow
def test_a_demo_begins_anew_and_tells_the_same_story_again(folder: Path) -> None:
    first = _trades(folder)
    main.main([])
    again = _trades(folder)
    told = ("time", "symbol", "side", "reason", "qty", "price", "quote", "fee")
    assert [[row[column] for column in told] for row in again] == [[row[column] for column in told] for row in first]


def test_a_demo_as_a_service_is_ready_and_ends_for_good(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[str]()
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "systemd"))
    monkeypatch.setattr(SystemdNotifier, "notify", lambda _, *words: heard.extend(words))
    monkeypatch.setattr(demo, "DEMO_DAYS", 1)
    assert main.main([]) == demo.OVER_AS_A_SERVICE
    assert heard[0] == "READY=1"


@pytest.mark.slow
def test_daily_and_intraday_go_on_where_the_demo_stopped(folder: Path) -> None:
    before = json.loads((folder / "bot_state.demo.json").read_text())
    assert main.main(["daily"]) == 0
    assert json.loads((folder / "bot_state.demo.json").read_text())["last_daily_update"] == "2021-02-24"
    assert main.main(["intraday"]) == 0
    after = json.loads((folder / "bot_state.demo.json").read_text())
    assert set(after["positions"]) >= set(before["positions"])


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["binance", "bitvavo"])
def test_checks_that_are_left_out_change_neither_a_trade_nor_the_equity_curve(folder: Path, exchange: str) -> None:
    config = folder / "config.yaml"
    if exchange == "bitvavo":
        text = config.read_text().replace("exchange: binance", "exchange: bitvavo")
        config.write_text(text.replace("quote_asset: USDT", "quote_asset: EUR"))
        with redirect_stdout(io.StringIO()):
            assert main.main([]) == 0
    skipping = _trades(folder, without=IDS), (folder / "equity.demo.csv").read_bytes()
    with redirect_stdout(io.StringIO()):
        assert demo.run_demo(read_settings(config), config, skip_unchanged_checks=False) == 0
    assert (_trades(folder, without=IDS), (folder / "equity.demo.csv").read_bytes()) == skipping
    assert len(skipping[1].splitlines()) > DAYS * 24


def test_worth_and_largest_fall_are_one_number_each(lived: tuple[Path, str], folder: Path) -> None:
    settings = read_settings(folder / "config.yaml")
    book = load_state(Path("bot_state.demo.json"), "demo", Disk())
    assert book is not None
    seen = read_last_seen(settings.file(LAST_SEEN), Disk())
    facts = status_facts(book, settings, "", NOW, seen)
    history = read_equity(settings.file(EQUITY), Disk())
    assert Decimal(facts["equity"]).quantize(Decimal("1e-8")) == history[-1][1]
    assert f"{history[-1][1]:.2f}" in lived[1]
    fall = Decimal(facts["largest_fall"])
    assert fall > 0
    assert f"largest fall from a top {fall * 100:.1f} %" in lived[1]


def test_every_day_has_a_line_that_does_not_wrap(lived: tuple[Path, str]) -> None:
    days = [line for line in lived[1].splitlines() if f" of {DAYS}: worth" in line]
    assert len(days) == DAYS


def test_a_demo_shows_its_signs_of_life_in_real_time(lived: tuple[Path, str]) -> None:
    beat = newest_heartbeat(lived[0])
    assert beat is not None
    assert abs(datetime.now(UTC) - beat) < timedelta(hours=1)


@pytest.mark.slow
def test_a_demo_can_be_slowed_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DEMO_DAYS", 1)
    begun = monotonic()
    assert main.main(["--speed", "0.5"]) == 0
    assert monotonic() - begun >= 2


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_is_a_number_above_0(folder: Path, speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([f"--speed={speed}"])
    assert ended.value.code == 2
    assert "--speed" in capsys.readouterr().err


def test_only_the_demos_time_has_a_speed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("mode: demo", "mode: paper"))
    assert main.main(["run", "--speed", "2"]) == 2
    assert "--speed: is for the demo; in mode paper" in capsys.readouterr().err


def test_without_a_model_the_demo_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in folder.glob("model*.pkl"):  # the copy in use, too
        model.unlink()
    assert main.main([]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("model.demo.pkl: there is no such file")
    assert "train_model.py" in told
    assert len(told.splitlines()) == 1


def test_a_new_demo_takes_away_what_an_earlier_one_wrote_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    earlier = "bot_state trades embedded_market decisions equity seen".split()
    endings = {"bot_state": "json", "embedded_market": "json", "seen": "json"}
    for name in earlier:
        (tmp_path / f"{name}.demo.{endings.get(name, 'csv')}").touch()
    (tmp_path / "equity.csv").touch()
    demo._remove_old_files(some_settings(mode="demo"))
    assert {path.name for path in tmp_path.iterdir()} == {"equity.csv", "bot_state.demo.json.lock"}
