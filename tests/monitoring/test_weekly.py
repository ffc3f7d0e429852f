"""The week's message: once a week over restarts, with the curve, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import subprocess
from datetime import date
from pathlib import Path

import pytest

from marsshot.config.settings import WeeklyReport
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.event_log import log, log_info
from marsshot.monitoring import messenger, weekly
from marsshot.monitoring.messages import Message
from marsshot.monitoring.messenger import notifying
from marsshot.monitoring.weekly import is_week_due, note_sent, read_last_sent, week_text
from positions_store import save_state
from tests.helpers.builders import D, a_book, seed_content, some_settings
from tests.helpers.french_text import plain

MONDAY, TUESDAY, NEXT_SUNDAY, NEXT_MONDAY = (date(2021, 2, day) for day in (15, 16, 21, 22))
MEMORY = Path("weekly.paper.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --------------------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("day", "weekday", "last_sent", "is_due"),
    [
        (MONDAY, "monday", None, True),
        (TUESDAY, "monday", None, False),  # a bot that was set up on a Tuesday has no week to tell of
        (MONDAY, "monday", MONDAY, False),
        (TUESDAY, "monday", MONDAY, False),
        (NEXT_SUNDAY, "monday", MONDAY, False),
        (NEXT_MONDAY, "monday", MONDAY, True),
        (TUESDAY, "monday", date(2021, 2, 14), True),  # there was no pass on Monday, or no network
        (NEXT_MONDAY, "monday", TUESDAY, True),
        (NEXT_SUNDAY, "sunday", MONDAY, True),
        (NEXT_MONDAY, "monday", date(2031, 1, 1), True),  # the clock was wrong
        (TUESDAY, "monday", date(2031, 1, 1), False),
        (MONDAY, "never", None, False),
        (NEXT_MONDAY, "never", MONDAY, False),
    ],
)
def test_it_is_due_once_a_week(day: date, weekday: WeeklyReport, last_sent: date | None, is_due: bool) -> None:
    assert is_week_due(day, weekday, last_sent) is is_due


def test_the_day_is_found_again() -> None:
    assert read_last_sent(MEMORY) is None
    note_sent(MEMORY, MONDAY)
    assert read_last_sent(MEMORY) == MONDAY


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"sent": 3}', b'{"sent": "x"}', b"\xff"])
def test_a_memory_that_cannot_be_read_is_none(content: bytes) -> None:
    MEMORY.write_bytes(content)
    assert read_last_sent(MEMORY) is None


def test_a_day_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="weekly_report"):
        some_settings(weekly_report="Montag")


# --------------------------------------------------------------------------- the text


def test_the_child_tells_what_the_command_prints() -> None:
    config = Path("config.yaml")
    config.write_text(json.dumps(seed_content() | {"language": "fr"}, default=float))
    save_state(a_book(started_at="2021-01-01T00:00:00Z"), Path("bot_state.paper.json"), Disk())
    lines = plain(week_text(config)).splitlines()
    assert lines[0].startswith("La semaine du ")
    assert lines[1].startswith("Valeur 1 000,00 USDT")


def test_a_report_that_cannot_be_made_is_an_error() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        week_text(Path("gone.yaml"))


# --------------------------------------------------------------------------- sending

Sent = list[Message]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the services are handed; nothing is gathered for long, and the report is a word."""
    messages: Sent = []

    def send_nothing(urls: list[str], message: Message, _: Path) -> list[bool]:
        messages.append(message)
        return ["broken" not in url for url in urls]

    monkeypatch.setattr(messenger, "send", send_nothing)
    monkeypatch.setattr(messenger, "BATCH_SECONDS", 0.05)
    monkeypatch.setattr(messenger, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(messenger, "week_text", lambda config: f"the week by {config}")
    monkeypatch.setattr(log, "level", logging.INFO)
    return messages


def pass_done(day: date, *urls: str, **settings: object) -> None:
    """Let a bot run just for one day's pass."""
    used = some_settings(notify=list(urls or ["json://one"]), **settings)
    with notifying(lambda: used, Path("config.yaml")):
        log_info("daily.done", "Done", day=day, capital=D(1), asset="USDT", positions=0)


def weeks(sent: Sent) -> list[Message]:
    return [one for one in sent if one.title == "MarsShot: your week"]


def test_it_comes_once_a_week_with_the_picture_over_restarts(sent: Sent) -> None:
    for day in (MONDAY, MONDAY, TUESDAY, NEXT_SUNDAY):
        pass_done(day)
    assert weeks(sent) == [Message(title="MarsShot: your week", body="the week by config.yaml", with_chart=True)]
    pass_done(NEXT_MONDAY)
    assert len(weeks(sent)) == 2
    assert read_last_sent(MEMORY) == NEXT_MONDAY


def test_never_is_never(sent: Sent) -> None:
    pass_done(MONDAY, weekly_report="never")
    assert [one.title for one in sent] == ["MarsShot, 2021-02-15"]


def test_one_that_no_service_takes_comes_with_a_later_pass(sent: Sent) -> None:
    note_sent(MEMORY, date(2021, 2, 8))
    pass_done(MONDAY, "json://broken")
    assert read_last_sent(MEMORY) == date(2021, 2, 8)
    pass_done(TUESDAY, "json://broken", "json://one")
    assert (len(weeks(sent)), read_last_sent(MEMORY)) == (2, TUESDAY)


def test_one_that_cannot_be_made_costs_a_log_line_only(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(messenger, "log_warning", lambda event, text, **_: warned.append(f"{event} {text}"))
    monkeypatch.setattr(weekly, "REPORT", ("/no/such/program",))
    monkeypatch.setattr(messenger, "week_text", week_text)
    pass_done(MONDAY)
    assert [one.title for one in sent] == ["MarsShot, 2021-02-15"]
    assert [line for line in warned if line.startswith("weekly.not_made") and "report --week" in line]
    assert read_last_sent(MEMORY) is None
