"""The program itself, in mode live, with its three services at an embedded market of today: commands, codes, lines."""

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
from marsshot.bot.bootstrap import RunningBot, open_bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.updater import Progress
from marsshot.bot.loop import loop
from marsshot.commands.daily import check_prices_once, make_daily_update
from marsshot.config.bot_files import bot_file
from marsshot.config.loader import read_settings
from marsshot.core.errors import InputError, StopRequested
from marsshot.infra import event_log
from marsshot.infra.clock import VirtualClock
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.trades_file import read_trades
from tests.helpers.builders import a_position
from tests.helpers.process_harness import PROGRAM, ProcessHarness, open_process_harness
from tests.helpers.trading_harness import NEW_ORDER, QUERY_ORDER, TRADES, LogCapture

D = Decimal


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with open_process_harness(tmp_path) as harness:
        yield harness


# ------------------------------------------------------------------ the program, started


@pytest.mark.slow
def test_what_keeps_a_command_from_its_work_is_said_in_one_line(harness: ProcessHarness) -> None:
    """Side by side: (arguments, environment) -> (exit code, what the line must hold)."""
    folder = harness.folder
    (folder / "faulty.yaml").write_text("mode: live\nstrategy: {stop_loss_pct: 50}\nmood: good\n")
    bare = harness.config | {"binance_api": {"base_url": harness.url}, "lunarcrush": {"base_url": harness.url}}
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
        answers = list(side_by_side.map(lambda case: harness.run(*case[0]), cases))
    for (arguments, code, lines), (got, out, error) in zip(cases, answers, strict=True):
        assert (got, out) == (code, ""), arguments
        for line in lines:
            [found] = [one for one in error.splitlines() if line in one]
            assert found
    assert not (folder / "trades.csv").exists()


@pytest.mark.slow
def test_without_a_model_the_pass_and_the_daemon_refuse_to_start(harness: ProcessHarness) -> None:
    for command in ("daily", "run"):
        code, _, error = harness.run(command)
        assert code == 2
        [line] = error.splitlines()
        assert re.search(r"model\.pkl: there is no such file.*python train_model\.py", line)


def test_a_log_that_would_be_read_as_a_command_is_refused_in_one_line(harness: ProcessHarness) -> None:
    harness.write_model()
    harness.config["logging"] = {"file": "SELL_ALL"}
    harness.write_config()
    for command in ("run", "check"):
        code, _, error = harness.run(command)
        assert code == 2
        [line] = error.splitlines()
        assert re.search(r"logging\.file: 'SELL_ALL' is not allowed; .*such as bot\.log", line)
    assert not (harness.folder / "SELL_ALL").exists()


def test_a_terminal_that_lacks_a_character_gets_another(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(harness.folder)
    harness.config["language"] = "fr"
    harness.write_config()
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    main.main(["check"])
    sys.stdout.flush()
    assert b"mod?le" in shown.getvalue()


@pytest.mark.slow
def test_a_day_by_hand(harness: ProcessHarness) -> None:
    harness.write_model()
    code, out, error = harness.run("daily")
    assert (code, error) == (0, "")
    assert "Bought" in out
    assert harness.traded() == ["BUY ADA"]
    spent = harness.market.exchange.orders[1].request.quote_quantity
    assert spent == 1000
    assert harness.book()["last_daily_update"] == datetime.now(UTC).date().isoformat()

    code, out, _ = harness.run("daily")
    assert code == 0
    assert "done already" in out
    assert harness.traded() == ["BUY ADA"], "nothing twice"

    code, out, _ = harness.run("status", "--json")
    facts = json.loads(out)
    assert code == 0
    assert list(facts["positions"]) == ["ADA"]
    assert facts["last_daily_update"] == harness.book()["last_daily_update"]

    harness.market.set_price("ADA", "0.1")
    code, out, _ = harness.run("intraday")
    assert code == 0
    assert harness.traded() == ["BUY ADA", "SELL ADA"]
    assert [trade.reason for trade in read_trades(harness.folder / "trades.csv")] == ["daily_buy", "stop_loss"]
    assert_files_are_for_their_owner_and_hold_no_secret(harness)


def assert_files_are_for_their_owner_and_hold_no_secret(harness: ProcessHarness) -> None:
    names = {path.name for path in harness.written_files()}
    assert {"bot_state.json", "bot_state.json.bak", "trades.csv", "bot.log", "model.in_use.pkl"} <= names
    for path in harness.written_files():
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in harness.secrets), path
        if all(
            (known := bot_file(part)) is None or known.is_private for part in path.relative_to(harness.folder).parts
        ):
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_when_binance_is_down_a_command_says_so_and_leaves_everything_as_it_was(harness: ProcessHarness) -> None:
    harness.write_model()
    code, *_ = harness.run("intraday")
    assert code == 0, "nothing is held, nothing can go wrong"
    harness.add_ada_position()
    before = harness.book()
    harness.config["binance_api"]["base_url"] = "http://127.0.0.1:1"
    harness.write_config()
    code, out, error = harness.run("daily")
    assert code == 1
    assert "Binance does not answer" in out + error
    assert harness.book() == before
    assert harness.traded() == []


