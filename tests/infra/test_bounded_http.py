"""Every request ends in time: whatever trickles, whatever hangs, the look-up of the name included."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import pytest
import requests
import urllib3

from marsshot.infra import bounded_http
from marsshot.infra.bounded_http import BoundedAdapter, bounded_manager, bounded_pool

LIMIT = 0.4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"
BODY = b'{"price":"1.0","note":"a trickling one"}'


@pytest.fixture(autouse=True)
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "TOTAL_SECONDS", LIMIT)


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection by the test's own hand, once its first bytes are there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_answer, args=(connection, answer), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _answer(connection: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with connection:
        try:
            connection.recv(65_536)
            answer(connection)
        except OSError:
            return


def by_requests(url: str) -> bytes:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", BoundedAdapter())
    return session.get(url, timeout=5).content


def by_requests_post(url: str) -> bytes:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", BoundedAdapter())
    return session.post(url, data={"a": "1"}, timeout=(5, 9)).content


def by_pool(url: str) -> bytes:
    pool = bounded_pool(url, retries=False, timeout=urllib3.Timeout(connect=5, read=5))
    return pool.urlopen("GET", "/", redirect=False).data


def by_manager(url: str) -> bytes:
    with bounded_manager(timeout=5.0) as manager:
        return manager.request("GET", url, retries=False).data


CLIENTS = (by_requests, by_requests_post, by_pool, by_manager)
FAILURES = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError)


def assert_ends_in_time(ask: Callable[[str], bytes], url: str) -> None:
    begun = monotonic()
    with pytest.raises(FAILURES):
        ask(url)
    assert LIMIT * 0.9 <= monotonic() - begun < LIMIT + 0.3


def trickled(content: bytes, seconds: float, size: int = 1) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        for place in range(0, len(content), size):
            connection.sendall(content[place : place + size])
            sleep(seconds)

    return answer


@pytest.mark.parametrize("ask", CLIENTS)
def test_an_answer_that_comes_in_time_is_whole(ask: Callable[[str], bytes]) -> None:
    with serving(lambda connection: connection.sendall(HEAD + BODY)) as url:
        assert ask(url) == BODY


@pytest.mark.parametrize("ask", CLIENTS)
def test_slow_pieces_that_are_all_there_in_time_are_an_answer(ask: Callable[[str], bytes]) -> None:
    with serving(trickled(HEAD + BODY, LIMIT / 20, size=20)) as url:
        assert ask(url) == BODY


@pytest.mark.parametrize("ask", CLIENTS)
@pytest.mark.parametrize("fast", [0, len(HEAD)], ids=["from the head on", "from the body on"])
def test_an_answer_that_trickles_ends_with_the_time_for_all_of_it(ask: Callable[[str], bytes], fast: int) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall((HEAD + BODY)[:fast])
        trickled((HEAD + BODY)[fast:], 0.05)(connection)

    with serving(answer) as url:
        assert_ends_in_time(ask, url)


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_server_that_says_nothing_is_given_up_with_the_time_for_all_of_it(ask: Callable[[str], bytes]) -> None:
    with serving(lambda connection: sleep(2)) as url:
        assert_ends_in_time(ask, url)


@pytest.mark.parametrize("ask", CLIENTS)
def test_headers_without_end_are_given_up(ask: Callable[[str], bytes]) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(60):
            connection.sendall(f"X-{number}: 1\r\n".encode())
            sleep(0.05)

    with serving(answer) as url:
        assert_ends_in_time(ask, url)


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_name_that_is_looked_up_for_ever_is_given_up(
    ask: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_arguments: Any, **_parameters: Any) -> Any:
        sleep(2)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert_ends_in_time(ask, "http://venue.example")


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_name_that_there_is_none_of_is_an_error_of_the_network(
    ask: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_arguments: Any, **_parameters: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(FAILURES):
        ask("http://venue.example")


def test_each_request_of_a_kept_connection_has_its_own_time() -> None:
    connections = []

    def answer(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(3):
            sleep(LIMIT * 0.6)
            connection.sendall(HEAD + BODY)
            connection.recv(65_536)

    with serving(answer) as url:
        pool = bounded_pool(url, retries=False)
        assert [pool.urlopen("GET", "/").data for _ in range(3)] == [BODY] * 3
    assert len(connections) == 1


def test_the_first_address_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: connection.sendall(HEAD + BODY)) as url:
        port = int(url.rsplit(":", 1)[1])
        dead = socket.create_server(("127.0.0.1", 0))
        closed = dead.getsockname()[1]
        dead.close()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", one)) for one in (closed, port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_parameters: found)
        assert by_pool(f"http://venue.example:{port}") == BODY
