"""The program itself, in mode live, with its three services at a stand-in market of today: commands, codes, lines."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import main
from embedded_market import EmbeddedMarket, MarketServer
from marsshot.bot.bootstrap import Run, open_bot
from marsshot.bot.control_files import Control
from marsshot.bot.daily_update import Progress
from marsshot.bot.loop import loop
from marsshot.config.loader import read_settings
from marsshot.core.errors import InputError, StopRequested
from marsshot.infra import event_log
from marsshot.infra.clock import VirtualClock
from positions_store import read_trades
from tests.helpers.process_harness import PROGRAM, House, open_house
from tests.helpers.trading_harness import LOOK_UP, NEW_ORDER, TRADES, Told

D = Decimal


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as house:
        yield house


# ------------------------------------------------------------------ the program, started


def test_what_keeps_a_command_from_its_work_is_said_in_one_line(house: House) -> None:
    """Side by side: (arguments, environment) -> (exit code, what the line must hold)."""
    folder = house.folder
    (folder / "faulty.yaml").write_text("mode: live\nstrategy: {stop_loss_pct: 50}\nmood: good\n")
    bare = house.config | {"binance_api": {"base_url": house.url}, "lunarcrush": {"base_url": house.url}}
    (folder / "keyless.yaml").write_text(yaml.safe_dump(bare))
    cases: list[tuple[list[str], int, list[str]]] = [
        (["nonsense"], 2, ["invalid choice"]),
        (["daily", "--when", "now"], 2, ["unrecognized arguments"]),
        (["daily", "--config", "nowhere.yaml"], 2, ["nowhere.yaml: there is no such file"]),
        (
            ["intraday", "--config", "faulty.yaml"],
            2,
            ["strategy.stop_loss_pct: 50 is not allowed", "mood: is not a key", "tokens_daily: is missing"],
        ),
        (
            ["run", "--config", "keyless.yaml"],
            2,
            ["lunarcrush.api_key: is empty", "binance_api.api_key: is empty", "binance_api.api_secret: is empty"],
        ),
        (["status"], 2, ["bot_state.json: there is no book yet"]),
    ]
    with ThreadPoolExecutor(2) as side_by_side:
        answers = list(side_by_side.map(lambda case: house.run(*case[0]), cases))
    for (arguments, code, lines), (got, out, error) in zip(cases, answers, strict=True):
        assert (got, out) == (code, ""), arguments
        for line in lines:
            [found] = [one for one in error.splitlines() if line in one]
            assert found
    assert not (folder / "trades.csv").exists()


def test_without_a_model_the_pass_and_the_daemon_refuse_to_start(house: House) -> None:
    for command in ("daily", "run"):
        code, _, error = house.run(command)
        assert code == 2
        [line] = error.splitlines()
        assert re.search(r"model\.pkl: there is no such file.*python train_model\.py", line)


def test_a_terminal_that_lacks_a_character_gets_another(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)
    house.config["language"] = "fr"
    house.write_config()
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    main.main(["check"])
    sys.stdout.flush()
    assert b"mod?le" in shown.getvalue()


def test_a_day_by_hand(house: House) -> None:
    house.put_model()
    code, out, error = house.run("daily")
    assert (code, error) == (0, "")
    assert "Bought" in out
    assert house.traded() == ["BUY ADA"]
    spent = house.market.exchange.orders[1].request.quote_quantity
    assert spent == 1000
    assert house.book()["last_daily_update"] == datetime.now(UTC).date().isoformat()

    code, out, _ = house.run("daily")
    assert code == 0
    assert "done already" in out
    assert house.traded() == ["BUY ADA"], "nothing twice"

    code, out, _ = house.run("status", "--json")
    facts = json.loads(out)
    assert code == 0
    assert list(facts["positions"]) == ["ADA"]
    assert facts["last_daily_update"] == house.book()["last_daily_update"]

    house.market.set_price("ADA", "0.1")
    code, out, _ = house.run("intraday")
    assert code == 0
    assert house.traded() == ["BUY ADA", "SELL ADA"]
    assert [row["reason"] for row in read_trades(house.folder / "trades.csv")] == ["daily_buy", "stop_loss"]
    assert_files_are_for_their_owner_and_hold_no_secret(house)


def assert_files_are_for_their_owner_and_hold_no_secret(house: House) -> None:
    names = {path.name for path in house.written()}
    assert {"bot_state.json", "bot_state.json.bak", "trades.csv", "bot.log", "model.in_use.pkl"} <= names
    for path in house.written():
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in house.secrets), path
        if "cache" not in path.parts and not path.name.startswith("model."):
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_when_binance_is_down_a_command_says_so_and_leaves_everything_as_it_was(house: House) -> None:
    house.put_model()
    code, *_ = house.run("intraday")
    assert code == 0, "nothing is held, nothing can go wrong"
    house.hold_ada()
    before = house.book()
    house.config["binance_api"]["base_url"] = "http://127.0.0.1:1"
    house.write_config()
    code, out, error = house.run("daily")
    assert code == 1
    assert "Binance does not answer" in out + error
    assert house.book() == before
    assert house.traded() == []


def wait_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    while line := process.stdout.readline():
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"the daemon ended: {seen} {process.stderr and process.stderr.read()}")


def talk_to_the_daemon(house: House) -> None:
    """Be refused its book; pause, resume, and have everything sold."""
    code, _, error = house.run("run")
    assert code == 1
    assert error.count("\n") == 1
    assert "another MarsShot is running on this book" in error

    code, out, _ = house.run("pause")
    assert (code, out.splitlines()[-1]) == (0, "The running bot has heard it")
    assert (house.folder / "PAUSE").stat().st_mode & 0o777 == 0o600
    _, out, _ = house.run("status", "--json")
    assert "PAUSE" in json.loads(out)["paused"]
    assert house.run("resume")[:2] == (0, "Buying is allowed again\nThe running bot has heard it\n")

    code, out, _ = house.run("sell-all", "--yes")
    assert code == 0
    assert "Sold: " in out
    assert "Nothing is held any more" in out
    assert (house.folder / "PAUSE").exists()
    assert not (house.folder / "SELL_ALL").exists()


def test_the_daemon_by_the_side_of_other_commands(house: House) -> None:
    """It makes the pass of the day, holds its book alone, hears pause and sell-all, and ends at SIGTERM."""
    house.put_model()
    daemon = house.start("run", quick=True)
    try:
        began = wait_until(daemon, "MarsShot runs in mode live")
        assert "0 positions, capital 1000.00 USDT" in began
        wait_until(daemon, "Daily pass of")
        assert house.traded() == ["BUY ADA"]

        talk_to_the_daemon(house)
        assert house.traded() == ["BUY ADA", "SELL ADA"]

        asked = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        out, error = daemon.communicate(timeout=20)
        assert time.monotonic() - asked < 5
    finally:
        daemon.kill()
    assert (daemon.returncode, error) == (0, "")
    assert "MarsShot has stopped" in out
    book = house.book()
    assert (book["positions"], book["intents"], book["plan"]) == ({}, {}, None)
    assert_files_are_for_their_owner_and_hold_no_secret(house)


def test_a_daemon_that_is_stopped_while_it_scores_leaves_nothing_behind(house: House) -> None:
    house.put_model()
    house.market.latency["lunarcrush"] = 30.0
    daemon = house.start("run")
    try:
        wait_until(daemon, "MarsShot runs in mode live")
        while house.market.requests["lunarcrush"] == 0:
            assert daemon.poll() is None
            time.sleep(0.05)
        daemon.send_signal(signal.SIGINT)
        _, error = daemon.communicate(timeout=5)
    finally:
        daemon.kill()
    assert (daemon.returncode, error) == (0, "")
    assert house.book()["plan"] is None


@pytest.mark.parametrize("command", [["status"], ["check"]])
def test_a_reader_that_has_heard_enough_is_no_trouble(house: House, command: list[str]) -> None:
    """Such as `python main.py status | head -3`."""
    house.run("intraday")
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, str(PROGRAM), *command]
    ended = subprocess.run(program, cwd=house.folder, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode in {0, 1}, ended.stderr) == (True, b"")


# ------------------------------------------------------------------ SIGTERM while nobody answers


def hang(house: House, service: str, match: str) -> None:
    house.market.faults.add(service=service, match=match, kind="hang_before", seconds=60)


def stop_when_all_hangs(house: House, *command: str) -> tuple[int, str]:
    """Start the program; when every fault has been met, tell it to stop; return exit code and output."""
    process = house.start(*command, quick=True)
    try:
        while house.market.faults.pending:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=5)
    finally:
        process.kill()
    assert error == ""
    return process.returncode, out


@pytest.mark.parametrize("question", ["/api/v3/time", "/api/v3/exchangeInfo", "/api/v3/account"])
def test_a_daemon_that_binance_does_not_answer_at_its_start_ends_when_told_to(house: House, question: str) -> None:
    hang(house, "binance", question)
    code, out = stop_when_all_hangs(house, "run")
    assert code == 0
    assert "MarsShot runs" not in out
    assert "MarsShot has stopped; no order is on its way" in out


@pytest.mark.parametrize("question", [LOOK_UP, TRADES])
def test_a_daemon_that_is_stopped_over_the_look_up_of_an_order_leaves_it_to_the_next_start(
    house: House, question: str
) -> None:
    house.put_model()
    house.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    hang(house, "binance", question)
    code, out = stop_when_all_hangs(house, "run")
    assert code == 0
    assert "MarsShot has stopped; 1 orders are in doubt" in out
    assert house.book()["positions"] == {}
    assert house.run("intraday")[0] == 0
    assert house.book()["intents"] == {}
    assert [row["symbol"] for row in read_trades(house.folder / "trades.csv")] == ["ADA"]
    assert house.traded() == ["BUY ADA"]


def test_an_order_that_takes_long_is_waited_for_and_booked_however_often_the_bot_is_told_to_stop(house: House) -> None:
    house.put_model()
    arrived = threading.Event()

    def take_long() -> None:
        arrived.set()
        time.sleep(1)

    house.market.binance.account.on_order = take_long
    process = house.start("run", quick=True)
    try:
        assert arrived.wait(30)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        out, error = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, error) == (0, "")
    assert "Bought" in out
    assert "MarsShot has stopped; no order is on its way" in out
    assert list(house.book()["positions"]) == ["ADA"]
    assert house.book()["intents"] == {}


@pytest.mark.parametrize(
    ("command", "service", "question"),
    [
        (["daily"], "lunarcrush", "time-series"),
        (["daily"], "binance", "/api/v3/account"),
        (["intraday"], "binance", "/api/v3/exchangeInfo"),
        (["sell-all", "--yes"], "binance", "/api/v3/account"),
    ],
)
def test_a_command_that_nobody_answers_ends_when_told_to(
    house: House, command: list[str], service: str, question: str
) -> None:
    house.put_model()
    assert house.run("intraday")[0] == 0
    house.hold_ada()
    before = house.book()
    hang(house, service, question)
    code, out = stop_when_all_hangs(house, *command)
    assert (code, "put off" in out) == (1, False)
    assert house.book()["positions"] == before["positions"]
    assert house.traded() == []


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_need_no_daemon_and_no_network(house: House, command: str) -> None:
    house.config["binance_api"]["base_url"] = "http://127.0.0.1:1"
    house.write_config()
    code, out, error = house.run(command)
    assert (code, error) == (0, "")
    assert out.count("\n") <= 2
    assert (house.folder / "PAUSE").exists() is (command == "pause")


def test_sell_all_without_a_daemon_sells_everything_and_pauses(house: House) -> None:
    house.put_model()
    assert house.run("daily")[0] == 0
    code, out, _ = house.run("sell-all", "--yes")
    assert code == 0
    assert "Nothing is held any more" in out
    assert house.traded() == ["BUY ADA", "SELL ADA"]
    assert (house.folder / "PAUSE").exists()
    assert not (house.folder / "SELL_ALL").exists()


def test_sell_all_that_gets_no_answer_does_nothing(house: House) -> None:
    code, *_ = house.run("sell-all")
    assert code != 0
    assert not (house.folder / "SELL_ALL").exists()


# ------------------------------------------------------------------ the commands, in this process and a virtual time


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    event_log.log.removeHandler(told)


class Bench:
    """The same house with the time in the test's hands."""

    def __init__(self, folder: Path, told: Told) -> None:
        self.clock = VirtualClock(datetime(2021, 2, 15, 12, 0, tzinfo=UTC))
        self.market = EmbeddedMarket(clock=lambda: self.clock.now().timestamp(), balances={"USDT": "1500"})
        self.server = MarketServer(self.market)
        self.server.start()
        self.house = House(folder, self.market, self.server.url)
        self.told = told

    def opened(self, console: Console | None = None) -> AbstractContextManager[Run]:
        config = Path("config.yaml")
        return open_bot(
            read_settings(config), self.clock, console=console, config=config, dress=lambda same: same, one_shot=True
        )

    def listen(self) -> None:
        event_log.log.addHandler(self.told)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    for variable in ("LUNARCRUSH_API_KEY", "BINANCE_API_KEY", "BINANCE_API_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    bench = Bench(tmp_path, told)
    yield bench
    bench.server.stop()
    event_log.stop_log()


def test_a_pass_with_an_order_in_doubt_is_decided_within_two_minutes(bench: Bench) -> None:
    bench.house.put_model()
    bench.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_before")
    began = bench.clock.now()
    with bench.opened() as run:
        assert main._daily(run) == 0
    assert bench.house.traded() == ["BUY ADA"]
    assert timedelta(seconds=60) <= bench.clock.now() - began <= timedelta(seconds=120)


def test_a_pass_whose_order_cannot_be_looked_up_is_left_to_the_next_start(bench: Bench) -> None:
    bench.house.put_model()
    bench.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    bench.market.faults.add(service="binance", match=LOOK_UP, kind="status", times=-1, status=502)
    began = bench.clock.now()
    with bench.opened() as run:
        assert main._daily(run) == 1
        assert run.bot.store.book.intents
    assert bench.clock.now() - began <= timedelta(seconds=150)
    bench.market.faults.clear()
    with bench.opened() as run:
        assert main._daily(run) == 0
        assert not run.bot.store.book.intents
    assert bench.house.traded() == ["BUY ADA"], "not bought twice"


def test_a_check_waits_for_an_order_in_doubt(bench: Bench) -> None:
    bench.house.put_model()
    with bench.opened() as run:
        main._daily(run)
    bench.market.set_price("ADA", "0.1")
    bench.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    with bench.opened() as run:
        code = main._intraday(run)
        assert not run.bot.store.book.intents
        assert not run.bot.store.book.positions
        assert code == 0


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 500}])
def test_a_pass_without_lunarcrush_is_not_done(bench: Bench, fault: dict[str, Any]) -> None:
    bench.house.put_model()
    bench.market.faults.add(service="lunarcrush", match="", times=-1, **fault)
    with bench.opened() as run:
        assert main._daily(run) == 1
        assert run.bot.store.book.last_daily_update is None
        assert run.bot.daily_update() is Progress.LATER


