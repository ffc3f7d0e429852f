"""Binance's public data over HTTP, for many threads at once; no key is sent. Knows neither bars nor tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import urllib3

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.infra.bounded_http import bounded_pool
from marsshot.infra.tls import shared_ssl_context
from marsshot.market_data.base import SourceRefusedError

CONNECTIONS = 16
CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
OK, NOT_FOUND, BAN, TOO_MANY, NOT_IN_THIS_REGION = 200, 404, 418, 429, 451


class Answer(NamedTuple):
    """What came back; header names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class SilentHostError(TemporaryError):
    """No answer came. is_late: it may yet have been on its way; kind: of the trouble, for people."""

    def __init__(self, kind: str, *, is_late: bool) -> None:
        super().__init__(LocalizedText("fault.klines.no_host", why=kind))
        self.kind = kind
        self.is_late = is_late


class BinancePublic:
    """Kept-alive connections to one host."""

    def __init__(self, base_url: str) -> None:
        trust: dict[str, Any] = {"ssl_context": shared_ssl_context()} if base_url.startswith("https:") else {}
        self._http = bounded_pool(
            base_url,
            maxsize=CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            headers={"User-Agent": "MarsShot", "Accept": "*/*", "Accept-Encoding": "gzip"},
            **trust,
        )

    def get(self, path: str, asked: Mapping[str, str | int] | None = None) -> Answer:
        """Return the answer, whatever it says. Raises SilentHostError."""
        target = f"{path}?{urlencode(asked)}" if asked else path
        try:
            answer = self._http.urlopen("GET", target, redirect=False)
        except urllib3.exceptions.TimeoutError as error:
            raise SilentHostError(type(error).__name__, is_late=True) from None
        except urllib3.exceptions.HTTPError as error:
            raise SilentHostError(type(error).__name__, is_late=False) from None
        return Answer(answer.status, answer.headers, answer.data)

    def content(self, path: str, asked: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON of a good answer. Raises SilentHostError, SourceRefusedError, TemporaryError."""
        status, _, content = self.get(path, asked)
        if status >= 500 or status in {408, BAN, TOO_MANY}:  # noqa: PLR2004 - HTTP
            raise TemporaryError(LocalizedText("fault.klines.not_now", status=status))
        if status != OK:
            raise SourceRefusedError(refusal_text(status))
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise SourceRefusedError(refusal_text(status)) from None


def refusal_text(status: int) -> LocalizedText:
    """Return why this host answers nothing at all, in words."""
    return LocalizedText(f"fault.klines.{'region' if status == NOT_IN_THIS_REGION else 'refused'}", status=status)
