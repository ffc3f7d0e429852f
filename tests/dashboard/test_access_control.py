"""Who may look and press: the token, the host names allowed, sessions."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.errors import InputError
from marsshot.dashboard.security.access_control import (
    MAX_SESSIONS,
    SESSION_LIFETIME,
    TOKEN_VARIABLE,
    ServerAddress,
    Sessions,
    build_server_address,
    new_token,
    read_token,
    token_matches,
)

NOW = datetime(2021, 2, 15, tzinfo=UTC)
LONG = "x" * 32


# --------------------------------------------------------------------------- the token


def test_a_new_token_is_long_random_and_its_owners_alone(tmp_path: Path) -> None:
    first, second = new_token(tmp_path / "one"), new_token(tmp_path / "two")
    assert first != second
    assert len(first) >= 43
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert read_token({}, tmp_path / "one") == first


def test_a_token_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    token = new_token(tmp_path / "token")
    with pytest.raises(InputError, match="is there already"):
        new_token(tmp_path / "token")
    assert read_token({}, tmp_path / "token") == token


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        new_token(tmp_path / "no" / "token")


def test_without_file_and_variable_there_is_no_token(tmp_path: Path) -> None:
    assert read_token({}, tmp_path / "token") == ""


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    new_token(tmp_path / "token")
    assert read_token({TOKEN_VARIABLE: LONG}, tmp_path / "token") == LONG


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least 32"),
        ("x" * 31, "at least 32"),
        ("x" * 20 + " " + "x" * 20, r"character 21 is U\+0020"),
        ("é" * 40, r"character 1 is U\+00E9"),
        ("x" * 40 + "\u200b", r"character 41 is U\+200B"),
    ],
)
def test_a_short_or_strange_token_is_refused_without_being_shown(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as told:
        read_token({TOKEN_VARIABLE: text}, tmp_path / "token")
    assert not text or text not in str(told.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    new_token(tmp_path / "token")
    os.chmod(tmp_path / "token", mode)
    with pytest.raises(InputError, match="others can read it"):
        read_token({}, tmp_path / "token")


@given(st.text(max_size=60))
def test_only_the_token_is_the_token(given_text: str) -> None:
    assert token_matches(given_text, LONG) == (given_text == LONG)


def test_no_token_is_nobodys_token() -> None:
    assert not token_matches("", "")


# --------------------------------------------------------------------------- the server's address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert build_server_address(host, 8377, "").token == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "", "bot.example"])  # noqa: S104 - what is refused
def test_any_other_address_needs_one(host: str) -> None:
    with pytest.raises(InputError, match="a token is needed"):
        build_server_address(host, 8377, "")
    assert build_server_address(host, 8377, LONG).token == LONG


@pytest.mark.parametrize(
    ("url", "token", "host", "told"),
    [
        ("http://bot.example", LONG, "127.0.0.1", "https://name is needed"),
        ("bot.example", LONG, "127.0.0.1", "https://name is needed"),
        ("https://bot.example/path", LONG, "127.0.0.1", "without a path"),
        ("https://bot.example", "", "127.0.0.1", "a token is needed"),
        ("https://bot.example", LONG, "0.0.0.0", "the only way in"),  # noqa: S104 - what is refused
    ],
)
def test_a_proxy_is_https_has_a_token_and_is_the_only_way_in(url: str, token: str, host: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        build_server_address(host, 8377, token, url)


def test_behind_a_proxy_the_cookie_is_for_https() -> None:
    assert build_server_address("127.0.0.1", 8377, LONG, "https://bot.example/").is_https
    assert not build_server_address("127.0.0.1", 8377, LONG).is_https


def test_the_address_is_what_to_type() -> None:
    assert ServerAddress("127.0.0.1", 8377).address == "http://127.0.0.1:8377"
    assert ServerAddress("::1", 8377).address == "http://[::1]:8377"
    assert build_server_address("127.0.0.1", 8377, LONG, "https://bot.example/").address == "https://bot.example"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - a container's own network
def test_in_a_container_a_port_published_on_loopback_needs_no_token(host: str) -> None:
    published = build_server_address(host, 8377, "", "", "127.0.0.1", in_container=True)
    assert published.address == "http://127.0.0.1:8377"
    assert published.allows_host("127.0.0.1:8377") and published.allows_host("localhost:8377")
    assert not published.allows_host("bot.example") and not published.allows_host("172.18.0.3:8377")


@pytest.mark.parametrize(
    ("published_on", "in_container", "told"),
    [
        ("127.0.0.1", False, "for a container"),
        ("0.0.0.0", True, "a loopback address"),  # noqa: S104 - what is refused
        ("192.168.1.4", True, "a loopback address"),
        ("", True, "a token is needed"),
    ],
)
def test_no_other_publishing_goes_without_a_token(published_on: str, in_container: bool, told: str) -> None:
    with pytest.raises(InputError, match=told):
        build_server_address("0.0.0.0", 8377, "", "", published_on, in_container=in_container)  # noqa: S104


@pytest.mark.parametrize("name", ["127.0.0.1:8377", "localhost", "LOCALHOST:9", "[::1]:8377", "127.9.9.9"])
def test_this_machines_own_names_are_let_in(name: str) -> None:
    assert ServerAddress("127.0.0.1", 8377).allows_host(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "evil.example",
        "evil.example:8377",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.4:8377",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil",
        "127.0.0.1:port",
        "[::1",
        "127.0.0.1 evil",
    ],
)
def test_a_name_that_anybody_can_point_here_is_not(name: str) -> None:
    assert not ServerAddress("127.0.0.1", 8377).allows_host(name)


def test_with_a_token_addresses_are_let_in_and_strange_names_are_not() -> None:
    server_address = ServerAddress("0.0.0.0", 8377, LONG)  # noqa: S104 - behind a token
    assert server_address.allows_host("192.168.1.4:8377")
    assert not server_address.allows_host("evil.example")
    assert ServerAddress("bot.lan", 8377, LONG).allows_host("bot.lan:8377")
    assert ServerAddress("127.0.0.1", 8377, LONG, "https://bot.example").allows_host("bot.example")


# --------------------------------------------------------------------------- sessions


def test_a_session_lasts_a_day_or_until_it_is_closed() -> None:
    sessions = Sessions()
    name = sessions.open(NOW)
    assert sessions.is_open(name, NOW + SESSION_LIFETIME - timedelta(seconds=1))
    assert not sessions.is_open(name, NOW + SESSION_LIFETIME)
    assert not sessions.is_open("another", NOW)
    sessions.close(name)
    assert not sessions.is_open(name, NOW)


def test_sessions_do_not_pile_up() -> None:
    sessions = Sessions()
    first, *others = [sessions.open(NOW + timedelta(seconds=n)) for n in range(MAX_SESSIONS + 1)]
    assert not sessions.is_open(first, NOW + timedelta(hours=1))
    assert all(sessions.is_open(name, NOW + timedelta(hours=1)) for name in others)
