"""What the bot says: one line each, to file and terminal, and never a secret."""

from __future__ import annotations

import errno
import io
import logging
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from marsshot.core.errors import InputError
from marsshot.infra import event_log
from marsshot.infra.clock import VirtualClock
from marsshot.infra.event_log import log, log_error, log_file_only, log_info, log_warning, start_log, stop_log
from tests.helpers.builders import NOW

SECRET = "SeCrEt-0123456789"


@pytest.fixture(autouse=True)
def _log_closed() -> Iterator[None]:
    stop_log()
    yield
    stop_log()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.paper.log"


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


def start(path: Path, terminal: io.StringIO | None = None, *secrets: str) -> None:
    console = None if terminal is None else Console(file=terminal, width=80)
    start_log(path, lambda: NOW, secrets or (SECRET,), console)


# --------------------------------------------------------------------------- lines


def test_a_line_in_the_file_has_time_level_event_and_fields(path: Path) -> None:
    start(path)
    log_info("order.filled", "Sold 100 FET", side="SELL", price="0.498", why="two words")
    assert path.read_text() == (
        "2021-02-15T00:30:00Z INFO order.filled side=SELL price=0.498 why='two words' | Sold 100 FET\n"
    )


def test_a_line_on_the_terminal_is_for_people(path: Path, terminal: io.StringIO) -> None:
    start(path, terminal)
    log_info("order.filled", "Sold 100 FET", side="SELL")
    log_warning("price.note", "No price of [red]OP")
    log_error("book.not_saved", "The disk is full")
    assert terminal.getvalue().splitlines() == [
        "2021-02-15 00:30  Sold 100 FET",
        "2021-02-15 00:30  ! No price of [red]OP",
        "2021-02-15 00:30  ! The disk is full",
    ]


FORGED = "no\n2021-02-15T00:30:00Z INFO order.filled | Sold everything\x1b[2J"


@pytest.mark.parametrize("as_detail", [True, False])
def test_what_an_exchange_says_forges_no_line_and_steers_no_terminal(
    path: Path, terminal: io.StringIO, as_detail: bool
) -> None:
    start(path, terminal)
    if as_detail:
        log_warning("order.refused", "Refused", why=FORGED)
    else:
        log_warning("order.refused", f"Refused: {FORGED}")
    for written in (path.read_text(), terminal.getvalue()):
        assert written.count("\n") == 1
        assert "\x1b" not in written


def test_a_detail_has_at_most_300_characters(path: Path) -> None:
    start(path)
    log_info("an.event", "text", short="a" * 300, long="b" * 301)
    line = path.read_text()
    assert f"short={'a' * 300} " in line
    assert f"'{'b' * 299}…'" in line


def test_a_traceback_holds_no_line_that_could_be_one_of_the_logs_own(path: Path) -> None:
    start(path)
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("Something unforeseen", extra={"event": "cycle.surprise"})
    first, *others = path.read_text().splitlines()
    assert first == "2021-02-15T00:30:00Z ERROR cycle.surprise | Something unforeseen"
    assert others[-1].startswith("  2021-02-15")
    assert all(line.startswith("  ") for line in others)


def test_the_level_says_who_is_needed(path: Path) -> None:
    start(path)
    for tell in (log_info, log_file_only, log_warning, log_error):
        tell("an.event", "text")
    assert [line.split()[1] for line in path.read_text().splitlines()] == ["INFO", "INFO", "WARNING", "ERROR"]


def test_a_note_is_for_the_file_alone(path: Path, terminal: io.StringIO) -> None:
    start(path, terminal)
    log_file_only("daily.decision", "FET: hold")
    assert "FET: hold" in path.read_text()
    assert terminal.getvalue() == ""


def test_a_long_line_is_one_line(path: Path, terminal: io.StringIO) -> None:
    start(path, terminal)
    log_info("an.event", "word " * 100)
    assert len(path.read_text().splitlines()) == len(terminal.getvalue().splitlines()) == 1


def test_time_is_the_bots_own(path: Path) -> None:
    clock = VirtualClock(datetime(2021, 2, 15, tzinfo=UTC))
    start_log(path, clock.now, (), None)
    log_info("a", "first")
    clock.sleep(86_400)
    log_info("b", "second")
    assert [line[:20] for line in path.read_text().splitlines()] == ["2021-02-15T00:00:00Z", "2021-02-16T00:00:00Z"]


# --------------------------------------------------------------------------- secrets


def test_a_secret_is_blanked_out_of_every_line(path: Path, terminal: io.StringIO) -> None:
    start(path, terminal, SECRET, "another-secret")
    log_info("a", f"the key is {SECRET}", key=SECRET, url=f"https://x/?k={SECRET}&s=another-secret")
    log_error(SECRET, SECRET)
    for text in (path.read_text(), terminal.getvalue()):
        assert SECRET not in text
        assert "another-secret" not in text
        assert "the key is ***" in text