def test_a_stop_while_a_command_waits_ends_it(bench: Bench) -> None:
    bench.house.put_model()
    bench.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_before")
    bench.market.faults.add(service="binance", match=LOOK_UP, kind="status", times=-1, status=502)
    with bench.opened() as run:
        run.bot.daily_update()
        bench.clock.stop()
        with pytest.raises(StopRequested):
            main._daily(run)
        assert run.bot.store.book.intents


# ------------------------------------------------------------------ settings that change under way


def test_changed_settings_are_taken_up(bench: Bench) -> None:
    with bench.opened() as run:
        bench.listen()
        run.take_up()
        assert not bench.told.of("settings.taken_up"), "nothing has changed"
        bench.house.config["strategy"]["buy_threshold"] = 0.9
        bench.house.config["tokens_daily"] = ["LINK"]
        bench.house.write_config()
        run.take_up()
        run.take_up()
        assert len(bench.told.of("settings.taken_up")) == 1
        assert run.bot.settings.tokens_daily == ("LINK",)
        assert run.bot.settings.daily_rules.buy_threshold == D("0.9")


BREAKS: dict[str, dict[str, Any]] = {
    "a value out of range": {"strategy": {"stop_loss_pct": 50}},
    "an unknown key": {"mood": "good"},
    "another mode": {"mode": "paper"},
    "another quote asset": {"quote_asset": "USDC"},
}


