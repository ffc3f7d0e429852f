"""The stand-in on a loopback port, a thread per request: `with TelegramServer(stand_in) as server: server.url`.

Moves bytes only. A thread each, where the market's server has none: a poll waits until somebody writes.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from embedded_market.telegram.checks import RefusedError

if TYPE_CHECKING:
    from types import TracebackType

    from embedded_market.telegram.bot_api import TelegramStandIn

HOST = "127.0.0.1"
MAX_BODY_BYTES = 10_485_760


class TelegramServer:
    """Serves one bot. cut: the next requests of these methods are executed, and their answers lost."""

    def __init__(self, stand_in: TelegramStandIn, port: int = 0) -> None:
        self.stand_in = stand_in
        self.cut = list[str]()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = _QuietServer((HOST, port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="telegram", daemon=True)

    @property
    def url(self) -> str:
        """Return the origin."""
        return f"http://{HOST}:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()


class _QuietServer(ThreadingHTTPServer):
    """Threads whose clients may go at any moment."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that is gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """One client."""

    owner: TelegramServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self._answer({})

    def do_POST(self) -> None:
        """Answer a request with fields in its body."""
        size = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(size, MAX_BODY_BYTES))
        self._answer(dict(_fields(self.headers, body)))

    def _answer(self, fields: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        root, _, method = parts.path.removeprefix("/bot").partition("/")
        fields = dict(parse_qsl(parts.query)) | fields
        try:
            if not parts.path.startswith("/bot") or not method:
                raise RefusedError(404, "Not Found")
            status, content = 200, {"ok": True, "result": self.owner.stand_in.call(root, method, fields)}
        except RefusedError as error:
            status, content = error.code, {"ok": False, "error_code": error.code, "description": str(error)}
            if error.parameters:
                content["parameters"] = error.parameters
        if method in self.owner.cut:
            self.owner.cut.remove(method)
            self.close_connection = True
            return
        payload = json.dumps(content).encode()
        with suppress(ConnectionError):  # whoever asked is gone
            self._send(status, payload)

    def _send(self, status: int, payload: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the stand-in for the header Date."""
        return super().date_time_string(self.owner.stand_in.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _fields(headers: Message, body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a body: JSON, a form, or a form with a file."""
    kind = headers.get("Content-Type", "")
    if kind.startswith("application/json"):
        content = json.loads(body or b"{}")
        yield from content.items() if isinstance(content, dict) else ()
    elif kind.startswith("application/x-www-form-urlencoded"):
        yield from parse_qsl(body.decode())
    elif kind.startswith("multipart/form-data"):
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)  # noqa: S101 - what decode=True gives
            is_file = part.get_filename() is not None
            yield str(part.get_param("name", header="content-disposition")), content if is_file else content.decode()
