"""The way to Telegram: what its answers mean, that each request ends in time, that the token is nowhere to be read."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Iterator
from time import monotonic

import pytest

from embedded_market.telegram.bot_api import TelegramStandIn
from embedded_market.telegram.server import TelegramServer
from marsshot.monitoring.telegram_api import (
    TelegramApi,
    TelegramRefusedError,
    TelegramSilentError,
    displayed_name,
    latest_private_chat,
)

TOKEN = "123456789:AAHsecretsecretsecretsecretsecretsec"


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer(TelegramStandIn()) as server:
        yield server


@pytest.fixture
def api(server: TelegramServer) -> TelegramApi:
    return TelegramApi(server.url, server.stand_in.token)


def test_a_method_gives_its_result_and_the_time_of_telegrams_own_clock(
    api: TelegramApi, server: TelegramServer
) -> None:
    server.stand_in.now = lambda: 1_800_000_000.0
    assert api.call("getMe")["username"] == "marsshot_bot"
    assert api.server_time is not None
    assert api.server_time.timestamp() == 1_800_000_000.0


def test_a_picture_arrives_as_it_is(api: TelegramApi, server: TelegramServer) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    api.send_picture(server.stand_in.owner, picture, "Équité : +3 %")
    (sent,) = server.stand_in.sent
    assert (sent.picture, sent.text) == (picture, "Équité : +3 %")


@pytest.mark.parametrize(("code", "wait"), [(400, 0.0), (401, 0.0), (403, 0.0), (409, 0.0), (429, 7.0)])
def test_a_refusal_has_its_code_and_how_long_to_wait(
    api: TelegramApi, server: TelegramServer, code: int, wait: float
) -> None:
    parameters = {"retry_after": int(wait)} if wait else {}
    server.stand_in.refuse("getMe", code, "whatever it says", **parameters)
    with pytest.raises(TelegramRefusedError) as refused:
        api.call("getMe")
    assert (refused.value.code, refused.value.retry_after_seconds) == (code, wait)


def test_a_server_in_trouble_has_not_refused(api: TelegramApi, server: TelegramServer) -> None:
    server.stand_in.refuse("sendMessage", 502, "Bad Gateway")
    with pytest.raises(TelegramSilentError):
        api.call("sendMessage")


def test_an_answer_that_is_lost_is_no_refusal(api: TelegramApi, server: TelegramServer) -> None:
    server.cut.append("sendMessage")
    with pytest.raises(TelegramSilentError):
        api.call("sendMessage", {"chat_id": server.stand_in.owner, "text": "x"})
    assert [one.text for one in server.stand_in.sent] == ["x"]


def test_a_server_that_says_nothing_is_waited_for_so_long_and_no_longer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = TelegramApi(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, total_seconds=0.3)
        begun = monotonic()
        with pytest.raises(TelegramSilentError):
            api.call("getUpdates")
        assert 0.25 < monotonic() - begun < 1.0


def test_the_token_is_in_no_error_no_traceback_and_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        api = TelegramApi(f"http://127.0.0.1:{closed.getsockname()[1]}", TOKEN)
        with pytest.raises(TelegramSilentError) as silent:
            api.call("getMe")
    told = "".join(traceback.format_exception(silent.value)) + repr(silent.value) + caplog.text
    assert "AAHsecret" not in told


def test_the_last_person_to_write_is_found_without_confirming_anything(
    api: TelegramApi, server: TelegramServer
) -> None:
    assert latest_private_chat(api) is None
    server.stand_in.write("hello", sender=5_000_001)
    server.stand_in.write("hello", sender=6_000_002)
    server.stand_in.write("in a group", sender=7, chat={"id": -100, "type": "group"})
    assert latest_private_chat(api) == latest_private_chat(api) == (6_000_002, "Jean")


@pytest.mark.parametrize(
    ("person", "name"),
    [({"first_name": "Ann", "last_name": "B"}, "Ann B"), ({"first_name": "a\nb\u202e"}, "ab"), ({}, "?")],
)
def test_a_name_is_one_short_line(person: dict[str, str], name: str) -> None:
    assert displayed_name(person) == name
