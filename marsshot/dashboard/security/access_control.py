"""Who may look, and who may press a button: the token, the host names allowed, sessions.

Values in, values out; the clock is passed in. Knows nothing of the web framework.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from marsshot.config.addresses import is_loopback
from marsshot.config.secret_values import plain_secret
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

TOKEN_VARIABLE = "MARSSHOT_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable
MIN_TOKEN_LENGTH = 32  # characters; what --new-token makes has 43, of 256 random bits
OWNER_ONLY = 0o600
SESSION_LIFETIME = timedelta(hours=24)
MAX_SESSIONS = 50


# --------------------------------------------------------------------------- the token


def new_token(path: Path) -> str:
    """Make a token, keep it in a file that its owner alone can read, and return it. Raises InputError."""
    token = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise InputError(LocalizedText("server.fault.token_there", path=path)) from None
    except OSError as error:
        raise InputError(LocalizedText("server.fault.token_unwritable", path=path, why=str(error.strerror))) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{token}\n")
    return token


def read_token(environment: Mapping[str, str], path: Path) -> str:
    """Return the token of the environment, else of the file; empty where there is neither. Raises InputError."""
    if TOKEN_VARIABLE in environment:
        return _validated_token(environment[TOKEN_VARIABLE], TOKEN_VARIABLE)
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~OWNER_ONLY:
                raise InputError(LocalizedText("server.fault.token_readable_by_others", path=path))
            return _validated_token(file.read(1000).decode("utf-8", errors="replace"), str(path))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError(LocalizedText("server.fault.token_unreadable", path=path, why=str(error.strerror))) from None


def _validated_token(text: str, place: str) -> str:
    try:
        token = plain_secret(text)
    except ValueError as error:
        raise InputError(LocalizedText("server.fault.odd_token", place=place, why=error.args[0])) from None
    if len(token) < MIN_TOKEN_LENGTH:
        raise InputError(LocalizedText("server.fault.token_too_short", place=place, length=MIN_TOKEN_LENGTH))
    return token


def token_matches(given: str, token: str) -> bool:
    """Return whether this is the token, in a time that tells neither its length nor how much of it was right."""
    digests = [sha256(text.encode("utf-8", errors="replace")).digest() for text in (given, token)]
    return bool(token) and hmac.compare_digest(*digests)


# --------------------------------------------------------------------------- the server's address


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the page is served.

    public_url: where a proxy with https shows it, empty without one. published_on: in a container, the loopback address
    of the machine around it at which the port is published, empty elsewhere.
    """

    host: str
    port: int
    token: str = ""
    public_url: str = ""
    published_on: str = ""

    @property
    def is_https(self) -> bool:
        """Return whether browsers come over https."""
        return self.public_url.startswith("https:")

    @property
    def address(self) -> str:
        """Return what to type into a browser on this machine, or where the proxy shows it."""
        host = self.published_on or self.host
        host = f"[{host}]" if ":" in host else host
        return self.public_url or f"http://{host}:{self.port}"

    def allows_host(self, host_header: str) -> bool:
        """Return whether a Host header may say this. A name that anybody can point here (DNS rebinding) may not.

        Without a token: this machine's own names only. With one: any address too, for no page of others has that.
        """
        try:
            parts = urlsplit(f"//{host_header}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if not name or re.search(r"[/?#@\\\s]", host_header):
            return False
        if is_loopback(name) or name == urlsplit(self.public_url).hostname:
            return True
        return bool(self.token) and (name == self.host.lower() or _is_address(name))


def build_server_address(
    host: str, port: int, token: str, public_url: str = "", published_on: str = "", *, in_container: bool = False
) -> ServerAddress:
    """Return the checked address. Raises InputError where others could come in without a token.

    In a container the host has to be every address of its own network; who can come in is settled by where the port is
    published. Without a token pages are shown under this machine's names alone all the same, and have no buttons.
    """
    if published_on and not in_container:
        raise InputError(LocalizedText("server.fault.published_elsewhere"))
    if published_on and not is_loopback(published_on):
        raise InputError(LocalizedText("server.fault.published_openly", address=published_on))
    if not token and not is_loopback(host) and not published_on:
        raise InputError(LocalizedText("server.fault.open_host", host=host))
    if public_url:
        parts = urlsplit(public_url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"}:
            raise InputError(LocalizedText("server.fault.public_url", url=public_url))
        if not token:
            raise InputError(LocalizedText("server.fault.public_without_token"))
        if not is_loopback(host):
            raise InputError(LocalizedText("server.fault.public_host"))
    return ServerAddress(host, port, token, public_url.rstrip("/"), published_on)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


# --------------------------------------------------------------------------- sessions


class Sessions:
    """Who is logged in: random names and when they end. They end with the process too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ends: dict[str, datetime] = {}

    def open(self, now: datetime) -> str:
        """Begin a session and return its name; the oldest gives way when there are too many."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._ends = {one: end for one, end in self._ends.items() if end > now}
            while len(self._ends) >= MAX_SESSIONS:
                del self._ends[min(self._ends, key=self._ends.__getitem__)]
            self._ends[name] = now + SESSION_LIFETIME
        return name

    def is_open(self, name: str, now: datetime) -> bool:
        """Return whether this session has begun and not ended."""
        with self._lock:
            return name in self._ends and now < self._ends[name]

    def close(self, name: str) -> None:
        """End a session."""
        with self._lock:
            self._ends.pop(name, None)