def test_a_secret_is_blanked_out_of_a_traceback(path: Path, terminal: io.StringIO) -> None:
    start(path, terminal)
    try:
        raise ValueError(f"GET https://me:{SECRET}@example.com") from KeyError(SECRET)
    except ValueError:
        log.exception("Something unforeseen happened", extra={"event": "cycle.surprise"})
    for text in (path.read_text(), terminal.getvalue()):
        assert SECRET not in text
        assert "Traceback" in text
        assert "https://me:***@example.com" in text


_CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'*")
_SECRETS = st.text(_CHARACTERS, min_size=6, max_size=40).map("Zq{}".format)  # by chance no word of a line


@given(_SECRETS)
@hypothesis_settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_secret_is_blanked_out(tmp_path: Path, secret: str) -> None:
    path, terminal = tmp_path / "any.log", io.StringIO()
    path.unlink(missing_ok=True)
    start(path, terminal, secret)
    log_info("an.event", f"a {secret} b", plain=secret, quoted=f"two {secret}")
    stop_log()
    assert secret not in path.read_text()
    assert secret not in terminal.getvalue()


def test_a_secret_with_a_quote_mark_is_blanked_out_too(path: Path) -> None:
    start(path, None, "it's-secret")
    log_info("an.event", "text", key="it's-secret")
    assert "s-secret" not in path.read_text()


def test_a_secret_that_begins_with_another_is_blanked_whole(path: Path) -> None:
    start(path, None, "abcd1234", "abcd1234-and-more")
    log_info("an.event", "abcd1234-and-more")
    assert "and-more" not in path.read_text()


# --------------------------------------------------------------------------- the file


def test_the_log_can_be_read_by_its_owner_only(path: Path) -> None:
    start(path)
    log_info("an.event", "text")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_log_rotates_and_keeps_six_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert event_log.LOG_BYTES * (event_log.LOG_FILES + 1) <= 30_000_000
    monkeypatch.setattr(event_log, "LOG_BYTES", 500)
    start(path)
    for number in range(100):
        log_info("an.event", f"line {number:03} {'.' * 50}")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [
        path.name,
        *(f"{path.name}.{n}" for n in range(1, event_log.LOG_FILES + 1)),
    ]
    assert all(file.stat().st_size <= 500 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "line 099" in path.read_text()


def test_a_restart_goes_on_with_the_same_file(path: Path) -> None:
    for text in ("first", "second"):
        start(path)
        log_info("an.event", text)
        stop_log()
    assert [line.split(" | ")[1] for line in path.read_text().splitlines()] == ["first", "second"]


def test_a_log_started_twice_writes_each_line_once(path: Path) -> None:
    start(path)
    start(path)
    log_info("an.event", "text")
    assert len(path.read_text().splitlines()) == 1


def test_a_log_that_cannot_be_written_is_an_input_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(InputError, match=r"the log cannot be written \(Is a directory\); see logging.file"):
        start(path)
    assert log.handlers == []


def test_nothing_is_said_twice_through_other_loggers(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start(path)
    with caplog.at_level(logging.INFO, logger="root"):
        log_info("an.event", "text")
    assert caplog.records == []


# --------------------------------------------------------------------------- a terminal that is gone


class DeadTerminal(io.StringIO):
    """What is left of a terminal whose window was closed, or of a pipe whose reader is gone."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise OSError(self._error, "gone")


def test_a_terminal_that_is_gone_never_stops_the_bot(path: Path) -> None:
    start(path, DeadTerminal(errno.EIO))
    log_info("order.filled", "Sold 100 FET")
    assert "Sold 100 FET" in path.read_text()


def test_a_pipe_whose_reader_is_gone_never_stops_the_bot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What rich does, without its turning the standard output of this test run off.
    monkeypatch.setattr(Console, "on_broken_pipe", lambda _: (_ for _ in ()).throw(SystemExit(1)))
    start(path, DeadTerminal(errno.EPIPE))
    log_info("order.filled", "Sold 100 FET")
    assert "Sold 100 FET" in path.read_text()


def test_no_library_writes_signed_requests_into_a_log_that_is_set_to_debug(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host program, or a curious owner, may switch everything on."""
    from tests.helpers.trading_harness import open_trading_harness

    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "binance", "binance.base_client"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    with open_trading_harness(tmp_path) as harness:
        start_log(tmp_path / "bot.log", lambda: NOW, harness.settings.secrets, None)
        harness.add_position("ADA", "300", entry_price="2.5")
        bot = harness.bot()
        bot.start()
        bot.intraday_check()
        assert harness.traded() == ["SELL ADA"]
        secrets = harness.settings.secrets
    written = caplog.text + (tmp_path / "bot.log").read_text()
    assert not [secret for secret in (*secrets, "signature=") if secret in written]