def wait_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    while line := process.stdout.readline():
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"the daemon ended: {seen} {process.stderr and process.stderr.read()}")


def talk_to_the_daemon(harness: ProcessHarness) -> None:
    """Be refused its book; pause, resume, and have everything sold."""
    code, _, error = harness.run("run")
    assert code == 1
    assert error.count("\n") == 1
    assert "another MarsShot is running on this book" in error

    code, out, _ = harness.run("pause")
    assert (code, out.splitlines()[-1]) == (0, "The running bot has heard it")
    assert (harness.folder / "PAUSE").stat().st_mode & 0o777 == 0o600
    _, out, _ = harness.run("status", "--json")
    assert "PAUSE" in json.loads(out)["paused"]
    assert harness.run("resume")[:2] == (0, "Buying is allowed again\nThe running bot has heard it\n")

    code, out, _ = harness.run("sell-all", "--yes")
    assert code == 0
    assert "Sold: " in out
    assert "Nothing is held any more" in out
    assert (harness.folder / "PAUSE").exists()
    assert not (harness.folder / "SELL_ALL").exists()


@pytest.mark.slow
def test_the_daemon_by_the_side_of_other_commands(harness: ProcessHarness) -> None:
    """It makes the pass of the day, holds its book alone, hears pause and sell-all, and ends at SIGTERM."""
    harness.write_model()
    daemon = harness.start("run", fast_loop=True)
    try:
        began = wait_until(daemon, "MarsShot runs in mode live")
        assert "0 positions, capital 1000.00 USDT" in began
        wait_until(daemon, "Daily pass of")
        assert harness.traded() == ["BUY ADA"]

        talk_to_the_daemon(harness)
        assert harness.traded() == ["BUY ADA", "SELL ADA"]

        asked = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        out, error = daemon.communicate(timeout=20)
        assert time.monotonic() - asked < 5
    finally:
        daemon.kill()
    assert (daemon.returncode, error) == (0, "")
    assert "MarsShot has stopped" in out
    book = harness.book()
    assert (book["positions"], book["intents"], book["plan"]) == ({}, {}, None)
    assert_files_are_for_their_owner_and_hold_no_secret(harness)


@pytest.mark.slow
def test_a_daemon_that_is_stopped_while_it_scores_leaves_nothing_behind(harness: ProcessHarness) -> None:
    harness.write_model()
    harness.market.latency["lunarcrush"] = 30.0
    daemon = harness.start("run")
    try:
        wait_until(daemon, "MarsShot runs in mode live")
        while harness.market.requests["lunarcrush"] == 0:
            assert daemon.poll() is None
            time.sleep(0.05)
        daemon.send_signal(signal.SIGINT)
        _, error = daemon.communicate(timeout=5)
    finally:
        daemon.kill()
    assert (daemon.returncode, error) == (0, "")
    assert harness.book()["plan"] is None


@pytest.mark.slow
@pytest.mark.parametrize("command", [["status"], ["check"]])
def test_a_reader_that_has_heard_enough_is_no_trouble(harness: ProcessHarness, command: list[str]) -> None:
    """Such as `python main.py status | head -3`."""
    harness.run("intraday")
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, str(PROGRAM), *command]
    ended = subprocess.run(program, cwd=harness.folder, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode in {0, 1}, ended.stderr) == (True, b"")


# ------------------------------------------------------------------ SIGTERM while nobody answers


def hang(harness: ProcessHarness, service: str, match: str) -> None:
    harness.market.faults.add(service=service, match=match, kind="hang_before", seconds=60)


