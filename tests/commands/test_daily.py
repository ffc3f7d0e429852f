"""daily and intraday beside a bot that runs: it makes the pass when asked, and checks the prices by itself."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest

import main
from marsshot.config.bot_files import DAILY
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.ledger import with_daily_update_done
from positions_store import load_state, save_state
from tests.helpers.process_harness import ProcessHarness, open_process_harness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with open_process_harness(tmp_path) as harness:
        harness.write_model()
        harness.config["strategy"] |= {"daily_update_hour_utc": 23, "daily_update_minute_utc": 59}
        harness.write_config()
        yield harness


@pytest.fixture
def daemon(harness: ProcessHarness) -> Iterator[subprocess.Popen[str]]:
    with harness.running_bot() as process:
        yield process


@pytest.mark.slow
def test_the_running_bot_makes_the_pass_and_the_command_shows_it(
    harness: ProcessHarness, daemon: subprocess.Popen[str]
) -> None:
    code, out, error = harness.run("daily")
    assert (code, error) == (0, "")
    assert out.startswith("The running bot makes today's pass now.")
    assert "bought ADA" in out
    assert harness.traded() == ["BUY ADA"]
    assert not (harness.folder / DAILY).exists()
    assert daemon.poll() is None

    code, out, _ = harness.run("daily")
    assert (code, harness.traded()) == (0, ["BUY ADA"]), "once a day, however often it is asked for"
    assert out.splitlines()[0].endswith("bought ADA"), "nothing is asked for"


@pytest.mark.slow
def test_a_pass_that_has_to_wait_is_told_with_its_reason(
    harness: ProcessHarness, daemon: subprocess.Popen[str]
) -> None:
    harness.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=401)
    code, out, _ = harness.run("daily")
    assert code == 1
    assert "refuses the key" in out.splitlines()[1]
    assert not (harness.folder / DAILY).exists()
    assert harness.traded() == []


def test_a_bot_that_ends_for_good_takes_the_request_with_it(
    harness: ProcessHarness,
    daemon: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever stops the bot wants no orders, and no command that keeps a new start from the book."""
    monkeypatch.chdir(harness.folder)
    monkeypatch.setattr("marsshot.commands.daily.RESTART_GRACE_SECONDS", 0)
    daemon.send_signal(signal.SIGSTOP)
    Timer(1.0, daemon.kill).start()
    assert main.main(["daily"]) == 1
    assert "has ended" in capsys.readouterr().out.splitlines()[1]
    assert harness.traded() == []
    assert not (harness.folder / DAILY).exists()


@pytest.mark.slow
def test_a_bot_that_comes_back_makes_the_pass(harness: ProcessHarness, daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGSTOP)
    command = harness.start("daily")
    assert command.stdout is not None
    assert command.stdout.readline().startswith("The running bot makes today's pass now.")
    daemon.kill()
    again = harness.start("run", fast_loop=True)
    try:
        out, error = command.communicate(timeout=60)
    finally:
        again.kill()
        again.communicate()
    assert (command.returncode, error) == (0, "")
    assert "bought ADA" in out
    assert harness.traded() == ["BUY ADA"]


def test_a_pass_that_another_command_has_made_meanwhile_is_shown(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(harness.folder)
    assert harness.run("intraday")[0] == 0
    held = iter([True, False])  # by a command that makes the pass itself, and looks for no request

    def is_locked(path: Path) -> bool:
        if not (is_so := next(held)):
            book = load_state(path, "live", Disk())
            assert book is not None
            save_state(with_daily_update_done(book, datetime.now(UTC).date()), path, Disk())
        return is_so

    monkeypatch.setattr("marsshot.commands.daily.is_locked", is_locked)
    assert main.main(["daily"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("Last daily pass: ")
    assert not (harness.folder / DAILY).exists()


def test_intraday_leaves_the_check_to_the_running_bot(harness: ProcessHarness, daemon: subprocess.Popen[str]) -> None:
    assert harness.run("intraday")[:2] == (
        1,
        "Nothing was done here: a bot (or another command) is at work on this book. A running bot checks the prices by "
        "itself every 5 min; python main.py status shows the last ones\n",
    )


@pytest.mark.slow
def test_without_a_bot_both_do_the_work_themselves(harness: ProcessHarness) -> None:
    assert harness.run("intraday")[0] == 0
    assert harness.run("daily")[0] == 0
    assert harness.traded() == ["BUY ADA"]
