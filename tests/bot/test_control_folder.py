"""The folder `control`, which the dashboard's user writes to: what counts, and what he cannot make the bot do."""

from __future__ import annotations

import os
import stat
from datetime import date
from pathlib import Path

import pytest

from marsshot.bot.control_files import ControlFiles, PendingCommands
from marsshot.config.bot_files import CONTROL_FOLDER as NAME
from marsshot.core.errors import TemporaryError
from marsshot.infra.atomic_files import GROUP_READS_VARIABLE
from tests.helpers.builders import some_settings

CONTROL_FOLDER = Path(NAME)
TODAY = date(2021, 2, 15)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    CONTROL_FOLDER.mkdir()
    return tmp_path


def control() -> ControlFiles:
    return ControlFiles(some_settings(mode="live"))


def test_requests_are_made_in_the_folder_where_there_is_one() -> None:
    control().pause("coins are missing")
    control().request_sell_all()
    control().request_daily_update(TODAY)
    assert {path.name for path in CONTROL_FOLDER.iterdir()} == {"PAUSE", "SELL_ALL", "DAILY"}
    assert {path.name for path in Path().iterdir()} == {"control"}
    assert control().pending_commands() == PendingCommands(True, True, True)
    assert control().is_daily_update_requested_for(TODAY)
    control().acknowledge_sell_all()
    control().acknowledge_daily_request()
    assert control().resume()
    assert [path.name for path in CONTROL_FOLDER.iterdir()] == ["RESUME"], "it waits for the bot"


def test_without_the_folder_they_are_made_beside_the_book() -> None:
    CONTROL_FOLDER.rmdir()
    control().pause()
    assert Path("PAUSE").exists()


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_what_the_owner_puts_beside_the_book_counts_as_ever(mode: str) -> None:
    files = ControlFiles(some_settings(mode=mode))
    ending = "" if mode == "live" else f".{mode}"
    for name in ("PAUSE", "SELL_ALL", "DAILY"):
        Path(f"{name}{ending}").touch()
    assert files.pending_commands() == PendingCommands(True, True, True)
    files.acknowledge_sell_all()
    files.acknowledge_daily_request()
    files.resume()
    assert files.pending_commands() == PendingCommands(False, False, False)


def test_the_live_bots_pause_in_the_folder_pauses_the_others_too() -> None:
    control().pause()
    assert ControlFiles(some_settings(mode="paper")).paused()


def test_a_second_reason_joins_the_first_one() -> None:
    control().pause("coins are missing")
    control().pause("a pair vanished")
    assert control().reason() == "coins are missing a pair vanished"


@pytest.mark.parametrize("name", ["PAUSE", "PAUSE.tmp"])
@pytest.mark.parametrize("target", ["bot_state.json", "not there"])
def test_a_link_to_the_book_does_not_cost_the_book(name: str, target: str) -> None:
    Path("bot_state.json").write_text("the book")
    (CONTROL_FOLDER / name).symlink_to(Path("..") / target)
    control().pause("coins are missing")
    assert Path("bot_state.json").read_text() == "the book"
    assert not Path("not there").exists()
    assert control().reason().endswith("coins are missing")
    control().resume()
    assert Path("bot_state.json").exists()
    assert not control().paused()


@pytest.mark.parametrize("name", ["PAUSE", "PAUSE.tmp", "DAILY", "SELL_ALL"])
@pytest.mark.timeout(20)
def test_a_pipe_in_a_files_place_keeps_the_bot_not_waiting(name: str) -> None:
    os.mkfifo(CONTROL_FOLDER / name)
    control().pending_commands()
    assert not control().is_daily_update_requested_for(TODAY) or name == "DAILY"
    control().pause("coins are missing")
    assert control().reason() == "coins are missing"


def test_of_a_file_without_end_only_its_end_is_read() -> None:
    with (CONTROL_FOLDER / "PAUSE").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room
        file.seek(0, os.SEEK_END)
        file.write(b" " * 10_000 + b"why")
    assert control().reason() == "why"


def test_a_folder_in_a_requests_place_is_told_and_still_counts() -> None:
    (CONTROL_FOLDER / "SELL_ALL").mkdir()
    assert control().is_sell_all_requested()
    with pytest.raises(TemporaryError):
        control().acknowledge_sell_all()


def test_the_group_reads_the_reason_where_it_is_set_up_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    try:
        control().pause("coins are missing")
        assert stat.S_IMODE((CONTROL_FOLDER / "PAUSE").stat().st_mode) == 0o600
        monkeypatch.setenv(GROUP_READS_VARIABLE, "1")
        control().pause("a pair vanished")
        assert stat.S_IMODE((CONTROL_FOLDER / "PAUSE").stat().st_mode) == 0o640
    finally:
        os.umask(before)