def stop_when_all_hangs(harness: ProcessHarness, *command: str) -> tuple[int, str]:
    """Start the program; when every fault has been met, tell it to stop; return exit code and output."""
    process = harness.start(*command, fast_loop=True)
    try:
        while harness.market.faults.pending:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=5)
    finally:
        process.kill()
    assert error == ""
    return process.returncode, out


@pytest.mark.slow
@pytest.mark.parametrize("question", ["/api/v3/time", "/api/v3/exchangeInfo", "/api/v3/account"])
def test_a_daemon_that_binance_does_not_answer_at_its_start_ends_when_told_to(
    harness: ProcessHarness, question: str
) -> None:
    hang(harness, "binance", question)
    code, out = stop_when_all_hangs(harness, "run")
    assert code == 0
    assert "MarsShot runs" not in out
    assert "MarsShot has stopped; no order is on its way" in out


@pytest.mark.slow
@pytest.mark.parametrize("question", [QUERY_ORDER, TRADES])
def test_a_daemon_that_is_stopped_over_the_look_up_of_an_order_leaves_it_to_the_next_start(
    harness: ProcessHarness, question: str
) -> None:
    harness.write_model()
    harness.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    hang(harness, "binance", question)
    code, out = stop_when_all_hangs(harness, "run")
    assert code == 0
    assert "MarsShot has stopped; 1 order is in doubt" in out
    assert harness.book()["positions"] == {}
    assert harness.run("intraday")[0] == 0
    assert harness.book()["intents"] == {}
    assert [trade.symbol for trade in read_trades(harness.folder / "trades.csv")] == ["ADA"]
    assert harness.traded() == ["BUY ADA"]


@pytest.mark.slow
def test_an_order_that_takes_long_is_waited_for_and_booked_however_often_the_bot_is_told_to_stop(
    harness: ProcessHarness,
) -> None:
    harness.write_model()
    arrived = threading.Event()

    def take_long() -> None:
        arrived.set()
        time.sleep(1)

    harness.market.binance.account.on_order = take_long
    process = harness.start("run", fast_loop=True)
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
    assert list(harness.book()["positions"]) == ["ADA"]
    assert harness.book()["intents"] == {}


@pytest.mark.slow
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
    harness: ProcessHarness, command: list[str], service: str, question: str
) -> None:
    harness.write_model()
    assert harness.run("intraday")[0] == 0
    harness.add_ada_position()
    before = harness.book()
    hang(harness, service, question)
    code, out = stop_when_all_hangs(harness, *command)
    assert (code, "put off" in out) == (1, False)
    assert harness.book()["positions"] == before["positions"]
    assert harness.traded() == []


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_need_no_daemon_and_no_network(harness: ProcessHarness, command: str) -> None:
    harness.config["binance_api"]["base_url"] = "http://127.0.0.1:1"
    harness.write_config()
    code, out, error = harness.run(command)
    assert (code, error) == (0, "")
    assert out.count("\n") <= 2
    assert (harness.folder / "PAUSE").exists() is (command == "pause")


def test_sell_all_without_a_daemon_sells_everything_and_pauses(harness: ProcessHarness) -> None:
    assert harness.run("intraday")[0] == 0
    harness.add_ada_position()
    code, out, _ = harness.run("sell-all", "--yes")
    assert code == 0
    assert "Nothing is held any more" in out
    assert harness.traded() == ["SELL ADA"]
    assert (harness.folder / "PAUSE").exists()
    assert not (harness.folder / "SELL_ALL").exists()


def test_sell_all_that_gets_no_answer_does_nothing(harness: ProcessHarness) -> None:
    code, *_ = harness.run("sell-all")
    assert code != 0
    assert not (harness.folder / "SELL_ALL").exists()


# ------------------------------------------------------------------ the commands, in this process and a virtual time


@pytest.fixture
def captured_log() -> Iterator[LogCapture]:
    captured_log = LogCapture()
    yield captured_log
    event_log.log.removeHandler(captured_log)


class VirtualTimeHarness:
    """The same harness in virtual time."""

    def __init__(self, folder: Path, captured_log: LogCapture) -> None:
        self.clock = VirtualClock(datetime(2021, 2, 15, 12, 0, tzinfo=UTC))
        self.market = EmbeddedMarket(clock=lambda: self.clock.now().timestamp(), balances={"USDT": Decimal(1500)})
        self.server = MarketServer(self.market)
        self.server.start()
        self.harness = ProcessHarness(folder, self.market, self.server.url)
        self.captured_log = captured_log

    def opened(self, console: Console | None = None) -> AbstractContextManager[RunningBot]:
        config = Path("config.yaml")
        return open_bot(
            read_settings(config),
            self.clock,
            console=console,
            config=config,
            apply_overrides=lambda same: same,
            one_shot=True,
        )

    def listen(self) -> None:
        event_log.log.addHandler(self.captured_log)


