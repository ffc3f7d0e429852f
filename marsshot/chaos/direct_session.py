"""A requests session that hands each request straight to the simulated network, without making a URL of it and back.

It has the adapters of the session that it stands for: how long a request may take is theirs to say.

What `requests` does on the way (cookies, proxies, redirects) nothing here needs, and it took a third of each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests

from embedded_market.http_messages import Request
from marsshot.infra.bounded_http import TOTAL_SECONDS, BoundedAdapter

Data = bytes | Iterable[tuple[str, str]] | None
Send = Callable[[Request, float | None], requests.Response]
"""Sends a request that may take so many seconds altogether; None: as long as it takes."""


class DirectSession(requests.Session):
    """Sends to one address alone: `origin`."""

    def __init__(self, origin: str, send: Send) -> None:
        super().__init__()
        self._origin = origin
        self._send = send
        self._own_headers: dict[str, str] | None = None  # as they are when the first request is sent

    def request(self, method: str | bytes, url: str | bytes, *_: Any, **how: Any) -> requests.Response:
        """Return the answer. Raises what `requests` raises where there is none."""
        path, _mark, query = str(url).removeprefix(self._origin).partition("?")
        if self._own_headers is None:
            self._own_headers = _lowered(self.headers)
        headers = self._own_headers | _lowered(how["headers"])
        body = _body(how.get("data"))
        adapter = self.get_adapter(self._origin)
        limit = TOTAL_SECONDS if isinstance(adapter, BoundedAdapter) else None
        return self._send(Request(str(method), path, how.get("params") or query, headers, body), limit)

    def stand_for(self, session: requests.Session) -> None:
        """Send with the headers of another session, and by its adapters."""
        self.headers.update(session.headers)
        self.adapters = session.adapters


def _lowered(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _body(data: Data) -> bytes:
    return data if isinstance(data, bytes) else urlencode(list(data or ())).encode()
