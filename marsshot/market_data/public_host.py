"""A venue's public data over HTTP, for many threads at once; no key is sent. Knows neither venues nor bars."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import urllib3

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.infra.bounded_http import bounded_pool
from marsshot.infra.tls import shared_ssl_context

CONNECTIONS = 16
CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
OK, NOT_FOUND, TOO_MANY = 200, 404, 429


class Answer(NamedTuple):
    """What came back; header names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def made_at(self, now: float) -> float:
        """Return the answer's moment by the venue's clock, where it tells and is not ahead of ours; unix seconds."""
        try:
            told = parsedate_to_datetime(self.headers.get("Date", "")).timestamp()
        except ValueError:
            return now
        return min(told, now)

    def error_code(self, key: str) -> int:
        """Return the whole number that stands under this key; 0 where none does."""
        try:
            code = orjson.loads(self.content)[key]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return 0
        return code if isinstance(code, int) else 0


class SilentHostError(TemporaryError):
    """No answer came. is_late: it may yet have been on its way; kind: of the trouble, for people."""

    def __init__(self, message: str, kind: str, *, is_late: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.is_late = is_late


class PublicHost:
    """Kept-alive connections to one host. name: as people call the venue."""

    def __init__(self, name: str, base_url: str) -> None:
        self._name = name
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
            raise self._silent(error, is_late=True) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._silent(error, is_late=False) from None
        return Answer(answer.status, answer.headers, answer.data)

    def _silent(self, error: Exception, *, is_late: bool) -> SilentHostError:
        kind = type(error).__name__
        text = LocalizedText("fault.klines.no_host", source=self._name, why=kind)
        return SilentHostError(text, kind, is_late=is_late)