@pytest.fixture
def virtual_harness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, captured_log: LogCapture
) -> Iterator[VirtualTimeHarness]:
    monkeypatch.chdir(tmp_path)
    for variable in ("LUNARCRUSH_API_KEY", "BINANCE_API_KEY", "BINANCE_API_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    virtual_harness = VirtualTimeHarness(tmp_path, captured_log)
    yield virtual_harness
    virtual_harness.server.stop()
    event_log.stop_log()


def test_a_pass_with_an_order_in_doubt_is_decided_within_two_minutes(virtual_harness: VirtualTimeHarness) -> None:
    virtual_harness.harness.write_model()
    virtual_harness.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_before")
    began = virtual_harness.clock.now()
    with virtual_harness.opened() as run:
        assert make_daily_update(run) == 0
    assert virtual_harness.harness.traded() == ["BUY ADA"]
    assert timedelta(seconds=60) <= virtual_harness.clock.now() - began <= timedelta(seconds=120)


def test_a_pass_whose_order_cannot_be_looked_up_is_left_to_the_next_start(virtual_harness: VirtualTimeHarness) -> None:
    virtual_harness.harness.write_model()
    virtual_harness.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    virtual_harness.market.faults.add(service="binance", match=QUERY_ORDER, kind="status", times=-1, status=502)
    began = virtual_harness.clock.now()
    with virtual_harness.opened() as run:
        assert make_daily_update(run) == 1
        assert run.bot.store.book.intents
    assert virtual_harness.clock.now() - began <= timedelta(seconds=150)
    virtual_harness.market.faults.clear()
    with virtual_harness.opened() as run:
        assert make_daily_update(run) == 0
        assert not run.bot.store.book.intents
    assert virtual_harness.harness.traded() == ["BUY ADA"], "not bought twice"


def test_a_check_waits_for_an_order_in_doubt(virtual_harness: VirtualTimeHarness) -> None:
    virtual_harness.harness.write_model()
    with virtual_harness.opened() as run:
        make_daily_update(run)
    virtual_harness.market.set_price("ADA", "0.1")
    virtual_harness.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_after")
    with virtual_harness.opened() as run:
        code = check_prices_once(run)
        assert not run.bot.store.book.intents
        assert not run.bot.store.book.positions
        assert code == 0


def test_a_check_waits_for_the_second_look_although_a_clock_rests_ten_seconds_at_a_time(
    virtual_harness: VirtualTimeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_harness.harness.write_model()
    with virtual_harness.opened() as run:
        make_daily_update(run)
    virtual_harness.market.faults.add(service="coinbase", match="", times=-1, kind="status", status=404)
    virtual_harness.market.set_price("ADA", "0.1")  # Binance alone says so, far from the price of the purchase
    idle, began = virtual_harness.clock.idle, virtual_harness.clock.now()

    def rest(until: datetime) -> None:
        idle(min(until, virtual_harness.clock.now() + timedelta(seconds=10)))

    monkeypatch.setattr(virtual_harness.clock, "idle", rest)
    with virtual_harness.opened() as run:
        assert check_prices_once(run) == 0
        assert not run.bot.store.book.positions
    assert timedelta(seconds=60) <= virtual_harness.clock.now() - began <= timedelta(seconds=75)


def test_a_check_with_a_token_without_a_price_ends_with_1_although_its_second_look_sold_another(
    virtual_harness: VirtualTimeHarness,
) -> None:
    virtual_harness.harness.write_model()
    with virtual_harness.opened() as run:
        make_daily_update(run)
        run.bot.store.save(with_position(run.bot.store.book, "LINK", a_position()))
    virtual_harness.market.delist("LINKUSDT")
    virtual_harness.market.faults.add(service="coinbase", match="", times=-1, kind="status", status=404)
    virtual_harness.market.set_price("ADA", "0.1")
    with virtual_harness.opened() as run:
        assert check_prices_once(run) == 1
        assert [*run.bot.store.book.positions] == ["LINK"]


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 500}])
def test_a_pass_without_lunarcrush_is_not_done(virtual_harness: VirtualTimeHarness, fault: dict[str, Any]) -> None:
    virtual_harness.harness.write_model()
    virtual_harness.market.faults.add(service="lunarcrush", match="", times=-1, **fault)
    with virtual_harness.opened() as run:
        assert make_daily_update(run) == 1
        assert run.bot.store.book.last_daily_update is None
        assert run.bot.daily_update() is Progress.LATER


