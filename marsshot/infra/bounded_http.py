"""HTTP whose every request ends in time, whatever trickles in: name look-up, connection, request and answer together.

urllib3's own limits count from byte to byte, and none counts the look-up of a name. For urllib3 and for requests. Knows
no venue; what an end without an answer means is the caller's to say.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import sys
from collections.abc import Sequence
from concurrent import futures
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from marsshot.infra.background import run_in_thread
from marsshot.infra.lazy_modules import lazy_import

# Three megabytes that guess the encoding of a text which does not tell it; JSON, all that venues speak, needs no guess.
with suppress(PackageNotFoundError):
    lazy_import("charset_normalizer", __version__=version("charset-normalizer"))

from requests.adapters import HTTPAdapter

TOTAL_SECONDS = 9.5  # of one request; ten are promised

_Address = tuple[Any, ...]  # as socket.getaddrinfo gives it


class _Deadline:
    """The moment at which a request ends."""

    def __init__(self, seconds: float) -> None:
        self._moment = monotonic() + seconds

    def cap(self, limit: float | None) -> float:
        """Return the seconds left, or the limit if that is shorter. Raises TimeoutError when none are left."""
        left = self._moment - monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long altogether")
        return left if limit is None else min(limit, left)


class _BoundedReader(io.RawIOBase):
    """What a socket receives, until the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: _Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._limit = sock.gettimeout()
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.cap(self._limit))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer that is read until the deadline, its head like its body."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, *arguments: Any, **parameters: Any) -> None:
        super().__init__(sock, *arguments, **parameters)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_BoundedReader(raw, sock, deadline))


class _BoundedConnection(HTTPConnection):
    """A connection that is told when each of its requests must end."""

    _deadline: _Deadline

    def begin_request(self, seconds: float) -> None:
        """Count the time from now on."""
        self._deadline = _Deadline(seconds)

    def response_class(  # type: ignore[override] # http.client calls what it finds, a class or a method
        self, sock: socket.socket, *arguments: Any, **parameters: Any
    ) -> _BoundedResponse:
        """Return the answer that http.client reads."""
        return _BoundedResponse(sock, self._deadline, *arguments, **parameters)

    def request(self, *arguments: Any, **parameters: Any) -> None:
        """Send the request."""
        if self.sock is not None:  # kept alive, and with the limit of the last answer
            self.sock.settimeout(self._deadline.cap(None))
        super().request(*arguments, **parameters)

    def _new_conn(self) -> socket.socket:
        try:
            sock = self._connected_to_first(self._addresses())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock

    def _addresses(self) -> Sequence[_Address]:
        host = self.host.strip("[]")
        if _is_address(host):
            return socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        # A look-up cannot be broken off: the thread that makes it is left to itself.
        answer = run_in_thread(lambda: socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM))
        try:
            return answer.result(self._deadline.cap(None))
        except futures.TimeoutError:
            raise TimeoutError("the name was not found in time") from None
        except UnicodeError:
            raise OSError("the name is none") from None

    def _connected_to_first(self, addresses: Sequence[_Address]) -> socket.socket:
        """Connect to the first address that answers. Raises OSError of the last one."""
        problem = OSError("the name has no address")
        for family, kind, protocol, _name, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self._deadline.cap(_seconds(self.timeout)))
                sock.connect(address)
                sock.settimeout(self._deadline.cap(None))  # the TLS handshake is still to come
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        raise problem


class _BoundedSecureConnection(_BoundedConnection, HTTPSConnection):
    """The same over TLS."""


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection
    total_seconds: float | None = None  # of each request; None: as everywhere

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        connection.begin_request(self.total_seconds or TOTAL_SECONDS)
        return connection


class _BoundedSecurePool(_BoundedPool, HTTPSConnectionPool):
    ConnectionCls = _BoundedSecureConnection


_POOLS = {"http": _BoundedPool, "https": _BoundedSecurePool}


def bounded_pool(base_url: str, *, total_seconds: float | None = None, **parameters: Any) -> HTTPConnectionPool:
    """Return urllib3's pool of connections to one origin. total_seconds: of a request that may wait longer."""
    parts = urllib3.util.parse_url(base_url)
    pool: _BoundedPool = _POOLS[parts.scheme or "http"](parts.host or "", parts.port, **parameters)
    pool.total_seconds = total_seconds
    return pool


def bounded_manager(**parameters: Any) -> urllib3.PoolManager:
    """Return urllib3's pools of connections to any origin."""
    manager = urllib3.PoolManager(**parameters)
    manager.pool_classes_by_scheme = _POOLS
    return manager


class BoundedAdapter(HTTPAdapter):
    """What carries the requests of `requests`."""

    def init_poolmanager(self, *arguments: Any, **parameters: Any) -> None:
        """Let every connection end its requests in time."""
        super().init_poolmanager(*arguments, **parameters)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **parameters: Any) -> Any:
        """Let every connection through a proxy end its requests in time; of a SOCKS proxy, urllib3 makes its own."""
        manager: Any = super().proxy_manager_for(*arguments, **parameters)
        if isinstance(manager, urllib3.ProxyManager) and type(manager) is urllib3.ProxyManager:
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _seconds(limit: Any) -> float | None:
    return float(limit) if isinstance(limit, int | float) else None