@pytest.mark.parametrize("change", [*BREAKS, "gone", "not YAML"])
def test_changed_settings_that_do_not_hold_are_refused_once_and_the_old_ones_stay(bench: Bench, change: str) -> None:
    with bench.opened() as run:
        bench.listen()
        before = run.bot.settings
        if change == "gone":
            Path("config.yaml").unlink()
        elif change == "not YAML":
            Path("config.yaml").write_text("mode: [")
        else:
            bench.house.config |= BREAKS[change]
            bench.house.write_config()
        run.take_up()
        run.take_up()
        refused = bench.told.of("settings.refused")
        assert refused
        assert len(refused) == len(set(refused)), "each fault once"
        assert all("the old ones stay" in line and "\n" not in line for line in refused)
        assert run.bot.settings is before


def test_settings_that_were_refused_are_taken_up_when_they_are_mended(bench: Bench) -> None:
    with bench.opened() as run:
        good = Path("config.yaml").read_text()
        Path("config.yaml").write_text("mode: [")
        run.take_up()
        Path("config.yaml").write_text(good.replace("capital_initial: 1000", "capital_initial: 2000"))
        run.take_up()
        assert run.bot.settings.strategy.capital_initial == 2000
        assert run.bot.store.book.capital == 1000, "the book's capital is its own"