def test_a_stop_while_a_command_waits_ends_it(virtual_harness: VirtualTimeHarness) -> None:
    virtual_harness.harness.write_model()
    virtual_harness.market.faults.add(service="binance", match=NEW_ORDER, kind="drop_before")
    virtual_harness.market.faults.add(service="binance", match=QUERY_ORDER, kind="status", times=-1, status=502)
    with virtual_harness.opened() as run:
        run.bot.daily_update()
        virtual_harness.clock.stop()
        with pytest.raises(StopRequested):
            make_daily_update(run)
        assert run.bot.store.book.intents


# ------------------------------------------------------------------ settings that change under way


def test_a_changed_setting_is_taken_up_and_told_once_with_its_old_and_new_value(
    virtual_harness: VirtualTimeHarness,
) -> None:
    with virtual_harness.opened() as run:
        virtual_harness.listen()
        run.reload_settings()
        assert not virtual_harness.captured_log.of("settings.taken_up"), "nothing has changed"
        virtual_harness.harness.config["strategy"]["buy_threshold"] = 0.9
        virtual_harness.harness.write_config()
        run.reload_settings()
        run.reload_settings()
        (told,) = virtual_harness.captured_log.of("settings.taken_up")
        assert told == "config.yaml: strategy.buy_threshold is 0.9 from now on; it was 0.7"
        assert run.bot.settings.daily_rules.buy_threshold == D("0.9")


def test_a_change_is_in_force_at_the_next_price_check(virtual_harness: VirtualTimeHarness) -> None:
    rules = []

    def after_cycle() -> bool:
        rules.append(run.bot.settings.exit_rules.stop_loss_fall)
        virtual_harness.harness.config["strategy"]["stop_loss_pct"] = 0.25
        virtual_harness.harness.write_config()
        return len(rules) < 2

    with virtual_harness.opened() as run:
        loop(run.bot, run.reload_settings, after_cycle)
    assert rules == [D("0.5"), D("0.25")]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"mode": "paper"}, "mode"),
        ({"quote_asset": "USDC"}, "quote_asset"),
        ({"logging": {"file": "other.log"}}, "logging.file"),
        ({"data_source": "binance"}, "data_source"),
    ],
)
def test_what_needs_a_restart_says_so_once_and_the_rest_is_taken_up(
    virtual_harness: VirtualTimeHarness, change: dict[str, Any], key: str
) -> None:
    with virtual_harness.opened() as run:
        virtual_harness.listen()
        before = run.bot.settings
        virtual_harness.harness.config |= change
        virtual_harness.harness.config["strategy"]["buy_threshold"] = 0.9
        virtual_harness.harness.write_config()
        run.reload_settings()
        run.reload_settings()
        (told,) = virtual_harness.captured_log.of("settings.need_restart")
        assert told.startswith(f"config.yaml: {key} is ")
        assert "after a restart" in told
        assert run.bot.awaiting_restart == (key,)
        assert run.bot.settings.mode == before.mode
        assert run.bot.settings.quote_asset == before.quote_asset
        assert run.bot.settings.logging == before.logging
        assert run.bot.settings.daily_rules.buy_threshold == D("0.9"), "what needs no restart is in force"


