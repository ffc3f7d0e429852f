"""Slow connections: which give way, until when each has time, and the real server with a hundred of them."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from marsshot.dashboard.presentation.chart_frame import BOKEH_SCRIPT
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.dashboard.security.connection_limits import ConnectionLimits, RequestDeadline, connections_to_close
from marsshot.dashboard.security.login_throttle import MAX_ATTEMPTS_PER_ADDRESS
from marsshot.dashboard.server import THREADS, default_limits
from tests.helpers.dashboard_harness import TOKEN, serving, write_bot_files

PATIENCE = 4  # seconds, for a machine that does much else: such a page takes a few hundredths
LIMITS = ConnectionLimits()
HERE = ServerAddress("127.0.0.1", 0)
BEHIND_PROXY = ServerAddress("127.0.0.1", 0, TOKEN, "https://bot.example")


@dataclass(frozen=True)
class Waiting:
    """A connection."""

    address: str
    waiting_since: float = 0
    is_busy: bool = False


# --------------------------------------------------------------------------- which give way


def test_up_to_the_limits_nobody_gives_way() -> None:
    limits = ConnectionLimits(overall=4, per_address=2)
    assert connections_to_close([Waiting("a"), Waiting("a"), Waiting("b"), Waiting("b")], limits) == []


def test_one_too_many_of_an_address_costs_its_own_oldest() -> None:
    limits = ConnectionLimits(overall=10, per_address=2)
    connections = [Waiting("a", 2), Waiting("a", 1), Waiting("a", 3), Waiting("b", 0)]
    assert connections_to_close(connections, limits) == [Waiting("a", 1)]


def test_one_too_many_in_all_costs_the_oldest_of_whoever_has_the_most() -> None:
    limits = ConnectionLimits(overall=3, per_address=3)
    connections = [Waiting("owner", 0), Waiting("many", 1), Waiting("many", 2), Waiting("many", 3)]
    assert connections_to_close(connections, limits) == [Waiting("many", 1)]


def test_a_request_that_is_being_answered_is_never_broken_off() -> None:
    limits = ConnectionLimits(overall=2, per_address=1)
    busy = [Waiting("a", 0, is_busy=True), Waiting("b", 1, is_busy=True)]
    assert connections_to_close([*busy, Waiting("a", 2)], limits) == [Waiting("a", 2)]
    assert connections_to_close([*busy, Waiting("c", 2)], limits) == [Waiting("c", 2)]
    assert connections_to_close([*busy, Waiting("c", 2, is_busy=True)], limits) == []


# --------------------------------------------------------------------------- until when


def test_a_connection_has_ten_seconds_for_its_first_request_however_many_bytes_come() -> None:
    deadline = RequestDeadline(LIMITS, 0)
    for second in range(10):
        deadline.request_begins(second)
    assert not deadline.is_over(10)
    assert deadline.is_over(10.1)


def test_between_two_requests_it_has_thirty_and_ten_once_the_next_has_begun() -> None:
    deadline = RequestDeadline(LIMITS, 0)
    deadline.answer_begins()
    assert not deadline.is_over(1e9)
    deadline.answer_ends(100, is_sent=True)
    assert (deadline.is_over(130), deadline.is_over(130.1)) == (False, True)
    deadline.request_begins(105)
    assert (deadline.is_over(115), deadline.is_over(115.1)) == (False, True)
    deadline.request_begins(114)
    assert deadline.is_over(115.1)


def test_an_answer_has_two_minutes_to_be_taken() -> None:
    deadline = RequestDeadline(LIMITS, 0)
    deadline.answer_ends(100, is_sent=False)
    assert (deadline.is_over(220), deadline.is_over(220.1)) == (False, True)


# --------------------------------------------------------------------------- the real server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bot_files()
    return tmp_path


def connect(address: str, begin: bytes, source: str = "127.0.0.1") -> socket.socket:
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), 5, (source, 0))
    connection.sendall(begin)
    return connection


@contextmanager
def slow_connections(
    address: str, count: int, begin: bytes, source: str = "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(address, begin, source)) for _ in range(count)]


def seconds_for_a_page(address: str, path: str = "/") -> float:
    begun = time.monotonic()
    with build_opener().open(Request(f"{address}{path}"), timeout=5) as answer:
        assert answer.status == 200
        answer.read()
    return time.monotonic() - begun


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed it; what it has sent before that is read away."""
    connection.settimeout(0.01)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def read_to_the_end(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    connection.settimeout(10)
    received = bytearray()
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            received += part
    return bytes(received)


def read_an_answer(connection: socket.socket) -> bytes:
    """Return an answer of which the connection is kept open."""
    connection.settimeout(5)
    received = b""
    while b"</html>" not in received:
        received += connection.recv(65_536)
    return received


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


HALF_A_HEADER = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_A_FORM = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\ntoken="
UNREAD_ANSWER = f"GET /{BOKEH_SCRIPT} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.mark.parametrize("begin", [b"", HALF_A_HEADER, HALF_A_FORM, UNREAD_ANSWER], ids=["", "head", "body", "unread"])
@pytest.mark.parametrize(
    "sources",
    [
        pytest.param(["127.0.0.1"], id="one"),
        pytest.param([f"127.0.0.{n}" for n in range(2, 22)], id="twenty", marks=pytest.mark.slow),
    ],
)
def test_three_hundred_slow_connections_keep_nobody_waiting(begin: bytes, sources: list[str]) -> None:
    """From the owner's own address, and from twenty others; each of ten pages comes at once."""
    with serving(HERE) as address, ExitStack() as stack:
        count = 60 if begin is UNREAD_ANSWER else 300
        for source in sources:
            stack.enter_context(slow_connections(address, count // len(sources), begin, source))
        assert max(seconds_for_a_page(address) for _ in range(10)) < PATIENCE


def test_a_request_that_trickles_in_is_given_up_a_byte_now_and_then_or_not() -> None:
    limits = ConnectionLimits(request_seconds=1)
    with serving(HERE, limits) as address, slow_connections(address, 3, HALF_A_HEADER) as trickling:
        begun = time.monotonic()

        def are_closed() -> bool:
            for connection in trickling:
                connection.settimeout(1)
                with suppress(OSError):
                    connection.sendall(b"x")
            return all(is_closed(connection) for connection in trickling)

        wait_until(are_closed, 5)
        assert time.monotonic() - begun > 0.9


def test_blank_lines_put_nothing_off() -> None:
    with serving(HERE, ConnectionLimits(request_seconds=1)) as address, connect(address, b"\r\n") as connection:

        def is_over() -> bool:
            with suppress(OSError):
                connection.sendall(b"\r\n")
            return is_closed(connection)

        wait_until(is_over, 5)


@pytest.mark.slow
def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waitress waits for ever for a socket that cannot be written to, to close it."""
    small = (socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    monkeypatch.setattr("waitress.adjustments.Adjustments.socket_options", [small])
    with serving(HERE, ConnectionLimits(sending_seconds=1)) as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((urlsplit(address).hostname, urlsplit(address).port))
        connection.sendall(UNREAD_ANSWER)
        time.sleep(3.5)
        assert 0 < len(read_to_the_end(connection)) < 200_000


def test_requests_sent_before_their_turn_hold_no_thread() -> None:
    """All that one piece has room for, on more connections than there are threads; each gets one answer."""
    with serving(HERE) as address, ExitStack() as stack:
        greedy = [stack.enter_context(connect(address, UNREAD_ANSWER * 100)) for _ in range(2 * THREADS)]
        assert max(seconds_for_a_page(address) for _ in range(5)) < PATIENCE
        assert read_to_the_end(greedy[0]).count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.slow
def test_a_connection_that_is_kept_open_serves_again_and_closes_when_idle() -> None:
    page = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    limits = ConnectionLimits(request_seconds=1, idle_seconds=3)
    server_address = ServerAddress("127.0.0.1", 0, TOKEN)
    with serving(server_address, limits) as address, connect(address, page) as connection:
        assert b"200 OK" in read_an_answer(connection)
        time.sleep(2)  # longer than a request may take
        connection.sendall(page)
        assert b"200 OK" in read_an_answer(connection)
        wait_until(lambda: is_closed(connection), 6)


# --------------------------------------------------------------------------- which address counts


def log_in(address: str, token: str, opener: OpenerDirector | None = None, **headers: str) -> int:
    """Send a token with these headers; return the answer's number, 200 for the page after the login."""
    opener = opener or build_opener(HTTPCookieProcessor())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with opener.open(Request(f"{address}/login", headers=named), timeout=5) as page:
            key = re.search(r'name="csrf_token" value="([^"]+)"', page.read().decode())
        assert key is not None
        form = urlencode({"csrf_token": key[1], "token": token}).encode()
        with opener.open(Request(f"{address}/login", form, headers=named), timeout=5) as page:
            return int(page.status)
    except HTTPError as error:
        return error.code


def test_without_a_proxy_the_connections_own_address_counts_whatever_it_claims() -> None:
    with serving(ServerAddress("127.0.0.1", 0, TOKEN)) as address:
        for number in range(MAX_ATTEMPTS_PER_ADDRESS):
            assert log_in(address, "wrong", X_Forwarded_For=f"203.0.113.{number}") == 403
        assert log_in(address, TOKEN, X_Forwarded_For="203.0.113.99") == 429


def plain_cookies() -> OpenerDirector:
    """Return a browser that sends its cookies for https by http too: here the test stands in for the proxy."""
    return build_opener(_CookiesOfTheProxy())


class _CookiesOfTheProxy(HTTPCookieProcessor):
    """Keeps the cookies without looking at how they are to be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, str] = {}

    def http_request(self, request: Request) -> Request:
        if self.held:
            request.add_unredirected_header("Cookie", "; ".join(f"{name}={one}" for name, one in self.held.items()))
        return request

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        for text in response.headers.get_all("Set-Cookie", []):
            name, _, value = text.partition(";")[0].partition("=")
            self.held[name] = value
        return response


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_behind_a_proxy_the_address_that_it_saw_itself_counts(host: str) -> None:
    """The last one in X-Forwarded-For; what stands before it the visitor may have written."""
    with serving(ServerAddress(host, 0, TOKEN, BEHIND_PROXY.public_url)) as address:
        for number in range(MAX_ATTEMPTS_PER_ADDRESS):
            claimed = f"198.51.100.{number}, 203.0.113.1"
            assert log_in(address, "wrong", plain_cookies(), X_Forwarded_For=claimed) == 403
        assert log_in(address, TOKEN, plain_cookies(), X_Forwarded_For="198.51.100.9, 203.0.113.1") == 429
        assert log_in(address, TOKEN, plain_cookies(), X_Forwarded_For="203.0.113.2") == 200


def test_behind_a_proxy_no_address_has_a_limit_of_its_own_for_all_connections_come_from_there() -> None:
    assert default_limits(HERE).per_address < default_limits(HERE).overall
    assert default_limits(BEHIND_PROXY).per_address == default_limits(BEHIND_PROXY).overall
