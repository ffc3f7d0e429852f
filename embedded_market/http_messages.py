"""HTTP/1.1 as far as three JSON services need it: requests read from bytes, responses written to bytes.

Never touches a socket and knows none of the services.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 1_048_576
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_JSON = "application/json"
_encode = json.JSONEncoder(separators=(",", ":")).encode


class BadRequestError(ValueError):
    """These bytes are no HTTP request that can be answered."""


class Request(NamedTuple):
    """A request; path and query as they came, undecoded; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool = True


class Response(NamedTuple):
    """Status, further headers, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def json_response(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return Response(status, {"Content-Type": _JSON} | (headers or {}), json_body(content))


def json_body(content: object) -> bytes:
    """Return content as JSON without blanks."""
    return _encode(content).encode()


def parse_request(data: bytes) -> tuple[Request, int] | None:
    """Return the first request in the bytes and its length, or None while it is not whole. Raises BadRequestError."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise BadRequestError("head too long")
        return None
    request_line, *lines = data[:end].decode("latin-1").split("\r\n")
    method, target, version = _split_request_line(request_line)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(f"no header: {line!r}")
        headers[name.lower()] = value.strip()
    start, size = end + 4, _body_size(headers)
    if len(data) < start + size:
        return None
    path, _, query = target.partition("?")
    keep_alive = headers.get("connection", "").lower() != "close" and version == "HTTP/1.1"
    return Request(method, path, query, headers, data[start : start + size], keep_alive), start + size


def _split_request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):  # noqa: PLR2004
        raise BadRequestError(f"no request line: {line!r}")
    return parts[0], parts[1], parts[2]


def _body_size(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError("only bodies with a Content-Length are read")
    size = headers.get("content-length", "0")
    if not size.isascii() or not size.isdigit() or int(size) > MAX_BODY_BYTES:
        raise BadRequestError(f"Content-Length: {size!r}")
    return int(size)


def render(response: Response, *, keep_alive: bool = True) -> bytes:
    """Return the bytes of a response."""
    status, headers, body = response
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1") + body