def test_a_changed_key_needs_a_restart_and_is_never_shown(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened() as run:
        virtual_harness.listen()
        virtual_harness.harness.config["lunarcrush"]["api_key"] = "lunar-secret-2"
        virtual_harness.harness.write_config()
        run.reload_settings()
        assert run.bot.awaiting_restart == ("lunarcrush.api_key",)
        (told,) = virtual_harness.captured_log.of("settings.need_restart")
        assert "lunarcrush.api_key" in told
        assert "secret" not in told.replace("lunarcrush.api_key", "")


BREAKS: dict[str, dict[str, Any]] = {
    "a value out of range": {"strategy": {"stop_loss_pct": 50}},
    "an unknown key": {"mood": "good"},
}


@pytest.mark.parametrize("change", [*BREAKS, "gone", "not YAML"])
def test_changed_settings_that_do_not_hold_are_refused_once_and_the_old_ones_stay(
    virtual_harness: VirtualTimeHarness, change: str
) -> None:
    with virtual_harness.opened() as run:
        virtual_harness.listen()
        before = run.bot.settings
        if change == "gone":
            Path("config.yaml").unlink()
        elif change == "not YAML":
            Path("config.yaml").write_text("mode: [")
        else:
            virtual_harness.harness.config |= BREAKS[change]
            virtual_harness.harness.write_config()
        run.reload_settings()
        run.reload_settings()
        refused = virtual_harness.captured_log.of("settings.refused")
        assert refused
        assert len(refused) == len(set(refused)), "each fault once"
        assert all("the old ones stay" in line and "\n" not in line for line in refused)
        assert run.bot.settings is before


def test_settings_that_were_refused_are_taken_up_when_they_are_mended(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened() as run:
        good = Path("config.yaml").read_text()
        Path("config.yaml").write_text("mode: [")
        run.reload_settings()
        Path("config.yaml").write_text(good.replace("capital_initial: 1000", "capital_initial: 2000"))
        run.reload_settings()
        assert run.bot.settings.strategy.capital_initial == 2000
        assert run.bot.store.book.capital == 1000, "the book's capital is its own"


def test_changed_settings_without_their_keys_are_refused(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened() as run:
        before = run.bot.settings
        virtual_harness.harness.config["binance_api"]["api_secret"] = ""
        virtual_harness.harness.write_config()
        run.reload_settings()
        assert run.bot.settings is before


def test_a_new_secret_is_blanked_out_of_the_log(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened() as run:
        virtual_harness.harness.config["lunarcrush"]["api_key"] = "lunar-secret-2"
        virtual_harness.harness.write_config()
        run.reload_settings()
        event_log.log_info("test", "with the key lunar-secret-2")
    assert "lunar-secret-2" not in Path("bot.log").read_text()


def test_a_secret_never_reaches_the_log(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened():
        try:
            raise ValueError(f"refused {virtual_harness.market.api_secret}")
        except ValueError:
            event_log.log.exception("trouble with %s", virtual_harness.market.api_key)
    text = Path("bot.log").read_text()
    assert "refused ***" in text
    assert not any(secret in text for secret in virtual_harness.harness.secrets)


# ------------------------------------------------------------------ the book's lock, its folder, the terminal


def test_a_book_of_another_quote_asset_is_refused(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened():
        pass
    virtual_harness.harness.config["quote_asset"] = "USDC"
    virtual_harness.harness.write_config()
    with pytest.raises(InputError, match="counts in USDT"), virtual_harness.opened():
        pass


def test_a_daemon_without_a_model_watches_over_what_it_holds(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened():
        pass
    virtual_harness.harness.add_ada_position()
    with virtual_harness.opened() as run:
        virtual_harness.listen()
        main._check_model(run)
        assert virtual_harness.captured_log.of("model.missing")
        virtual_harness.market.set_price("ADA", "0.2")
        loop(run.bot, lambda: None, after_cycle=lambda: False)
    assert virtual_harness.harness.traded() == ["SELL ADA"]


class ClosedPipe(io.StringIO):
    """A terminal, or a reader behind a pipe, that has gone away."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class FullDisk(io.StringIO):
    """Standard output in a file on a disk without room."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("output", [ClosedPipe(), FullDisk()], ids=["closed pipe", "full disk"])
def test_a_line_that_cannot_be_printed_does_not_end_the_daemon(
    virtual_harness: VirtualTimeHarness, output: io.StringIO
) -> None:
    with virtual_harness.opened():
        pass
    virtual_harness.harness.add_ada_position()
    with virtual_harness.opened(Console(file=output)) as run:
        virtual_harness.market.set_price("ADA", "0.2")
        rounds = iter([True, True, False])
        try:
            loop(run.bot, lambda: None, after_cycle=lambda: next(rounds))
        except SystemExit as end:
            raise AssertionError("the daemon has ended") from end
        assert not run.bot.store.book.positions


def test_a_sell_all_of_the_owners_is_heard_by_the_bot_that_runs(virtual_harness: VirtualTimeHarness) -> None:
    with virtual_harness.opened():
        pass
    virtual_harness.harness.add_ada_position()
    with virtual_harness.opened() as run:
        control = ControlFiles(run.bot.settings)
        control.request_sell_all()
        run.bot.cycle()
        assert not control.is_sell_all_requested()
    assert virtual_harness.harness.traded() == ["SELL ADA"]