def test_changed_settings_without_their_keys_are_refused(bench: Bench) -> None:
    with bench.opened() as run:
        before = run.bot.settings
        bench.house.config["binance_api"]["api_secret"] = ""
        bench.house.write_config()
        run.take_up()
        assert run.bot.settings is before


def test_a_new_secret_is_blanked_out_of_the_log(bench: Bench) -> None:
    with bench.opened() as run:
        bench.house.config["lunarcrush"]["api_key"] = "lunar-secret-2"
        bench.house.write_config()
        run.take_up()
        event_log.say("test", "with the key lunar-secret-2")
    assert "lunar-secret-2" not in Path("bot.log").read_text()


def test_a_secret_never_reaches_the_log(bench: Bench) -> None:
    with bench.opened():
        try:
            raise ValueError(f"refused {bench.market.api_secret}")
        except ValueError:
            event_log.log.exception("trouble with %s", bench.market.api_key)
    text = Path("bot.log").read_text()
    assert "refused ***" in text
    assert not any(secret in text for secret in bench.house.secrets)


# ------------------------------------------------------------------ the book's lock, its folder, the terminal


def test_a_book_of_another_quote_asset_is_refused(bench: Bench) -> None:
    with bench.opened():
        pass
    bench.house.config["quote_asset"] = "USDC"
    bench.house.write_config()
    with pytest.raises(InputError, match="counts in USDT"), bench.opened():
        pass


