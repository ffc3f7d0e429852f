"""`python dashboard.py` as its owner runs it: what it refuses, what it serves, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from dashboard import main
from marsshot.dashboard.security.access_control import TOKEN_VARIABLE, ServerAddress
from tests.helpers.builders import ROOT
from tests.helpers.dashboard_harness import TOKEN, write_bot_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    write_bot_files()
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Run the command until it says where it serves; yield process, port and what it said."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "dashboard.py"), "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdout is not None
    try:
        yield process, port, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_it_serves_until_ctrl_c() -> None:
    with served() as (process, port, said):
        assert f"http://127.0.0.1:{port}" in said
        with urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert "1,069.75" in answer.read().decode()
            assert "server" not in {name.lower() for name in answer.headers}
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.slow
def test_with_a_token_it_asks_for_it() -> None:
    with served(**{TOKEN_VARIABLE: TOKEN}) as (_, port, said):
        assert TOKEN not in said
        with urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.url.endswith("/login")
        request = Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"})
        with pytest.raises(HTTPError, match="421"):
            urlopen(request)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "a token is needed"),  # noqa: S104 - what is refused
        (["--public-url", "https://bot.example"], "a token is needed"),
        (["--port", "0"], "from 1 to 65535"),
        (["--port", "65536"], "from 1 to 65535"),
        (["--config", "nothing.yaml"], "nothing.yaml"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_in_a_container_it_says_where_its_port_is_published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's mark is put where this process looks for it, and nothing is served."""
    (folder / ".dockerenv").touch()
    monkeypatch.setattr("dashboard.CONTAINER_MARKS", (folder / ".dockerenv",))
    served_at: list[ServerAddress] = []
    server = import_module("marsshot.dashboard.server")  # by name: another test takes it out of sys.modules
    monkeypatch.setattr(server, "serve", lambda *given: served_at.append(given[2]))
    assert main(["--host", "0.0.0.0", "--published-on", "127.0.0.1"]) == 0  # noqa: S104 - the container's own network
    (address,) = served_at
    assert (address.host, address.address) == ("0.0.0.0", "http://127.0.0.1:8377")  # noqa: S104


def test_elsewhere_nothing_is_published(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dashboard.CONTAINER_MARKS", ())
    assert main(["--host", "0.0.0.0", "--published-on", "127.0.0.1"]) == 2  # noqa: S104 - what is refused
    assert "--published-on: for a container" in capsys.readouterr().err


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "short-secret")
    assert main([]) == 2
    error = capsys.readouterr().err
    assert "at least 32" in error
    assert "short-secret" not in error


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"127.0.0.1:{port}: cannot be served" in capsys.readouterr().err


def test_a_new_token_is_shown_once_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--new-token"]) == 0
    token = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"[\w-]{43}", token)
    file = folder / "dashboard.token"
    assert file.read_text() == f"{token}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert main(["--new-token"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_without_its_libraries_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "marsshot.dashboard.server", raising=False)  # the one that imports waitress
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert main([]) == 2
    assert "make dashboard" in capsys.readouterr().err