def test_a_daemon_without_a_model_watches_over_what_it_holds(bench: Bench) -> None:
    with bench.opened():
        pass
    bench.house.hold_ada()
    with bench.opened() as run:
        bench.listen()
        main._check_model(run)
        assert bench.told.of("model.missing")
        bench.market.set_price("ADA", "0.2")
        loop(run.bot, lambda: None, after_cycle=lambda: False)
    assert bench.house.traded() == ["SELL ADA"]


class ClosedPipe(io.StringIO):
    """A terminal, or a reader behind a pipe, that has gone away."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class FullDisk(io.StringIO):
    """Standard output in a file on a disk without room."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("output", [ClosedPipe(), FullDisk()], ids=["closed pipe", "full disk"])
def test_a_line_that_cannot_be_printed_does_not_end_the_daemon(bench: Bench, output: io.StringIO) -> None:
    with bench.opened():
        pass
    bench.house.hold_ada()
    with bench.opened(Console(file=output)) as run:
        bench.market.set_price("ADA", "0.2")
        rounds = iter([True, True, False])
        try:
            loop(run.bot, lambda: None, after_cycle=lambda: next(rounds))
        except SystemExit as end:
            raise AssertionError("the daemon has ended") from end
        assert not run.bot.store.book.positions


def test_a_sell_all_of_the_owners_is_heard_by_the_bot_that_runs(bench: Bench) -> None:
    with bench.opened():
        pass
    bench.house.hold_ada()
    with bench.opened() as run:
        control = Control(run.bot.settings)
        control.ask_to_sell_all()
        run.bot.cycle()
        assert not control.is_to_sell_all()
    assert bench.house.traded() == ["SELL ADA"]
